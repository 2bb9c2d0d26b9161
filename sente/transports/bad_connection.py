"""Lines that break on purpose, at either end: for tests of what an application makes of a bad network.

As ``simulated_bad_connection_rate`` has it, a line breaks without a word instead of carrying the next frame. No frame
is lost alone: a TCP connection that lives loses none, so the other side would have to take it for a fault of ours.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from sente.errors import ConfigError
from sente.interfaces import ASGIApp, ClientLink, ClientTransport, LinkClosed, Receive, Scope, Send, Wire
from sente.transports.asgi import respond

WORDS = "broken on purpose: simulated_bad_connection_rate"
CUT = 1006
"""The code of an end without a close frame (RFC 6455, 7.4.1): a ``ClientLink`` closed with it is cut."""

DIRECT = "sente.line"
"""What a server offers to go past ``receive`` and ``send`` (``DirectLine``): not offered on, as all depends on them."""

Breaks: TypeAlias = Callable[[], bool]
"""Whether the line breaks instead of carrying the next frame."""

CARRIED = {"websocket.receive", "websocket.send", "http.request", "http.response.start"}
"""What may break a line at a server: frames, and the bodies of requests and answers."""


def bad_lines(app: ASGIApp, rate: float, stats: Counter[str], chance: Callable[[], float] = random.random) -> ASGIApp:
    """``app`` over lines that break so often; ``app`` itself for 0. Counts ``broken on purpose``.

    Raises:
        ConfigError: ``rate`` is no share of all frames.
    """
    return BadLines(app, _breaks(rate, chance), stats) if check_rate(rate) else app


def bad_transport(
    transport: ClientTransport, rate: float, chance: Callable[[], float] = random.random
) -> ClientTransport:
    """``transport`` with lines that break so often; ``transport`` itself for 0. Raises as ``bad_lines`` does."""
    return BadTransport(transport, _breaks(rate, chance)) if check_rate(rate) else transport


def check_rate(rate: float) -> float:
    """The rate itself.

    Raises:
        ConfigError: it is no share of all frames.
    """
    if not 0 <= rate <= 1:
        raise ConfigError(f"simulated_bad_connection_rate={rate!r}: how many of all frames break their line, 0 to 1")
    return rate


def _breaks(rate: float, chance: Callable[[], float]) -> Breaks:
    return lambda: chance() < rate


class BadLines:
    """An ASGI application around another, which is told that its client is gone when the line breaks.

    What the client sees is the server's: uvicorn cuts a WebSocket whose application ends. An HTTP answer cannot be cut
    in ASGI, so that is a 503 without a word of ours, as a proxy would answer.
    """

    def __init__(self, app: ASGIApp, breaks: Breaks, stats: Counter[str]) -> None:
        self._app = app
        self._breaks = breaks
        self._stats = stats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket or request, or part of it."""
        line = _Line(f"{scope['type']}.disconnect", receive, send, self._breaks)
        extensions = {name: offer for name, offer in scope.get("extensions", {}).items() if name != DIRECT}
        await self._app({**scope, "extensions": extensions}, line.receive, line.send)
        if line.broken.done():
            self._stats["broken on purpose"] += 1
            if scope["type"] == "http":
                await respond(send, 503, b"", ())


class _Line:
    """One WebSocket or request, as the application sees it."""

    def __init__(self, gone: str, receive: Receive, send: Send, breaks: Breaks) -> None:
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gone = gone
        self._receive = receive
        self._send = send
        self._breaks = breaks

    async def receive(self) -> Any:
        message = asyncio.ensure_future(self._receive())
        either: set[asyncio.Future[Any]] = {message, self.broken}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            message.cancel()
        if self.broken.done() or self._breaks_for(message.result()):
            return {"type": self._gone, "code": CUT}
        return message.result()

    async def send(self, message: Any) -> None:
        if self.broken.done() or self._breaks_for(message):
            raise OSError(WORDS)
        await self._send(message)

    def _breaks_for(self, message: Any) -> bool:
        if message["type"] not in CARRIED or not self._breaks():
            return False
        self.broken.set_result(None)
        return True


class BadTransport:
    """A ``ClientTransport`` around another. A broken exchange never arrives, or its answer does not."""

    def __init__(self, transport: ClientTransport, breaks: Breaks) -> None:
        self._transport = transport
        self._breaks = breaks

    async def open(self, url: str, headers: Mapping[str, str], limit: int) -> ClientLink:
        """Open a WebSocket."""
        return _BadLink(await self._transport.open(url, headers, limit), self._breaks)

    async def fetch(
        self, method: Literal["GET", "POST"], url: str, headers: Mapping[str, str], body: bytes, limit: int
    ) -> bytes:
        """Make an HTTP request."""
        if self._breaks():
            raise LinkClosed(None, WORDS)
        answer = await self._transport.fetch(method, url, headers, body, limit)
        if self._breaks():
            raise LinkClosed(None, WORDS)
        return answer

    async def aclose(self) -> None:
        """Let go of what the other transport holds."""
        await self._transport.aclose()


class _BadLink:
    """A ``ClientLink`` around another."""

    def __init__(self, link: ClientLink, breaks: Breaks) -> None:
        self._link = link
        self._breaks = breaks

    async def send(self, wire: Wire) -> None:
        await self._survive()
        await self._link.send(wire)

    async def receive(self) -> Wire:
        wire = await self._link.receive()
        await self._survive()
        return wire

    async def close(self, code: int, reason: str) -> None:
        await self._link.close(code, reason)

    async def _survive(self) -> None:
        if self._breaks():
            await self._link.close(CUT, WORDS)
            raise LinkClosed(None, WORDS)
