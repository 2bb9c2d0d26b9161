"""The WebSocket gate: welcome, hello, then frames both ways."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from sente.errors import ProtocolError, Rejected, UnpackError
from sente.interfaces import Packer, Receive, Scope, Send, Wire, offer
from sente.protocol.greeting import Hello, read_first, write_welcome
from sente.protocol.messages import Ping, Pong, read_packet, write_packet
from sente.protocol.settings import Limits
from sente.transports.asgi import GONE, Connection, DirectLine, respond, send_to, wire_size
from sente.transports.gate import Gate, Refusal
from sente.workers import Worker, Workers

CLOSE_TIMEOUT = 5.0
"""Seconds that a closing WebSocket gets to take what is still on its way to it; then the line is cut."""

HELLO = '{"hello"'
"""How our clients begin one. It is known as no ping without a look at the rest."""


class WebSocketTransport:
    """Serves WebSockets. A browser can neither set a header on one nor read the status of a refused one, so it is
    accepted first and refused, if need be, with a close code and a reason (§1)."""

    name = "ws"

    def __init__(self) -> None:
        self._writers = Workers()

    async def serve(self, scope: Scope, receive: Receive, send: Send, gate: Gate) -> None:
        """Serve one WebSocket until it is closed."""
        connection = Connection(scope)
        if (await receive())["type"] != "websocket.connect":
            return
        try:
            packer = gate.check(connection)
        except Rejected as rejected:
            refusal = await gate.refusal(connection, rejected)
            headers = [*gate.headers(connection), ("content-type", "application/json")]
            return await refuse_upgrade(send, scope, refusal, headers)
        await send_to(send, {"type": "websocket.accept"})
        welcome = write_welcome(offer(packer), gate.settings.hello_timeout)
        await send_to(send, {"type": "websocket.send", "text": welcome})
        try:
            hello = await _hello(receive, send, packer, gate)
        except ProtocolError as error:
            refusal = await gate.refusal(connection, Rejected(error.close_code - 4000, error.reason))
            return await _close(send, 4000 + refusal.status, refusal.reason)
        if hello is not None:
            if hello.auth is not None:
                connection = Connection(scope, hello.auth)
            link = WebSocketLink(send, packer, connection, gate.settings.limits, self._writers)
            link.line = scope.get("extensions", {}).get("sente.line")
            await _talk(link, hello, receive, send, gate)


class WebSocketLink:
    """An admitted WebSocket. Frames wait in order for the one writer that sends them."""

    __slots__ = (
        "_closing",
        "_limits",
        "_queue",
        "_send",
        "_waiting",
        "_writer",
        "_writers",
        "_writing",
        "connection",
        "deadline",
        "line",
        "number",
        "overrun",
        "packer",
    )

    def __init__(
        self,
        send: Send,
        packer: Packer,
        connection: Connection,
        limits: Limits,
        writers: Workers,
        *,
        accept: bool = False,
    ) -> None:
        self.number = 0
        self.packer = packer
        self.connection = connection
        self.deadline = asyncio.timeout(None)
        """When the line is cut."""
        self.line: DirectLine | None = None
        """A shorter way to the client, if the server offers one."""
        self._send = send
        self._limits = limits
        self._queue: list[dict[str, Any]] = [{"type": "websocket.accept"}] if accept else []
        self.overrun = False
        """Whether the line was cut because its client does not read."""
        self._waiting = 0  # characters or bytes, of frames
        self._writers = writers
        self._writing = False  # or about to
        self._writer: Worker | None = None  # which waits, while others run
        self._closing = False

    @property
    def behind(self) -> bool:
        """Whether the server holds a frame back, as the client does not read."""
        return self._writer is not None

    def transmit(self, wires: Sequence[Wire]) -> None:
        """Send frames; cut the line if twice what a session may keep waits: its client asks, but does not read."""
        for wire in wires:
            if self.line is not None and not self._writing and not self._closing and self.line.write(wire):
                continue
            self._waiting += len(wire)
            self._put({"type": "websocket.send", "text" if isinstance(wire, str) else "bytes": wire})
        if not self._queue:
            return
        limits = self._limits
        too_much = len(self._queue) > 2 * limits.outbox or self._waiting > 2 * limits.outbox_bytes
        if too_much and not self._closing:
            self.overrun = True
            self._cut_off(after=0)

    def answer(self, head: dict[str, Any], wires: Sequence[Wire]) -> None:
        """Only HTTP exchanges are answered."""
        raise TypeError("a WebSocket has no answer")

    def close(self, code: int, reason: str) -> None:
        """Close after what waits has been sent; cut the line if that takes too long."""
        if not self._closing:
            self._put({"type": "websocket.close", "code": code, "reason": _cut(reason)})
            self._cut_off(after=CLOSE_TIMEOUT)

    def abandon(self) -> None:
        """The line is gone: send nothing more."""
        self._closing = True
        self._queue.clear()
        if self._writer is not None:
            self._writer.cancel()

    def _put(self, message: dict[str, Any]) -> None:
        if not self._closing:
            self._queue.append(message)
            if not self._writing:
                self._writing = True
                self._writers.put(self._write)

    async def _write(self, writer: Worker) -> None:
        self._writer = writer
        try:
            while self._queue:
                message = self._queue.pop(0)
                self._waiting -= len(message.get("text") or message.get("bytes") or ())
                await self._send(message)
        except GONE:  # the line is gone, as the reader is about to be told
            self._closing = True
            self._queue.clear()
        finally:
            self._writer = None
            self._writing = False

    def _cut_off(self, *, after: float) -> None:
        self._closing = True
        self.deadline.reschedule(asyncio.get_running_loop().time() + after)


async def _hello(receive: Receive, send: Send, packer: Packer, gate: Gate) -> Hello | None:
    """The client's hello, after a few pings at most; ``None`` if it went away."""
    try:
        async with asyncio.timeout(gate.settings.hello_timeout):
            frame = await _first_frame(receive, send, packer, gate)
    except TimeoutError:
        raise ProtocolError("no hello came in time", 4408) from None
    if frame is None:
        return None
    if not isinstance(frame, str) or wire_size(frame) > gate.settings.hello_size:
        raise ProtocolError(f"the first frame must be a hello: JSON text of at most {gate.settings.hello_size} bytes")
    hello = read_first(frame)
    if not isinstance(hello, Hello):
        raise ProtocolError("the first frame must be a hello")
    return hello


