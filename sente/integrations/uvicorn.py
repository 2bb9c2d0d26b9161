"""uvicorn without the detour: frames go to a channel socket, and come from it, by a call.

``uvicorn app:app --ws sente.integrations.uvicorn:WebSocketProtocol``, or ``uvicorn.run(app, ws=WebSocketProtocol)``.

Between uvicorn and an application each message is a dict that passes a queue, wakes a task, and stops and resumes the
reading of the line; its frame has been an object before that. Of 36 µs for a small request that is 11. This
class is uvicorn's own ``websockets-sansio``, except that a channel socket may say to it ``listen``: then whole messages
in one frame go straight to it. Everything else about a line (handshake, fragments, pings, closing, errors, messages
longer than ``DIRECT``) is uvicorn's, and so are WebSockets of other applications. With permessage-deflate on, all is.

ASGI middleware that looks at single WebSocket messages does not see those that go this way.
"""

import asyncio
import struct
from asyncio.transports import BaseTransport
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C, where websockets has it
from websockets.http11 import Request

from sente.interfaces import Wire

if [int(part) for part in uvicorn.__version__.split(".")[:2]] < [0, 54]:
    raise ImportError(f"sente.integrations.uvicorn builds on uvicorn 0.54 or later; installed is {uvicorn.__version__}")

DIRECT = 64 * 1024
"""Bytes of the longest message that goes straight to the channel socket: about what arrives at once. A longer one is
collected by uvicorn, which has its limit (``ws_max_size``) for it."""

TEXT, BINARY, FIRST_OF_TEXT, FIRST_OF_BINARY, LAST, CLOSE = 0x81, 0x82, 0x01, 0x02, 0x80, 0x88
"""First bytes of frames, RFC 6455, 5.2."""

SHORT_HEADS = {first: [bytes((first, length)) for length in range(126)] for first in (TEXT, BINARY)}

MASKED = 0x80
"""The bit of the second byte that says so; every client masks."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, and a ``DirectLine``."""

    _heard: Callable[[Wire], None] | None = None
    _framed = False  # what comes next is the beginning of a frame, as far as _through bytes have come
    _through = 0  # bytes of a frame that uvicorn reads, still to come
    _rest = b""  # the beginning of a frame
    _fragmented = False  # a message in several frames has begun
    _most = 0
    _full = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep little for what seldom waits."""
        self.queue = cast(Any, Mailbox())
        super().connection_made(transport)

    def handle_connect(self, event: Request) -> None:
        """The request. The scope has its headers, and nobody asks for these again: 5 KB where a browser sent them."""
        super().handle_connect(event)
        event.headers.clear()

    async def run_asgi(self) -> None:
        """Offer the line to the application."""
        self._most = min(DIRECT, self.config.ws_max_size)
        if not self.conn.extensions:
            cast(dict[str, Any], self.scope)["extensions"]["sente.line"] = self
        await super().run_asgi()

    # -- DirectLine

    def listen(self, heard: Callable[[Wire], None]) -> None:
        """Hand over each message by a call from now on; first those that wait for ``receive``."""
        self._heard = heard
        if self.handshake_complete:  # then nobody asks for uvicorn's answer to it again: 1.4 KB
            self.__dict__.pop("response", None)
        for _ in range(self.queue.qsize()):
            message = self.queue.get_nowait()
            if message["type"] == "websocket.receive":
                wire: Wire | None = message.get("text") or message.get("bytes")
                heard("" if wire is None else wire)
            else:
                self.queue.put_nowait(message)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def write(self, wire: Wire) -> bool:
        """Send a message now; False if the line is full or about to be closed: ``send`` knows what to do then."""
        if self._full or self.close_sent or self.disconnected or self.transport.is_closing():
            return False
        first, payload = (TEXT, wire.encode()) if isinstance(wire, str) else (BINARY, wire)
        length = len(payload)
        head = SHORT_HEADS[first][length] if length < 126 else _long_head(first, length)
        self.transport.write(head + payload)
        return True

    def pause_writing(self) -> None:
        """The line is full."""
        super().pause_writing()
        self._full = True

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        self._full = False

    # -- what comes

    def data_received(self, data: bytes) -> None:
        """Take the messages out that somebody listens to, and give the rest to uvicorn."""
        if self._framed:
            self._take_frames(self._rest + data if self._rest else data)
        elif self.handshake_initiated:
            super().data_received(data)
        else:  # the request, which uvicorn's HTTP protocol hands over in one piece
            super().data_received(data)
            self._framed = self.handshake_initiated and data.endswith(b"\r\n\r\n")

    def send_receive_event_to_app(self) -> None:
        """A message that uvicorn has put together."""
        super().send_receive_event_to_app()
        if self._heard is not None:
            self.listen(self._heard)

    def _take_frames(self, data: bytes) -> None:
        start, size = 0, len(data)
        self._rest = b""
        while size - start > 1 or (self._through and start < size):
            if self._through:
                end = min(start + self._through, size)
                self._through -= end - start
                super().data_received(data[start:end])
                start = end
                continue
            first = data[start]
            if first == CLOSE or not data[start + 1] & MASKED:
                self._framed = False  # nothing comes after it
                return super().data_received(data[start:])
            head, length = _measure(data, start)
            if not head:
                break
            if self._heard is None or self._fragmented or first not in (TEXT, BINARY) or length > self._most:
                self._fragmented = first in (FIRST_OF_TEXT, FIRST_OF_BINARY) or (self._fragmented and first != LAST)
                self._through = head + length
                continue
            end = start + head + length
            if end > size:
                break
            payload = apply_mask(data[start + head : end], data[start + head - 4 : start + head])
            try:
                wire = payload if first == BINARY else payload.decode()
            except UnicodeDecodeError:
                super().data_received(data[start:end])  # which fails the line
            else:
                if not self.close_sent:  # as uvicorn does: the application has said its last
                    self._heard(wire)
            start = end
        self._rest = data[start:]


class Mailbox:
    """What ``receive`` takes from. On a line that somebody listens to it waits for the end and nothing else, and an
    ``asyncio.Queue`` takes 3 KB for that."""

    __slots__ = ("_kept", "_takers")

    def __init__(self) -> None:
        self._kept: list[Any] = []
        self._takers: list[asyncio.Future[None]] = []

    def qsize(self) -> int:
        """How many messages wait."""
        return len(self._kept)

    def empty(self) -> bool:
        """Whether none does."""
        return not self._kept

    def put_nowait(self, message: Any) -> None:
        """Leave a message, and wake who waits: the first takes it."""
        self._kept.append(message)
        for taker in self._takers:
            if not taker.done():
                taker.set_result(None)

    def get_nowait(self) -> Any:
        """Take the oldest; only to be called if there is one."""
        return self._kept.pop(0)

    async def get(self) -> Any:
        """Take the oldest, or the next to come."""
        while not self._kept:
            taker = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            finally:
                self._takers.remove(taker)
        return self._kept.pop(0)


def _measure(data: bytes, start: int) -> tuple[int, int]:
    """How long a frame's head is, its mask included, and its payload; 0 if the head is not there yet."""
    short = data[start + 1] & 0x7F
    if short < 126:
        return (6 if len(data) - start >= 6 else 0), short
    head = 8 if short == 126 else 14
    return (head if len(data) - start >= head else 0), int.from_bytes(data[start + 2 : start + head - 4])


def _long_head(first: int, length: int) -> bytes:
    """The head of a frame of 126 bytes or more to a client, which is not masked."""
    if length < 65536:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)
