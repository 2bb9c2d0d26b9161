"""What stands between a client and its server, and what may go wrong there: an ASGI application around another."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sente import ChannelSocket, ClientSettings
from sente.client import Client
from sente.interfaces import ASGIApp, Receive, Scope, Send

QUICK = ClientSettings(handshake_timeout=1.0, backoff_base=0.01, backoff_cap=0.05)


class Line:
    """Passes everything on, unless told otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.blocks_websockets = False  # like a proxy that knows no upgrade
        self.hangs_websockets = False  # like one that swallows them
        self.deaf = False  # what the client says goes nowhere
        self.dumb = False  # what the server says goes nowhere
        self.garbles = 0  # so many frames from the server arrive as nonsense
        self.scopes: list[Scope] = []
        self.up: list[Any] = []
        self.closes: list[Any] = []  # the codes that WebSockets were closed with by the client
        self.seen: Counter[str] = Counter()
        self.under_way = 0
        self._cut = asyncio.Event()

    def cut(self) -> None:
        """Everything under way breaks off, without a word to either side."""
        self._cut.set()
        self._cut = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        self.scopes.append(scope)
        self.seen[scope.get("method", "websocket")] += 1
        if scope["type"] == "websocket" and self.hangs_websockets:
            await receive()
            await receive()
            return
        if scope["type"] == "websocket" and self.blocks_websockets:
            await send({"type": "websocket.http.response.start", "status": 400, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b"<html>Bad request</html>"})
            return
        cut = asyncio.create_task(self._cut.wait())
        app: asyncio.Future[None] = asyncio.ensure_future(
            self.app(scope, self._receive(scope, receive, cut), self._send(scope, send, cut))
        )
        self.under_way += 1
        either: set[asyncio.Future[Any]] = {cut, app}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        self.under_way -= 1
        if app.done():
            cut.cancel()
            await app

    def _receive(self, scope: Scope, receive: Receive, cut: "asyncio.Task[Any]") -> Receive:
        async def take() -> Any:
            while True:
                message = asyncio.ensure_future(receive())
                await asyncio.wait({message, cut}, return_when=asyncio.FIRST_COMPLETED)
                if cut.done():
                    message.cancel()
                    return {"type": f"{scope['type']}.disconnect", "code": 1006}
                if self.deaf and message.result()["type"] in ("websocket.receive", "http.request"):
                    continue
                self.up.append(message.result())
                if message.result()["type"] == "websocket.disconnect":
                    self.closes.append(message.result().get("code"))
                return message.result()

        return take

    def _send(self, scope: Scope, send: Send, cut: "asyncio.Task[Any]") -> Send:
        async def give(message: Any) -> None:
            if cut.done() or (self.dumb and message["type"] != "websocket.accept"):
                return
            if self.garbles and message.get("text"):
                self.garbles -= 1
                message = {**message, "text": "[[["}
            elif self.garbles and message["type"] == "http.response.body":
                self.garbles -= 1
                message = {**message, "body": b"[[["}
            await send(message)

        return give


class Server:
    """A channel socket with a few handlers, and a line to it."""

    def __init__(self, **options: Any) -> None:
        self.chsk = ChannelSocket(**{"packers": "json", "user_id": lambda _: "ada", **options})
        self.line = Line(self.chsk)
        self.got: list[Any] = []
        self.release = asyncio.Event()

        @self.chsk.on("test/echo")
        async def echo(msg: Any) -> Any:
            return msg.data

        @self.chsk.on("test/note")
        async def note(msg: Any) -> None:
            self.got.append(msg.data)

        @self.chsk.on("test/wait", concurrent=True)
        async def wait(msg: Any) -> Any:
            await self.release.wait()
            return msg.data

    def push(self, *values: Any, event_id: str = "test/push") -> None:
        for value in values:
            self.chsk.send("ada", event_id, value, flush=True)

    def client(self, **options: Any) -> Client:
        return Client(app=self.line, url="/chsk", **{"settings": QUICK, **options})


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Server]:
    server = Server(**options)
    async with server.chsk:
        yield server


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (anything may make it true)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def reopening(client: Client) -> AsyncIterator[None]:
    """Wait at the end until the client has been closed and is open again."""
    changes = client.state_changes()
    yield
    async with asyncio.timeout(5):
        async for old, new in changes:
            if new.open and not old.open:
                return
