"""What one side packs and the other cannot read, with real clients: the rest arrives, and its sender is told."""

import asyncio
from typing import Any

import pytest

from sente import ChannelSocket, PackError, UnpackError
from sente.packers.json import JsonPacker
from sente.protocol.messages import Event
from sente.receipts import Delivered
from sente.testing import Served
from tests.asgi import until
from tests.client.line import QUICK

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])


class Picky(JsonPacker):
    """Cannot read what another packs without harm."""

    def unpack(self, wire: Any, /) -> Any:
        if "poison" in str(wire):
            raise UnpackError("there is poison in it")
        return super().unpack(wire)


@over_both
async def test_what_a_client_cannot_read(transport: Any) -> None:
    chsk = ChannelSocket(user_id=lambda _: "ada", packers="json")
    errors: list[tuple[Exception, str]] = []
    chsk.on_error = lambda error, msg: errors.append((error, msg.id))
    async with (
        Served(chsk, transport=transport, settings=QUICK) as server,
        server.client(packers=[Picky()]) as picky,
        server.client() as other,
    ):
        changes = picky.state_changes()
        receipts = [chsk.send("ada", "a/b", word) for word in ("one", "poison", "three")]
        assert await receipts[1].delivered() == Delivered(2, 1, 1, ())
        await picky.received.at_least(2)
        await other.received.at_least(3)
        assert [event.data for event in picky.received] == ["one", "three"]
        assert [event.data for event in other.received] == ["one", "poison", "three"]
        assert chsk.stats["refused by clients"] == 1
        await until(lambda: errors)
        [(error, event_id)] = errors
        assert isinstance(error, PackError) and event_id == "a/b"
        async for _, new in changes:
            if new.open and new.lost:
                assert (new.resumed, new.lost) == (True, 1)
                break
        with pytest.raises(PackError, match="the other side cannot read a/ask"):
            await chsk.request(picky.state.client_id, "a/ask", "poison")


@over_both
async def test_what_a_server_cannot_read(transport: Any) -> None:
    chsk = ChannelSocket(user_id=lambda _: "ada", packers=[Picky()])
    got: list[Any] = []
    chsk.on("a/b")(lambda msg: got.append(msg.data))
    back: list[Event[Any]] = []
    options: dict[str, Any] = {"settings": QUICK, "on_unconfirmed": back.extend}
    async with Served(chsk, transport=transport, **options) as server, server.client(packers="json") as client:
        for word in ("one", "poison", "three"):
            client.send("a/b", word)
        await until(lambda: got == ["one", "three"] and back)
        assert [event.data for event in back] == ["poison"]
        with pytest.raises(PackError, match="the other side cannot read a/ask"):
            await client.request("a/ask", "poison")
        client.send("a/b", "last")
        await until(lambda: got[-1] == "last")


@over_both
async def test_a_reply_that_cannot_be_read(transport: Any) -> None:
    chsk = ChannelSocket(user_id=lambda _: "ada", packers="json")
    chsk.on("a/ask")(lambda msg: "poison")
    async with Served(chsk, transport=transport, settings=QUICK) as server, server.client(packers=[Picky()]) as client:
        with pytest.raises(Exception, match="cannot be read by its asker"):
            await client.request("a/ask")
        await asyncio.sleep(0)
