"""The client against a real ``ChannelSocket`` in the same process, on a good line."""

import asyncio
import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from sente import (
    ClientSettings,
    ConfigError,
    Disconnected,
    Limits,
    OutboxFull,
    PackError,
    RequestFailed,
    RequestTimeout,
)
from sente.client import Client
from sente.protocol.messages import Event
from tests.client.line import serving, until

both = pytest.mark.parametrize("transport", ["ws", "poll"])


@both
async def test_a_client_connects_and_says_how(transport: Any) -> None:
    async with serving(handshake_data=lambda _: {"hi": 1}) as server, server.client(transport=transport) as client:
        state = client.state
        assert (state.open, state.first_open, state.transport, state.packer) == (True, True, transport, "json")
        assert (state.uid, state.handshake_data, state.lost) == ("ada", {"hi": 1}, 0)
        assert server.line.scopes[0]["query_string"].decode().startswith(f"client-id={state.client_id}&v=1&")


@both
async def test_a_request_is_replied_to(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:
        assert await client.request("test/echo", {"text": "先手"}) == {"text": "先手"}
        assert await asyncio.gather(*(client.request("test/echo", n) for n in range(20))) == list(range(20))


@both
async def test_events_arrive_in_order_both_ways(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:
        events = client.events("test/push")
        for number in range(100):
            assert client.send("test/note", number)
            server.push(number)
        assert [(await anext(events)).data for _ in range(100)] == list(range(100))
        await until(lambda: len(server.got) == 100)
        assert server.got == list(range(100))


async def test_what_is_said_in_one_turn_leaves_as_one_frame() -> None:
    async with serving() as server, server.client(transport="ws") as client:
        before = len(server.line.up)
        for number in range(50):
            client.send("test/note", number)
        assert await client.request("test/echo", 1) == 1
        frames = [json.loads(message["text"]) for message in server.line.up[before:]]
        assert [len(frame[0]) for frame in frames] == [50, 2]


@both
async def test_what_is_said_just_before_the_end_arrives(transport: Any) -> None:
    async with serving() as server:
        async with server.client(transport=transport) as client:
            for number in range(10):
                client.send("test/note", number)
        await until(lambda: len(server.got) == 10)
        assert server.got == list(range(10))


@both
async def test_the_end_is_a_goodbye(transport: Any) -> None:
    async with serving() as server:
        async with server.client(transport=transport):
            assert server.chsk.stats["ended goodbye"] == 0
        await until(lambda: server.chsk.stats["ended goodbye"] == 1)


async def test_a_value_that_changes_after_it_was_said_was_said_as_it_was() -> None:
    async with serving() as server, server.client() as client:
        moves = [1]
        client.send("test/note", moves)
        moves.append(2)
        await until(lambda: server.got)
        assert server.got == [[1]]


# -- requests that fail


async def test_an_error_of_the_server_is_raised() -> None:
    async with serving() as server:

        @server.chsk.on("test/full")
        async def full(msg: Any) -> None:
            raise RequestFailed("room_full", "the room holds 20", {"limit": 20})

        async with server.client() as client:
            with pytest.raises(RequestFailed) as failed:
                await client.request("test/full")
            assert (failed.value.code, failed.value.message, failed.value.data) == (
                "room_full",
                "the room holds 20",
                {"limit": 20},
            )
            with pytest.raises(RequestFailed, match="no_handler"):
                await client.request("test/unknown")


@both
async def test_a_reply_that_does_not_come_in_time_is_a_timeout(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport, timeout=0.05) as client:
        with pytest.raises(RequestTimeout, match=r"test/wait within 0\.05 s"):
            await client.request("test/wait")
        with pytest.raises(TimeoutError):
            await client.request("test/wait", timeout=0.01)
        server.release.set()
        assert await client.request("test/echo", 1, timeout=5) == 1
        assert len(client._asking) == 0


async def test_a_request_that_is_cancelled_is_forgotten() -> None:
    async with serving() as server, server.client() as client:
        request = asyncio.create_task(client.request("test/wait", 1))
        await asyncio.sleep(0.01)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert len(client._asking) == 0
        assert len(client._core._dialogue.requests) == 0
        server.release.set()
        assert await client.request("test/echo", 2) == 2


async def test_nothing_is_said_on_a_closed_line() -> None:
    async with serving() as server:
        client = server.client()
        assert client.send("test/note", 1) is False
        with pytest.raises(Disconnected, match="not connected"):
            await client.request("test/echo")
        async with client:
            request = asyncio.create_task(client.request("test/wait"))
            await asyncio.sleep(0.01)
            client.disconnect()
            with pytest.raises(Disconnected, match="test/wait"):
                await request
            assert client.send("test/note", 1) is False
        assert server.got == []


async def test_what_cannot_be_packed_raises_and_is_not_said() -> None:
    async with serving() as server, server.client() as client:
        for say in (client.send, client.request):
            with pytest.raises(PackError, match="photo"):
                await asyncio.ensure_future(_outcome(say, {"photo": b""}))
            with pytest.raises(PackError, match="the server takes"):
                await asyncio.ensure_future(_outcome(say, "x" * 2_000_000))
        client.send("test/note", "fine")
        await until(lambda: server.got)
        assert server.got == ["fine"]
        assert len(client._asking) == 0


async def _outcome(say: Any, data: Any) -> Any:
    outcome = say("test/note", data)
    return await outcome if asyncio.iscoroutine(outcome) else outcome


async def test_what_waits_for_the_server_is_bounded() -> None:
    settings = ClientSettings(limits=Limits(outbox=10))
    async with serving() as server, server.client(settings=settings) as client:
        for number in range(11):
            client.send("test/note", number)
        with pytest.raises(OutboxFull, match="slow down"):
            client.send("test/note", 11)
        await until(lambda: len(server.got) == 11)


@pytest.mark.parametrize("event_id", ["echo", "chsk/bye", "a/", "", None])
async def test_an_event_id_has_a_namespace_of_its_own(event_id: Any) -> None:
    client = Client("http://localhost/chsk")
    for use in (client.send, client.on, client.events):
        with pytest.raises(ConfigError, match="namespace/name"):
            use(event_id)
    with pytest.raises(ConfigError, match="namespace/name"):
        await client.request(event_id)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"timeout": 0}, "finite number"),
        ({"timeout": float("inf")}, "finite number"),
        ({"timeout": float("nan")}, "finite number"),
        ({"transport": "websocket"}, "choose 'auto', 'ws' or 'poll'"),
        ({"packers": "yaml"}, "yaml"),
        ({"packers": []}, "at least one"),
    ],
)
async def test_an_option_that_makes_no_sense_says_what_would(option: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Client("http://localhost/chsk", **option)
    client = Client("http://localhost/chsk")
    if "transport" in option:
        with pytest.raises(ConfigError, match=message):
            client.prefer(option["transport"])
    if "timeout" in option:
        with pytest.raises(ConfigError, match=message):
            await client.request("test/echo", **option)


# -- handlers and loops


async def test_handlers_are_functions_or_decorated() -> None:
    async with serving() as server:
        client = server.client()
        seen: list[Any] = []

        @client.on("test/push")
        async def pushed(data: Any) -> None:
            await asyncio.sleep(0)
            seen.append(("decorated", data))

        off = client.on("test/push", lambda data: seen.append(("function", data)))
        client.on("*", lambda event: seen.append(event))
        async with client:
            server.push(1)
            await until(lambda: len(seen) == 3)
            off()
            server.push(2)
            await until(lambda: len(seen) == 5)
        assert seen == [
            ("decorated", 1),
            ("function", 1),
            Event("test/push", 1),
            ("decorated", 2),
            Event("test/push", 2),
        ]
        await pushed(3)
        assert seen[-1] == ("decorated", 3)


@both
async def test_a_handler_may_ask_the_server(transport: Any) -> None:
    async with serving() as server:
        client = server.client(transport=transport)
        replies: list[Any] = []

        @client.on("test/push")
        async def ask(data: Any) -> None:
            replies.append(await client.request("test/echo", data))

        async with client:
            server.push(1, 2)
            await until(lambda: replies == [1, 2])


async def test_a_handler_that_raises_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server, server.client() as client:
        client.on("test/push", lambda data: 1 / data)
        events = client.events()
        server.push(0, 1)
        assert [(await anext(events)).data for _ in range(2)] == [0, 1]
        assert "ZeroDivisionError" in caplog.text
        assert caplog.records[0].name == "sente.client"


@both
async def test_a_loop_that_is_far_behind_makes_the_server_wait(transport: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sente.client.streams.STREAM_ROOM", 8)
    limits = Limits(window=16, backlog=8)
    settings = ClientSettings(handshake_timeout=1.0, limits=limits)
    async with serving() as server, server.client(transport=transport, settings=settings) as client:
        events = client.events("test/push")
        for number in range(200):
            server.push(number)
            await asyncio.sleep(0)
        await asyncio.sleep(0.3)
        waiting = len(client._inbox._queue)
        assert waiting <= limits.window + limits.backlog
        assert await client.request("test/echo", 1) == 1
        assert [(await anext(events)).data for _ in range(200)] == list(range(200))


async def test_loops_end_when_the_client_disconnects() -> None:
    async with serving() as server:
        async with server.client() as client:
            events, never_read, changes = client.events(), client.events(), client.state_changes()
            server.push(1)
            await until(lambda: len(client._inbox._queue) == 0)
            await client.request("test/echo")
            client.disconnect()
            assert [event.data async for event in events] == [1]
            assert [event.data async for event in never_read] == [1]
        assert {change.new.open async for change in changes} == {False}


async def test_changes_of_state_are_told() -> None:
    async with serving() as server:
        client = server.client(transport="ws")
        changes = client.state_changes()
        async with client:
            pass
        told = [(old.open, new.open) async for old, new in changes]
        assert (False, True) in told
        assert (True, False) in told


async def test_a_client_can_connect_again() -> None:
    async with serving() as server:
        client = server.client()
        for number in range(2):
            async with client:
                events = client.events()
                server.push(number)
                assert (await anext(events)).data == number
        client.connect()
        client.connect()
        await until(lambda: client.state.open)
        client.disconnect()
        client.connect()
        await until(lambda: client.state.open)
        await client.aclose()
        await client.aclose()


async def test_a_client_that_was_never_used_closes() -> None:
    client = Client("http://localhost/chsk")
    client.disconnect()
    await client.aclose()


async def test_a_handler_may_close_the_client() -> None:
    async with serving() as server:
        client = server.client()
        closed: list[bool] = []

        @client.on("test/push")
        async def close(data: Any) -> None:
            await client.aclose()
            closed.append(client.state.open)

        client.connect()
        await until(lambda: client.state.open)
        server.push(1)
        await until(lambda: closed == [False])


# -- one transport or the other


@both
async def test_another_transport_can_be_preferred(transport: Any) -> None:
    other: Any = "poll" if transport == "ws" else "ws"
    async with serving() as server, server.client(transport=transport) as client:
        events = client.events()
        server.push(1)
        client.prefer(other)
        assert not client.state.open
        await until(lambda: client.state.open)
        server.push(2)
        assert client.state.transport == other
        assert client.state.resumed
        assert [(await anext(events)).data for _ in range(2)] == [1, 2]


@both
async def test_reconnecting_resumes_and_asks_every_option_anew(transport: Any) -> None:
    asked: list[str] = []

    def option(name: str, value: Any) -> Any:
        async def ask() -> Any:
            asked.append(name)
            return value

        return ask

    seen: list[Any] = []

    def authorize(connection: Any) -> bool:
        seen.append((connection.query["room"], connection.headers["x-a"], connection.headers["authorization"]))
        return True

    async with serving(authorize=authorize) as server:
        client = server.client(
            transport=transport,
            params=option("params", {"room": "go"}),
            headers=option("headers", {"X-A": "1"}),
            csrf=option("csrf", None),
            auth=option("auth", "Bearer t"),
        )
        async with client:
            assert sorted(asked) == ["auth", "csrf", "headers", "params"]
            await client.request("test/echo")
            assert len(asked) == 4
            client.reconnect()
            await until(lambda: client.state.open)
            assert client.state.resumed
            assert sorted(asked) == ["auth", "auth", "csrf", "csrf", "headers", "headers", "params", "params"]
            await client.request("test/echo")
        assert set(seen) == {("go", "1", "Bearer t")}


# -- what comes with it


def test_importing_the_client_needs_no_extra() -> None:
    program = "import sys, sente.client; print(*sorted({'httpx2', 'websockets'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("library", ["httpx2", "websockets"])
async def test_a_missing_library_says_what_to_install(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == library or "client_" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    if library == "websockets":
        monkeypatch.setitem(sys.modules, "websockets.asyncio.client", None)
    with pytest.raises(ImportError, match=r'pip install "sente-channels\[client\]"'):
        Client("http://localhost/chsk").connect()


@both
async def test_secrets_stay_out_of_the_log(transport: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        async with server.client(transport=transport, auth="Bearer s3cret", csrf="s3cret") as client:
            await client.request("test/echo")
        assert all(b"s3cret" not in scope["query_string"] for scope in server.line.scopes)
    assert "s3cret" not in caplog.text
