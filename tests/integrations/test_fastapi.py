"""A channel socket under FastAPI and Starlette: paths, prefixes, middleware, dependencies, lifespans."""

import asyncio
import gc
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Mount

from sente import ChannelSocket, ConfigError, Message, ServerSettings
from sente.integrations.fastapi import channel_router
from sente.interfaces import ASGIApp
from tests.asgi import (
    HELLO,
    QUERY,
    TRANSPORTS,
    AnyClient,
    PollClient,
    TransportName,
    WebSocket,
    WsClient,
    connect,
    fetch,
    row,
    until,
)

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
ORIGIN = "https://app.example.com"
SETTINGS = ServerSettings(grace_ws=0.02, grace_poll=0.02, batch_ws=0, batch_poll=0)


def make_socket(**options: Any) -> ChannelSocket:
    chsk = ChannelSocket(**{"settings": SETTINGS, **options})

    @chsk.on("chat/echo")
    async def echo(msg: Message) -> Any:
        return msg.data

    return chsk


def make_app(chsk: ChannelSocket, **options: Any) -> FastAPI:
    app = FastAPI(**options)
    app.include_router(channel_router(chsk, "/chsk"))
    return app


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[None]:
    """What a server does by the lifespan protocol."""
    async with app.router.lifespan_context(app):
        yield


async def check(app: ASGIApp, chsk: ChannelSocket, transport: TransportName, **options: Any) -> AnyClient:
    """A client asks, is told, and waits."""
    client = await connect(app, transport, **options)
    assert await client.ask("chat/echo", "先手") == ("reply", "先手")
    chsk.broadcast("chat/said", 1)
    assert await client.event() == ["chat/said", 1]
    if isinstance(client, PollClient):
        waiting = client.post(client.head(wait=20_000))
        await until(lambda: chsk._hub.links)
        assert waiting.waits
        chsk.broadcast("chat/said", 2, flush=True)
        client.absorb(await waiting.answer())
        assert await client.event() == ["chat/said", 2]
    return client


# -- paths


@over_both
@pytest.mark.parametrize("path", ["/chsk", "/chsk/"])
async def test_both_paths_without_redirect(transport: TransportName, path: str) -> None:
    chsk = make_socket()
    app = make_app(chsk)
    async with running(app):
        await check(app, chsk, transport, path=path)


@pytest.mark.parametrize("path", ["/chsk", "/chsk/"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"])
async def test_every_method_is_answered_by_the_socket(path: str, method: str) -> None:
    app = make_app(make_socket())
    async with running(app):
        answer = await fetch(app, method, path=path)
        assert answer.status == {"GET": 400, "POST": 400, "OPTIONS": 204}.get(method, 405)
        assert answer.headers["cache-control"] == "no-store, no-transform"


@over_both
async def test_prefix_and_root_path(transport: TransportName) -> None:
    chsk = make_socket()
    app = FastAPI()
    app.include_router(channel_router(chsk, "/chsk"), prefix="/api")
    async with running(app):
        await check(app, chsk, transport, path="/api/chsk", client_id="c2")
        await check(app, chsk, transport, path="/proxied/api/chsk/", root_path="/proxied")


async def test_the_script_lies_beside_it() -> None:
    app = make_app(make_socket())
    async with running(app):
        answer = await fetch(app, "GET", "", path="/chsk/client.js")
        assert answer.status == 200 or b"client.js is not built" in answer.body


@over_both
async def test_two_sockets_in_one_app(transport: TransportName) -> None:
    chat, news = make_socket(), make_socket()
    app = make_app(chat)
    app.include_router(channel_router(news, "/news"))
    async with running(app):
        chatter, reader = await check(app, chat, transport), await check(app, news, transport, path="/news")
        assert chat.broadcast("chat/said", "chat").clients == news.broadcast("chat/said", "news").clients == 1
        assert [await client.event() for client in (chatter, reader)] == [["chat/said", "chat"], ["chat/said", "news"]]
        await reader.open(session=chatter.info["session"])  # a token of another socket is worth nothing here
        assert (reader.info["resumed"], reader.info["lost"]) == (False, None)


@pytest.mark.parametrize("path", ["chsk", "/chsk/", "/", ""])
def test_a_path_that_would_not_work_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="write it like '/chsk'"):
        channel_router(ChannelSocket(), path)


@over_both
async def test_mounted_in_starlette_it_answers_at_the_slash_and_needs_its_lifespan(transport: TransportName) -> None:
    chsk = make_socket()
    app = Starlette(routes=[Mount("/chsk", app=chsk)], lifespan=chsk.lifespan)
    async with running(app):
        await check(app, chsk, transport, path="/chsk/")
        assert (await fetch(app, "GET", path="/chsk")).status == 307  # which is why there is a router
    with pytest.raises(ConfigError, match="not running"):
        await connect(app, transport, path="/chsk/")


# -- lifespans


async def test_the_router_brings_its_lifespan_beside_the_apps_own() -> None:
    log: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        log.append("app begins")
        yield {"database": "open"}
        log.append(f"app ends, {chsk.stats['ended stopped']} stopped")

    chsk = make_socket()
    app = make_app(chsk, lifespan=lifespan)
    async with running(app):
        await check(app, chsk, "ws")
    assert log == ["app begins", "app ends, 1 stopped"]  # handlers may use what the app has opened, to the end
    with pytest.raises(ConfigError, match="not running"):
        await check(app, chsk, "ws")


# -- dependencies


def refuse(x_ticket: str | None = Header(default=None)) -> None:
    if x_ticket != "valid":
        raise HTTPException(401, "no ticket")


@pytest.mark.parametrize("where", ["channel_router", "include_router", "FastAPI"])
@over_both
async def test_dependencies_are_honoured(transport: TransportName, where: str) -> None:
    places: dict[str, dict[str, Any]] = {where: {"dependencies": [Depends(refuse)]}}
    chsk = make_socket()
    app = FastAPI(**places.get("FastAPI", {}))
    router = channel_router(chsk, "/chsk", **places.get("channel_router", {}))
    app.include_router(router, **places.get("include_router", {}))
    async with running(app):
        for path in ("/chsk", "/chsk/"):
            if transport == "poll":
                assert (await fetch(app, "POST", path=path, body=row(HELLO))).status == 401
            else:
                refused = await WebSocket(app, path=path).next()
                assert (refused["type"], refused["status"]) == ("websocket.http.response.start", 401)
        assert not chsk.stats
        await check(app, chsk, transport, headers={"x-ticket": "valid"})


# -- middleware


@over_both
async def test_the_session_names_the_user_and_holds_the_csrf_token(transport: TransportName) -> None:
    chsk = make_socket(csrf=True)
    app = make_app(chsk)
    app.add_middleware(SessionMiddleware, secret_key="secret")

    @app.post("/login")
    def login(request: Request) -> str:
        request.session["uid"] = "ada"
        return chsk.csrf_token(request)

    async with running(app):
        page = await fetch(app, "POST", path="/login")
        headers = {"cookie": page.headers["set-cookie"].partition(";")[0]}
        client = await check(app, chsk, transport, headers=headers, hello={"csrf": page.json})
        assert client.uid == "ada"
        with pytest.raises(AssertionError, match="CSRF"):
            await check(app, chsk, transport, headers=headers, hello={"csrf": page.json[::-1]})


@over_both
async def test_beside_the_cors_middleware(transport: TransportName) -> None:
    chsk = make_socket(allowed_origins=[ORIGIN])
    app = make_app(chsk)
    app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN], allow_credentials=True, allow_methods=["*"])
    async with running(app):
        await check(app, chsk, transport, headers={"origin": ORIGIN})
        welcome = await fetch(app, "GET", QUERY + "&handshake?=1", headers={"origin": ORIGIN})
        assert welcome.headers["access-control-allow-origin"] == ORIGIN  # once: the driver looks


