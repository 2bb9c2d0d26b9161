"""Events that are sent once and never kept, from one side to the other, and to a client that does not read."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from sente import ChannelSocket, ConfigError, EventRegistry, Message
from sente.events.asyncapi import asyncapi
from sente.packers.json import JsonPacker
from sente.protocol.messages import VOLATILE, Event, Events
from sente.push import pack_event, write_frame
from sente.testing import Served
from tests.asgi import HELLO, WebSocket, until
from tests.client.line import reopening
from tests.packers.test_negotiation import Reversed

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])
JSON = JsonPacker()


@dataclass
class Cursor:
    x: int


def cursors() -> EventRegistry:
    events = EventRegistry()
    events.event("cursor/at", delivery="volatile")(Cursor)
    events.event("chat/said", of=str)
    return events


def test_the_contract_says_so() -> None:
    assert cursors().key("cursor/at", Cursor(1)) is VOLATILE
    said = [channel["x-sente-delivery"] for channel in asyncapi(cursors())["channels"].values()]
    assert said == ["volatile", "reliable"]
    with pytest.raises(ConfigError, match="give 'reliable', 'volatile' or latest"):
        EventRegistry().event("a/b", of=int, delivery="perhaps")  # type: ignore[call-overload]


@pytest.mark.parametrize("packer", [JSON, Reversed()])
def test_its_frame_says_that_it_has_no_number_and_is_made_once(packer: Any) -> None:
    push = pack_event("cursor/at", 1, [packer], 1000)
    frame = write_frame(Events((push,), 0), packer)
    assert packer.unpack(frame) == [[["cursor/at", 1]], None, 0]
    assert write_frame(Events((push,), 0), packer) is frame
    assert packer.unpack(write_frame(Events((push,)), packer)) == [[["cursor/at", 1]], None], (
        "as Sente's clients get it"
    )
    assert packer.unpack(write_frame(Events((push, push), 0), packer)) == [[["cursor/at", 1]] * 2, None, 0]


def test_a_dropped_number_is_written_as_null() -> None:
    assert write_frame(Events((None,)), JSON) == "[[null],null]"
    assert write_frame(Events((Event("a/b", 1), None)), JSON) == '[[["a/b",1],null],null]'


@over_both
async def test_a_server_says_it_to_who_is_there(transport: Any) -> None:
    chsk = ChannelSocket(events=cursors(), user_id=lambda _: "ada")
    async with Served(chsk, transport=transport, events=cursors()) as server, server.client() as client:
        await until(lambda: any(client.session.links.attached for client in chsk._hub.sessions))
        chsk.send("ada", Cursor(1))
        chsk.broadcast(Cursor(2))
        await client.received.at_least(2)
        assert [event.data for event in client.received] == [Cursor(1), Cursor(2)]
        assert chsk.stats["volatile dropped"] == 0


@over_both
async def test_a_client_says_it(transport: Any) -> None:
    chsk = ChannelSocket(events=cursors())
    got: list[int] = []

    @chsk.on(Cursor)
    async def moved(msg: Message[Cursor]) -> None:
        got.append(msg.data.x)

    async with Served(chsk, transport=transport, events=cursors()) as server, server.client() as client:
        assert client.send(Cursor(1)) and client.send(Cursor(2))
        await until(lambda: got == [1, 2])
        assert len(chsk._hub.clients()) == 1


@over_both
async def test_each_request_is_asked(transport: Any) -> None:
    chsk = ChannelSocket(events=cursors())

    @chsk.on(Cursor)
    async def moved(msg: Message[Cursor]) -> None:
        got.append(msg.data.x)

    got: list[int] = []
    async with Served(chsk, transport=transport, events=cursors()) as server, server.client() as client:
        await asyncio.gather(*(client.request("cursor/at", Cursor(x)) for x in range(3)))
    assert got == [0, 1, 2]


async def test_nobody_is_told_to_have_lost_it() -> None:
    chsk = ChannelSocket(events=cursors(), user_id=lambda _: "ada")
    async with Served(chsk, events=cursors()) as server, server.client() as client:
        async with reopening(client):
            chsk.send("ada", Cursor(1))
            chsk.disconnect("ada")  # before it leaves
            chsk.send("ada", Cursor(2))
            chsk.broadcast(Cursor(3))
        assert client.state.lost == 0
        assert chsk.stats["volatile dropped"] == 1, "the rest found no session"


async def test_a_client_that_does_not_read_is_sent_none() -> None:
    """One frame waits for the line; the others are dropped, and nothing piles up."""
    async with ChannelSocket(events=cursors(), user_id=lambda _: "ada", packers="json") as chsk:
        socket = WebSocket(chsk)
        await socket.accepted()
        socket.say(HELLO)
        await socket.frame()
        socket.reading.clear()
        for x in range(50):
            chsk.send("ada", Cursor(x), flush=True)
            await asyncio.sleep(0.001)
        ((link, _),) = chsk._hub.links.values()
        assert link.behind and link._waiting == 0  # type: ignore[attr-defined]
        assert chsk.stats["volatile dropped"] == 49
        socket.reading.set()
        await until(lambda: not link.behind)
        chsk.send("ada", Cursor(50), flush=True)
        frames = [json.loads(await socket.frame()) for _ in range(2)]
        assert frames == [[[["cursor/at", {"x": x}]], None, 0] for x in (0, 50)]
        socket.disconnect()
        await socket.ended()
