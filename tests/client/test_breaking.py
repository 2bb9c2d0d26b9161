"""``break_connection``: the line goes, the client comes back by itself, and nothing is lost meanwhile."""

import asyncio
from typing import Any, Literal

import pytest

from sente import Client
from tests.client.line import QUICK, reopening, serving, until
from tests.e2e.serving import serving as serving_at_a_port


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize("clean", [True, False])
async def test_a_client_comes_back_by_itself(transport: Literal["ws", "poll"], clean: bool) -> None:
    got: list[Any] = []
    async with serving() as server, server.client(transport=transport) as client:
        client.on("test/push", got.append)
        waiting = asyncio.create_task(client.request("test/wait", 1))
        await until(lambda: server.chsk.stats["received"])
        async with reopening(client):
            client.break_connection(clean=clean)
            assert (client.state.open, client.state.last_close) != (True, None)
            assert client.state.last_close is not None
            assert client.state.last_close.message == "broken on purpose"
            server.push(1, 2)
        assert (client.state.resumed, client.state.lost, client.state.transport) == (True, 0, transport)
        server.release.set()
        assert await waiting == 1
        await until(lambda: got == [1, 2])
    if transport == "ws":
        assert server.line.closes == [4000 if clean else 1006, 1000]


@pytest.mark.e2e
@pytest.mark.parametrize("clean", [True, False])
async def test_over_a_network_a_line_is_cut_without_a_close_frame(clean: bool) -> None:
    codes: list[Any] = []
    async with serving() as server:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def take() -> Any:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    codes.append(message["code"])
                return message

            await server.chsk(scope, take, send)

        async with (
            serving_at_a_port(app) as port,
            Client(f"http://127.0.0.1:{port}/chsk", transport="ws", settings=QUICK) as client,
        ):
            async with reopening(client):
                client.break_connection(clean=clean)
            assert await client.request("test/echo", 1) == 1
            await until(lambda: codes)
        assert codes[0] in ([4000] if clean else [1005, 1006])  # uvicorn says 1005 for no frame


async def test_a_client_without_a_line_has_none_to_break() -> None:
    async with serving() as server:
        client = server.client()
        client.break_connection()
        assert client.state.last_close is None
        async with client:
            pass
        client.break_connection()


async def test_what_is_opening_breaks_too() -> None:
    async with serving() as server:
        server.line.hangs_websockets = True
        client = server.client(transport="ws")
        client.connect()
        await until(lambda: server.line.seen["websocket"])
        server.line.hangs_websockets = False
        client.break_connection()
        await until(lambda: client.state.open)
        await client.aclose()


async def test_a_line_that_breaks_as_soon_as_it_opens_is_let_go() -> None:
    async with serving() as server:
        client = server.client(transport="ws")
        client.connect()
        while not client._driver._sockets:  # noqa: ASYNC110  # in this very turn
            await asyncio.sleep(0)
        client.break_connection()  # the task that sends has not begun
        await until(lambda: client.state.open)
        await client.aclose()
    assert 1006 in server.line.closes
