"""Up again from polling, while events go both ways, and down when the WebSocket does not last."""

import asyncio
from dataclasses import replace

from sente import ServerSettings
from tests.client.line import QUICK, serving, until

CLIMBING = replace(QUICK, climb_base=0.05, climb_cap=0.2, handshake_timeout=0.2)
QUICKLY = ServerSettings(batch_poll=0.001, batch_ws=0.001)


async def test_a_client_comes_up_without_losing_anything() -> None:
    async with serving(settings=QUICKLY) as server:
        server.line.blocks_websockets = True
        async with server.client(settings=CLIMBING) as client:
            assert client.state.transport == "poll"
            events, changes = client.events(), client.state_changes()
            said = 0
            while client.state.transport == "poll" or said < 200:
                server.line.blocks_websockets = said < 20
                client.send("test/note", said)
                server.push(said)
                said += 1
                await asyncio.sleep(0.002)
            assert await client.request("test/echo", "over the WebSocket") == "over the WebSocket"
            assert [(await anext(events)).data for _ in range(said)] == list(range(said))
            await until(lambda: len(server.got) == said)
            assert server.got == list(range(said))
            assert client.state.resumed and client.state.lost == 0
            assert server.chsk.stats["sessions"] == 1
        assert all(new.open for _, new in [change async for change in changes][:-1])  # until the goodbye


async def test_a_websocket_that_swallows_the_ping_is_no_way_up() -> None:
    async with serving(settings=QUICKLY) as server:
        server.line.blocks_websockets = True
        async with server.client(settings=CLIMBING) as client:
            server.line.blocks_websockets = False
            server.line.hangs_websockets = True
            tried = server.line.seen["websocket"]
            await until(lambda: server.line.seen["websocket"] >= tried + 2)
            assert client.state.open
            assert client.state.transport == "poll"
            assert await client.request("test/echo", 1) == 1


async def test_a_websocket_that_dies_young_sends_the_client_down_again() -> None:
    async with serving(settings=QUICKLY) as server:
        server.line.blocks_websockets = True
        async with server.client(settings=CLIMBING) as client:
            server.line.blocks_websockets = False
            await until(lambda: client.state.transport == "ws")
            server.line.blocks_websockets = True
            server.line.cut()
            await until(lambda: client.state.open and client.state.transport == "poll")
            assert client.state.resumed
            server.line.blocks_websockets = False
            await until(lambda: client.state.transport == "ws")
