"""The WebSocket gate: welcome, hello, then frames both ways."""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from typing import Any

from sente.errors import ProtocolError, Rejected
from sente.interfaces import Packer, Receive, Scope, Send, Wire
from sente.protocol.greeting import VERSION, Hello, read_first
from sente.transports.asgi import Connection, respond
from sente.transports.gate import Gate

CLOSE_TIMEOUT = 5.0
"""Seconds that a closing WebSocket gets to take what is still on its way to it; then the line is cut."""


class WebSocketTransport:
    """Serves WebSockets. A browser can neither set a header on one nor read the status of a refused one, so it is
    accepted first and refused, if need be, with a close code and a reason (§1)."""

    name = "ws"

    async def serve(self, scope: Scope, receive: Receive, send: Send, gate: Gate) -> None:
        """Serve one WebSocket until it is closed."""
        connection = Connection(scope)
        if (await receive())["type"] != "websocket.connect":
            return
        try:
            packer = gate.check(connection)
        except Rejected as rejected:
            if rejected.status != 406:
                return await _refuse_upgrade(send, scope, gate, connection, rejected)
            await send({"type": "websocket.accept"})
            return await _close(send, 4000 + rejected.status, rejected.reason)
        await send({"type": "websocket.accept"})
        welcome = {"sente": VERSION, "packer": packer.name, "hello": round(gate.settings.hello_timeout * 1000)}
        await send({"type": "websocket.send", "text": json.dumps(welcome)})
        try:
            hello = await _hello(receive, gate)
        except ProtocolError as error:
            return await _close(send, error.close_code, error.reason)
        if hello is None:
            return
        link = WebSocketLink(send, packer, Connection(scope, hello.auth))
        try:
            await gate.admit(link, hello, websocket=True)
        except Rejected as rejected:
            refusal = await gate.refusal(link.connection, rejected)
            return await _close(send, 4000 + refusal.status, refusal.reason)
        await _talk(link, receive, gate)


class WebSocketLink:
    """An admitted WebSocket. Frames wait in order for the one task that sends; it runs only while there are some."""

    __slots__ = ("_closing", "_owner", "_queue", "_send", "_writer", "connection", "expired", "number", "packer")

    def __init__(self, send: Send, packer: Packer, connection: Connection) -> None:
        self.number = 0
        self.packer = packer
        self.connection = connection
        self.expired = False
        """Whether the close took too long and the line was cut."""
        self._send = send
        self._queue: deque[dict[str, Any]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self._owner = asyncio.current_task()

    def transmit(self, wires: Sequence[Wire]) -> None:
        """Send frames."""
        for wire in wires:
            self._put({"type": "websocket.send", "text" if isinstance(wire, str) else "bytes": wire})

    def answer(self, head: dict[str, Any], wires: Sequence[Wire]) -> None:
        """Only HTTP exchanges are answered."""
        raise TypeError("a WebSocket has no answer")

    def close(self, code: int, reason: str) -> None:
        """Close after what waits has been sent; cut the line if that takes too long."""
        if not self._closing:
            self._put({"type": "websocket.close", "code": code, "reason": _cut(reason)})
            self._closing = True
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self._expire)

    def abandon(self) -> None:
        """The line is gone: send nothing more."""
        self._closing = True
        self._queue.clear()
        if self._writer is not None:
            self._writer.cancel()

    def _put(self, message: dict[str, Any]) -> None:
        if not self._closing:
            self._queue.append(message)
            if self._writer is None:
                self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._queue:
                await self._send(self._queue.popleft())
        except (OSError, RuntimeError):  # the line is gone, as the reader is about to be told
            self._closing = True
            self._queue.clear()
        finally:
            self._writer = None

    def _expire(self) -> None:
        if self._owner is not None and not self._owner.done():
            self.expired = True
            self._owner.cancel()


async def _hello(receive: Receive, gate: Gate) -> Hello | None:
    """The client's first frame; ``None`` if it went away."""
    try:
        async with asyncio.timeout(gate.settings.hello_timeout):
            message = await receive()
    except TimeoutError:
        raise ProtocolError("no hello came in time", 4408) from None
    if message["type"] != "websocket.receive":
        return None
    text = message.get("text")
    if text is None or len(text) > gate.settings.hello_size:
        raise ProtocolError(f"the first frame must be a hello: JSON text of at most {gate.settings.hello_size} bytes")
    hello = read_first(text)
    if not isinstance(hello, Hello):
        raise ProtocolError("the first frame must be a hello")
    return hello


async def _talk(link: WebSocketLink, receive: Receive, gate: Gate) -> None:
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.receive":
                text = message.get("text")
                gate.receive(link, message["bytes"] if text is None else text)
            elif message["type"] == "websocket.disconnect":
                if message.get("code") == 1000:
                    gate.said_goodbye(link)
                return
    except asyncio.CancelledError:
        if not link.expired:
            raise
    finally:
        link.abandon()
        gate.lost(link)


async def _refuse_upgrade(send: Send, scope: Scope, gate: Gate, connection: Connection, rejected: Rejected) -> None:
    refusal = await gate.refusal(connection, rejected)
    if "websocket.http.response" not in scope.get("extensions", {}):
        return await send({"type": "websocket.close", "code": 4000 + refusal.status, "reason": _cut(refusal.reason)})
    headers = [*gate.headers(connection), ("content-type", "application/json"), *refusal.headers]
    await respond(send, refusal.status, refusal.content, headers, prefix="websocket.http.response")


async def _close(send: Send, code: int, reason: str) -> None:
    await send({"type": "websocket.close", "code": code, "reason": _cut(reason)})


def _cut(reason: str) -> str:
    """What fits into a close frame: 123 bytes (RFC 6455, 5.5)."""
    return reason.encode()[:123].decode(errors="ignore")
