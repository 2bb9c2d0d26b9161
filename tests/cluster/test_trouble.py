"""Lines to the broker that are cut and come back, and processes that die: nothing is lost, or its loss is told."""

import asyncio
from typing import Any

import pytest

from sente import Disconnected, Publisher
from sente.testing import ServedClient
from tests.asgi import until
from tests.cluster.several import client_of, several
from tests.cluster.shaky import ShakyBroker

both_transports = pytest.mark.parametrize("transport", ["ws", "poll"])


async def break_off(client: ServedClient) -> None:
    """Have its line break, and wait until it is back."""
    client.break_connection()
    await until(lambda: not client.state.open)
    await until(lambda: client.state.open)


@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1, 2)], ids=["who says", "who hears", "who has", "all"])
async def test_what_was_said_while_a_line_was_cut_arrives_once_and_in_order(which: tuple[int, ...]) -> None:
    broker = ShakyBroker()
    async with several(broker) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            app.always = 2
            async with client_of(app, "bob") as bob:
                says = app.sockets[0]
                for number in range(100):
                    if number == 30:
                        broker.cut(*which)
                    if number == 60:
                        broker.heal(*which)
                    says.send("ada", "news/told", number)
                    says.broadcast("news/told", number + 1000)
                    if number % 10 == 0:
                        await asyncio.sleep(0.01)
                await ada.received.at_least(200)
                await bob.received.at_least(100)
                heard = [event.data for event in ada.received]
                assert [n for n in heard if n < 1000] == list(range(100))
                assert [n for n in heard if n >= 1000] == list(range(1000, 1100))
                assert [event.data for event in bob.received] == list(range(1000, 1100))
                assert ada.state.lost == bob.state.lost == 0


async def test_a_line_that_is_cut_again_and_again_loses_nothing() -> None:
    broker = ShakyBroker()
    async with several(broker) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            for number in range(300):
                app.sockets[0].send("ada", "news/told", number)
                app.sockets[2].send("ada", "news/told", number + 1000)
                if number % 7 == 3:
                    broker.cut(number % 3)
                if number % 7 == 5:
                    broker.heal((number - 2) % 3)
                if number % 5 == 0:
                    await asyncio.sleep(0.001)
            await ada.received.at_least(600)
            heard = [event.data for event in ada.received]
            assert [n for n in heard if n < 1000] == list(range(300))
            assert [n for n in heard if n >= 1000] == list(range(1000, 1300))


