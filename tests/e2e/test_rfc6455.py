"""RFC 6455 over real sockets, case by case, by uvicorn's own class and by ours."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from sente import ChannelSocket, Message
from tests.asgi import HELLO
from tests.e2e.serving import serving
from tests.faults.test_aborts import upgrade

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, MASKED = 0x80, 0x80
MASK = bytes([0x37, 0xFA, 0x21, 0x3D])
"""That of the RFC's own example (5.7)."""


def frame(opcode: int, payload: bytes, *, fin: bool = True, mask: bytes | None = MASK, bits: int = 0) -> bytes:
    first, masked, size = (FIN if fin else 0) | bits | opcode, MASKED if mask else 0, len(payload)
    if size < 126:
        head = struct.pack("!BB", first, masked | size)
    elif size < 2**16:
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def ask(text: str = "hi", number: int = 1) -> bytes:
    """A request for what was said, as it is written."""
    return json.dumps([["rfc/echo", text], number, number, None, "request"], ensure_ascii=False).encode()


def pieces(payload: bytes, *places: int) -> list[bytes]:
    """A text message in so many fragments."""
    ends = [0, *places, len(payload)]
    parts = [payload[start:end] for start, end in pairwise(ends)]
    last = len(parts) - 1
    return [frame(CONTINUATION if at else TEXT, part, fin=at == last) for at, part in enumerate(parts)]


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def sized(length: int) -> str:
    """Text that makes the request's frame this long."""
    return "x" * (length - len(ask("")))


JAPANESE = ask("先手")
AT = JAPANESE.index("先".encode())

ANSWERED: dict[str, tuple[list[bytes], str]] = {
    "5.2 a frame of 125 bytes": ([frame(TEXT, ask(sized(125)))], sized(125)),
    "5.2 a frame of 126 bytes, whose length takes two": ([frame(TEXT, ask(sized(126)))], sized(126)),
    "5.2 a frame of 65,535 bytes": ([frame(TEXT, ask(sized(65_535)))], sized(65_535)),
    "5.2 a frame of 65,536 bytes, whose length takes eight": ([frame(TEXT, ask(sized(65_536)))], sized(65_536)),
    "5.3 a mask of zeros": ([frame(TEXT, ask(), mask=bytes(4))], "hi"),
    "5.3 a mask of ones": ([frame(TEXT, ask(), mask=b"\xff" * 4)], "hi"),
    "5.4 three fragments": (pieces(ask(), 5, 9), "hi"),
    "5.4 an empty fragment": (pieces(ask(), 0, 5, 5), "hi"),
    "5.4 a ping between fragments": ([pieces(ask(), 5)[0], frame(PING, b"?"), pieces(ask(), 5)[1]], "hi"),
    "5.5.3 a pong nobody asked for": ([frame(PONG, b"!"), frame(TEXT, ask())], "hi"),
    "5.5.3 a pong between fragments": ([pieces(ask(), 5)[0], frame(PONG, b""), pieces(ask(), 5)[1]], "hi"),
    "5.6 a character that is cut by fragments": (pieces(JAPANESE, AT + 1, AT + 2), "先手"),
    "a frame byte by byte": ([bytes([byte]) for byte in frame(TEXT, ask())], "hi"),
    "two fragments and a ping in one piece": ([b"".join([*pieces(ask(), 5), frame(PING, b"?")])], "hi"),
}
"""What is sent after the handshake, and what is answered."""

REFUSED: dict[str, tuple[list[bytes], int]] = {
    "5.1 no mask": ([frame(TEXT, ask(), mask=None)], 1002),
    "5.2 the first reserved bit": ([frame(TEXT, ask(), bits=0x40)], 1002),
    "5.2 the second reserved bit": ([frame(TEXT, ask(), bits=0x20)], 1002),
    "5.2 the third reserved bit": ([frame(TEXT, ask(), bits=0x10)], 1002),
    "5.2 a reserved opcode": ([frame(3, ask())], 1002),
    "5.2 a reserved opcode of control frames": ([frame(11, b"")], 1002),
    "5.4 a continuation of nothing": ([frame(CONTINUATION, ask())], 1002),
    "5.4 a message within a message": ([pieces(ask(), 5)[0], frame(TEXT, ask())], 1002),
    "5.4 a close before the last fragment": ([pieces(ask(), 5)[0], close(1000)], 1002),  # as the library has it
    "5.5 a control frame in fragments": ([frame(PING, b"", fin=False)], 1002),
    "5.5 a control frame of 126 bytes": ([frame(PING, b"x" * 126)], 1002),
    "8.1 no UTF-8": ([frame(TEXT, b'["\xff"]')], 1007),
    "8.1 half a character": ([frame(TEXT, JAPANESE[: AT + 1])], 1007),
    "8.1 no UTF-8, in the second fragment": (pieces(b'["a\xff"]', 3), 1007),
    "8.1 a surrogate": ([frame(TEXT, b'["\xed\xa0\x80"]')], 1007),
    "10.4 a frame that says it has 2^40 bytes": ([struct.pack("!BBQ", FIN | TEXT, MASKED | 127, 2**40) + MASK], 1009),
    "7.1.5 a close code of one byte": ([frame(CLOSE, b"\x03")], 1002),
    "7.4.1 the code 1005": ([close(1005)], 1002),
    "7.4.1 the code 1006": ([close(1006)], 1002),
    "7.4.1 the code 1015": ([close(1015)], 1002),
    "7.4.2 the code 999": ([close(999)], 1002),
    "7.4.2 the code 5000": ([close(5000)], 1002),
    "5.5.1 a reason that is no UTF-8": ([close(1000, b"\xff")], 1007),
}
"""What is sent, and the code that the line is closed with."""

