"""The client against a real ``ChannelSocket``, on a line where things go wrong."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sente import ChannelSocket, ClientSettings, Disconnected, Limits, Rejected, RequestTimeout, ServerSettings
from sente.client import Client, driver
from sente.client.endpoint import Attempt
from sente.interfaces import LinkClosed
from sente.protocol.messages import Event
from sente.transports.client_asgi import AsgiTransport
from tests.client.line import QUICK, reopening, serving, until

both = pytest.mark.parametrize("transport", ["ws", "poll"])


@both
@pytest.mark.parametrize("lost", ["neither", "deaf", "dumb"])
async def test_nothing_is_lost_when_the_line_is_cut(transport: Any, lost: str) -> None:
    """Before the cut, what one of the sides said had gone nowhere for a while."""
    async with serving() as server, server.client(transport=transport) as client:
        events = client.events()
        for turn in range(5):
            client.send("test/note", 2 * turn)
            server.push(2 * turn)
            await asyncio.sleep(0.02)
            if lost != "neither":
                setattr(server.line, lost, True)
            client.send("test/note", 2 * turn + 1)
            server.push(2 * turn + 1)
            await asyncio.sleep(0.02)
            server.line.deaf = server.line.dumb = False
            async with reopening(client):
                server.line.cut()
            assert client.state.resumed
            assert client.state.lost == 0
        assert [(await anext(events)).data for _ in range(10)] == list(range(10))
        await until(lambda: len(server.got) == 10)
        assert server.got == list(range(10))


@both
async def test_a_request_outlives_the_line(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:
        request = asyncio.create_task(client.request("test/wait", 1))
        await asyncio.sleep(0.02)
        async with reopening(client):
            server.line.cut()
        server.release.set()
        assert await request == 1


@both
async def test_what_cannot_be_read_costs_the_line_only(transport: Any) -> None:
    async with serving() as server, server.client(transport=transport) as client:
        events = client.events()
        async with reopening(client):
            server.line.garbles = 1
            server.push(1)
        assert client.state.resumed
        assert client.state.last_close is not None
        assert client.state.last_close.message
        assert (await anext(events)).data == 1


async def test_a_websocket_that_cannot_be_read_is_closed_with_the_code_for_that() -> None:
    async with serving() as server, server.client(transport="ws") as client:
        async with reopening(client):
            server.line.garbles = 1
            server.push(1)
        await until(lambda: server.line.closes)
        assert server.line.closes == [4400]


# -- auto


@pytest.mark.parametrize("how", ["blocks_websockets", "hangs_websockets"])
async def test_where_websockets_do_not_get_through_polling_does(how: str) -> None:
    async with serving() as server:
        setattr(server.line, how, True)
        settings = ClientSettings(handshake_timeout=0.2, backoff_base=0.01)
        async with server.client(settings=settings) as client:
            assert client.state.transport == "poll"
            assert client.state.last_ws_error is not None
            assert client.state.last_ws_error.reason == "downgrading-ws-to-poll"
            assert await client.request("test/echo", 1) == 1


async def test_without_auto_there_is_no_other_way() -> None:
    async with serving() as server:
        server.line.blocks_websockets = True
        with pytest.raises(Disconnected, match=r"within 0\.1 s: the server answered with HTTP 400"):
            async with server.client(transport="ws", connect_timeout=0.1):
                pass
        assert set(server.line.seen) == {"websocket"}


# -- refused


@both
async def test_a_refused_client_is_told_why_and_does_not_come_back(transport: Any) -> None:
    async with serving(reject=lambda _: "members only") as server:
        client = server.client(transport=transport)
        with pytest.raises(Rejected) as rejected:
            await client.__aenter__()
        assert (rejected.value.status, rejected.value.reason) == (403, "members only")
        asked = len(server.line.scopes)
        await asyncio.sleep(0.1)
        assert len(server.line.scopes) == asked
        assert client.state.refused is not None


@both
async def test_no_common_packer_is_a_refusal(transport: Any) -> None:
    class Other:
        name = "other"

        def pack(self, value: Any, /) -> bytes:
            raise AssertionError

        def unpack(self, wire: Any, /) -> Any:
            raise AssertionError

    async with serving() as server:
        with pytest.raises(Rejected, match="406") as rejected:
            await server.client(transport=transport, packers=Other()).__aenter__()
        assert "json" in rejected.value.reason


@both
async def test_a_refusal_may_have_met_stale_credentials(transport: Any) -> None:
    tokens = iter(["stale", "fresh"])

    def authorize(connection: Any) -> bool:
        return connection.headers.get("authorization") in ("Bearer fresh", "Bearer fixed")

    async with serving(authorize=authorize) as server:
        async with server.client(transport=transport, auth=lambda: f"Bearer {next(tokens)}") as client:
            assert await client.request("test/echo", 1) == 1
        with pytest.raises(Rejected, match="401"):
            await server.client(transport=transport, auth="Bearer wrong").__aenter__()
        async with server.client(transport=transport, auth="Bearer fixed"):
            pass


@both
async def test_loops_of_a_client_that_is_refused_later_end_with_that(transport: Any) -> None:
    allowed = True
    async with serving(authorize=lambda _: allowed) as server, server.client(transport=transport) as client:
        events = client.events()
        server.push(1)
        await asyncio.sleep(0.05)
        allowed = False
        server.line.cut()
        assert (await anext(events)).data == 1
        with pytest.raises(Rejected, match="401"):
            await anext(events)
        assert not client.state.open
        allowed = True
        client.reconnect()
        await until(lambda: client.state.open)


async def test_a_server_that_asks_for_patience_is_given_it() -> None:
    class Busy:
        def __init__(self, app: Any) -> None:
            self.app = app
            self.asked: list[float] = []

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            self.asked.append(asyncio.get_running_loop().time())
            if len(self.asked) > 1:
                return await self.app(scope, receive, send)  # type: ignore[no-any-return]
            await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"1")]})
            await send({"type": "http.response.body", "body": b""})

    async with serving() as server:
        busy = Busy(server.line)
        async with Client(app=busy, url="/chsk", transport="poll", settings=QUICK):
            assert busy.asked[1] - busy.asked[0] >= 1


# -- not reached


async def test_a_client_that_is_not_connected_in_time_gives_up() -> None:
    async def portal(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"<html>Welcome to our hotel</html>"})

    client = Client(app=portal, url="/chsk", settings=QUICK, connect_timeout=0.1)
    with pytest.raises(Disconnected, match=r"within 0\.1 s"):
        await client.__aenter__()
    with pytest.raises(Disconnected, match="is this a sente endpoint"):
        await Client(app=portal, transport="poll", settings=QUICK, connect_timeout=0.1).__aenter__()


async def test_giving_up_while_connecting_lets_go_of_everything() -> None:
    async with serving() as server:
        server.line.hangs_websockets = True
        client = server.client(transport="ws")
        entering = asyncio.create_task(client.__aenter__())
        await asyncio.sleep(0.02)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert not client._driver._tasks


@both
async def test_an_option_that_raises_is_logged_and_asked_again(
    transport: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answers: Iterator[Exception | str] = iter([KeyError("no token yet"), "Bearer t"])

    async def auth() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with serving() as server, server.client(transport=transport, auth=auth) as client:
        assert client.state.last_close is not None
        assert "no token yet" in client.state.last_close.message
        assert "no token yet" in caplog.text


async def test_a_packer_that_was_not_offered_is_no_welcome() -> None:
    async def odd(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"sente": 1, "packer": "yaml"}).encode()})

    with pytest.raises(Disconnected, match="'yaml'"):
        await Client(app=odd, transport="poll", settings=QUICK, connect_timeout=0.1).__aenter__()


# -- another server


@both
async def test_after_a_restart_without_a_word_the_application_learns_what_is_unconfirmed(transport: Any) -> None:
    unconfirmed: list[list[Event]] = []
    async with serving() as server:
        client = server.client(transport=transport, on_unconfirmed=unconfirmed.append)
        async with client:
            await client.request("test/echo")
            server.line.dumb = True
            client.send("test/note", 1)
            request = asyncio.create_task(client.request("test/wait"))
            await until(lambda: server.got)
            async with ChannelSocket(user_id=lambda _: "ada", settings=ServerSettings()) as successor:
                server.line.app = successor
                server.line.dumb = False
                server.line.cut()
                with pytest.raises(Disconnected):
                    await request
                await until(lambda: client.state.open)
                assert not client.state.resumed
                assert client.state.lost is None
                assert [[event.data for event in events] for events in unconfirmed] == [[1]]
                client.disconnect()


@both
async def test_a_server_that_says_goodbye_is_followed_by_its_successor(transport: Any) -> None:
    async with ChannelSocket(user_id=lambda _: "ada") as successor:
        async with serving(settings=ServerSettings(retry_after=0.1)) as server:
            client = server.client(transport=transport)
            client.connect()
            await until(lambda: client.state.open)
            events, changes = client.events(), client.state_changes()
            server.push(1)
            draining = asyncio.create_task(server.chsk._hub.drain(2.0))  # as a signal would
            closed = await anext(changes)
            server.line.app = successor
            await draining
        async with asyncio.timeout(5):
            while not (change := await anext(changes)).new.open:
                pass
        assert closed.new.last_close is not None
        assert closed.new.last_close.reason == "bye"
        assert change.new.lost == 0
        successor.send("ada", "test/push", 2, flush=True)
        assert [(await anext(events)).data for _ in range(2)] == [1, 2]
        await client.aclose()


# -- the end


@both
async def test_the_end_waits_only_so_long(transport: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LEAVE_TIMEOUT", 0.1)
    monkeypatch.setattr("sente.transports.client_asgi.CLOSE_TIMEOUT", 0.1)
    async with serving() as server:
        client = server.client(transport=transport)
        async with client:
            server.line.deaf = True
            client.send("test/note", 1)
            loop = asyncio.get_running_loop()
            began = loop.time()
        assert loop.time() - began < 1
        assert not client._driver._tasks


async def test_a_goodbye_that_nobody_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LEAVE_TIMEOUT", 0.1)
    async with serving() as server:
        client = server.client(transport="poll")
        async with client:
            server.line.deaf = True
            client.disconnect()
            assert not client._driver._links
            await asyncio.sleep(0.05)
            assert client._driver._tasks
            await until(lambda: not client._driver._tasks)


@pytest.mark.parametrize(("code", "patience"), [(1000, 0.05), (1006, 60)])
async def test_a_line_that_takes_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch, code: int, patience: float
) -> None:
    """Half-open: the network accepts no more, and the close cannot leave either. One that is cut is cut at once."""
    monkeypatch.setattr(driver, "LEAVE_TIMEOUT", patience)

    class Stuck:
        closed: Any = None

        async def send(self, wire: Any) -> None:
            await asyncio.sleep(60)

        async def receive(self) -> Any:
            await asyncio.sleep(60)

        async def close(self, code: int, reason: str) -> None:
            self.closed = code

    stuck = Stuck()
    socket = driver._Socket(stuck, Attempt("", {}, {}), asyncio.create_task)
    socket.send(["one", "two"])
    socket.close(code, "goodbye")
    await until(lambda: stuck.closed == code)


async def test_a_transport_that_never_lets_go_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LEAVE_TIMEOUT", 0.05)

    class Sticky(AsgiTransport):
        async def open(self, url: str, headers: Any, limit: int) -> Any:
            link = await super().open(url, headers, limit)

            async def close(code: int, reason: str) -> None:
                await asyncio.sleep(60)

            link.close = close  # type: ignore[method-assign]
            return link

    async with serving() as server:
        client = Client("http://testserver/chsk", client_transport=Sticky(server.line))
        await client.__aenter__()
        async with asyncio.timeout(3):
            await client.aclose()
        assert not client._driver._tasks
        server.line.cut()


async def test_another_transport_of_ones_own() -> None:
    class Nowhere:
        closed = False

        async def open(self, url: str, headers: Any, limit: int) -> Any:
            raise LinkClosed(None, f"no way to {url.partition('?')[0]}")

        async def fetch(self, method: Any, url: str, headers: Any, body: bytes, limit: int) -> bytes:
            raise LinkClosed(500, "oh")

        async def aclose(self) -> None:
            self.closed = True

    nowhere = Nowhere()
    client = Client("http://h/chsk", transport="ws", client_transport=nowhere, connect_timeout=0.05)
    with pytest.raises(Disconnected, match="no way to ws://h/chsk"):
        await client.__aenter__()
    assert nowhere.closed


async def test_acknowledgements_reach_a_server_that_only_pushes() -> None:
    """More than a window of pushes: without acknowledgements the server would stop."""
    limits = Limits(window=16)
    async with serving() as server, server.client(transport="ws", settings=ClientSettings(limits=limits)) as client:
        events = client.events()
        server.push(*range(200))
        assert [(await anext(events)).data for _ in range(200)] == list(range(200))
        with pytest.raises(RequestTimeout):
            await client.request("test/wait", timeout=0.01)