async def _first_frame(receive: Receive, send: Send, packer: Packer, gate: Gate) -> Wire | None:
    """The first one that is no ping; ``None`` if the client went away. Pings are answered, so many and no more."""
    pings = gate.settings.hello_pings
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return None
        text = message.get("text")
        frame: Wire = message["bytes"] if text is None else text
        if not pings or wire_size(frame) > gate.settings.hello_size or not _is_ping(frame, packer):
            return frame
        pings -= 1
        pong = packer.pack(write_packet(Pong(), "server"))
        await send_to(send, {"type": "websocket.send", "text" if isinstance(pong, str) else "bytes": pong})


def _is_ping(frame: Wire, packer: Packer) -> bool:
    try:
        return frame[: len(HELLO)] != HELLO and isinstance(read_packet(packer.unpack(frame)), Ping)
    except (ProtocolError, UnpackError):
        return False  # a hello, most likely


async def _talk(link: WebSocketLink, hello: Hello, receive: Receive, send: Send, gate: Gate) -> None:
    """Attach the link to a session, then hear what the client says, until either side closes."""
    try:
        async with link.deadline:
            await gate.admit(link, hello, websocket=True)
            await _listen(link, receive, gate)
    except Rejected as rejected:
        refusal = await gate.refusal(link.connection, rejected)
        await _close(send, 4000 + refusal.status, refusal.reason)
    except TimeoutError:
        if not link.deadline.expired():  # it was a hook's
            raise
    finally:
        link.abandon()
        gate.lost(link, cut=link.overrun)


async def _listen(link: WebSocketLink, receive: Receive, gate: Gate) -> None:
    if link.line is not None:
        link.line.listen(partial(gate.receive, link))
    while True:
        message = await receive()
        if message["type"] == "websocket.receive":
            text = message.get("text")
            gate.receive(link, message["bytes"] if text is None else text)
        elif message["type"] == "websocket.disconnect":
            if message.get("code") == 1000:
                gate.said_goodbye(link)
            return


async def refuse_upgrade(send: Send, scope: Scope, refusal: Refusal, headers: list[tuple[str, str]]) -> None:
    """Refuse a WebSocket before it is accepted."""
    if refusal.status in (406, 429):  # a browser has to read it: the client would otherwise try again at once
        await send_to(send, {"type": "websocket.accept"})
        return await _close(send, 4000 + refusal.status, refusal.reason)
    if "websocket.http.response" not in scope.get("extensions", {}):
        return await _close(send, 4000 + refusal.status, refusal.reason)
    headers = [*headers, *refusal.headers]
    await respond(send, refusal.status, refusal.content, headers, prefix="websocket.http.response")


async def _close(send: Send, code: int, reason: str) -> None:
    await send_to(send, {"type": "websocket.close", "code": code, "reason": _cut(reason)})


def _cut(reason: str) -> str:
    """What fits into a close frame: 123 bytes (RFC 6455, 5.5)."""
    return reason.encode()[:123].decode(errors="ignore")
