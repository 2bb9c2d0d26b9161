"""The client as one of Sente's own, against a ``ChannelSocket`` that serves those."""

import asyncio
import json
from typing import Any

import pytest

from sente import (
    ClientSettings,
    ConfigError,
    Disconnected,
    Limits,
    Message,
    OutboxFull,
    PackError,
    Rejected,
    RequestFailed,
    RequestTimeout,
    ServerSettings,
)
from sente.client import Client
from tests.client.line import QUICK, Server, reopening, serving, until

both = pytest.mark.parametrize("transport", ["ws", "poll"])
FAST = ServerSettings(batch_ws=0, batch_poll=0, poll=0.2)


def talking(**options: Any) -> Any:
    return serving(classic="json", **{"settings": FAST, **options})


def classic(server: Server, transport: Any = "auto", **options: Any) -> Client:
    return server.client(classic="json", transport=transport, **options)


@both
async def test_it_connects_and_says_how(transport: Any) -> None:
    async with talking(handshake_data=lambda _: {"hi": 1}) as server, classic(server, transport) as client:
        state = client.state
        assert (state.open, state.first_open, state.transport, state.packer) == (True, True, transport, "json")
        assert (state.uid, state.handshake_data, state.lost, state.resumed) == ("ada", {"hi": 1}, 0, False)
        query = server.line.scopes[0]["query_string"].decode()
        assert query.startswith(f"client-id={state.client_id}") and "v=" not in query


@both
async def test_a_client_without_a_user(transport: Any) -> None:
    async with talking(user_id=lambda _: None) as server, classic(server, transport) as client:
        assert client.state.uid is None


@both
async def test_requests_are_replied_to(transport: Any) -> None:
    async with talking() as server, classic(server, transport) as client:
        assert await client.request("test/echo", {"text": "先手"}) == {"text": "先手"}
        assert await asyncio.gather(*(client.request("test/echo", n) for n in range(20))) == list(range(20))
        with pytest.raises(RequestFailed) as failed:
            await client.request("test/nobody", 1)
        assert failed.value.code == "error"


@both
async def test_events_arrive_in_order_both_ways(transport: Any) -> None:
    async with talking() as server, classic(server, transport) as client:
        events = client.events("test/push")
        for number in range(50):
            assert client.send("test/note", number)
            server.push(number)
        assert [(await anext(events)).data for _ in range(50)] == list(range(50))
        await until(lambda: len(server.got) == 50)
        assert server.got == list(range(50))


@both
async def test_what_is_said_just_before_the_end_arrives(transport: Any) -> None:
    async with talking() as server:
        async with classic(server, transport) as client:
            for number in range(10):
                client.send("test/note", number)
        await until(lambda: len(server.got) == 10)
        assert sorted(server.got) == list(range(10))


@both
async def test_a_request_without_reply_times_out(transport: Any) -> None:
    async with talking() as server, classic(server, transport) as client:
        with pytest.raises(RequestTimeout):
            await client.request("test/wait", 1, timeout=0.05)
        assert await client.request("test/echo", 2) == 2
        server.release.set()
        assert await client.request("test/echo", 3) == 3


async def test_a_post_that_the_server_lets_go_is_a_timeout() -> None:
    async with talking() as server, classic(server, "poll") as client:
        with pytest.raises(RequestTimeout):
            await client.request("test/wait", 1, timeout=5)


@both
async def test_a_line_that_breaks_ends_requests_and_is_replaced(transport: Any) -> None:
    async with talking() as server, classic(server, transport) as client:
        request = asyncio.create_task(client.request("test/wait", 1))
        await asyncio.sleep(0.05)
        async with reopening(client):
            server.line.cut()
        with pytest.raises(Disconnected):
            await request
        assert (client.state.lost, client.state.resumed, client.state.first_open) == (None, False, False)
        assert await client.request("test/echo", 2) == 2


@both
async def test_the_csrf_token_goes_where_sente_looks_for_it(transport: Any) -> None:
    async with talking(csrf=lambda _, token: token == "to&ken") as server:
        async with classic(server, transport, csrf=lambda: "to&ken") as client:
            assert await client.request("test/echo", 2) == 2
        for scope in server.line.scopes:
            in_url, in_header = (
                b"csrf-token=to%26ken" in scope["query_string"],
                b"x-csrf-token" in dict(scope["headers"]),
            )
            assert (in_url, in_header) == ((True, False) if transport == "ws" else (False, True))