CLOSED: dict[str, tuple[list[bytes], bytes]] = {
    "5.5.1 a close without a code": ([close()], b""),
    "7.4.1 the code 1000": ([close(1000)], struct.pack("!H", 1000)),
    "7.4.1 the code 1001, with a reason": ([close(1001, "先手".encode())], struct.pack("!H", 1001)),
    "7.4.2 the code 3000": ([close(3000)], struct.pack("!H", 3000)),
    "7.4.2 the code 4999": ([close(4999)], struct.pack("!H", 4999)),
    "5.5.1 what follows a close": ([close(1000) + frame(TEXT, ask())], struct.pack("!H", 1000)),
}
"""What is sent, and how the answer's payload begins."""

ON_BOTH = pytest.mark.parametrize("server", ["uvicorn", "uvicorn, directly"])


@dataclass
class Line:
    """A connection after its handshake, and every frame that came on it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pongs: list[bytes] = field(default_factory=list)

    async def say(self, parts: list[bytes]) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def frame(self) -> tuple[int, bytes]:
        first, size = await self.reader.readexactly(2)
        assert first & FIN and not first & 0x70 and size < 128, "whole, not compressed, not masked"
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(size)

    async def reply(self) -> Any:
        while True:
            opcode, payload = await self.frame()
            if opcode == PONG:
                self.pongs.append(payload)
            elif opcode == TEXT and (packet := json.loads(payload))[-1] == "reply":
                return packet[0]

    async def close_frame(self) -> bytes:
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                assert await self.reader.read() == b"", "and then the line ends"
                return payload
            assert opcode == PONG, payload


@asynccontextmanager
async def line(server: str) -> AsyncIterator[Line]:
    chsk = ChannelSocket()

    @chsk.on("rfc/echo")
    async def echo(msg: Message) -> Any:
        return msg.data

    async with serving(chsk, server) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        writer.write(upgrade("v=1&packers=json&client-id=c1"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        opened = Line(reader, writer)
        await opened.frame()  # the welcome
        writer.write(frame(TEXT, json.dumps(HELLO).encode()))
        await opened.frame()  # the handshake
        yield opened
        writer.transport.abort()


@ON_BOTH
@pytest.mark.parametrize("case", ANSWERED)
async def test_what_a_client_may_send(case: str, server: str) -> None:
    parts, answer = ANSWERED[case]
    async with line(server) as opened:
        await opened.say(parts)
        assert await opened.reply() == answer


@ON_BOTH
@pytest.mark.parametrize("payload", [b"", b"?", b"\xff\x00", b"x" * 125])
async def test_a_ping_is_answered_with_what_it_brought(payload: bytes, server: str) -> None:
    async with line(server) as opened:
        await opened.say([pieces(ask(), 5)[0], frame(PING, payload), pieces(ask(), 5)[1]])
        assert await opened.reply() == "hi"
        assert opened.pongs == [payload]


@ON_BOTH
@pytest.mark.parametrize("case", REFUSED)
async def test_what_a_client_must_not_send(case: str, server: str) -> None:
    parts, code = REFUSED[case]
    async with line(server) as opened:
        await opened.say(parts)
        assert struct.unpack("!H", (await opened.close_frame())[:2]) == (code,)


@ON_BOTH
@pytest.mark.parametrize("case", CLOSED)
async def test_a_close_is_answered(case: str, server: str) -> None:
    parts, answer = CLOSED[case]
    async with line(server) as opened:
        await opened.say(parts)
        assert (await opened.close_frame())[:2] == answer
