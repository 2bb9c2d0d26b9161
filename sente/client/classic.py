"""Sente's own wire under a client: where a Sente server looks for things, and how a message travels (§10)."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from sente.client.driver import LEAVE_TIMEOUT, SLACK, ClientDriver
from sente.client.endpoint import Attempt, Endpoint
from sente.client.frames import Said
from sente.errors import ProtocolError, UnpackError
from sente.interfaces import ClientLink, ClientTransport, JoinablePacker, Packer, Wire
from sente.protocol.actions import Link, TransportName
from sente.protocol.classic_client import ClassicClientSession
from sente.protocol.messages import Classic, Packet

FORM = "application/x-www-form-urlencoded;charset=UTF-8"
BINARY = "application/octet-stream"


class ClassicEndpoint(Endpoint):
    """The address of a Sente server, which looks for the CSRF token in a WebSocket's URL, or in a header of polls.

    >>> ClassicEndpoint(url="ws://localhost/chsk", packers="json").address("poll", "c1", {"room": "go"})
    'http://localhost/chsk?client-id=c1&room=go'
    """

    RESERVED: ClassVar = Endpoint.RESERVED | {"csrf-token", "udt", "ppstr", "binary?"}

    @property
    def _words(self) -> dict[str, Any]:
        return {}

    async def attempt(self, transport: TransportName, client_id: str) -> Attempt:
        """Ask for everything anew."""
        attempt = await super().attempt(transport, client_id)
        token = attempt.credentials.get("csrf")
        if token is None:
            return attempt
        if transport == "ws":
            return Attempt(f"{attempt.url}&{urlencode({'csrf-token': token})}", attempt.headers, {})
        return Attempt(attempt.url, {**attempt.headers, "X-CSRF-Token": token}, {})


class ClassicDriver(ClientDriver):
    """Writes and reads what Sente does, with the one packer that both sides were told."""

    _core: ClassicClientSession

    def start(self, transport: ClientTransport) -> None:
        """Bind to the running loop."""
        super().start(transport)
        self._text = isinstance(self.packer.pack(None), str)
        self._room = asyncio.Event()
        self._room.set()

    def run(self) -> None:
        """Carry out what the core asks for; read on if the application has room."""
        super().run()
        if self._core.full:
            self._room.clear()
        elif self.started:
            self._room.set()

    async def aclose(self) -> None:
        """Wait a little for POSTs that nobody waits for; the server may hold them."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LEAVE_TIMEOUT)
            for task in late:
                task.cancel()
        await super().aclose()

    def _welcomed(self, link: Link, attempt: Attempt, frame: Wire) -> None:
        self._polling = attempt
        self._core.first_frame(link, self._unpacked(frame), self.now)
        self.run()

    async def _next(self, line: ClientLink) -> Wire:
        await self._room.wait()
        return await super()._next(line)

    async def _exchange(self, link: Link, first: dict[str, Any], wires: Iterable[Wire]) -> None:
        assert self._polling is not None, "a handshake comes first"
        url, headers = f"{self._polling.url}&udt={time.time_ns() // 1_000_000}", dict(self._polling.headers)
        method: Literal["GET", "POST"] = "GET"
        body = b""
        for wire in wires:
            method = "POST"
            if isinstance(wire, bytes):
                url, body, headers["Content-Type"] = f"{url}&binary%3F=true", wire, BINARY
            else:
                client_id = self._core.state.client_id
                body = urlencode({"client-id": client_id, "ppstr": wire}).encode()
                headers["Content-Type"] = FORM
        answer = await self._transport.fetch(method, url, headers, body, self._limits.body + SLACK)
        self._core.exchanged(link, {}, [(self._read(answer), len(answer))], self.now)

    def _write(self, packets: Iterable[Packet]) -> list[Wire]:
        return [write_classic(packet, self.packer) for packet in packets]

    def _read(self, wire: Wire) -> Packet:
        plain = self._unpacked(wire)
        if not isinstance(plain, list) or len(plain) != 2:
            raise ProtocolError("a message is a list [message, callback]")
        return Classic(*plain)

    def _unpacked(self, wire: Wire) -> Any:
        """What a frame or an answer holds. Answers are bytes, whatever is in them."""
        try:
            return self.packer.unpack(wire.decode() if self._text and isinstance(wire, bytes) else wire)
        except UnicodeDecodeError as error:
            raise UnpackError("the answer is not UTF-8") from error


def write_classic(packet: Packet, packer: Packer) -> Wire:
    """The frame of a message; an event in it as it was packed when it was said.

    >>> from sente.client.frames import say
    >>> from sente.packers import get
    >>> write_classic(Classic(say("chat/say", 1, get("json")), "1"), get("json"))
    '[["chat/say",1],"1"]'
    """
    assert isinstance(packet, Classic), "nothing else is said to a Sente server"
    said = packet.message
    if not isinstance(said, Said):
        return packer.pack([said, packet.ref])
    if isinstance(packer, JoinablePacker):
        return packer.frame(packer.join([said.part, packer.part(packet.ref)]))
    return packer.pack([packer.unpack(said.part), packet.ref])  # later changes to its data change nothing
