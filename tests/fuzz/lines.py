"""The same over real sockets: what is said goes through HTTP, handshakes and frames, and those go wrong as well."""

import asyncio
import os
from collections.abc import Sequence

from sente import ChannelSocket
from sente.interfaces import Receive, Scope, Send, Wire
from tests.fuzz.chaos import CLOSE_CODES, STATUSES, Chaos, Headers, Outcome

SERVERS = ("uvicorn", "uvicorn, directly")

LINE_CODES = CLOSE_CODES | {1002, 1007}
"""And those by which the WebSocket library answers what is no frame, or no UTF-8 (RFC 6455, 7.4.1)."""

SILENCE = 0.15
"""Seconds after which a server that says nothing more has nothing more to say."""


def lines_only(chsk: ChannelSocket) -> object:
    """The application without a lifespan: it runs already."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await chsk(scope, receive, send)

    return app


class LineChaos(Chaos):
    """Hostile clients on TCP connections to a server on ``port``."""

    def __init__(self, chsk: ChannelSocket, port: int, seed: int, outcome: Outcome) -> None:
        super().__init__(chsk, seed, outcome)
        self._port = port
        self._acts = (*self._acts, self.rubbish)

    async def rubbish(self) -> None:
        """What is no HTTP, or hardly."""
        await self._exchange(self._bytes(200) if self._maybe() else self._broken(self._head("GET", "v=1", [], b"")))

    async def _said(self, query: str | bytes, headers: Headers, frames: Sequence[Wire]) -> None:
        version = self.random.choice((b"13", b"13", b"13", b"13", b"8", b"x"))
        upgrade = [
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-version", version),
            (b"sec-websocket-key", b"A" * 22 + b"=="),
        ]
        await self._exchange(self._head("GET", query, [*headers, *upgrade], None), [self._frame(f) for f in frames])

    async def _answered(self, method: str, query: str | bytes, body: Wire) -> None:
        content = body if isinstance(body, bytes) else body.encode(errors="replace")
        await self._exchange(self._head(method, query, self._headers(), content), [content[:5], content[5:]])

    def _head(self, method: str, query: str | bytes, headers: Headers, content: bytes | None) -> bytes:
        target = query if isinstance(query, bytes) else query.encode()
        lines = [method.encode() + b" /chsk?" + target + b" HTTP/1.1", *(b": ".join(each) for each in headers)]
        if content is not None:
            lines.append(b"content-length: %d" % len(content))
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        return self._broken(head) if self._maybe(0.1) else head

    def _broken(self, content: bytes) -> bytes:
        mutated = self._mutated(content)
        assert isinstance(mutated, bytes)
        return mutated

    def _frame(self, wire: Wire) -> bytes:
        """A masked frame (RFC 6455, 5.2), in pieces perhaps, or with a head that is wrong."""
        payload = wire.encode(errors="replace") if isinstance(wire, str) else wire
        opcode = 1 if isinstance(wire, str) else 2
        if self._maybe(0.2):
            at = self.random.randrange(len(payload) + 1)
            ping = self._one(0x89, b"?") if self._maybe() else b""
            return self._one(opcode, payload[:at]) + ping + self._one(0x80, payload[at:])
        frame = self._one(0x80 | opcode, payload)
        if self._maybe(0.1):
            return self._one(self.random.randrange(256), payload[: self.random.randrange(200)])
        return self._broken(frame) if self._maybe(0.05) else frame

    def _one(self, first: int, payload: bytes) -> bytes:
        mask = self._bytes(5)[:4].ljust(4, b"\0")
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        size = len(payload)
        if size < 126:
            length = bytes([0x80 | size])
        elif size < 2**16:
            length = bytes([0xFE]) + size.to_bytes(2, "big")
        else:
            length = bytes([0xFF]) + size.to_bytes(8, "big")
        return bytes([first]) + length + mask + masked

    async def _exchange(self, head: bytes, rest: Sequence[bytes] = ()) -> None:
        """Say this, listen for a while, and end the connection one way or another."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(head)
            for part in rest:
                if self._maybe(0.3):
                    await asyncio.sleep(0)
                writer.write(part)
            await asyncio.sleep(self._patience())
            if self._maybe(0.8):
                writer.write_eof()
            said = await self._heard(reader)
        except OSError:  # the server has closed it while this was still being said
            return
        finally:
            writer.transport.abort()
        self._note(said)

    async def _heard(self, reader: asyncio.StreamReader) -> bytes:
        said = b""
        while True:
            try:
                async with asyncio.timeout(SILENCE if not said else 0.02):
                    part = await reader.read(2**16)
            except TimeoutError:
                return said
            if not part:
                return said
            said += part

    def _note(self, said: bytes) -> None:
        if not said:
            return
        head, _, rest = said.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            self._outcome.odd.append(f"no HTTP: {said[:80]!r}")
        elif words[1] != b"101":
            self._outcome.met(int(words[1]), STATUSES | {426}, "HTTP")
            self._learned(rest)
        else:
            self._note_frames(rest)

    def _note_frames(self, said: bytes) -> None:
        """What came on a WebSocket: whole frames, none of them masked, up to the close."""
        while said:
            first, size, at = said[0], said[1], 2
            if size == 126:
                size, at = int.from_bytes(said[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(said[2:10], "big"), 10
            payload, said = said[at : at + size], said[at + size :]
            if first & 0x0F == 8:
                code = int.from_bytes(payload[:2], "big") if payload else 1000
                self._outcome.met(code, LINE_CODES, "WebSocket")
            elif first not in (0x81, 0x82, 0x89, 0x8A):
                self._outcome.odd.append(f"a frame that begins with {first:#x}")
            else:
                self._learned(payload)

    def _learned(self, said: bytes) -> None:
        if b'"session":' in said:
            self._learn(said.decode(errors="replace"))


def descriptors() -> int:
    """Files and sockets that this process has open."""
    return len(os.listdir("/proc/self/fd"))
