"""The proxy in front of plain servers: what passes, what does not, and who is told."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sente import ChannelSocket, Client, ClientSettings, ConfigError, Message
from sente.testing import Cut, Delay, FaultProxy, Faults, Jump, Plan, Repeat, Script, Silence, Slow
from tests.asgi import until
from tests.e2e.ports import free_port
from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"


class Echo:
    """A server that says everything back, and remembers who was there."""

    def __init__(self, word: bytes = b"") -> None:
        self.word = word
        self.heard: list[bytes] = []
        self.ended: list[bool] = []  # whether in peace
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.heard)
        self.heard.append(b"")
        try:
            while data := await reader.read(1000):
                self.heard[number] += data
                writer.write(self.word or data)
                if data.endswith(b"bye"):
                    break
            self.ended.append(True)
        except OSError:
            self.ended.append(False)
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Echo"]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()


@asynccontextmanager
async def proxied(faults: Plan) -> AsyncIterator[tuple[Echo, FaultProxy]]:
    async with asyncio.timeout(20), Echo().running() as echo, FaultProxy(echo.port, faults=faults) as proxy:
        yield echo, proxy


@asynccontextmanager
async def line(proxy: FaultProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = proxy.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_a_good_line_passes_everything_on_and_ends_in_peace() -> None:
    async with proxied(Script()) as (echo, proxy), line(proxy) as (reader, writer):
        words = b"x" * 1_000_000 + b"bye"
        writer.write(words)
        assert await reader.read(-1) == words
        await until(lambda: echo.ended == [True])
        assert proxy.befell == {"lines": 1}


async def test_a_client_that_leaves_is_gone_for_the_server() -> None:
    async with proxied(Script()) as (echo, proxy):
        async with line(proxy) as (reader, writer):
            writer.write(b"hi")
            await reader.readexactly(2)
            writer.close()
        await until(lambda: echo.ended == [True])


async def test_a_line_is_cut_at_the_byte() -> None:
    async with proxied(Script({1: [Cut(after=150)]})) as (echo, proxy), line(proxy) as (reader, writer):
        writer.write(b"a" * 100)
        got = b""
        with pytest.raises(ConnectionResetError):  # noqa: PT012
            while True:
                got += await reader.readexactly(1)
        assert got == b"a" * 50
        await until(lambda: echo.ended == [False])
        assert proxy.befell == {"lines": 1, "cut": 1}


async def test_a_half_open_line_tells_nobody() -> None:
    async with proxied(Script({1: [Silence(after=150)]})) as (echo, proxy), line(proxy) as (reader, writer):
        writer.write(b"a" * 100)
        assert await reader.readexactly(50) == b"a" * 50
        writer.write(b"b" * 100)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        proxy.heal()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        assert (echo.heard, echo.ended) == ([b"a" * 100], [])
        proxy.break_lines()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)


async def test_a_late_line() -> None:
    async with proxied(Script({1: [Delay(0.15)]})) as (_, proxy), line(proxy) as (reader, writer):
        began = time.monotonic()
        writer.write(b"hi")
        await reader.readexactly(2)
        assert time.monotonic() - began >= 0.3
        proxy.heal()
        began = time.monotonic()
        writer.write(b"hi")
        await reader.readexactly(2)
        assert time.monotonic() - began < 0.3


async def test_a_slow_reader_holds_the_server_up() -> None:
    async with proxied(Script({1: [Slow(rate=50_000)]})) as (_, proxy), line(proxy) as (reader, writer):
        began = time.monotonic()
        writer.write(b"x" * 20_000)
        await reader.readexactly(20_000)
        assert time.monotonic() - began >= 0.3


async def test_a_request_is_made_twice_and_a_websocket_is_not() -> None:
    faults = Script({number: [Repeat(late=0.1)] for number in (1, 2)})
    async with proxied(faults) as (echo, proxy):
        async with line(proxy) as (reader, writer):
            writer.write(REQUEST[:30])
            await asyncio.sleep(0.01)
            writer.write(REQUEST[30:])
            assert await reader.readexactly(len(REQUEST)) == REQUEST
            await until(lambda: echo.heard == [REQUEST, REQUEST])
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.05)
        async with line(proxy) as (reader, writer):
            upgrade = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
            writer.write(upgrade)
            await reader.readexactly(len(upgrade))
            await asyncio.sleep(0.2)
        assert len(echo.heard) == 3
        assert proxy.befell == {"lines": 2, "repeat": 1}


async def test_a_repetition_that_finds_nobody_harms_nobody() -> None:
    async with proxied(Script({1: [Repeat(late=0.1)]})) as (echo, proxy), line(proxy) as (reader, writer):
        writer.write(REQUEST)
        await reader.readexactly(5)
        proxy.targets = [free_port()]
        await asyncio.sleep(0.2)
        assert len(echo.heard) == 1
    async with proxied(Script({1: [Repeat(late=60)]})) as (echo, proxy), line(proxy) as (reader, writer):
        writer.write(REQUEST)
        await reader.readexactly(5)  # the end does not wait for it


async def test_several_servers_take_turns_and_one_that_is_gone_is_passed_over() -> None:
    async with Echo(b"1").running() as one, Echo(b"2").running() as two, FaultProxy(one.port) as proxy:

        async def who() -> bytes:
            async with line(proxy) as (reader, writer):
                writer.write(b"x")
                return await reader.read(1)

        assert [await who(), await who()] == [b"1", b"1"]
        proxy.targets = [f"http://127.0.0.1:{one.port}", f"127.0.0.1:{two.port}"]
        assert sorted([await who(), await who()]) == [b"1", b"2"]
        proxy.targets = [free_port(), one.port]
        assert [await who(), await who()] == [b"1", b"1"]
        proxy.targets = [free_port()]
        with pytest.raises(ConnectionResetError):
            await who()


async def test_what_a_proxy_cannot_do_is_said() -> None:
    with pytest.raises(ConfigError, match="where to"):
        FaultProxy()
    with pytest.raises(ConfigError, match="line 1: a proxy sets nobody's clock"):
        await use(Script({1: [Jump(0, 60)]}))


async def use(faults: Plan) -> None:
    async with proxied(faults) as (_, proxy), line(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.read(1)


@pytest.mark.parametrize("transport", ["ws", "poll"])
async def test_all_faults_at_once(transport: Any) -> None:
    chsk = ChannelSocket(user_id=lambda connection: "ada")
    heard: list[int] = []

    @chsk.on("count/up")
    async def up(msg: Message) -> None:
        heard.append(msg.data)

    faults = Faults(seed=11, cut=1.0, delay=0.3, slow=0.2, repeat=0.5, within=3000, seconds=0.03)
    eager = ClientSettings(backoff_base=0.01, backoff_cap=0.05, stable=0.0)
    options: dict[str, Any] = {"transport": transport, "settings": eager, "connect_timeout": 30}
    async with (
        serving(chsk) as port,
        FaultProxy(port, faults=faults) as proxy,
        Client(f"http://{proxy.address}/chsk", **options) as client,
    ):
        got: list[int] = []
        client.on("count/down", got.append)
        for number in range(300):
            while not client.send("count/up", number):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            chsk.send("ada", "count/down", number)
            await asyncio.sleep(0.002)
        await until(lambda: len(heard) == len(got) == 300)
        assert heard == got == list(range(300))
        assert proxy.befell["cut"] >= 3
        proxy.heal()
