"""Real sockets, and a proxy that cuts them at random bytes while numbered events flow both ways."""

import asyncio
import json
import random
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import pytest

from sente import ChannelSocket, ClientSettings, Disconnected, Message
from sente.client import Client
from sente.testing import FaultProxy, Faults
from tests.e2e.serving import SERVERS, serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

NODE_CLIENT = Path(__file__).parents[2] / "js" / "e2e" / "node_client.mjs"
EVENTS = 1000
EAGER = ClientSettings(backoff_base=0.01, backoff_cap=0.05, stable=0.0)
Transport: TypeAlias = Literal["auto", "ws", "poll"]
every_transport = pytest.mark.parametrize("transport", ["ws", "poll", "auto"])


class Speaker(Protocol):
    """What both kinds of client do in these tests."""

    got: list[int]

    def prefer(self, transport: Transport) -> None: ...
    async def say(self, number: int) -> bool: ...
    async def ask(self, number: int) -> Any: ...


class Books:
    """A server that counts, and what it has heard."""

    def __init__(self, rate: float = 0.0) -> None:
        self.chsk = ChannelSocket(
            user_id=lambda connection: connection.query.get("uid"), simulated_bad_connection_rate=rate
        )
        self.heard: list[int] = []
        self.asked: list[int] = []

        @self.chsk.on("count/up")
        async def up(msg: Message) -> None:
            self.heard.append(msg.data)

        @self.chsk.on("count/double")
        async def double(msg: Message) -> int:
            self.asked.append(msg.data)
            return 2 * int(msg.data)


@asynccontextmanager
async def behind_a_bad_line(seed: int, server: str = "uvicorn") -> AsyncIterator[tuple[Books, FaultProxy]]:
    books = Books()
    faults = Faults(seed=seed, cut=1.0)
    async with serving(books.chsk, server) as port, FaultProxy(port, faults=faults) as proxy:
        yield books, proxy


class PythonSpeaker:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.got: list[int] = []
        client.on("count/down", self.got.append)

    def prefer(self, transport: Transport) -> None:
        self.client.prefer(transport)

    async def say(self, number: int) -> bool:
        return self.client.send("count/up", number)

    async def ask(self, number: int) -> Any:
        while True:
            try:
                return await self.client.request("count/double", number, timeout=60)
            except Disconnected:  # the line was down just then: it is asked again, as it is said again
                await asyncio.sleep(0.01)


class NodeSpeaker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.got: list[int] = []
        self.open = asyncio.Event()
        self._sent: asyncio.Queue[bool] = asyncio.Queue()
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._requests = 0

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            match json.loads(line):
                case {"event": ["count/down", number]}:
                    self.got.append(number)
                case {"state": {"open": is_open}}:
                    self.open.set() if is_open else self.open.clear()
                case {"sent": sent}:
                    self._sent.put_nowait(sent)
                case {"n": number, **outcome}:
                    self._replies[number].set_result(outcome.get("reply", outcome))

    def _command(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    def prefer(self, transport: Transport) -> None:
        self._command(cmd="prefer", transport=transport)

    async def say(self, number: int) -> bool:
        self._command(cmd="send", id="count/up", data=number)
        return await self._sent.get()

    async def ask(self, number: int) -> Any:
        while True:
            self._requests += 1
            future = self._replies[self._requests] = asyncio.get_running_loop().create_future()
            self._command(cmd="request", id="count/double", data=number, timeout=60_000)
            match await future:
                case {"failed": "Disconnected"}:
                    await asyncio.sleep(0.01)
                case outcome:
                    return outcome


@asynccontextmanager
async def python_client(
    address: str, transport: Transport, rate: float = 0.0, uid: str = "ada", **options: Any
) -> AsyncIterator[PythonSpeaker]:
    async with Client(
        f"http://{address}/chsk",
        transport=transport,
        params={"uid": uid},
        settings=EAGER,
        connect_timeout=30,
        simulated_bad_connection_rate=rate,
        **options,
    ) as client:
        yield PythonSpeaker(client)


@asynccontextmanager
async def node_client(
    address: str, transport: Transport, rate: float = 0.0, uid: str = "ada", **more: Any
) -> AsyncIterator[NodeSpeaker]:
    node = shutil.which("node")
    assert node, "these tests need Node"
    settings = {"backoffBase": 10, "backoffCap": 50, "stable": 0}
    options = {"params": {"uid": uid}, "settings": settings, "badConnectionRate": rate, **more}
    process = await asyncio.create_subprocess_exec(
        node,
        str(NODE_CLIENT),
        f"http://{address}/chsk",
        transport,
        json.dumps(options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    speaker = NodeSpeaker(process)
    reading = asyncio.create_task(speaker.read())
    try:
        await speaker.open.wait()
        yield speaker
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await reading


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def say_all(speaker: Speaker) -> None:
    """Say every number; one that was not taken because the line was down is said again."""
    for number in range(1, EVENTS + 1):
        while not await speaker.say(number):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if number % 10 == 0:
            await asyncio.sleep(0.01)


async def push_all(books: Books) -> None:
    for number in range(1, EVENTS + 1):
        books.chsk.send("ada", "count/down", number)
        if number % 10 == 0:
            await asyncio.sleep(0.02)


async def converse(books: Books, speaker: Speaker) -> None:
    everything = list(range(1, EVENTS + 1))
    await asyncio.gather(say_all(speaker), push_all(books))
    await until(lambda: len(books.heard) >= EVENTS and len(speaker.got) >= EVENTS)
    assert books.heard == everything
    assert speaker.got == everything


async def converse_over(proxy: FaultProxy, books: Books, speaker: Speaker) -> None:
    await converse(books, speaker)
    assert proxy.befell["cut"] >= 3, "the line was too good to prove anything"
    proxy.heal()
    assert await speaker.ask(21) == 42


@every_transport
@pytest.mark.parametrize("client", [python_client, node_client])
async def test_events_flow_both_ways_over_a_line_that_is_cut(client: Callable[..., Any], transport: Transport) -> None:
    async with behind_a_bad_line(seed=1) as (books, proxy), client(proxy.address, transport) as speaker:
        await converse_over(proxy, books, speaker)


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize("server", [server for server in SERVERS if server != "uvicorn"])
async def test_other_servers_lose_nothing_either(server: str, transport: Literal["ws", "poll"]) -> None:
    async with behind_a_bad_line(3, server) as (books, proxy), python_client(proxy.address, transport) as speaker:
        await converse_over(proxy, books, speaker)


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize(("client", "rate"), [(python_client, 0.1), (python_client, 0.3), (node_client, 0.2)])
async def test_events_flow_both_ways_over_lines_that_break_on_purpose(
    client: Callable[..., Any], rate: float, transport: Transport
) -> None:
    random.seed(4)
    books = Books(rate / 2)
    async with serving(books.chsk) as port, client(f"127.0.0.1:{port}", transport, rate / 2) as speaker:
        await converse(books, speaker)
        assert books.chsk.stats["broken on purpose"] >= 3, "the lines were too good to prove anything"


@every_transport
@pytest.mark.parametrize("client", [python_client, node_client])
async def test_each_request_has_its_reply_over_a_line_that_is_cut(
    client: Callable[..., Any], transport: Transport
) -> None:
    async with behind_a_bad_line(seed=2) as (books, proxy), client(proxy.address, transport) as speaker:
        for start in range(0, 60, 5):
            numbers = range(start, start + 5)
            answers = await asyncio.gather(*map(speaker.ask, numbers))
            assert answers == [2 * number for number in numbers]
        assert sorted(books.asked) == list(range(60)), "a request was handled twice, or not at all"
        proxy.heal()
