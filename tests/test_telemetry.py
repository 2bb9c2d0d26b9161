"""The seams by which a socket is watched, with a watcher that is none of OpenTelemetry's; and what log records say."""

import asyncio
import logging
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import pytest

from sente import ChannelSocket, ConfigError, Gauges, Message, Note, ServerSettings, Stats, Telemetry
from sente.binding import PlainBinder
from sente.dispatch import Call
from tests.asgi import HELLO, QUERY, TRANSPORTS, TransportName, WebSocket, connect, until

SETTINGS = ServerSettings(grace_ws=5, grace_poll=5, batch_ws=0, batch_poll=0)
NAMES = {"a": "ada", "b": "bob"}


class Watcher:
    def __init__(self) -> None:
        self.heard: list[object] = []
        self.said: list[str] = []
        self.notes: list[Note] = []
        self.frames: list[tuple[str, int, int]] = []

    def begin(self, stats: Callable[[], Stats]) -> None:
        self.stats = stats

    def handler(self, event_id: str | None, call: Call) -> Call:
        async def handled(message: Message) -> Any:
            self.heard.append(event_id)
            return await call(message)

        return handled

    def sent(self, event_id: str) -> None:
        self.said.append(event_id)

    def note(self, note: Note) -> None:
        self.notes.append(note)

    def frame(self, direction: Literal["in", "out"], says: int, acknowledges: int) -> None:
        self.frames.append((direction, says, acknowledges))


class LateBinder:
    """Binds anew what is registered, as ``channel_router`` does."""

    def bind(self, handler: Callable[..., Any], /) -> Callable[[Any], Awaitable[Any]]:
        return PlainBinder().bind(handler)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_watcher_sees_each_event_once_and_names_of_none_on_the_lines(transport: TransportName) -> None:
    watcher = Watcher()
    chsk = ChannelSocket(telemetry=watcher, settings=SETTINGS, user_id=lambda _: "ada")

    @chsk.on("chat/echo")
    async def echo(msg: Message) -> object:
        return msg.data

    chsk.bind(LateBinder())
    async with chsk:
        client = await connect(chsk, transport)
        assert await client.ask("chat/echo", "hi") == ("reply", "hi")
        assert (await client.ask("chat/other"))[0] == "error"
        chsk.send("ada", "chat/said", flush=True)
        chsk.broadcast("chat/all", flush=True)
        asked = asyncio.ensure_future(chsk.request("c1", "chat/ask"))
        await client.event()
        assert watcher.stats() == chsk.stats
        await until(lambda: len(watcher.said) == 3)
        asked.cancel()
    assert watcher.heard == ["chat/echo", None]
    assert watcher.said == ["chat/said", "chat/all", "chat/ask"]
    packets = [note for note in watcher.notes if note.size]
    assert {note.what for note in packets} == {"in", "out"}
    assert {note.text for note in packets} == {""}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_watcher_is_told_what_travels_and_is_acknowledged_together(transport: TransportName) -> None:
    watcher = Watcher()
    async with ChannelSocket(telemetry=watcher, settings=SETTINGS, user_id=lambda _: "ada") as chsk:
        chsk.on("chat/echo")(lambda msg: msg.data)
        client = await connect(chsk, transport)
        for number in range(3):
            chsk.send("ada", "chat/said", number)
        assert [await client.event() for _ in range(3)] == [["chat/said", number] for number in range(3)]
        assert ("out", 3, 0) in watcher.frames
        if transport == "ws":  # a poll's head says it anyway
            await client.push([None, None, 0, 3])
        assert await client.ask("chat/echo") == ("reply", None)
        assert watcher.frames.count(("out", 1, 0)) == 1  # the reply; a handshake says nothing
        received = [(says, news) for direction, says, news in watcher.frames if direction == "in"]
        assert sum(says for says, _ in received) == 1
        assert sum(news for _, news in received) >= 3
        assert any(news == 3 for _, news in received)


async def test_a_loop_over_messages_is_watched_as_one() -> None:
    watcher = Watcher()
    async with ChannelSocket(telemetry=watcher, settings=SETTINGS) as chsk:
        messages = chsk.messages()
        first = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0)
        client = await connect(chsk)
        await client.send("chat/noise", 1)
        assert (await first).event == ("chat/noise", 1)
        await messages.aclose()  # type: ignore[attr-defined]
    assert watcher.heard == [None]


def test_what_is_no_telemetry_is_refused() -> None:
    assert isinstance(Watcher(), Telemetry)
    with pytest.raises(ConfigError, match=r"telemetry=True: give OpenTelemetry\(\)"):
        ChannelSocket(telemetry=True)  # type: ignore[arg-type]


