"""Who is connected: the sets, their changes, and the two events of a user that comes and goes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sente import ChannelSocket, ConnectedUids, Message, ServerSettings, comings
from sente.dispatch import Dispatcher
from sente.presence import Presence
from tests.asgi import WsClient, connect, until


def first_letter(connection: Any) -> str | None:
    return {"a": "ada", "b": "bob"}.get(connection.client_id[0])


def make_socket(grace: float) -> ChannelSocket:
    return ChannelSocket(user_id=first_letter, settings=ServerSettings(grace_ws=grace, grace_poll=grace, batch_ws=0))


@pytest.fixture
async def chsk() -> AsyncIterator[ChannelSocket]:
    async with make_socket(0.02) as chsk:
        yield chsk


async def ws_client(chsk: ChannelSocket, client_id: str) -> WsClient:
    client = await connect(chsk, "ws", client_id)
    assert isinstance(client, WsClient)
    return client


def uids(*, ws: str = "", poll: str = "") -> ConnectedUids:
    over_ws, over_poll = frozenset(ws.split()), frozenset(poll.split())
    return ConnectedUids(over_ws, over_poll, over_ws | over_poll)


def comings_and_goings(chsk: ChannelSocket) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []
    for what in ("open", "close"):
        chsk.on(f"chsk/uidport-{what}")(lambda msg: seen.append((msg.id.removeprefix("chsk/uidport-"), msg.uid)))
    return seen


async def test_connected_uids_by_transport(chsk: ChannelSocket) -> None:
    assert chsk.connected_uids == uids()
    await connect(chsk, "ws", "a1")
    assert chsk.connected_uids == uids(ws="ada")
    await connect(chsk, "poll", "b1")
    await connect(chsk, "ws", "x1")  # nobody in particular
    assert chsk.connected_uids == uids(ws="ada", poll="bob")
    await connect(chsk, "ws", "b2")
    assert chsk.connected_uids == uids(ws="ada bob", poll="bob")
    await until(lambda: chsk.connected_uids == uids(ws="ada bob"))  # the one that polled no more is gone


async def test_changes_as_they_come(chsk: ChannelSocket) -> None:
    changes = chsk.presence()
    assert await anext(changes) == uids()
    coming = asyncio.ensure_future(anext(changes))
    ada = await ws_client(chsk, "a1")
    assert await coming == uids(ws="ada")
    await ada.go_away()
    assert await anext(changes) == uids()
    also = chsk.presence()
    assert await anext(also) == uids()
    both = asyncio.gather(anext(changes), anext(also))
    await asyncio.sleep(0)
    await connect(chsk, "ws", "b1")
    assert list(await both) == [uids(ws="bob")] * 2


async def test_a_user_comes_with_the_first_client_and_goes_with_the_last(chsk: ChannelSocket) -> None:
    seen = comings_and_goings(chsk)
    first, second = await ws_client(chsk, "a1"), await ws_client(chsk, "a2")
    await connect(chsk, "ws", "x1")
    await until(lambda: seen)
    await first.go_away()
    await until(lambda: chsk.stats["sessions"] == 3)
    await asyncio.sleep(0.05)  # more than the grace
    assert seen == [("open", "ada")]
    await second.go_away()
    await until(lambda: len(seen) > 1)
    assert seen == [("open", "ada"), ("close", "ada")]
    await first.open()
    await until(lambda: len(seen) > 2)
    assert seen[2:] == [("open", "ada")]


async def test_who_comes_back_in_time_was_never_gone() -> None:
    async with make_socket(3600) as chsk:
        seen = comings_and_goings(chsk)
        client = await ws_client(chsk, "a1")
        await client.go_away()
        assert chsk.connected_uids == uids(ws="ada")
        await client.open()
        client.socket.disconnect(1000)  # ends the session: the next one is another
        await client.socket.ended()
        await client.open()
        assert client.info["resumed"] is False
        await asyncio.sleep(0.02)
        assert seen == [("open", "ada")]


async def test_another_transport_is_no_coming_and_going(chsk: ChannelSocket) -> None:
    seen = comings_and_goings(chsk)
    client = await ws_client(chsk, "a1")
    poller = await connect(chsk, "poll", "a1", hello={"session": client.info["session"], "n": 9})
    assert poller.info["resumed"] is True
    assert chsk.connected_uids == uids(poll="ada")
    await connect(chsk, "ws", "a1", hello={"session": client.info["session"], "n": 10})
    assert chsk.connected_uids == uids(ws="ada")
    await asyncio.sleep(0.05)
    assert seen == [("open", "ada")]


async def test_what_the_events_are(chsk: ChannelSocket) -> None:
    stream = chsk.messages()
    coming = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    await connect(chsk, "ws", "a1")
    message: Message = await coming
    assert message.event == ("chsk/uidport-open", "ada")
    assert (message.uid, message.connection, message.reply) == ("ada", None, None)


def test_the_last_one_is_announced_once() -> None:
    seen: list[Any] = []
    presence = Presence(lambda what, uid: seen.append((what, uid)))
    presence.change(1, None, "ws")
    presence.change(1, None, "poll")
    presence.change(1, "ws", "poll")
    presence.change(1, "poll", None)
    presence.change(1, None, None)
    presence.change(None, None, "ws")
    assert presence.connected_uids == ConnectedUids(frozenset(), frozenset({1}), frozenset({1}))
    presence.change(1, "poll", None)
    assert seen == [("open", 1), ("close", 1)]


async def test_a_handler_that_hangs_is_told_how_things_stand_and_not_every_step(chsk: ChannelSocket) -> None:
    go_on, told = asyncio.Event(), []

    @chsk.on("chsk/uidport-open")
    async def came(msg: Message) -> None:
        told.append(f"{msg.uid} came")
        await go_on.wait()

    @chsk.on("chsk/uidport-close")
    def went(msg: Message) -> None:
        told.append(f"{msg.uid} went")

    await ws_client(chsk, "a1")
    for _ in range(3):  # bob comes and goes while the handler hangs
        bob = await ws_client(chsk, "b1")
        await bob.go_away()
        await until(lambda: chsk.connected_uids == uids(ws="ada"))
    assert chsk.stats["presence untold"] == 6
    await ws_client(chsk, "b1")
    assert (told, len(chsk._hub._comings._waiting)) == (["ada came"], 1)
    go_on.set()
    await until(lambda: told == ["ada came", "bob came"])


async def test_concurrent_words_are_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comings, "BESIDE", 2)
    dispatcher, begun, go_on = Dispatcher(), [], asyncio.Event()

    @dispatcher.on("chsk/uidport-open", concurrent=True)
    async def came(msg: Message) -> None:
        begun.append(msg.uid)
        await go_on.wait()

    words = comings.Comings(dispatcher, print, Counter())
    for uid in ("ada", "bob", "cid"):
        words.put("open", uid)
    await asyncio.sleep(0.01)
    assert begun == ["ada", "bob"]
    go_on.set()
    await until(lambda: begun == ["ada", "bob", "cid"])
