"""The class for uvicorn beside uvicorn's own: whatever comes, an application hears and a client gets the same.

The same bytes, cut anywhere, go to both protocols; one application takes messages by ``receive``, the other by a call.
"""

import asyncio
import runpy
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import example, given
from hypothesis import strategies as st
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode, apply_mask  # type: ignore[attr-defined]

import sente.integrations.uvicorn
from sente.integrations.uvicorn import DIRECT, Mailbox, WebSocketProtocol
from sente.interfaces import Wire

REQUEST = (
    b"GET /chsk HTTP/1.1\r\nHost: testserver\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


class Line(asyncio.Transport):
    """The other end of a protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.paused = False

    def write(self, data: Any) -> None:
        if not self.closed:
            self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


@dataclass
class Served:
    """A WebSocket that was accepted, and what the application heard on it."""

    make: type[WebSocketsSansIOProtocol]
    deflate: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    heard: list[Any] = field(default_factory=list)

    async def open(self, glued: bytes = b"") -> None:
        config = uvicorn.Config(
            self.app, interface="asgi3", ws_per_message_deflate=self.deflate, log_level="critical", **self.options
        )
        config.load()
        self.protocol = self.make(config=config, server_state=ServerState(), app_state={})
        self.line = Line()
        self.protocol.connection_made(self.line)
        self.protocol.data_received(REQUEST + DEFLATE * self.deflate + b"\r\n" + glued)
        await settle()
        assert b" 101 " in self.line.written
        self.line.written = b""

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.send = send
        await receive()
        await send({"type": "websocket.accept"})
        self.direct = scope["extensions"].get("sente.line")
        if self.direct is not None:
            self.direct.listen(self.hear)
        while (message := await receive())["type"] == "websocket.receive":
            self.hear(message["bytes"] if message.get("text") is None else message["text"])
        self.heard.append((message["type"], message.get("code")))

    def hear(self, wire: Wire) -> None:
        self.heard.append(wire)

    async def take(self, chunks: list[bytes]) -> tuple[list[Any], bytes, bool]:
        for chunk in chunks:
            if not self.line.closed:
                self.protocol.data_received(chunk)
                await settle()
        return self.heard, self.line.written, self.line.closed

    async def over(self) -> None:
        self.protocol.connection_lost(None)
        await settle()


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


texts = st.text(max_size=200).map(lambda text: frame(Opcode.TEXT, text.encode()))
binaries = st.binary(max_size=200).map(lambda data: frame(Opcode.BINARY, data))
medium = st.integers(120, 70_000).map(lambda size: frame(Opcode.BINARY, b"x" * size))
controls = st.builds(frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))


@st.composite
def fragments(draw: Callable[..., Any]) -> bytes:
    parts = draw(st.lists(st.binary(max_size=50), min_size=2, max_size=4))
    frames = [frame(Opcode.CONT, part, fin=False) for part in parts]
    frames[0] = frame(Opcode.BINARY, parts[0], fin=False)
    frames[-1] = frame(Opcode.CONT, parts[-1])
    between = draw(st.lists(controls, min_size=len(frames), max_size=len(frames)))
    return b"".join(one + ping for one, ping in zip(frames, between, strict=True))


broken = st.sampled_from(
    [
        frame(Opcode.TEXT, b"\xff\xfe"),
        frame(Opcode.TEXT, b"not masked", mask=False),
        bytes([0xC1, 0x80]) + b"mask",  # a bit that nobody agreed on
        frame(Opcode.CONT, b"goes on from nothing"),
        frame(Opcode.TEXT, b"begins", fin=False) + frame(Opcode.TEXT, b"another in it"),
        frame(Opcode.CLOSE, b"\x03\xe8goodbye") + frame(Opcode.TEXT, b"after the end"),
        frame(Opcode.CLOSE, b""),
        bytes([0x82, 0xFF]) + b"\xff" * 8 + b"mask",
        bytes([0x89, 0xFE, 1, 0]) + b"mask" + b"x" * 256,
        bytes([0x83, 0x80]) + b"mask",
        b"\r\n\r\n",
    ]
)
streams = st.lists(texts | binaries | controls | fragments() | medium, max_size=6).map(b"".join)


def cut(stream: bytes, places: list[float]) -> list[bytes]:
    edges = [0, *sorted(int(place * len(stream)) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges) if a < b]


@given(streams, st.lists(st.floats(0, 1), max_size=8), st.just(b"") | broken)
@example(frame(Opcode.TEXT, b"x" * 300), [0.001, 0.004, 0.008, 0.01, 0.02, 0.99], b"")
async def test_the_same_is_heard_and_answered(stream: bytes, places: list[float], end: bytes) -> None:
    ours, theirs = Served(WebSocketProtocol), Served(WebSocketsSansIOProtocol)
    await ours.open()
    await theirs.open()
    assert ours.direct is not None and theirs.direct is None
    # what is broken comes apart: uvicorn drops what arrived in one piece with it
    chunks = [*cut(stream, places), *[end] * bool(end)]
    assert await ours.take(chunks) == await theirs.take(chunks)
    assert not ours.line.paused or ours.line.closed
    await ours.over()
    await theirs.over()
    assert ours.heard == theirs.heard


@given(st.text(max_size=300) | st.binary(max_size=300) | st.sampled_from([125, 126, 65535, 65536, 100_000]).map(bytes))
async def test_the_same_is_written(wire: Wire) -> None:
    ours, theirs = Served(WebSocketProtocol), Served(WebSocketsSansIOProtocol)
    for served in (ours, theirs):
        await served.open()
    assert ours.direct.write(wire)
    await theirs.send({"type": "websocket.send", "text" if isinstance(wire, str) else "bytes": wire})
    assert ours.line.written == theirs.line.written


async def test_what_is_longer_than_the_server_takes_is_refused_by_it() -> None:
    for size in (1000, DIRECT + 1):
        served = Served(WebSocketProtocol, options={"ws_max_size": 999})
        await served.open()
        await served.take([frame(Opcode.BINARY, b"x" * size)])
        assert served.line.written[2:4] == (1009).to_bytes(2)
        assert served.heard == [("websocket.disconnect", 1009)]


async def test_what_came_before_somebody_listened_is_heard_first() -> None:
    served = Served(WebSocketProtocol)
    await served.open()
    served.protocol._heard = None  # type: ignore[attr-defined]
    served.protocol.data_received(frame(Opcode.TEXT, b"one") + frame(Opcode.BINARY, b"two"))
    assert served.line.paused
    served.direct.listen(served.hear)
    assert served.heard == ["one", b"two"]
    assert not served.line.paused
    served.protocol.data_received(frame(Opcode.TEXT, b"three"))
    assert served.heard == ["one", b"two", "three"]


async def test_the_answer_to_the_handshake_is_let_go() -> None:
    ours, theirs = Served(WebSocketProtocol), Served(WebSocketsSansIOProtocol)
    for served in (ours, theirs):
        await served.open()
    assert hasattr(theirs.protocol, "response")  # or the class lets go of nothing
    assert not hasattr(ours.protocol, "response")
    ours.direct.listen(ours.hear)  # as it does for each message that uvicorn has put together


async def test_the_request_keeps_no_headers_that_the_scope_has() -> None:
    ours, theirs = Served(WebSocketProtocol), Served(WebSocketsSansIOProtocol)
    for served in (ours, theirs):
        await served.open()
    assert ours.protocol.scope["headers"] == theirs.protocol.scope["headers"]
    assert (b"host", b"testserver") in [(name.lower(), value) for name, value in ours.protocol.scope["headers"]]
    assert (len(ours.protocol.request.headers), len(theirs.protocol.request.headers)) == (0, 5)


async def test_a_mailbox_hands_over_in_order_and_loses_nothing_when_a_taker_gives_up() -> None:
    box = Mailbox()
    box.put_nowait("a")
    assert (box.qsize(), box.empty(), await box.get(), box.empty()) == (1, False, "a", True)
    first, second = asyncio.create_task(box.get()), asyncio.create_task(box.get())
    await settle()
    box.put_nowait("b")
    first.cancel()  # woken, but it never takes it
    assert await second == "b"
    third = asyncio.create_task(box.get())
    await settle()
    box.put_nowait("c")
    box.put_nowait("d")  # before the taker has run
    assert (await third, box.get_nowait(), box.qsize()) == ("c", "d", 0)


async def test_nothing_is_let_go_before_the_handshake() -> None:
    served = Served(WebSocketProtocol)
    await served.open()
    served.protocol.response = served.protocol.conn.reject(500, "")
    served.protocol.handshake_complete = False
    served.direct.listen(served.hear)
    assert served.protocol.response.status_code == 500


async def test_what_came_with_the_request_is_uvicorns_and_so_is_the_rest() -> None:
    """It is in the middle of a frame then, and this one goes on as if another began."""
    mask = b"\x80\x00\x00\x82"
    stream = b"\x81\x83" + mask + apply_mask(b"one", mask) + frame(Opcode.BINARY, b"two")
    served = Served(WebSocketProtocol)
    await served.open(stream[:5])
    await served.take([stream[5:]])
    assert served.heard == ["one", b"two"]


async def test_nothing_is_written_to_a_line_that_is_full_or_closing() -> None:
    served = Served(WebSocketProtocol)
    await served.open()
    served.protocol.pause_writing()
    assert not served.direct.write("full")
    served.protocol.resume_writing()
    assert served.direct.write("room")
    await served.send({"type": "websocket.close", "code": 4410, "reason": "gone"})
    assert not served.direct.write("too late")
    served.protocol.data_received(frame(Opcode.TEXT, b"too late"))
    assert served.heard == []
    await served.over()
    assert not served.direct.write("gone")


async def test_a_compressed_line_goes_the_usual_way() -> None:
    served = Served(WebSocketProtocol, deflate=True)
    await served.open()
    assert served.direct is None
    await served.take([frame(Opcode.TEXT, b"plain in spite of it")])
    assert served.heard == ["plain in spite of it"]


def test_an_older_uvicorn_is_not_built_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn, "__version__", "0.53.9")
    with pytest.raises(ImportError, match=r"0\.54 or later; installed is 0\.53\.9"):
        runpy.run_path(sente.integrations.uvicorn.__file__)


async def test_a_refused_upgrade_is_uvicorns() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close"})

    served = Served(WebSocketProtocol)
    served.app = app  # type: ignore[method-assign]
    with pytest.raises(AssertionError):
        await served.open()
    assert b"HTTP/1.1 403" in served.line.written
