"""The client over real sockets, against uvicorn."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from sente import ClientSettings, Disconnected, Rejected
from sente.client import Client
from sente.interfaces import ClientLink, LinkClosed
from sente.transports.client_network import NetworkTransport
from tests.client.line import QUICK, Server, reopening, until

pytestmark = pytest.mark.e2e
both = pytest.mark.parametrize("transport", ["ws", "poll"])


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """The address, without scheme, of a server that serves the application."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await until(lambda: server.started)
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def reaching(app: Any) -> AsyncIterator[tuple[NetworkTransport, str]]:
    async with listening(app) as address:
        transport = NetworkTransport()
        try:
            yield transport, address
        finally:
            await transport.aclose()


@both
async def test_a_conversation(transport: Any) -> None:
    server = Server()
    async with listening(server.line) as address:
        async with Client(f"http://{address}/chsk", transport=transport, settings=QUICK) as client:
            events = client.events("test/push")
            assert await client.request("test/echo", {"text": "先手"}) == {"text": "先手"}
            for number in range(50):
                client.send("test/note", number)
                server.push(number)
            assert [(await anext(events)).data for _ in range(50)] == list(range(50))
            await until(lambda: server.line.under_way)
            async with reopening(client):
                server.line.cut()
            server.push(50)
            assert (await anext(events)).data == 50
            client.send("test/note", 50)
        await until(lambda: len(server.got) == 51)
        assert server.got == list(range(51))
        await until(lambda: server.chsk.stats["ended goodbye"] == 1)


@both
async def test_a_refusal_arrives(transport: Any) -> None:
    server = Server(reject=lambda _: "members only")
    async with listening(server.chsk) as address:
        with pytest.raises(Rejected) as rejected:
            await Client(f"ws://{address}/chsk", transport=transport, headers={"x-a": "1"}).__aenter__()
        assert (rejected.value.status, rejected.value.reason) == (403, "members only")


@both
async def test_nobody_listens(transport: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/chsk"
        with pytest.raises(Disconnected, match=r"not connected within 1 s: .*(refused|failed)"):
            await Client(url, transport=transport, settings=QUICK, connect_timeout=1.0).__aenter__()


@both
async def test_a_client_may_be_left_while_it_connects(transport: Any) -> None:
    async def silent(reader: Any, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = ClientSettings(handshake_timeout=0.3, backoff_base=0.01)
    with pytest.raises(Disconnected, match="no answer to"):
        await Client(f"http://{address}", transport=transport, settings=settings, connect_timeout=1.0).__aenter__()
    server.close()
    await server.wait_closed()


# -- the transport alone


async def test_a_request_and_its_answer() -> None:
    async def show(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        message = await receive()
        headers = dict(scope["headers"])
        shown = [scope["method"], scope["path"], scope["query_string"].decode(), message["body"].decode()]
        shown += [headers[b"x-a"].decode(), headers[b"accept-encoding"].decode()]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(shown).encode()})

    async with reaching(show) as (transport, address):
        url = f"http://{address}/chsk?client-id=c1&handshake?=1"
        answer = await transport.fetch("GET", url, {"x-a": "1"}, b"", 1000)
        assert json.loads(answer) == ["GET", "/chsk", "client-id=c1&handshake?=1", "", "1", "identity"]
        answer = await transport.fetch("POST", url, {"x-a": "1"}, b"hello", 1000)
        assert json.loads(answer)[3] == "hello"
        with pytest.raises(LinkClosed, match="longer than 10 bytes"):
            await transport.fetch("POST", url, {"x-a": "1"}, b"hello", 10)


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the status that the path names."""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    prefix = "http" if scope["type"] == "http" else "websocket.http"
    headers = [(b"location", b"/200"), (b"retry-after", b"2"), (b"content-type", b"application/json")]
    body = b'{"error": "no"}' + b" " * 100_000
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{prefix}.response.start", "status": int(scope["path"][1:]), "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": body})


@pytest.mark.parametrize(("status", "message"), [(401, "no"), (307, "no"), (503, "retry_after=2000")])
@pytest.mark.parametrize("kind", ["ws", "http"])
async def test_any_other_answer_is_a_refusal(kind: str, status: int, message: str) -> None:
    async with reaching(refuse) as (transport, address):
        url = f"{kind}://{address}/{status}"
        with pytest.raises(LinkClosed) as closed:
            await (transport.open(url, {}, 10) if kind == "ws" else transport.fetch("GET", url, {}, b"", 10))
        assert (closed.value.code, closed.value.message) == (status, message)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        raise NotImplementedError
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4401, "reason": "log in first"})
            return
        await send({**message, "type": "websocket.send"})
    heard.append((message["code"], message.get("reason")))


heard: list[Any] = []


async def test_frames_and_closes() -> None:
    heard.clear()
    async with reaching(echo) as (transport, address):

        async def opened() -> ClientLink:
            return await transport.open(f"ws://{address}/", {}, 1000)

        link = await opened()
        await link.send("one")
        await link.send(b"two")
        assert [await link.receive(), await link.receive()] == ["one", b"two"]
        await link.send("close")
        with pytest.raises(LinkClosed) as closed:
            await link.receive()
        assert (closed.value.code, closed.value.message) == (4401, "log in first")
        with pytest.raises(LinkClosed):
            await link.send("too late")
        await link.close(1000, "")

        link = await opened()
        await link.send("x" * 1001)
        with pytest.raises(LinkClosed) as closed:
            await link.receive()
        assert closed.value.code == 1009

        link = await opened()
        await link.close(4000, "away")
        await until(lambda: (4000, "away") in heard)

        link = await opened()
        await link.close(4000, "and the end")
        await transport.aclose()
        assert not transport._opener._closing


async def test_a_poll_that_is_given_up_is_a_disconnect() -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def hold(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        came.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async with reaching(hold) as (transport, address):
        fetching = asyncio.create_task(transport.fetch("POST", f"http://{address}/", {}, b"x", 10))
        await asyncio.wait_for(came.wait(), 5)
        fetching.cancel()
        await asyncio.wait([fetching])
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_server_that_breaks_off_is_a_closed_link() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort")
        writer.close()

    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = NetworkTransport()
    for attempt in (
        transport.fetch("GET", f"http://127.0.0.1:{port}/", {}, b"", 1000),
        transport.open(f"ws://127.0.0.1:{port}/", {}, 1000),
    ):
        with pytest.raises(LinkClosed) as closed:
            await attempt
        assert closed.value.code in (None, 200)
        assert closed.value.message
    await transport.aclose()
    server.close()
    await server.wait_closed()
