"""Handlers that do not keep up: their client waits, whatever it says is handled, and memory is bounded."""

import asyncio
from typing import Any

import pytest

from sente import ChannelSocket, Client, Limits, Message, ServerSettings
from tests.asgi import TRANSPORTS, TransportName, WebSocket, until
from tests.faults.bystanders import bystanders

SIZE = 1000
SETTINGS = ServerSettings(
    batch_ws=0.001,
    batch_poll=0.001,
    sessions_per_user=10,
    limits=Limits(packet=2000, body=4000, window_bytes=4000, backlog_bytes=3000),
)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_of_ours_waits_for_slow_handlers_and_nobody_else_does(transport: TransportName) -> None:
    chsk = ChannelSocket(settings=SETTINGS, user_id=lambda connection: connection.query.get("uid"))
    handled: list[int] = []
    most = 0

    @chsk.on("chat/say")
    async def slow(msg: Message) -> None:
        nonlocal most
        (talk,) = [c.session._talk for c, _ in chsk._hub.clients() if c.uid == "slow"]  # type: ignore[union-attr]
        most = max(most, talk.backlog_bytes)
        await asyncio.sleep(0.002)
        handled.append(msg.data[0])

    @chsk.on("test/echo")
    async def echo(msg: Message) -> Any:
        return msg.data

    client = Client(app=chsk, transport=transport, params={"uid": "slow"})
    async with chsk, bystanders(chsk, patience=2.0), client:
        for number in range(200):
            assert client.send("chat/say", [number, "x" * SIZE])
        await until(lambda: len(handled) == 200)
        assert client.state.last_close is None
    assert handled == list(range(200))
    assert 3000 < most < 3000 + 4000 + 4000 + 2000


async def test_a_classic_client_that_is_faster_in_bytes_is_not_read() -> None:
    chsk = ChannelSocket(settings=SETTINGS, classic="json")
    go_on = asyncio.Event()
    begun: list[Any] = []

    @chsk.on("chat/say")
    async def slow(msg: Message) -> None:
        begun.append(msg.data[0])
        await go_on.wait()

    async with chsk:
        line = WebSocket(chsk, "client-id=c1")
        await line.next()
        await line.frame()
        for number in range(10):
            line.say([["chat/say", [number, "x" * SIZE]]])
        await until(lambda: begun)
        await asyncio.sleep(0.05)
        assert chsk.stats["received"] == 3
        go_on.set()
        await until(lambda: begun == list(range(10)))
