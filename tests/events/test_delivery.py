"""Of which events only the latest is sent, and what makes two of them the same."""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from sente import ChannelSocket, ConfigError, EventRegistry, InvalidEvent, Message, UnknownEvent, latest
from sente.events.asyncapi import asyncapi
from sente.events.delivery import Delivery
from sente.testing import Served
from tests.client.line import reopening


class Price(BaseModel):
    symbol: str = Field(alias="sym")
    cents: int


@dataclass
class Position:
    name: str
    x: int = 0


class Sight(TypedDict):
    name: str


class Move(NamedTuple):
    name: str


def key(type_: Any, delivery: Delivery, value: Any) -> Any:
    events = EventRegistry()
    events.event("a/b", of=type_, delivery=delivery)
    return events.key("a/b", value)


@pytest.mark.parametrize(
    ("type_", "value"),
    [(Position, Position("ada")), (Sight, Sight(name="ada")), (Move, Move("ada")), (Position, {"name": "ada"})],
)
def test_a_field_is_found_in_each_kind_of_class(type_: Any, value: Any) -> None:
    assert key(type_, latest("name"), value) == ("a/b", "ada")


def test_a_field_has_its_name_in_the_class() -> None:
    assert key(Price, latest("symbol"), {"sym": "A", "cents": 1}) == ("a/b", "A")
    with pytest.raises(ConfigError, match="has no field 'sym'"):
        key(Price, latest("sym"), None)


@pytest.mark.parametrize("type_", [list[str], dict, dict[str, str], int, Position | Move])
def test_what_has_no_fields_wants_a_function(type_: Any) -> None:
    with pytest.raises(ConfigError, match=r"delivery=latest\(name\)\): .* has no field 'name'; .*lambda data"):
        key(type_, latest("name"), None)


def test_a_function_is_given_the_data_as_its_type() -> None:
    def first(move: Move) -> str:
        return move.name[0]

    assert key(Move, latest(first), ["ada"]) == ("a/b", "a")
    assert str(latest(first)) == "latest(first)"


def test_without_a_key_all_of_an_id_are_one() -> None:
    assert key(list[str], latest(), ["ada"]) == key(list[str], latest(), [])
    assert str(latest()) == "latest"


def test_a_reliable_event_has_no_key() -> None:
    assert key(list[str], "reliable", ["ada"]) is None


def test_a_key_has_to_be_hashable() -> None:
    with pytest.raises(ConfigError, match=r"event\('a/b', delivery=latest\(tuple\)\): \(\['ada'\],\) is no key: "):
        key(list[list[str]], latest(tuple), [["ada"]])


def test_a_key_is_asked_of_what_is_an_event_only() -> None:
    with pytest.raises(InvalidEvent):
        key(Position, latest("name"), 7)
    with pytest.raises(UnknownEvent):
        EventRegistry().key("a/b", 7)


def test_an_event_that_is_taken_over_keeps_its_class_under_its_new_id() -> None:
    events, part = EventRegistry(), EventRegistry()
    part.event("map/position", of=Position, delivery=latest("name"))
    events.include(part, prefix="old/")
    assert events.key("old/map/position", Position("ada")) == ("old/map/position", "ada")


# -- from one side to the other


over_both = pytest.mark.parametrize("transport", ["ws", "poll"])


def people() -> EventRegistry:
    events = EventRegistry()
    events.event("map/position", delivery=latest("name"))(Position)
    events.event("chat/said", of=str)
    return events


@over_both
async def test_a_server_sends_only_the_latest(transport: Any) -> None:
    chsk = ChannelSocket(events=people(), user_id=lambda _: "ada")
    async with Served(chsk, transport=transport, events=people()) as server, server.client() as client:
        for x in range(5):
            chsk.send("ada", Position("bob", x))
            chsk.broadcast(Position("eve", x))
        chsk.send("ada", "chat/said", "here they are")
        chsk.broadcast("map/position", {"name": "bob", "x": 5})
        await client.received.at_least(3)
        assert [event.data for event in client.received] == [Position("eve", 4), "here they are", Position("bob", 5)]
        assert chsk.stats["replaced"] == 9


@over_both
async def test_a_client_sends_only_the_latest(transport: Any) -> None:
    chsk = ChannelSocket(events=people())
    got: list[Any] = []
    there = asyncio.Event()

    @chsk.on(Position)
    async def moved(msg: Message[Position]) -> None:
        got.append(msg.data)

    @chsk.on("chat/said")
    async def said(msg: Message[Any]) -> None:
        got.append(msg.data)
        there.set()

    async with Served(chsk, transport=transport, events=people()) as server, server.client() as client:
        for x in range(5):
            client.send(Position("bob", x))
        client.send("chat/said", "there he is")
        async with asyncio.timeout(5):
            await there.wait()
    assert got == [Position("bob", 4), "there he is"]


@over_both
async def test_each_request_is_asked(transport: Any) -> None:
    chsk = ChannelSocket(events=people())

    @chsk.on(Position)
    async def moved(msg: Message[Position]) -> None:
        got.append(msg.data.x)

    got: list[int] = []
    async with Served(chsk, transport=transport, events=people()) as server, server.client() as client:
        await asyncio.gather(*(client.request("map/position", Position("bob", x)) for x in range(3)))
    assert got == [0, 1, 2]


def test_the_contract_says_how_it_is_delivered() -> None:
    channels = asyncapi(people())["channels"]
    said = [channel["x-sente-delivery"] for channel in channels.values()]
    assert said == ["latest(name)", "reliable"]


async def test_nobody_is_told_to_have_lost_what_only_the_latest_says() -> None:
    chsk = ChannelSocket(events=people(), user_id=lambda _: "ada")
    async with Served(chsk, events=people()) as server, server.client() as client:
        async with reopening(client):
            chsk.send("ada", Position("bob", 1))
            chsk.disconnect("ada")  # before it leaves
            chsk.send("ada", Position("bob", 2))
            chsk.broadcast(Position("bob", 3))
            chsk.broadcast("chat/said", "this is lost")
        assert client.state.lost == 1