@pytest.mark.parametrize("transport", ["auto", "ws", "poll"])
async def test_a_refusal_is_final(transport: Any) -> None:
    async with talking(csrf=lambda _, token: False) as server:
        with pytest.raises(Rejected) as rejected:
            async with classic(server, transport):
                pass
        assert rejected.value.status == 403


async def test_params_are_on_every_request() -> None:
    async with talking(user_id=lambda connection: connection.query["who"]) as server:

        @server.chsk.on("test/who")
        async def who(msg: Message) -> Any:
            return msg.uid

        async with classic(server, "poll", params={"who": "bob"}) as client:
            assert client.state.uid == await client.request("test/who") == "bob"


async def test_a_session_client_is_told_what_would_work() -> None:
    async def sente(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": '[["chsk/handshake",["ada",null,null]],null]'})
        await receive()

    with pytest.raises(Disconnected, match='classic="json"'):
        async with Client(app=sente, transport="ws", settings=QUICK, connect_timeout=0.2):
            pass


async def test_a_server_that_speaks_otherwise_is_not_spoken_to() -> None:
    async with serving() as server:
        with pytest.raises(Rejected):
            async with classic(server, "poll"):
                pass


async def test_a_proxy_without_websocket_is_polled_through() -> None:
    async with talking() as server:
        server.line.blocks_websockets = True
        async with classic(server) as client:
            assert client.state.transport == "poll"
            assert await client.request("test/echo", 2) == 2


@both
async def test_a_packer_of_ones_own(transport: Any) -> None:
    class Reversed:
        name = "reversed"

        def pack(self, value: Any, /) -> bytes:
            return json.dumps(value).encode()[::-1]

        def unpack(self, wire: Any, /) -> Any:
            return json.loads(wire[::-1])

    async with (
        serving(classic=Reversed(), settings=FAST) as server,
        server.client(classic=Reversed(), transport=transport) as client,
    ):
        assert await client.request("test/echo", {"a": 1}) == {"a": 1}


async def test_a_slow_application_is_not_read_for() -> None:
    settings = ClientSettings(limits=Limits(backlog=4))
    async with talking() as server, classic(server, "ws", settings=settings) as client:
        gate = asyncio.Event()
        got: list[Any] = []

        @client.on("test/push")
        async def slow(data: Any) -> None:
            await gate.wait()
            got.append(data)

        server.push(*range(10))
        await until(lambda: client._core.full)  # type: ignore[attr-defined]
        await asyncio.sleep(0.05)
        assert client._core._unhandled == 4  # type: ignore[attr-defined]
        gate.set()
        await until(lambda: got == list(range(10)))
        assert await client.request("test/echo", 1) == 1


async def test_what_makes_no_sense() -> None:
    with pytest.raises(ConfigError, match="headers"):
        Client("http://localhost/chsk", classic="json", auth="Bearer x")
    with pytest.raises(ConfigError, match="classic="):
        Client("http://localhost/chsk", classic="json,auto")
    with pytest.raises(ConfigError, match="csrf-token"):
        Client("http://localhost/chsk", classic="json", params={"csrf-token": "x"})


@both
async def test_limits_are_errors_of_the_caller(transport: Any) -> None:
    settings = ClientSettings(limits=Limits(packet=1000, outbox=8, requests=2))
    async with talking() as server, classic(server, transport, settings=settings) as client:
        with pytest.raises(PackError):
            client.send("test/note", "x" * 1000)
        for number in range(8):
            assert client.send("test/note", number)
        with pytest.raises(OutboxFull, match="slow down"):
            client.send("test/note", 8)
        await until(lambda: len(server.got) == 8)
        requests = [asyncio.create_task(client.request("test/wait", n)) for n in range(2)]
        await asyncio.sleep(0.02)
        with pytest.raises(OutboxFull, match="2 requests"):
            await client.request("test/echo", 1)
        server.release.set()
        assert await asyncio.gather(*requests) == [0, 1]
    assert not client.send("test/note", 1)
    with pytest.raises(Disconnected):
        await client.request("test/note", 1)


async def test_more_than_the_outbox_passes_over_time() -> None:
    settings = ClientSettings(limits=Limits(outbox=8))
    async with talking() as server, classic(server, "ws", settings=settings) as client:
        for number in range(100):
            client.send("test/note", number)
            await until(lambda: len(client._core._under_way) + len(client._core._waiting) < 8)  # type: ignore[attr-defined]
        await until(lambda: server.got == list(range(100)))
