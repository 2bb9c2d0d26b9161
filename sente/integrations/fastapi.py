"""A ``ChannelSocket`` under FastAPI."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

try:
    from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect, params
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError as error:
    raise ImportError('FastAPI is missing: pip install "sente-channels[server]"') from error

from sente.channel_socket import ChannelSocket
from sente.errors import ConfigError
from sente.integrations.depends import FastAPIBinder, current_message, per_connection

__all__ = ["channel_router", "current_message", "inspector_router", "per_connection"]

METHODS = ["GET", "POST", "OPTIONS", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"]
"""All that the endpoint answers itself, if only with 405, so that every answer is of one kind."""


def channel_router(
    chsk: ChannelSocket, path: str = "/chsk", *, dependencies: Sequence[params.Depends] | None = None
) -> APIRouter:
    """A router that answers at ``path`` and ``path/``, HTTP and WebSocket, and brings the socket's lifespan along.

    ``dependencies`` are honoured for both, here and in ``include_router``; they run before the connection is looked
    at. The JavaScript client is served at ``path/client.js``::

        from fastapi import FastAPI
        from sente import ChannelSocket
        from sente.integrations.fastapi import channel_router

        chsk = ChannelSocket()
        app = FastAPI()
        app.include_router(channel_router(chsk, "/chsk"))

    From then on handlers take FastAPI's dependencies beside the message, those registered before too::

        @chsk.on("chat/say")
        async def say(msg: Message, user: Annotated[User, Depends(current_user)]) -> None: ...

    Raises:
        ConfigError: ``path`` does not begin with a slash, or ends with one; or a handler takes what nothing fills.
    """
    _check_path("channel_router", path)
    binder = FastAPIBinder()
    chsk.bind(binder)

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        binder.app = app
        async with chsk.lifespan(app):
            yield

    router = APIRouter(dependencies=dependencies, lifespan=lifespan)

    async def over_http(request: Request) -> Any:
        return Delegate(chsk)

    async def over_websocket(websocket: WebSocket) -> None:
        async def send(message: Message) -> None:
            try:
                await websocket.send(message)
            except WebSocketDisconnect as error:
                raise OSError("the client is gone") from error  # which is how ASGI says it

        await chsk(websocket.scope, websocket.receive, send)

    for variant in (path, f"{path}/"):
        router.add_api_route(variant, over_http, methods=METHODS, include_in_schema=False, response_class=Response)
        router.add_api_websocket_route(variant, over_websocket)
    router.add_api_route(f"{path}/client.js", over_http, methods=["GET"], include_in_schema=False)
    return router


def inspector_router(
    chsk: ChannelSocket, path: str = "/inspector", *, dependencies: Sequence[params.Depends]
) -> APIRouter:
    """A router with ``chsk.inspector``, the page that shows who is connected and what travels, at ``path``.

    It shows every user to whoever may open it, so it asks for the ``dependencies`` that keep the others out; an empty
    list lets everyone in, which is for your own machine::

        from fastapi import Depends, FastAPI
        from sente import ChannelSocket
        from sente.integrations.fastapi import inspector_router

        chsk = ChannelSocket()
        app = FastAPI()

        def admins_only() -> None:
            "Raises HTTPException(403) for everyone else."

        app.include_router(inspector_router(chsk, dependencies=[Depends(admins_only)]))

    Raises:
        ConfigError: ``path`` does not begin with a slash, or ends with one.
    """
    _check_path("inspector_router", path)
    inspector = chsk.inspector

    async def page(request: Request) -> Any:
        return Delegate(inspector)

    router = APIRouter(dependencies=dependencies)
    router.add_api_route(path, page, methods=["GET"], include_in_schema=False, response_class=Response)
    return router


def asyncapi_router(
    chsk: ChannelSocket,
    path: str = "/asyncapi",
    *,
    title: str = "Events",
    version: str = "0.1.0",
    dependencies: Sequence[params.Depends] | None = None,
) -> APIRouter:
    """A router with ``chsk.asyncapi()``: the contract as a page at ``path``, and as a document at ``path.json``.

    ``title`` and ``version`` are those of your application; ``dependencies`` keep out who may not read it::

        from fastapi import FastAPI
        from sente import ChannelSocket, EventRegistry
        from sente.integrations.fastapi import asyncapi_router

        chsk = ChannelSocket(events=EventRegistry())
        app = FastAPI()
        app.include_router(asyncapi_router(chsk, title="Chat", version="1.2.0"))

    Raises:
        ConfigError: ``path`` does not begin with a slash, or ends with one; the socket has no ``EventRegistry``.
    """
    _check_path("asyncapi_router", path)
    contract = chsk.asyncapi(title=title, version=version)

    async def page(request: Request) -> Any:
        return Delegate(contract)

    router = APIRouter(dependencies=dependencies)
    for variant in (path, f"{path}.json"):
        router.add_api_route(variant, page, methods=["GET"], include_in_schema=False, response_class=Response)
    return router


class Delegate(Response):
    """Lets an ASGI application answer, on the raw connection."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self.app(scope, receive, send)


def _check_path(function: str, path: str) -> None:
    if not path.startswith("/") or path.endswith("/"):
        raise ConfigError(f"{function}(path={path!r}): write it like '/chsk'")
