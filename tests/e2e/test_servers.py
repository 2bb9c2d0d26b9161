"""The server's side over real sockets: what only a real server can get wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Route, WebSocketRoute
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sente import ChannelSocket, Client, Limits, ServerSettings
from sente.integrations.fastapi import channel_router
from sente.protocol.framing import read_row
from tests.asgi import HELLO, PATIENCE, QUERY, TRANSPORTS, TransportName, row, until
from tests.e2e.serving import SERVERS, serving

pytestmark = pytest.mark.e2e

ORIGIN = "https://app.example.com"
SETTINGS = ServerSettings(grace_ws=0.05, grace_poll=0.05, limits=Limits(packet=50_000, outbox=50))


def plain(chsk: ChannelSocket) -> Any:
    return chsk


def under_fastapi(chsk: ChannelSocket) -> Any:
    """With all the middleware that people use."""
    app = FastAPI()
    app.include_router(channel_router(chsk, "/chsk"))

    @app.middleware("http")
    async def stamp(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    app.add_middleware(GZipMiddleware)
    app.add_middleware(SessionMiddleware, secret_key="secret")
    app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN], allow_credentials=True)
    return app


def under_starlette(chsk: ChannelSocket) -> Any:
    """As the deployment guide shows it."""
    path = "/chsk{rest:path}"
    return Starlette(routes=[Route(path, chsk), WebSocketRoute(path, chsk)], lifespan=chsk.lifespan)


EVERYWHERE = [(server, around) for server in SERVERS for around in (plain, under_starlette, under_fastapi)]


@pytest.fixture(params=EVERYWHERE, ids=lambda param: f"{param[0]}-{param[1].__name__}")
async def served(request: pytest.FixtureRequest) -> AsyncIterator[tuple[ChannelSocket, str]]:
    server, around = request.param
    chsk = ChannelSocket(user_id=lambda _: "ada", settings=SETTINGS)
    async with serving(around(chsk), server) as port:
        yield chsk, f"127.0.0.1:{port}/chsk?{QUERY}"


@asynccontextmanager
async def websocket(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect_websocket(f"ws://{url}", **options) as socket:
        assert json.loads(await socket.recv())["sente"] == 1
        yield socket


async def say(socket: ClientConnection, packet: Any) -> Any:
    await socket.send(json.dumps(packet))
    return json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))


async def test_a_websocket_is_served(served: tuple[ChannelSocket, str]) -> None:
    chsk, url = served
    chsk.on("chat/echo")(lambda msg: msg.data)
    async with websocket(url) as socket:
        assert "chsk/handshake" in str(await say(socket, HELLO))
        assert await say(socket, [["chat/echo", "先手"], 1, 1, None, "request"]) == ["先手", 1, 1, 1, "reply"]
    await until(lambda: not chsk.connected_uids.any)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_converses_and_its_goodbye_is_heard(
    served: tuple[ChannelSocket, str], transport: TransportName
) -> None:
    chsk, url = served
    chsk.on("chat/echo")(lambda msg: msg.data)
    async with Client(f"http://{url.partition('?')[0]}", transport=transport) as client:
        assert await client.request("chat/echo", "x" * 40_000, timeout=PATIENCE) == "x" * 40_000
        events = client.events("chat/said")
        chsk.send("ada", "chat/said", "先手")
        assert (await anext(events)).data == "先手"
    await until(lambda: chsk.stats["ended goodbye"])


async def test_a_poll_is_served_and_its_end_is_noticed(served: tuple[ChannelSocket, str]) -> None:
    chsk, url = served
    async with httpx2.AsyncClient(timeout=PATIENCE) as http:
        hello = await http.post(f"http://{url}", content=row(HELLO))
        [[_, [uid, _, _, info]], *_] = json.loads(read_row(hello.content)[1])
        assert uid == "ada"
        head = {"session": info["session"], "ack": 0, "seq": 1, "wait": 20_000}
        poll = asyncio.create_task(http.post(f"http://{url}", content=row(head | {"n": 2})))
        await until(lambda: chsk._hub.links)
        chsk.send("ada", "chat/said", "x" * 2000)
        frames = read_row((await poll).content)
        assert json.loads(frames[1])[0] == [["chat/said", "x" * 2000]]
        poll = asyncio.create_task(http.post(f"http://{url}", content=row(head | {"n": 3, "ack": 1})))
        await until(lambda: chsk._hub.links)
        poll.cancel()  # closes the connection
        await until(lambda: not chsk.connected_uids.any)


async def test_a_refused_upgrade_says_why(served: tuple[ChannelSocket, str]) -> None:
    _, url = served
    with pytest.raises(InvalidStatus) as refused:
        await connect_websocket(f"ws://{url.partition('?')[0]}")
    assert refused.value.response.status_code == 400
    assert b"client-id is missing" in (refused.value.response.body or b"")


@pytest.mark.parametrize(
    ("options", "packet", "code", "reason"),
    [
        ({"origin": "https://evil.example"}, HELLO, 4403, "add allowed_origins=['https://evil.example'] at"),
        ({}, {"hello": 2}, 4400, "must be a hello"),
        ({}, HELLO | {"auth": "x" * 9000}, 4400, "8192 bytes"),
    ],
)
async def test_a_refused_hello_says_why(
    served: tuple[ChannelSocket, str], options: dict[str, Any], packet: Any, code: int, reason: str
) -> None:
    async with websocket(served[1], **options) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await say(socket, packet)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert reason in closed.value.rcvd.reason


async def test_a_client_that_does_not_read_is_let_go(
    served: tuple[ChannelSocket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sente.transports.websocket.CLOSE_TIMEOUT", 0.1)
    chsk, url = served
    host = url.partition("/")[0]
    reader, writer = await asyncio.open_connection(*host.split(":"))
    upgrade = f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
    writer.write(f"GET /chsk?{QUERY} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n{upgrade}\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    hello = json.dumps(HELLO).encode()
    writer.write(bytes([0x81, 0x80 | len(hello), 0, 0, 0, 0]) + hello)
    await until(lambda: chsk.connected_uids.ws)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    while not chsk.stats["ended slow"]:
        chsk.send("ada", "chat/said", "x" * 40_000, flush=True)
        await asyncio.sleep(0)
    await until(lambda: not chsk._hub.links and not chsk.connected_uids.any)
    writer.transport.abort()
