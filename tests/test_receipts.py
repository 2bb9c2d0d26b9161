"""Who has acknowledged what was sent."""

import asyncio
import gc
import weakref
from dataclasses import dataclass
from typing import Any

import pytest

from sente import ChannelSocket, ConfigError, EventRegistry, Receipt, latest
from sente.push import Push
from sente.receipts import Delivered
from sente.testing import Served
from tests.asgi import WebSocket, WsClient, connect, until
from tests.client.line import Line, reopening

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])


def served(**options: Any) -> ChannelSocket:
    return ChannelSocket(user_id=lambda _: "ada", **options)


@over_both
async def test_it_waits_for_all_devices_and_no_longer(transport: Any) -> None:
    chsk = served()
    async with Served(chsk, transport=transport) as server, server.client() as one, server.client() as two:
        async with asyncio.timeout(2):  # an acknowledgement alone would take 5 s
            assert await chsk.send("ada", "a/b").delivered() == Delivered(2, 2, 0, ())
            assert await chsk.broadcast("a/b").delivered() == Delivered(2, 2, 0, ())
        assert len(one.received) == len(two.received) == 2


async def test_one_that_left_long_ago_can_be_asked_about() -> None:
    chsk = served()
    async with Served(chsk) as server, server.client() as client:
        receipts = [chsk.send("ada", "a/b", n, flush=True) for n in range(3)]
        await client.received.at_least(3)
        assert [client.session.kept[0] for client in chsk._hub.sessions] == [3]
        async with asyncio.timeout(2):
            assert (await receipts[1].delivered()).complete
        assert (await receipts[0].delivered()).complete, "it is known by now"
        assert (await receipts[2].delivered()).complete


async def test_who_does_not_acknowledge_is_named() -> None:
    chsk = served(packers="json")
    async with Served(chsk) as server, server.client():
        deaf = await connect(chsk, "ws", "deaf")
        receipt = chsk.send("ada", "a/b", flush=True)
        assert await receipt.delivered(timeout=0.2) == Delivered(2, 1, 0, ("deaf",))
        assert await deaf.event() == ["a/b", None]
        assert isinstance(deaf, WsClient)
        assert deaf.packer.unpack(await deaf.socket.frame())[4] == "ack", "it was asked to"
        both = asyncio.gather(receipt.delivered(timeout=5), receipt.delivered(timeout=0.05))
        await asyncio.sleep(0.1)
        await deaf.push([None, None, 0, 1])
        assert [one.acknowledged for one in await both] == [2, 1]
        assert not chsk._hub.deliveries._waits
        assert all(not client.session.watched.events for client in chsk._hub.sessions)


@over_both
async def test_a_session_that_ended_counts_as_lost(transport: Any) -> None:
    chsk = served()
    async with Served(chsk, transport=transport) as server, server.client() as client:
        async with reopening(client):
            before = chsk.send("ada", "a/b")
            waiting = asyncio.ensure_future(before.delivered())
            await asyncio.sleep(0)
            chsk.disconnect("ada")
            assert await waiting == Delivered(1, 0, 1, ())
        assert await before.delivered() == Delivered(1, 0, 1, ()), "it stays so"
        assert client.state.lost == 1


async def test_a_line_that_breaks_does_no_harm() -> None:
    chsk = served()
    line = Line(chsk)
    async with Served(line) as server, server.client() as client:
        line.dumb = True
        receipt = chsk.send("ada", "a/b", flush=True)
        waiting = asyncio.ensure_future(receipt.delivered())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        line.dumb = False
        client.break_connection()
        assert (await waiting).complete


async def test_nobody_was_there() -> None:
    async with served() as chsk:
        assert await chsk.send("bob", "a/b").delivered() == Delivered(0, 0, 0, ())


async def test_the_clients_of_sente_acknowledge_nothing() -> None:
    chsk = served(classic="json")
    async with Served(chsk) as server, server.client():
        line = WebSocket(chsk, "client-id=c9")
        await line.accepted()
        receipt = chsk.send("ada", "a/b")
        assert receipt.clients == 2
        assert await receipt.delivered() == Delivered(1, 1, 0, ())


@dataclass
class Price:
    cents: int


async def test_what_need_not_arrive_is_not_waited_for() -> None:
    events = EventRegistry()
    events.event("a/latest", delivery=latest(), of=int)
    events.event("a/volatile", delivery="volatile", of=int)
    async with served(events=events) as chsk:
        for event_id in events.contracts:
            with pytest.raises(ConfigError, match=f"{event_id} is not reliable"):
                await chsk.send("ada", event_id, 1).delivered()
        with pytest.raises(ConfigError, match="only a receipt that send or broadcast has returned"):
            await Receipt(1).delivered()


async def test_it_is_awaited_in_the_loop_of_the_socket() -> None:
    async with served() as chsk:
        receipt = await asyncio.to_thread(chsk.send, "ada", "a/b")
        assert (await receipt.delivered()).complete
        with pytest.raises(ConfigError, match="in the event loop that the ChannelSocket runs in"):
            await asyncio.to_thread(asyncio.run, receipt.delivered())
        with pytest.raises(ConfigError, match="finite number of seconds"):
            await receipt.delivered(timeout=float("inf"))


async def test_a_receipt_keeps_no_client_alive() -> None:
    chsk = served()
    async with Served(chsk) as server:
        async with server.client():
            receipt = chsk.send("ada", "a/b")
            await receipt.delivered()
            gone = weakref.finalize(next(iter(chsk._hub.sessions)).session._talk, lambda: None)
        await until(lambda: not chsk._hub.sessions)
        await until(lambda: gc.collect() >= 0 and not chsk._hub.peers)
        gc.collect()
        assert not gone.alive
        assert isinstance(receipt._push, Push)
