"""Cuts the line of one client, so that the demo can show what happens then. Your application has no use for it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from sente import Connection, csrf_token

App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Key: TypeAlias = tuple[str, str]


class LineCutter:
    """Middleware that ends what a client has under way as a broken cable would: without a goodbye.

    ASGI has no word for that. But an application that simply returns, in the middle of a WebSocket or of an answer,
    leaves its server no choice: uvicorn closes the TCP connection, and the browser sees an abnormal end (close code
    1006, a failed fetch). Until the line is mended, new connections of that client get a 503.
    """

    def __init__(self) -> None:
        self._open: dict[Key, set[asyncio.Timeout]] = {}
        self._cut: dict[Key, asyncio.Handle] = {}

    def cut(self, session: MutableMapping[str, Any], client_id: str, seconds: float) -> None:
        """Cut a client's line for so long. The session must be the client's own: nobody cuts the line of others."""
        key = csrf_token(session), client_id
        loop = asyncio.get_running_loop()
        if key in self._cut:
            self._cut.pop(key).cancel()
        self._cut[key] = loop.call_later(seconds, self._cut.pop, key)
        for line in self._open.get(key, ()):
            line.reschedule(loop.time())

    def around(self, app: App) -> App:
        """The middleware. ``SessionMiddleware`` must be outside of it."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            client_id = Connection(scope).client_id if scope["type"] != "lifespan" else ""
            if not client_id:
                return await app(scope, receive, send)
            key = csrf_token(scope["session"]), client_id
            if key in self._cut:
                return await PlainTextResponse("this line is cut", 503)(scope, receive, send)
            line = asyncio.timeout(None)
            try:
                async with line:
                    self._open.setdefault(key, set()).add(line)
                    try:
                        await app(scope, receive, send)
                    finally:
                        self._open[key].discard(line)
                        if not self._open[key]:
                            del self._open[key]
            except TimeoutError:
                if not line.expired():
                    raise
                if scope["type"] == "http":  # promise an answer, and return without it
                    head = [(b"content-length", b"1")]
                    await send({"type": "http.response.start", "status": 200, "headers": head})

        return serve