@over_both
async def test_behind_gzip(transport: TransportName) -> None:
    chsk = make_socket()
    app = make_app(chsk)
    app.add_middleware(GZipMiddleware, minimum_size=100)
    async with running(app):
        client = await check(app, chsk, transport)
        if isinstance(client, PollClient):
            client.options["headers"] = {"accept-encoding": "gzip"}
            waiting = client.post(client.head(wait=20_000))
            chsk.broadcast("chat/said", "x" * 1000, flush=True)
            answer = await waiting.answer()
            assert answer.headers["content-encoding"] == "gzip"
            answer.body = gzip.decompress(answer.body)
            client.absorb(answer)
            assert await client.event() == ["chat/said", "x" * 1000]


def with_http_middleware(chsk: ChannelSocket, *, read_body: bool) -> FastAPI:
    app = make_app(chsk)

    @app.middleware("http")
    async def stamp(request: Request, call_next: Any) -> Response:
        if read_body:
            await request.body()
        response: Response = await call_next(request)
        response.headers["x-stamp"] = "seen"
        return response

    return app


@over_both
@pytest.mark.parametrize("read_body", [False, True])
async def test_behind_an_http_middleware(transport: TransportName, read_body: bool) -> None:
    chsk = make_socket(user_id=lambda _: "ada")
    app = with_http_middleware(chsk, read_body=read_body)
    async with running(app):
        client = await check(app, chsk, transport)
        if isinstance(client, PollClient):
            waiting = client.post(client.head(wait=20_000))
            assert chsk.connected_uids.poll == {"ada"}
            waiting.disconnect()
            await until(lambda: not chsk.connected_uids.any)  # the middleware tells that the client has left


async def test_a_client_that_leaves_while_it_is_sent_to_is_no_error() -> None:
    chsk = make_socket()
    app = make_app(chsk)
    noise: list[Any] = []
    gc.collect()  # what other tests left behind is not of interest
    async with running(app):
        client = await check(app, chsk, "ws")
        assert isinstance(client, WsClient)
        client.socket.task.get_loop().set_exception_handler(lambda _, context: noise.append(context))
        client.socket.gone = True  # sends fail, and the application is not told yet
        chsk.broadcast("chat/said", flush=True)
        await asyncio.sleep(0.01)
        await client.go_away()
        await client.open()
        assert client.info["resumed"] is True
        gc.collect()  # what nobody asked a task for is reported then
    assert noise == []


async def test_the_schema_does_not_speak_of_it() -> None:
    app = make_app(make_socket())
    assert json.loads(json.dumps(app.openapi()))["paths"] == {}
