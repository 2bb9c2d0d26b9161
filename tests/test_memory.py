"""What all outboxes together may keep, and who goes first."""

import asyncio

from sente import ChannelSocket, Limits, Message, ServerSettings
from sente.memory import FREE
from tests.asgi import SessionClient, WebSocket, WsClient, connect, until

MEMORY = 80_000
BIG = "x" * 1000
LIMITS = Limits(outbox_bytes=10**9, window_bytes=10**9, window=10**6)


def served() -> ChannelSocket:
    settings = ServerSettings(memory=MEMORY, limits=LIMITS)
    user_id = "client-id"
    return ChannelSocket(
        user_id=lambda connection: connection.query[user_id], packers="json", settings=settings, classic="json"
    )


async def people(chsk: ChannelSocket, *names: str) -> list[SessionClient]:
    return [await connect(chsk, "ws", name) for name in names]


def kept(chsk: ChannelSocket) -> dict[str, int]:
    return {client.client_id: client.session.kept[1] for client, _ in chsk._hub.clients()}


async def test_who_keeps_most_goes_first() -> None:
    async with served() as chsk:
        await people(chsk, "ada", "bob", "eve")
        for n in range(79):
            chsk.send("eve" if n % 3 else "bob", "a/b", BIG)
        assert len(kept(chsk)) == 3
        chsk.send("ada", "a/b", BIG)
        assert kept(chsk).keys() == {"ada", "bob"}
        assert sum(kept(chsk).values()) <= MEMORY - MEMORY // FREE
        assert chsk.stats["ended slow memory"] == 1
        for _ in range(70):
            chsk.send("bob", "a/b", BIG)
        assert kept(chsk).keys() == {"ada"}


async def test_what_is_kept_for_many_counts_once() -> None:
    async with served() as chsk:
        await people(chsk, *(f"c{n}" for n in range(20)))
        for _ in range(60):
            chsk.broadcast("a/b", BIG)
        assert sum(kept(chsk).values()) > 10 * MEMORY
        assert chsk.stats["ended slow memory"] == 0
        for _ in range(20):
            chsk.broadcast("a/b", BIG)
        assert not kept(chsk), "all of them keep the same"


async def test_those_go_first_whose_end_frees_most() -> None:
    async with served() as chsk:
        await people(chsk, *(f"c{n}" for n in range(20)), "eve")
        for _ in range(50):
            chsk.broadcast("a/b", BIG)
        for _ in range(30):
            chsk.send("eve", "a/b", BIG)
        assert len(kept(chsk)) == 20 and "eve" not in kept(chsk)


async def test_what_was_acknowledged_is_kept_no_more() -> None:
    async with served() as chsk:
        (ada,) = await people(chsk, "ada")
        for n in range(300):
            chsk.send("ada", "a/b", BIG, flush=True)
            await ada.event()
            await ada.push([None, None, 0, n + 1])
        assert chsk.stats["ended slow memory"] == 0


async def test_replies_and_requests_are_kept_too() -> None:
    async with served() as chsk:

        @chsk.on("a/ask")
        async def reply(msg: Message) -> str:
            return BIG

        ada, _ = await people(chsk, "ada", "bob")
        assert isinstance(ada, WsClient)
        for _ in range(79):
            await ada.ask("a/ask")
        await ada.request("a/ask")
        assert await ada.socket.closed() == (4420, "too much is kept for all clients, and most for this one")
        assert kept(chsk).keys() == {"bob"}
        asked = [asyncio.create_task(chsk.request("bob", "a/ask", BIG)) for _ in range(90)]
        await until(lambda: not kept(chsk))
        await asyncio.gather(*asked, return_exceptions=True)


async def test_the_clients_of_sente_count_too() -> None:
    async with served() as chsk:
        line = WebSocket(chsk, "client-id=ada")
        await line.accepted()
        for _ in range(90):
            chsk.send("ada", "a/b", BIG)
        assert (await line.closed())[0] == 1000
        assert chsk.stats["ended slow memory"] == 1
