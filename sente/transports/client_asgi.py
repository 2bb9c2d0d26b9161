"""How a client reaches an ASGI application in the same process: WebSockets and HTTP without a network."""

import asyncio
import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from sente.interfaces import ASGIApp, LinkClosed, Scope, Wire
from sente.transports.client_answers import refused
from sente.transports.client_pipe import Pipe

log = logging.getLogger("sente.client")

ROOM = 16
"""Frames that may wait each way before whoever sends them has to: what a network would hold."""

CLOSE_TIMEOUT = 1.0
"""Seconds that the application gets to end what it is at when the transport closes."""

Message = MutableMapping[str, Any]


class AsgiTransport:
    """The ``ClientTransport`` of a client that is given an application.

    It does not run the application's lifespan: start what has to run first, ``async with chsk:`` for a
    ``ChannelSocket``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, url: str, headers: Mapping[str, str], limit: int) -> "AsgiLink":
        """Open a WebSocket. Raises ``LinkClosed`` with the status of a refused one."""
        link = AsgiLink(limit)
        scope = _scope("websocket", url, headers, subprotocols=[])
        self._run(scope, link)
        try:
            await link.opened
        except BaseException:
            link.hang_up(1006, "")
            raise
        return link

    async def fetch(
        self, method: Literal["GET", "POST"], url: str, headers: Mapping[str, str], body: bytes, limit: int
    ) -> bytes:
        """Make a request; giving it up is an ``http.disconnect`` to the application."""
        exchange = _Exchange(body)
        length = {"content-length": str(len(body))} if body else {}
        scope = _scope("http", url, {**headers, **length}, method=method)
        self._run(scope, exchange)
        try:
            status, answer_headers, answer = await exchange.answer
        finally:
            exchange.gone.set()
        if status != 200:
            raise refused(status, answer_headers, answer)
        if len(answer) > limit:
            raise LinkClosed(None, f"the answer is longer than {limit} bytes")
        return answer

    async def aclose(self) -> None:
        """Wait for the application to end what it is at, then stop it."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _run(self, scope: Scope, end: "AsgiLink | _Exchange") -> None:
        async def run() -> None:
            try:
                await self._app(scope, end.app_receive, end.app_send)
            except _Gone:
                pass  # what a server's log does not speak of either
            except Exception:
                log.exception("the application raised")
            finally:
                end.app_ended()

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class AsgiLink:
    """An open WebSocket: ``ClientLink``; and what the application at its other end receives and sends."""

    def __init__(self, limit: int) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._limit = limit
        self._up: Pipe[Wire] = Pipe(ROOM)
        self._down: Pipe[Wire] = Pipe(ROOM)
        self._greeted = False
        self._close_code = 1006
        self._close_reason = ""
        self._refusal = _Answer()

    # -- the client's end

    async def send(self, wire: Wire) -> None:
        """Send one frame. Raises ``LinkClosed``."""
        if not await self._up.put(wire):
            raise self._closed()

    async def receive(self) -> Wire:
        """The next frame. Raises ``LinkClosed``."""
        wire = await self._down.get()
        if wire is None:
            raise self._closed()
        if len(wire) > self._limit:
            self.hang_up(1009, f"a frame is longer than {self._limit} bytes")
            raise self._closed()
        return wire

    async def close(self, code: int, reason: str) -> None:
        """Close."""
        self.hang_up(code, reason)

    def hang_up(self, code: int, reason: str) -> None:
        """Close at once: what the application has sent is dropped, what was sent to it arrives."""
        self._end(code, reason)
        self._down.clear()

    def _closed(self) -> LinkClosed:
        code = None if self._close_code == 1006 else self._close_code  # 1006 stands for a line without close frame
        return LinkClosed(code, self._close_reason)

    def _end(self, code: int, reason: str) -> None:
        if not self._up.ended:
            self._close_code, self._close_reason = code, reason
        self._up.end()
        self._down.end()

    # -- the application's end

    async def app_receive(self) -> Message:
        """What the application receives."""
        if not self._greeted:
            self._greeted = True
            return {"type": "websocket.connect"}
        wire = await self._up.get()
        if wire is None:
            return {"type": "websocket.disconnect", "code": self._close_code, "reason": self._close_reason}
        return {"type": "websocket.receive", "text" if isinstance(wire, str) else "bytes": wire}

    async def app_send(self, message: Message) -> None:
        """What the application sends. Raises ``OSError`` once the line is gone, as ASGI says."""
        match message["type"]:
            case "websocket.accept":
                self._settle(None)
            case "websocket.send":
                text = message.get("text")
                if not await self._down.put(message["bytes"] if text is None else text):
                    raise _Gone("the client is gone")
            case "websocket.close":
                reason = message.get("reason") or ""
                self._settle(LinkClosed(403, reason))  # before it was accepted: a server answers with 403 then
                self._end(message.get("code", 1000), reason)
            case kind if kind.startswith("websocket.http.response.") and self._refusal.take(message):
                self._settle(refused(self._refusal.status, self._refusal.headers, self._refusal.body))
                self._end(1006, "")

    def app_ended(self) -> None:
        """The application returned or raised."""
        self._settle(LinkClosed(500, "the application ended without accepting the WebSocket"))
        self._end(1006, "the application ended without closing the WebSocket")

    def _settle(self, refusal: LinkClosed | None) -> None:
        if self.opened.done():
            return
        if refusal is None:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(refusal)


class _Gone(OSError):
    """The client hung up while the application was sending."""


class _Answer:
    """An HTTP answer while the application sends it."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: dict[str, str] = {}
        self.body = b""

    def take(self, message: Message) -> bool:
        """Take the next part; whether it was the last."""
        if message["type"].endswith(".start"):
            self.status = message["status"]
            pairs = message.get("headers", ())
            self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}
            return False
        self.body += message.get("body", b"")
        return not message.get("more_body", False)


class _Exchange:
    """An HTTP request as the application sees it."""

    def __init__(self, body: bytes) -> None:
        self.answer: asyncio.Future[tuple[int, dict[str, str], bytes]] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        self._request: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._answer = _Answer()

    async def app_receive(self) -> Message:
        if self._request is not None:
            request, self._request = self._request, None
            return request
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def app_send(self, message: Message) -> None:
        if self._answer.take(message) and not self.answer.done():
            self.answer.set_result((self._answer.status, self._answer.headers, self._answer.body))

    def app_ended(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(LinkClosed(500, "the application ended without an answer"))


def _scope(kind: Literal["http", "websocket"], url: str, headers: Mapping[str, str], **more: Any) -> Scope:
    parts = urlsplit(url)
    all_headers = {"host": "testserver", **{name.lower(): value for name, value in headers.items()}}
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in all_headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "extensions": {"websocket.http.response": {}} if kind == "websocket" else {},
        **more,
    }
