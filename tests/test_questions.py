"""The server asks a client, and either side calls a request off: over real clients, on both transports."""

import asyncio
import logging
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from sente import Client, ConfigError, Disconnected, Limits, Message, PackError, RequestFailed, RequestTimeout
from sente.interfaces import Packer
from sente.packers.handlers import TypeHandler
from tests.asgi import WebSocket
from tests.client.line import QUICK, Server, serving, until

both = pytest.mark.parametrize("transport", ["ws", "poll"])


def ask(server: Server, client: Client, *args: Any, **options: Any) -> Any:
    return server.chsk.request(client.state.client_id, *args, **options)


@both
async def test_the_return_value_of_a_clients_handler_is_the_reply(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:

        @client.on("test/name")
        async def name(data: Any) -> Any:
            return {"name": data}

        client.on("test/plain", lambda data: [data])
        client.on("test/plain", lambda data: pytest.fail("only the first handler answers"))
        client.on("*", lambda event: pytest.fail("a request is no event"))
        assert await ask(server, client, "test/name", "先手") == {"name": "先手"}
        assert await asyncio.gather(*(ask(server, client, "test/plain", n) for n in range(20))) == [
            [n] for n in range(20)
        ]


@both
async def test_a_handler_may_ask_the_client_that_asks_it(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:

        @server.chsk.on("test/buy")
        async def buy(msg: Message) -> Any:
            return [msg.data, await msg.request("test/sure?", msg.data, timeout=5)]

        client.on("test/sure?", lambda data: f"yes: {data}")
        for number in range(300):  # more than the window holds, behind a handler that waits
            client.send("test/note", number)
        assert await asyncio.gather(*(client.request("test/buy", n) for n in range(3))) == [
            [n, f"yes: {n}"] for n in range(3)
        ]


@both
async def test_a_client_may_ask_back_what_is_handled_beside(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:
        server.release.set()

        @client.on("test/name")
        async def name(data: Any) -> Any:
            return await client.request("test/wait", data)

        @server.chsk.on("test/hello")
        async def hello(msg: Message) -> Any:
            return await msg.request("test/name", 7)

        assert await client.request("test/hello") == 7


async def test_what_a_clients_handler_raises(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server, server.client() as client:

        @client.on("test/no")
        def no(data: Any) -> None:
            raise RequestFailed("no", "not today", data)

        @client.on("test/cancels")
        async def cancels(data: Any) -> None:
            raise asyncio.CancelledError

        client.on("test/broken", lambda data: 1 / 0)
        client.on("test/unpackable", lambda data: object())
        client.on("test/no-data", lambda data: no(object()))
        for event_id, code, data in [
            ("test/no", "no", [1]),
            ("test/no-data", "no", None),
            ("test/broken", "internal", None),
            ("test/cancels", "internal", None),
            ("test/unpackable", "internal", None),
            ("test/unknown", "no_handler", None),
        ]:
            with pytest.raises(RequestFailed) as failed:
                await ask(server, client, event_id, [1])
            assert (failed.value.code, failed.value.data) == (code, data)
        assert "ZeroDivisionError" in caplog.text
        assert "ZeroDivisionError" not in failed.value.message


async def test_who_is_asked() -> None:
    async with serving() as server:
        with pytest.raises(Disconnected, match="no client 'c1'"):
            await server.chsk.request("c1", "test/name")
        async with server.client() as first, server.client() as second:
            second._core.state = first.state  # a client-id is no secret: anybody may come with another's
            second.reconnect()
            first.on("test/name", lambda data: "first")
            second.on("test/name", lambda data: "second")
            await until(lambda: server.chsk.stats["sessions"] == 3 and second.state.open)
            assert await ask(server, first, "test/name") == "second"
            first.reconnect()
            await until(lambda: first.state.open)
            assert await ask(server, first, "test/name") == "first"
            second.reconnect()
            await until(lambda: second.state.open)
            assert await ask(server, first, "test/name") == "second"
            second.disconnect()
            await until(lambda: server.chsk.stats["ended goodbye"] == 1)
            assert await ask(server, first, "test/name") == "first"
            first.disconnect()
            await until(lambda: server.chsk.stats["ended goodbye"] == 2)
            with pytest.raises(Disconnected):
                await ask(server, first, "test/name")


async def test_a_client_of_sentes_own_is_not_asked() -> None:
    async with serving(classic="json") as server:
        replies: list[str] = []

        @server.chsk.on("test/buy")
        async def buy(msg: Message) -> str:
            with pytest.raises(Disconnected, match="client 'c1' speaks Sente's protocol, which has no requests from"):
                await msg.request("test/sure?")
            replies.append("refused")
            return "sold"

        classic = WebSocket(server.chsk, "client-id=c1")
        await classic.next()
        await classic.frame()
        classic.say([["test/buy"], "cb"])
        assert await classic.frame() == '["sold","cb"]'
        assert replies == ["refused"]
        with pytest.raises(Disconnected, match="no requests from the server"):
            await server.chsk.request("c1", "test/name")
        async with server.client() as client:
            client.on("test/name", lambda data: "a session")
            client._core.state = replace(client.state, client_id="c1")
            client.reconnect()
            await until(lambda: server.chsk.stats["sessions"] == 3 and client.state.open)
            newer = WebSocket(server.chsk, "client-id=c1")
            await newer.next()  # and cannot be asked
            assert await server.chsk.request("c1", "test/name") == "a session"
        classic.disconnect()
        newer.disconnect()
        await until(lambda: not server.chsk._hub.classic)
        with pytest.raises(Disconnected, match="no client 'c1'"):
            await server.chsk.request("c1", "test/name")
        assert "c1" not in server.chsk._hub.questions._named


@both
async def test_a_client_that_leaves_does_not_reply(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:
        stopped = asyncio.Event()

        @client.on("test/slow")
        async def slow(data: Any) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                stopped.set()

        @server.chsk.on("test/begin")
        async def begin(msg: Message) -> None:
            with pytest.raises(Disconnected):
                await msg.request("test/slow")
            server.got.append("disconnected")
            with pytest.raises(Disconnected):
                await msg.request("test/slow")
            server.got.append("disconnected")

        client.send("test/begin")
        await until(lambda: len(client._answers._open) == 1)
        await asyncio.sleep(0)
        client.disconnect()
        await until(lambda: server.got == ["disconnected"] * 2)
        await asyncio.wait_for(stopped.wait(), 5)


async def test_a_handler_may_close_its_client() -> None:
    async with serving() as server:
        client = server.client()
        closed: list[bool] = []

        @client.on("test/close")
        async def close(data: Any) -> None:
            await client.aclose()
            closed.append(client.state.open)

        client.connect()
        await until(lambda: client.state.open)
        with pytest.raises(Disconnected):
            await ask(server, client, "test/close")
        await until(lambda: closed == [False])


async def test_a_request_has_its_limits() -> None:
    async with serving() as server, server.client(settings=QUICK) as client:
        with pytest.raises(ConfigError, match="namespace/name"):
            await ask(server, client, "name")
        with pytest.raises(ConfigError, match="finite number"):
            await ask(server, client, "test/name", timeout=0)
        with pytest.raises(PackError):
            await ask(server, client, "test/name", object())
        with pytest.raises(ConfigError, match="event loop"):
            await asyncio.to_thread(asyncio.run, ask(server, client, "test/name"))
        message = Message("chsk/uidport-open", "ada", "ada", "", None, print)
        with pytest.raises(Disconnected, match="no client sent"):
            await message.request("test/name")


async def test_a_client_is_not_asked_more_than_it_takes() -> None:
    async with serving() as server:
        client = server.client(settings=type(QUICK)(limits=Limits(requests=2)))
        go_on = asyncio.Event()
        client.on("test/wait", lambda data: go_on.wait())
        async with client:
            asked = [asyncio.ensure_future(ask(server, client, "test/wait")) for _ in range(3)]
            with pytest.raises(RequestFailed, match="rate_limited"):
                await asked[2]
            go_on.set()
            assert await asyncio.gather(*asked[:2]) == [True, True]


@dataclass(frozen=True)
class Move:
    column: int
    row: int


MOVE = TypeHandler(tag="go/move", type=Move, encode=lambda move: [move.column, move.row], decode=lambda rep: Move(*rep))


@both
@pytest.mark.parametrize("speaks", ["json", "auto", "msgpack", "transit"])
async def test_question_and_answer_are_packed_like_all_else(transport: Any, speaks: str) -> None:
    types = [MOVE] if speaks != "json" else []
    value: Any = {"moves": [[1, 2], "先手" * 1000]}
    if types:
        value = {"move": Move(16, 4), "at": datetime(2026, 11, 24, tzinfo=UTC), "ids": {1, 2}, "raw": b"\0\xff" * 1000}
    async with serving(packers="auto,msgpack,transit" if types else "json", types=types) as server:
        mine = [value]
        async with server.client(transport=transport, packers=speaks, types=types) as client:
            client.on("test/same", lambda data: [data, mine])
            asked = asyncio.ensure_future(ask(server, client, "test/same", mine))
            await asyncio.sleep(0)
            mine.append("later")
            assert await asked == [[value], [value, "later"]]
            client.on("test/refused", _refuse)
            with pytest.raises(RequestFailed) as failed:
                await ask(server, client, "test/refused", value)
            assert failed.value.data == value


def _refuse(data: Any) -> None:
    raise RequestFailed("no", data=data)


async def test_the_form_of_a_question() -> None:
    async with serving(packers="auto") as server, server.client(packers="auto") as client:
        client.on("test/same", lambda data: data)
        frames: list[Any] = []
        unpack = type(client._driver.packer).unpack

        class Spy:
            def __getattr__(self, name: str) -> Any:
                return getattr(packer, name)

            def unpack(self, wire: Any) -> Any:
                frames.append(wire)
                return unpack(packer, wire)

        packer = client._driver.packer
        client._driver._packers[packer.name] = cast(Packer, Spy())
        for form, kind in [("msgpack", bytes), ("json", str), ("transit", str)]:
            frames.clear()
            assert await ask(server, client, "test/same", [1], form=form) == [1]
            assert isinstance(frames[0], kind)
    async with serving(packers="json") as server, server.client(packers="json") as client:
        with pytest.raises(ConfigError, match="form="):
            await ask(server, client, "test/same", form="msgpack")


# -- given up


@both
async def test_a_clients_handler_is_stopped_when_nobody_waits(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:
        log: list[str] = []

        @client.on("test/slow")
        async def slow(data: Any) -> None:
            log.append("begun")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                log.append("stopped")
                raise

        asked = asyncio.ensure_future(ask(server, client, "test/slow"))
        await until(lambda: log == ["begun"])
        asked.cancel()
        await until(lambda: log == ["begun", "stopped"])
        with pytest.raises(RequestTimeout, match="test/slow"):
            await ask(server, client, "test/slow", timeout=0.05)
        await until(lambda: log == ["begun", "stopped"] * 2)
        await until(lambda: server.chsk.stats["late replies"] == 2)
        assert client._core._dialogue.talk.backlog == 0


@both
async def test_a_servers_handler_is_stopped_when_nobody_waits(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:
        log: list[Any] = []

        @server.chsk.on("test/slow")
        async def slow(msg: Message) -> None:
            log.append(msg.data)
            try:
                await asyncio.sleep(60)
            finally:
                log.append("stopped")

        asked = [asyncio.ensure_future(client.request("test/slow", n)) for n in range(3)]
        await until(lambda: log == [0])
        asked[1].cancel()  # it waits for its turn, which never comes
        await asyncio.sleep(0.05)
        asked[0].cancel()
        await until(lambda: log == [0, "stopped", 2])
        with pytest.raises(RequestTimeout):
            await client.request("test/slow", 3, timeout=0.05)
        asked[2].cancel()
        await until(lambda: log == [0, "stopped", 2, "stopped"])
        assert await client.request("test/echo", 4) == 4


async def test_a_thread_runs_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    async with serving() as server, server.client() as client:
        go_on = threading.Event()

        @server.chsk.on("test/sync")
        def sync(msg: Message) -> None:
            go_on.wait(5)
            server.got.append(msg.data)

        asked = asyncio.ensure_future(client.request("test/sync", 1))
        await asyncio.sleep(0.05)
        asked.cancel()
        reply = asyncio.ensure_future(client.request("test/echo", 2))
        await asyncio.sleep(0.05)
        assert not reply.done()  # one at a time: the thread is still at work
        go_on.set()
        assert await reply == 2
        assert server.got == [1]
    assert caplog.text == ""


async def test_a_question_that_is_given_up_in_the_queue_is_not_begun() -> None:
    async with serving() as server, server.client() as client:
        go_on = asyncio.Event()
        begun: list[Any] = []
        client.on("test/push", lambda data: go_on.wait())
        client.on("test/name", begun.append)
        server.push(1)
        asked = asyncio.ensure_future(ask(server, client, "test/name", 1))
        await until(lambda: len(client._answers._open) == 1)
        asked.cancel()
        await until(lambda: server.chsk.stats["late replies"] == 1)
        go_on.set()
        assert await ask(server, client, "test/name", 2) is None
        assert begun == [2]