# -- stats


async def test_gauges_say_how_it_is() -> None:
    chsk = ChannelSocket(settings=SETTINGS, user_id=lambda connection: NAMES.get(connection.client_id))
    assert chsk.stats.gauges == Gauges()
    async with chsk:
        await connect(chsk, "ws", "a")
        await connect(chsk, "ws", "b")
        await connect(chsk, "poll", "c")
        before = chsk.stats
        assert (before.gauges.ws, before.gauges.poll, before.gauges.sessions, before.gauges.users) == (2, 1, 3, 2)
        small = chsk.stats.gauges
        chsk.send("ada", "chat/said", "x" * 1000, flush=True)
        chsk.send("bob", "chat/said", flush=True)
        gauges = chsk.stats.gauges
        assert gauges.outbox_items == small.outbox_items + 2
        assert 1000 < gauges.outbox_longest < gauges.outbox_bytes < 1200
        chsk.disconnect("ada")
        assert chsk.stats.gauges.sessions == 2
        assert (before["sent"], chsk.stats["sent"]) == (0, 2), "counts that were taken stay as they are"
        assert before.gauges.sessions == 2, "gauges are looked up when they are asked for"


async def test_who_has_no_line_is_away() -> None:
    async with ChannelSocket(settings=ServerSettings(grace_ws=0.01), user_id=lambda _: "ada") as chsk:
        socket = WebSocket(chsk, QUERY)
        await socket.accepted()
        socket.say(HELLO)
        await socket.frame()
        assert (chsk.stats.gauges.ws, chsk.stats.gauges.lines) == (1, 1)
        socket.disconnect(1006)
        await until(lambda: chsk.stats.gauges.away == 1)
        assert (chsk.stats.gauges.ws, chsk.stats.gauges.lines, chsk.stats.gauges.users) == (0, 0, 1)


async def test_stats_are_read_in_any_thread_while_clients_come_and_go() -> None:
    failed: list[Exception] = []
    done = threading.Event()
    asked = 0

    def ask(chsk: ChannelSocket) -> None:
        nonlocal asked
        while not done.is_set():
            try:
                assert chsk.stats.gauges.sessions <= 100
            except Exception as error:
                failed.append(error)
            asked += 1

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        async with ChannelSocket(settings=SETTINGS, user_id=lambda _: "ada") as chsk:
            for number in range(80):
                await connect(chsk, client_id=f"stays{number}")
            thread = threading.Thread(target=ask, args=[chsk])
            thread.start()
            for number in range(80):
                client = await connect(chsk, client_id=f"leaves{number}")
                await client.push([["chsk/bye"], None, 0])
                await until(lambda expected=number + 1: chsk.stats["ended goodbye"] == expected)
            done.set()
            await asyncio.to_thread(thread.join)
    finally:
        done.set()
        sys.setswitchinterval(interval)
    assert failed == []
    assert asked > 80


def test_stats_are_a_counter_also_copied() -> None:
    stats = Stats({"sent": 2}, lambda: Gauges(ws=1))
    assert stats.copy() == {"sent": 2}
    assert stats["never"] == 0
    assert Stats().gauges.sessions == 0


# -- log records


def record(caplog: pytest.LogCaptureFixture, words: str) -> Any:
    (found,) = [record for record in caplog.records if words in record.getMessage()]
    return found


async def test_records_say_whose_they_are_and_not_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    chsk = ChannelSocket(settings=SETTINGS, user_id=lambda _: "ada", trace=True)

    @chsk.on("chat/break")
    async def breaks(msg: Message) -> None:
        raise ZeroDivisionError("broken")

    async def hook(error: Exception, msg: Message) -> None:
        raise ValueError

    chsk.on_error = hook
    async with chsk:
        client = await connect(chsk)
        await client.send("chat/break", "a secret")
        await client.send("strange/" + "x" * 200, "a secret")
        await until(lambda: "no handler" in caplog.text)
        await client.push("no packet")
        await until(lambda: "unreadable packet" in caplog.text)
    for words, event_id in (
        ("handler of chat/break: broken", "chat/break"),
        ("on_error raised", "chat/break"),
        ("no handler for", "strange/" + "x" * 92),
        ("unreadable packet", None),
    ):
        found = record(caplog, words)
        assert (found.uid, found.client_id, getattr(found, "event_id", None)) == ("ada", "c1", event_id), words
        assert "secret" not in repr(vars(found) | {"exc_info": ""})
    hello = record(caplog, "hello")
    assert (hello.uid, hello.client_id, hello.transport) == ("ada", "c1", "ws")
