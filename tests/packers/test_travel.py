"""Values between server and client, over every packer and both transports, with their types."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sente import ChannelSocket, Client, ConfigError, Message, PackError
from sente.packers.json import JsonPacker
from sente.packers.transit import TransitPacker
from tests.packers.examples import MONEY, VALUES, expected, same

PACKERS = ["auto", "cbor", "msgpack", "transit", "edn"]

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])


@asynccontextmanager
async def pair(transport: Any, packers: Any, offered: Any = None) -> AsyncIterator[tuple[ChannelSocket, Client]]:
    chsk = ChannelSocket(packers=packers, types=[MONEY], user_id=lambda _: "ada")
    async with chsk, Client(app=chsk, transport=transport, packers=offered or packers, types=[MONEY]) as client:
        yield chsk, client


@over_both
@pytest.mark.parametrize("packers", PACKERS)
async def test_every_type_travels_both_ways(transport: Any, packers: str) -> None:
    heard: list[Any] = []
    async with pair(transport, packers) as (chsk, client):

        @chsk.on("value/echo")
        async def echo(msg: Message) -> Any:
            heard.append(msg.data)
            return msg.data

        events = client.events("value/said")
        assert client.state.packer == packers
        for name, value in VALUES.items():
            want = expected(name)
            assert same(await client.request("value/echo", value), want), name
            assert same(heard.pop(), want), name
            chsk.send("ada", "value/said", value, flush=True)
            assert same((await anext(events)).data, want), name
        everything = list(VALUES.values())
        chsk.send("ada", "value/said", everything)
        chsk.send("ada", "value/said", "and another, in one batch")
        assert all(map(same, (await anext(events)).data, map(expected, VALUES)))
        assert (await anext(events)).data == "and another, in one batch"
        await events.aclose()


@over_both
@pytest.mark.parametrize(
    ("offered", "speaks"),
    [
        ("auto,json", bytes),
        ("auto", bytes),
        ("json", str),
    ],
)
async def test_each_client_is_sent_what_it_reads(transport: Any, offered: str, speaks: type) -> None:
    frames: list[Any] = []
    chsk = ChannelSocket(packers="auto,json", user_id=lambda _: "ada")
    async with chsk, Client(app=chsk, transport=transport, packers=offered) as client:
        read = client._driver._read

        def noted(wire: Any) -> Any:
            frames.append(wire)
            return read(wire)

        client._driver._read = noted  # type: ignore[method-assign]
        events = client.events()
        for form in (None, "msgpack"):
            chsk.send("ada", "chat/said", {"n": 1}, form=form, flush=True)
            assert (await anext(events)).data == {"n": 1}
            assert type(frames[-1]) is speaks
        chsk.broadcast("chat/said", {"n": 1}, form="json", flush=True)
        assert (await anext(events)).data == {"n": 1}
        assert type(frames[-1]) is str
        await events.aclose()


async def test_a_form_needs_a_packer_that_has_forms() -> None:
    async with ChannelSocket(packers="json") as chsk:
        with pytest.raises(ConfigError, match="only the packer 'auto' has forms"):
            chsk.send("ada", "chat/said", 1, form="msgpack")
    async with ChannelSocket(packers="auto,json") as chsk:
        with pytest.raises(ConfigError, match="choose one of"):
            chsk.send("ada", "chat/said", 1, form="xml")


async def test_every_packer_must_be_able_to_write_what_is_sent() -> None:
    async with ChannelSocket(packers="auto,json") as chsk:
        with pytest.raises(PackError, match=r"data\.items\[3\]\.price: bytes cannot be written as JSON"):
            chsk.send("ada", "shop/cart", {"items": [1, 2, 3, {"price": b"5"}]})
    async with ChannelSocket(packers="auto") as chsk:
        chsk.send("ada", "shop/cart", b"5")


class PlainAuto(TransitPacker):
    """Of a client that reads text only."""

    name = "auto"


async def test_an_event_is_packed_when_it_is_sent_for_whoever_is_there() -> None:
    async with pair("ws", "auto", PlainAuto()) as (chsk, client):
        said = [1]
        events = client.events()
        chsk.send("ada", "value/said", said)
        said.append(2)
        assert (await anext(events)).data == [1]
        await events.aclose()


@over_both
async def test_the_server_too_is_sent_only_what_it_reads(transport: Any) -> None:
    heard: list[Any] = []

    class TextOnly:
        """An older server's auto, say."""

        name = "auto"

        def pack(self, value: Any, /) -> str:
            return JsonPacker().pack(value)

        def unpack(self, wire: Any, /) -> Any:
            heard.append(wire)
            return JsonPacker().unpack(wire)

    async with pair(transport, TextOnly(), "auto") as (chsk, client):
        chsk.on("chat/say")(lambda msg: msg.data)
        assert await client.request("chat/say", {"n": 1}) == {"n": 1}
        assert heard and all(isinstance(wire, str) for wire in heard)


@over_both
async def test_an_object_may_be_a_packer(transport: Any) -> None:
    class Shouting:
        name = "shouting"

        def pack(self, value: Any, /) -> str:
            return JsonPacker().pack(value).swapcase()

        def unpack(self, wire: Any, /) -> Any:
            return JsonPacker().unpack(wire.swapcase())

    async with pair(transport, [Shouting(), "json"], Shouting()) as (chsk, client):
        chsk.on("chat/say")(lambda msg: msg.data)
        assert await client.request("chat/say", {"text": "hi"}) == {"text": "hi"}
        assert client.state.packer == "shouting"
