"""Requests that may be handled twice survive the end of their session; no other does."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from sente import ChannelSocket, Connection, Disconnected, EventRegistry, Message, Request, RequestTimeout
from sente.events.asyncapi import asyncapi
from sente.interfaces import RepeatableRegistry
from sente.testing import Served
from tests.asgi import connect, until
from tests.client.line import reopening

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])


@dataclass
class Balance(Request[int]):
    of: str


@dataclass
class Book(Request[int]):
    of: str


def events() -> EventRegistry:
    events = EventRegistry()
    events.event("bank/balance", idempotent=True)(Balance)
    events.event("bank/book")(Book)
    return events


class Bank:
    """A server that begins to handle each request, and answers those of its second session."""

    def __init__(self, **options: Any) -> None:
        self.users = {"uid": "ada"}
        self.chsk = ChannelSocket(user_id=self._who, **options)
        self.handled: list[Any] = []
        self.answers = False
        self.chsk.on("bank/balance", concurrent=True)(self._handle)
        self.chsk.on("bank/book", concurrent=True)(self._handle)

    def _who(self, connection: Connection) -> str:
        return self.users["uid"]

    async def _handle(self, msg: Message[Any]) -> int:
        self.handled.append(msg.data)
        if not self.answers:
            await asyncio.Event().wait()
        return len(self.handled)

    async def begin_anew(self, count: int = 1) -> None:
        await until(lambda: len(self.handled) >= count)
        self.answers = True
        self.chsk.disconnect(self.users["uid"])


def test_the_registry_says_which() -> None:
    registry = events()
    assert isinstance(registry, RepeatableRegistry)
    assert registry.idempotent("bank/balance") and not registry.idempotent("bank/book")
    said = [channel.get("x-sente-idempotent") for channel in asyncapi(registry)["channels"].values()]
    assert said == [True, None]
    other = EventRegistry()
    other.include(registry, prefix="my/")
    assert other.idempotent("my/bank/balance")


@over_both
async def test_a_client_asks_again_what_may_be_asked_again(transport: Any) -> None:
    bank = Bank()
    async with Served(bank.chsk, transport=transport) as server, server.client() as client:
        once = asyncio.ensure_future(client.request("bank/book", 1))
        again = asyncio.ensure_future(client.request("bank/balance", 2, idempotent=True))
        async with reopening(client):
            await bank.begin_anew(2)
        with pytest.raises(Disconnected):
            await once
        assert await again == 3
        assert bank.handled == [1, 2, 2]
        assert not client._core._dialogue.requests.repeatable()


async def test_a_client_asks_again_as_its_event_says_unless_told_otherwise() -> None:
    bank = Bank(events=events())
    async with Served(bank.chsk, events=events()) as server, server.client() as client:
        asked = [
            asyncio.ensure_future(client.request(Balance("a"))),
            asyncio.ensure_future(client.request(Book("b"))),
            asyncio.ensure_future(client.request(Balance("c"), idempotent=False)),
            asyncio.ensure_future(client.request("bank/book", Book("d"), idempotent=True)),
        ]
        async with reopening(client):
            await bank.begin_anew(4)
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [int, Disconnected, Disconnected, int]
        assert bank.handled[4:] == [Balance("a"), Book("d")], "in the order in which they were asked"


async def test_nothing_is_asked_again_as_another_user() -> None:
    bank = Bank()
    async with Served(bank.chsk) as server, server.client() as client:
        asked = asyncio.ensure_future(client.request("bank/balance", idempotent=True))
        async with reopening(client):
            await until(lambda: bank.handled)
            bank.users["uid"] = "eve"
            bank.chsk.disconnect("ada")
        with pytest.raises(Disconnected):
            await asked
        assert len(bank.handled) == 1


async def test_it_keeps_its_deadline() -> None:
    bank = Bank()
    async with Served(bank.chsk) as server, server.client() as client:
        asked = asyncio.ensure_future(client.request("bank/balance", idempotent=True, timeout=0.3))
        async with reopening(client):
            await until(lambda: bank.handled)
            bank.chsk.disconnect("ada")
        with pytest.raises(RequestTimeout):
            await asked
        assert len(bank.handled) == 2


async def test_a_client_that_says_goodbye_asks_nothing_again() -> None:
    bank = Bank()
    async with Served(bank.chsk) as server, server.client() as client:
        asked = asyncio.ensure_future(client.request("bank/balance", idempotent=True))
        await until(lambda: bank.handled)
        client.disconnect()
        with pytest.raises(Disconnected):
            await asked


# -- the server asks


class Asked:
    """A client whose handlers begin, and answer in its second session."""

    def __init__(self, client: Any) -> None:
        self.got: list[Any] = []
        self.answers = False
        for event_id in ("bank/balance", "bank/book"):
            client.on(event_id, self._answer)

    async def _answer(self, data: Any) -> int:
        self.got.append(data)
        if not self.answers:
            await asyncio.Event().wait()
        return len(self.got)


@over_both
async def test_a_server_asks_again_what_may_be_asked_again(transport: Any) -> None:
    chsk = ChannelSocket(user_id=lambda _: "ada", events=events())
    async with Served(chsk, transport=transport, events=events()) as server, server.client() as client:
        asked = Asked(client)
        once = asyncio.ensure_future(chsk.request(client.state.client_id, Book("a")))
        again = asyncio.ensure_future(chsk.request(client.state.client_id, Balance("b")))
        await until(lambda: len(asked.got) == 2)
        asked.answers = True
        chsk.disconnect("ada")
        with pytest.raises(Disconnected):
            await once
        assert await again == 3
        assert asked.got == [Book("a"), Balance("b"), Balance("b")]
        assert not chsk._hub.questions._awaited


async def test_a_session_that_its_client_never_heard_of_is_passed_over() -> None:
    chsk = ChannelSocket(user_id=lambda _: "ada")
    async with Served(chsk) as server, server.client() as client:
        asked = Asked(client)
        again = asyncio.ensure_future(chsk.request(client.state.client_id, "bank/balance", idempotent=True))
        await until(lambda: asked.got)
        for _ in range(3):
            chsk.disconnect("ada")
            await until(lambda: any(client.session.links.attached for client in chsk._hub.sessions))
        asked.answers = True
        chsk.disconnect("ada")
        assert await again == len(asked.got) > 1


async def test_a_client_that_does_not_come_back_is_not_waited_for() -> None:
    bank = Bank()
    async with Served(bank.chsk) as server, server.client() as client:
        asked = Asked(client)
        who = client.state.client_id
        again = asyncio.ensure_future(bank.chsk.request(who, "bank/balance", idempotent=True, timeout=0.2))
        await until(lambda: asked.got)
        bank.users["uid"] = "eve"  # nobody else is asked
        async with reopening(client):
            bank.chsk.disconnect("ada")
        with pytest.raises(RequestTimeout, match="has not come back"):
            await again
        assert len(asked.got) == 1


async def test_a_namesake_is_not_asked() -> None:
    async with ChannelSocket(user_id=lambda _: "ada", packers="json") as chsk:
        await connect(chsk, "ws", "c1")
        again = asyncio.ensure_future(chsk.request("c1", "bank/balance", idempotent=True, timeout=0.2))
        await asyncio.sleep(0)
        chsk.disconnect("ada")
        await until(lambda: chsk._hub.questions._awaited)
        await connect(chsk, "ws", "c1")
        with pytest.raises(RequestTimeout, match="has not come back"):
            await again


async def test_a_goodbye_ends_it_at_once() -> None:
    chsk = ChannelSocket(user_id=lambda _: "ada")
    async with Served(chsk) as server, server.client() as client:
        asked = Asked(client)
        again = asyncio.ensure_future(chsk.request(client.state.client_id, "bank/balance", idempotent=True))
        await until(lambda: asked.got)
        client.disconnect()
        with pytest.raises(Disconnected):
            await again


async def test_so_does_the_end_of_the_server() -> None:
    async with ChannelSocket(user_id=lambda _: "ada") as chsk:
        await connect(chsk, "ws", "c1")
        again = asyncio.ensure_future(chsk.request("c1", "bank/balance", idempotent=True))
        await asyncio.sleep(0)
        chsk.disconnect("ada")
        await until(lambda: chsk._hub.questions._awaited)
    with pytest.raises(Disconnected):
        await again
