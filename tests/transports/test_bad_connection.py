"""Lines that break on purpose at the server: what is carried before, what nobody hears of after."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

import pytest

from sente import ChannelSocket, Client, ConfigError, Message
from sente.interfaces import LinkClosed, Wire
from sente.transports.bad_connection import bad_lines, bad_transport
from tests.asgi import HELLO, QUERY, Exchange, WebSocket, fetch, row


def breaks_at(last: int) -> Callable[[], float]:
    """A chance by which the line breaks at this frame, and not again."""
    numbers: Iterator[float] = chain(repeat(0.9, last - 1), [0.1], repeat(0.9))
    return lambda: next(numbers)


def bad(chsk: ChannelSocket, last: int) -> Any:
    return bad_lines(chsk, 0.5, chsk._hub.stats, breaks_at(last))


@pytest.mark.parametrize("last", [1, 2, 3, 4, 5], ids=["welcome", "hello", "handshake", "event", "reply"])
async def test_a_websocket_breaks_without_a_word(last: int) -> None:
    chsk = ChannelSocket()
    handled = []

    @chsk.on("test/echo")
    async def echo(msg: Message) -> object:
        handled.append(msg.data)
        return msg.data

    async with chsk:
        socket = WebSocket(bad(chsk, last))
        assert (await socket.next())["type"] == "websocket.accept"
        if last > 1:
            await socket.frame()
            socket.say(HELLO)
        if last > 3:
            await socket.frame()
            socket.say([["test/echo", 1], 1, 1, None, "request"])
        assert await socket.next() is None, "the application has ended"
        assert handled == ([1] if last == 5 else [])
        assert chsk.stats["broken on purpose"] == 1
        assert chsk.stats["sessions"] == (last > 2)
        assert not any(word.startswith("ended") for word in chsk.stats), "the session can be resumed"
        assert chsk._hub.clients() == [(client, None) for client, _ in chsk._hub.clients()]


@pytest.mark.parametrize(("last", "sessions"), [(1, 0), (2, 1)], ids=["request", "answer"])
async def test_a_request_or_its_answer_does_not_arrive(last: int, sessions: int) -> None:
    chsk = ChannelSocket()
    async with chsk:
        answer = await fetch(bad(chsk, last), "POST", body=row(HELLO))
        assert (answer.status, answer.body, answer.headers) == (503, b"", {"content-length": "0"})
        assert (chsk.stats["sessions"], chsk.stats["broken on purpose"]) == (sessions, 1)


async def test_no_way_leads_past_it() -> None:
    """A server's direct line is not offered on: what goes there would never break."""
    offered = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        offered.append(scope["extensions"])

    async def never(message: Any = None) -> Any:
        raise AssertionError("nothing is said")

    scope = {"type": "websocket", "extensions": {"sente.line": object(), "websocket.http.response": {}}}
    await bad_lines(app, 0.5, Counter())(scope, never, never)
    assert offered == [{"websocket.http.response": {}}]
    assert "sente.line" in scope["extensions"], "the server's own is as it was"


async def test_what_comes_through_is_as_ever() -> None:
    chsk = ChannelSocket()
    async with chsk:
        assert (await fetch(bad(chsk, 9), "POST", body=row(HELLO))).status == 200
        exchange = Exchange(bad(chsk, 9), query=f"{QUERY}&handshake?=1")
        assert (await exchange.answer()).status == 200
        assert "broken on purpose" not in chsk.stats


async def test_who_gives_up_waiting_takes_nothing_away() -> None:
    """A wait that is cancelled, as that for the end of a poll is, leaves no task behind."""
    taken = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await receive()
        taken.set()

    async def never(message: Any = None) -> Any:
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    await bad_lines(app, 0.5, Counter())({"type": "http"}, never, never)
    await asyncio.sleep(0)
    assert taken.is_set() and asyncio.all_tasks() == before


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_is_a_share_of_all_frames(rate: float) -> None:
    with pytest.raises(ConfigError, match=r"simulated_bad_connection_rate=.*: how many of all frames"):
        ChannelSocket(simulated_bad_connection_rate=rate)
    with pytest.raises(ConfigError, match=r"simulated_bad_connection_rate=.*: how many of all frames"):
        Client("http://localhost/chsk", simulated_bad_connection_rate=rate)


def test_without_it_nothing_is_paid() -> None:
    chsk = ChannelSocket()
    assert bad_lines(chsk, 0, Counter()) is chsk
    assert chsk._line == chsk._serve


# -- at a client


class Line:
    """A WebSocket that says what it hears, and a transport whose every answer is the same."""

    def __init__(self) -> None:
        self.sent: list[Wire] = []
        self.closes: list[int] = []
        self.fetched = self.left = 0

    async def open(self, url: str, headers: Any, limit: int) -> "Line":
        return self

    async def fetch(self, method: Any, url: str, headers: Any, body: bytes, limit: int) -> bytes:
        self.fetched += 1
        return b"answer"

    async def aclose(self) -> None:
        self.left += 1

    async def send(self, wire: Wire) -> None:
        self.sent.append(wire)

    async def receive(self) -> Wire:
        return "frame"

    async def close(self, code: int, reason: str) -> None:
        self.closes.append(code)


async def test_a_clients_websocket_is_cut() -> None:
    line = Line()
    link = await bad_transport(line, 0.5, breaks_at(3)).open("ws://localhost/chsk", {}, 1000)
    await link.send("one")
    assert await link.receive() == "frame"
    with pytest.raises(LinkClosed) as closed:
        await link.send("two")
    assert (closed.value.code, line.sent, line.closes) == (None, ["one"], [1006])
    await link.close(4000, "lost")
    assert line.closes == [1006, 4000]


async def test_a_frame_that_came_may_not_arrive() -> None:
    line = Line()
    link = await bad_transport(line, 0.5, breaks_at(1)).open("ws://localhost/chsk", {}, 1000)
    with pytest.raises(LinkClosed):
        await link.receive()
    assert line.closes == [1006]


@pytest.mark.parametrize(("last", "fetched"), [(1, 0), (2, 1)], ids=["request", "answer"])
async def test_a_clients_request_or_its_answer_does_not_arrive(last: int, fetched: int) -> None:
    line = Line()
    transport = bad_transport(line, 0.5, breaks_at(last))
    with pytest.raises(LinkClosed):
        await transport.fetch("POST", "http://localhost/chsk", {}, b"", 1000)
    assert line.fetched == fetched
    assert await transport.fetch("POST", "http://localhost/chsk", {}, b"", 1000) == b"answer"
    await transport.aclose()
    assert line.left == 1
    assert bad_transport(line, 0) is line
