import asyncio
import gc
from itertools import pairwise
from typing import Any

import pytest

from sente.client.streams import CHANGES_ROOM, STREAM_ROOM, Change, Changes, Inbox
from sente.protocol.client_state import ClientState
from sente.protocol.messages import Event
from sente.transports.client_pipe import Pipe
from tests.client.line import until


class Books:
    """An inbox, and what became of what was put into it."""

    def __init__(self) -> None:
        self.delivered = 0
        self.inbox = Inbox(self._deliver)

    def _deliver(self) -> None:
        self.delivered += 1

    def put(self, *values: Any) -> None:
        for value in values:
            self.inbox.put(Event("a/b", value))


async def test_a_pipe_keeps_order_and_gives_what_it_holds_after_its_end() -> None:
    pipe: Pipe[int] = Pipe(2)
    assert await pipe.put(1)
    assert await pipe.put(2)
    third = asyncio.create_task(pipe.put(3))
    await asyncio.sleep(0)
    assert not third.done()
    assert await pipe.get() == 1
    assert await third
    pipe.end()
    assert not await pipe.put(4)
    assert [await pipe.get(), await pipe.get(), await pipe.get()] == [2, 3, None]


async def test_the_end_of_a_pipe_ends_every_wait() -> None:
    pipe: Pipe[int] = Pipe(1)
    getter = asyncio.create_task(pipe.get())
    await asyncio.sleep(0)
    pipe.end()
    assert await getter is None
    full: Pipe[int] = Pipe(1)
    await full.put(1)
    putters = [asyncio.create_task(full.put(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    full.clear()
    assert await asyncio.gather(*putters) == [False, False]
    assert await full.get() is None


async def test_handlers_run_in_order_one_at_a_time_and_delivery_is_reported_after_them() -> None:
    books = Books()
    seen: list[Any] = []
    release = asyncio.Event()

    async def slow(data: Any) -> None:
        seen.append(("begin", data))
        await release.wait()
        seen.append(("end", data))

    books.inbox.on("a/b", slow)
    books.inbox.on("a/b", lambda data: seen.append(("sync", data)))
    books.put(1, 2)
    await asyncio.sleep(0.01)
    assert seen == [("begin", 1)]
    assert books.delivered == 0
    release.set()
    await until(lambda: books.delivered == 2)
    assert seen == [(word, n) for n in (1, 2) for word in ("begin", "end", "sync")]


async def test_a_star_hears_every_event_whole() -> None:
    books = Books()
    seen: list[Any] = []
    books.inbox.on("*", seen.append)
    books.put(1)
    books.inbox.put(Event("c/d", 2))
    await until(lambda: books.delivered == 2)
    assert seen == [Event("a/b", 1), Event("c/d", 2)]


async def test_a_handler_can_be_taken_back_twice() -> None:
    books = Books()
    seen: list[Any] = []
    off = books.inbox.on("a/b", seen.append)
    off()
    off()
    books.put(1)
    await until(lambda: books.delivered == 1)
    assert seen == []


@pytest.mark.parametrize("error", [ValueError("oh"), asyncio.CancelledError()])
async def test_what_a_handler_raises_stops_nothing(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    books = Books()
    seen: list[Any] = []

    async def bad(data: Any) -> None:
        raise error

    books.inbox.on("a/b", bad)
    books.inbox.on("a/b", seen.append)
    books.put(1, 2)
    await until(lambda: books.delivered == 2)
    assert seen == [1, 2]
    assert "a handler" in caplog.text


async def test_a_stream_takes_part_from_its_creation_on_and_hears_what_it_asked_for() -> None:
    books = Books()
    books.inbox.put(Event("a/b", 0))
    await until(lambda: books.delivered == 1)
    everything, some = books.inbox.stream(frozenset()), books.inbox.stream(frozenset(["a/b"]))
    books.put(1)
    books.inbox.put(Event("c/d", 2))
    books.inbox.end(None)
    assert [event.data async for event in everything] == [1, 2]
    assert [event.data async for event in some] == [1]


async def test_a_stream_ends_with_what_came_before_the_end_and_says_why() -> None:
    books = Books()
    stream = books.inbox.stream(frozenset())
    books.put(1)
    books.inbox.end(ValueError("refused"))
    await asyncio.sleep(0.01)
    await books.inbox.aclose()
    assert (await anext(stream)).data == 1
    with pytest.raises(ValueError, match="refused"):
        await anext(stream)


async def test_a_full_stream_makes_everything_wait_and_loses_nothing() -> None:
    books = Books()
    stream = books.inbox.stream(frozenset())
    books.put(*range(STREAM_ROOM + 10))
    await asyncio.sleep(0.05)
    assert books.delivered == STREAM_ROOM
    assert [(await anext(stream)).data for _ in range(STREAM_ROOM + 10)] == list(range(STREAM_ROOM + 10))
    assert books.delivered == STREAM_ROOM + 10


@pytest.mark.parametrize("way", ["close", "forget"])
async def test_nobody_waits_for_a_stream_that_is_not_read_any_more(way: str) -> None:
    books = Books()
    stream = books.inbox.stream(frozenset())
    books.put(*range(STREAM_ROOM + 10))
    await asyncio.sleep(0.05)
    if way == "close":
        await stream.aclose()
    del stream
    gc.collect()
    await until(lambda: books.delivered == STREAM_ROOM + 10)
    books.inbox.stream(frozenset())
    assert len(books.inbox._streams) <= 1


async def test_closing_stops_the_handler_that_runs_and_ends_the_streams() -> None:
    books = Books()
    stream = books.inbox.stream(frozenset())
    stopped: list[Any] = []

    async def endless(data: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(data)

    books.inbox.on("a/b", endless)
    books.put(1, 2)
    await asyncio.sleep(0.01)
    await books.inbox.aclose()
    assert stopped == [1]
    assert [event async for event in stream] == []
    seen: list[Any] = []
    books.inbox.on("c/d", seen.append)
    books.inbox.put(Event("c/d", 3))
    await until(lambda: seen == [3])


async def test_a_handler_may_close_what_calls_it() -> None:
    books = Books()
    closed: list[Any] = []

    async def close(data: Any) -> None:
        await books.inbox.aclose()
        closed.append(data)

    books.inbox.on("a/b", close)
    books.put(1)
    await until(lambda: closed == [1])


async def test_a_loop_over_changes_that_lags_hears_the_latest_as_one() -> None:
    changes = Changes()
    states = [ClientState(client_id=str(n)) for n in range(CHANGES_ROOM + 10)]
    stream, closed = changes.stream(), changes.stream()
    await closed.aclose()
    for old, new in pairwise(states):
        changes.tell(Change(old, new))
    changes.end()
    heard = [change async for change in stream]
    assert len(heard) == CHANGES_ROOM
    assert heard[0] == (states[0], states[1])
    assert heard[-1] == (states[CHANGES_ROOM - 1], states[-1])