async def test_who_begins_while_its_line_is_cut_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has never heard of the one that speaks, which is older."""
    monkeypatch.setattr("sente.cluster.surely.ON_ITS_WAY", 0.02)
    broker = ShakyBroker()
    async with several(broker, 1) as first:
        first.sockets[0].send("ada", "news/told", "before")
        await asyncio.sleep(0.05)
        broker.there = False
        async with several(broker, 1) as second, client_of(second, "ada") as ada:
            for number in range(5):
                first.sockets[0].send("ada", "news/told", number)
            await asyncio.sleep(0.02)
            broker.heal(1)
            await ada.received.at_least(5)
            first.sockets[0].send("ada", "news/told", 5)
            assert [event.data for event in await ada.received.at_least(6)] == [0, 1, 2, 3, 4, 5]


async def test_who_is_thought_gone_and_comes_back_is_heard_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("node", "roster"):
        monkeypatch.setattr(f"sente.cluster.{module}.EXPIRY", 0.3)
        monkeypatch.setattr(f"sente.cluster.{module}.BEAT", 0.1)
    monkeypatch.setattr("sente.cluster.node.PROBE", 0.05)
    broker = ShakyBroker()
    async with several(broker, 2) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            says = app.sockets[0]
            for number in range(30):
                says.send("ada", "news/told", number)
                if number == 10:
                    await ada.received.at_least(11)
                    broker.cut(0)
                if number == 20:
                    await asyncio.sleep(0.8)  # longer than it takes to be thought gone
                    broker.heal(0)
            heard = [event.data for event in await ada.received.at_least(30)]
            await asyncio.sleep(0.3)
            assert heard == [event.data for event in ada.received] == list(range(30))
            assert ada.state.lost == 0


async def test_the_rest_of_an_older_answer_is_not_taken_for_the_whole() -> None:
    broker = ShakyBroker()
    async with several(broker, 2) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            app.sockets[0].send("ada", "news/told", "first")
            await ada.received.at_least(1)
            broker.cut(1)
            for number in range(10):
                app.sockets[0].send("ada", "news/told", number)
            await asyncio.sleep(0.01)
            broker.hold()
            broker.heal(1)
            await asyncio.sleep(0.01)
            broker.release(2)  # it is back, and asks
            await asyncio.sleep(0.01)
            broker.cut(1)
            broker.release(6)  # a part of the answer, which is lost
            broker.heal(1)
            await asyncio.sleep(0.01)
            broker.let_go()
            assert [event.data for event in await ada.received.at_least(11)] == ["first", *range(10)]


async def test_what_a_process_said_that_is_gone_is_told_as_lost() -> None:
    """It came, spoke and went while another was cut off, which never heard of it."""
    broker = ShakyBroker()
    async with several(broker, 2) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            broker.cut(1)
            async with Publisher(broker) as publisher:
                publisher.send("ada", "job/done", 7)
                publisher.broadcast("job/done", 8)
                await asyncio.sleep(0.05)
            broker.heal(1)
            await until(lambda: ada.state.open and not ada.state.first_open)
            assert (ada.state.resumed, ada.state.lost) == (False, None)
            assert [chsk.stats["broker gaps"] for chsk in app.sockets] == [0, 1]


async def test_what_is_not_kept_any_more_is_told_as_lost() -> None:
    broker = ShakyBroker()
    async with several(broker) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            broker.cut(1)
            for number in range(10_100):
                app.sockets[0].send("nobody" if number else "ada", "news/told", number)
            broker.heal(1)
            await until(lambda: ada.state.open and not ada.state.first_open)
            assert (ada.state.resumed, ada.state.lost) == (False, None)
            assert app.sockets[1].stats["broker gaps"] == 1
            app.sockets[0].send("ada", "news/told", "after")
            assert (await ada.received.next()).data == "after"


async def test_who_is_cut_off_for_too_long_is_told_that_nothing_leaves() -> None:
    broker = ShakyBroker()
    async with several(broker) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            broker.cut(0)
            receipts = [app.sockets[0].send("ada", "news/told", number) for number in range(10_050)]
            assert [receipt.stayed for receipt in receipts] == [False] * 10_000 + [True] * 50
            assert app.sockets[0].stats["not published"] == 50
            broker.heal(0)
            await until(
                lambda: ada.state.open and not ada.state.first_open
            )  # so much at once is too much for one client: it is told
            assert ada.state.lost is None or ada.state.lost > 0


@both_transports
async def test_the_clients_of_a_process_that_dies_learn_it_at_once(transport: Any) -> None:
    broker = ShakyBroker()
    async with several(broker) as app:
        app.always = 0
        async with client_of(app, "ada", transport) as ada:
            assert await ada.request("echo/say", 1) == 1
            app.always = 1
            broker.kill(0)
            async with asyncio.timeout(3):
                ada.break_connection()
                await until(lambda: ada.state.open and not ada.state.first_open)
            assert (ada.state.resumed, ada.state.lost) == (False, None)
            assert await ada.request("echo/say", 2) == 2


@both_transports
async def test_a_session_goes_on_at_another_process(transport: Any) -> None:
    async with several(ShakyBroker()) as app:
        app.always = 0
        async with client_of(app, "ada", transport) as ada:
            await ada.request("echo/say", 1)
            for number in range(1, 6):
                app.always = number % 3
                await break_off(ada)
                app.sockets[2].send("ada", "news/told", number)
                assert (await ada.received.next()).data == number
                assert await ada.request("echo/say", number) == number
            assert (ada.state.resumed, ada.state.lost) == (True, 0)
            assert [chsk.stats["sessions"] for chsk in app.sockets] == [1, 0, 0]


@both_transports
async def test_an_edge_that_is_cut_off_sends_its_clients_away(transport: Any) -> None:
    broker = ShakyBroker()
    async with several(broker) as app:
        app.always = 0
        async with client_of(app, "ada", transport) as ada:
            app.always = 1
            await break_off(ada)
            assert await ada.request("echo/say", 1) == 1
            broker.cut(1)
            app.always = 0
            app.sockets[0].send("ada", "news/told", "still")
            assert (await ada.received.next()).data == "still"
            assert (ada.state.resumed, ada.state.lost) == (True, 0)


async def test_requests_fail_at_once_where_nobody_can_be_asked() -> None:
    broker = ShakyBroker()
    async with several(broker) as app:
        app.always = 0
        async with client_of(app, "ada") as ada:
            client_id = await ada.request("whoami/ask")
            broker.cut(1)
            with pytest.raises(Disconnected):
                await app.sockets[1].request(client_id, "add/up", [1])
            delivered = await app.sockets[1].send("ada", "news/told", 1).delivered(0.2)
            assert (delivered.clients, delivered.unheard, delivered.complete) == (0, 2, False)
