"""Several sockets and a broker: events, requests, receipts, presence and sessions, wherever a request arrives."""

import asyncio
from typing import Any

import pytest

from sente import Disconnected, RequestFailed, ServerSettings
from sente.interfaces import Broker
from tests.asgi import until
from tests.cluster.several import client_of, several

both_transports = pytest.mark.parametrize("transport", ["ws", "poll"])


@both_transports
async def test_what_one_socket_says_reaches_the_clients_of_all(broker: Broker, transport: Any) -> None:
    async with (
        several(broker) as app,
        client_of(app, "ada", transport) as ada,
        client_of(app, "ada", transport) as too,
        client_of(app, "bob", transport) as bob,
    ):
        for number in range(9):
            app.sockets[number % 3].send("ada", "news/told", number)
        app.sockets[1].broadcast("news/told", "all")
        for client in (ada, too):
            said = [event.data for event in await client.received.at_least(10)]
            assert {*said} == {*range(9), "all"}
            for origin in range(3):  # in the order in which each socket said it
                assert [n for n in said if n != "all" and n % 3 == origin] == [origin, origin + 3, origin + 6]
        assert [event.data for event in await bob.received.at_least(1)] == ["all"]


@both_transports
async def test_requests_are_answered_wherever_they_arrive(broker: Broker, transport: Any) -> None:
    async with several(broker) as app:
        async with client_of(app, "ada", transport) as client:
            replies = await asyncio.gather(*(client.request("echo/say", n) for n in range(50)))
            assert replies == list(range(50))
            for number in range(5):
                assert await client.request("echo/say", number) == number
        assert sum(chsk.stats["sessions"] for chsk in app.sockets) == 1


@both_transports
async def test_any_socket_asks_any_client(broker: Broker, transport: Any) -> None:
    async with several(broker) as app, client_of(app, "ada", transport) as ada:

        @ada.on("add/up")
        async def add(numbers: list[int]) -> int:
            if numbers == [0]:
                raise RequestFailed("empty", "nothing to add", {"given": 0})
            return sum(numbers)

        client_id = await ada.request("whoami/ask")
        for chsk in app.sockets:
            assert await chsk.request(client_id, "add/up", [1, 2]) == 3
            with pytest.raises(RequestFailed) as failed:
                await chsk.request(client_id, "add/up", [0])
            assert (failed.value.code, failed.value.data) == ("empty", {"given": 0})
            with pytest.raises(Disconnected):
                await chsk.request("nobody", "add/up", [1])


@both_transports
async def test_a_receipt_counts_all(broker: Broker, transport: Any) -> None:
    async with several(broker) as app:
        async with client_of(app, "ada", transport), client_of(app, "ada", transport), client_of(app, "ada", transport):
            for chsk in app.sockets:
                delivered = await chsk.send("ada", "news/told", 1).delivered()
                assert (delivered.clients, delivered.acknowledged, delivered.complete) == (3, 3, True)
        assert (await app.sockets[0].broadcast("news/told", 1).delivered()).clients == 0


async def test_what_is_no_longer_known_is_not_counted_as_delivered(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sente.cluster.settling.KNOWN", 3)
    async with several(broker, 2) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            receipts = [app.sockets[0].send("ada", "news/told", number) for number in range(5)]
            await ada.received.at_least(5)
            known = [(await receipt.delivered(0.5)) for receipt in receipts[::4]]
            assert [(each.clients, each.unheard, each.complete) for each in known] == [(0, 1, False), (1, 0, True)]


async def test_a_user_is_told_to_go_everywhere(broker: Broker) -> None:
    async with several(broker) as app, client_of(app, "ada") as ada, client_of(app, "ada", "poll") as too:
        app.sockets[2].disconnect("ada", "time is up")
        await until(lambda: sum(chsk.stats["ended disconnected"] for chsk in app.sockets) == 2)
        for client in (ada, too):
            await until(lambda client=client: client.state.open and not client.state.first_open)
            assert await client.request("echo/say", "here again") == "here again"


async def test_everyone_knows_who_is_there_and_one_announces_it(broker: Broker) -> None:
    seen: list[tuple[int, str, Any]] = []
    async with several(broker, settings=ServerSettings(grace_ws=0.05, grace_poll=0.05)) as app:
        for number, chsk in enumerate(app.sockets):
            for what in ("open", "close"):
                chsk.on(f"chsk/uidport-{what}")(lambda msg, n=number: seen.append((n, msg.id[13:], msg.uid)))
        async with client_of(app, "ada"), client_of(app, "ada", "poll"), client_of(app, "bob"):
            for chsk in app.sockets:
                async with asyncio.timeout(5):
                    async for uids in chsk.presence():
                        if uids.any == {"ada", "bob"} and uids.poll == {"ada"}:
                            break
                assert await chsk.online("ada")
            await until(lambda: len(seen) == 2)
        await until(lambda: len(seen) == 4)
        assert sorted(entry[1:] for entry in seen) == [
            ("close", "ada"),
            ("close", "bob"),
            ("open", "ada"),
            ("open", "bob"),
        ]
        for chsk in app.sockets:  # the others hear of it within a tenth of a second
            async with asyncio.timeout(5):
                while await chsk.online("ada"):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
