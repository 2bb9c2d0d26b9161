"""Several processes, a real broker and a proxy that hands each connection to the next of them: no stickiness."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sente import Client, ClientSettings
from sente.testing import FaultProxy, Faults, ServedClient, assert_no_loss, assert_ordered
from tests.asgi import TRANSPORTS
from tests.brokers.servers import Server, nats_server, redis_server
from tests.e2e.ports import accepts, free_port

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
NODE_CLIENT = ROOT / "js" / "e2e" / "node_client.mjs"
EAGER = ClientSettings(backoff_base=0.05, backoff_cap=0.3)


@pytest.fixture(params=["redis", "nats"])
def broker(request: pytest.FixtureRequest) -> Iterator[Server]:
    with (redis_server if request.param == "redis" else nats_server)() as server:
        yield server


@asynccontextmanager
async def process(url: str, *options: str) -> AsyncIterator[tuple[Process, int]]:
    """The application under uvicorn."""
    port = free_port()
    command = ["uvicorn", "tests.e2e.clustered_app:app", "--port", str(port), "--log-level", "warning", *options]
    environment = {**os.environ, "BROKER": url}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=ROOT, env=environment, start_new_session=True
    )
    try:
        async with asyncio.timeout(20):
            while not await accepts(port):
                assert running.returncode is None, "it has ended"
                await asyncio.sleep(0.05)
        yield running, port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        await running.wait()


class Cluster:
    """Processes, and the proxy in front."""

    def __init__(self, processes: list[tuple[Process, int]], proxy: FaultProxy) -> None:
        self.processes = processes
        self.proxy = proxy

    def client(self, uid: str, transport: Any, **options: Any) -> ServedClient:
        waits = {"timeout": 10.0, "connect_timeout": 10.0, "settings": EAGER}
        return ServedClient(
            f"http://{self.proxy.address}/chsk", params={"uid": uid}, transport=transport, **waits, **options
        )

    async def kill(self, pid: int) -> None:
        """One of them dies."""
        for running, port in self.processes:
            if running.pid == pid:
                self.proxy.targets = [target for target in self.proxy.targets if target != port]
                running.kill()
                await running.wait()


@asynccontextmanager
async def cluster(broker: Server, count: int = 3, *options: str, faults: Any = None) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        url = f"{broker.name}://127.0.0.1:{broker.port}"
        starting = (stack.enter_async_context(process(url, *options)) for _ in range(count))
        processes = [await one for one in starting]
        plan = {} if faults is None else {"faults": faults}
        proxy = await stack.enter_async_context(FaultProxy(*(port for _, port in processes), **plan))
        yield Cluster(processes, proxy)


async def say(client: Client, event_id: str, data: Any) -> None:
    """Once there is a line: while there is none, a client takes nothing, and says so."""
    while not client.send(event_id, data):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def talks(client: Client, received: Any, count: int = 50) -> None:
    """What it says is handled once, in order, and comes back; what it asks is replied to."""
    for number in range(count):
        client.send("count/up", number)
    replies = await asyncio.gather(*(client.request("echo/ask", number) for number in range(20)))
    assert replies == list(range(20))
    async with asyncio.timeout(15):
        while len(back := [event.data for event in received if event.id == "count/back"]) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert back == list(range(count))


async def test_four_workers_of_uvicorn(broker: Server) -> None:
    async with cluster(broker, 1, "--workers", "4") as several, AsyncExitStack() as stack:
        clients: list[ServedClient] = []
        served: set[int] = set()
        while len(served) < 2 or len(clients) < 8:  # it is the kernel that spreads them
            assert len(clients) < 200, "one worker serves them all"
            new = [several.client(f"user{len(clients) + at}", TRANSPORTS[at % 2]) for at in range(8)]
            clients += await asyncio.gather(*map(stack.enter_async_context, new))
            served |= set(await asyncio.gather(*(client.request("who/serves") for client in new)))
        await asyncio.gather(*(talks(client, client.received) for client in clients[-8:]))
        for client in clients[-8:]:
            assert await client.request("who/online", "user0")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_no_stickiness(broker: Server, transport: Any) -> None:
    async with (
        cluster(broker) as several,
        several.client("ada", transport) as ada,
        several.client("bob", transport) as bob,
        several.client("bob", "ws") as too,
    ):
        await talks(ada, ada.received)
        ada.send("count/down", ["bob", 100])
        for client in (bob, too):
            said = [event.data for event in await client.received.at_least(100)]
            assert said == list(range(100))
        bob.on("add/up")(sum)
        client_id = await bob.request("who/ami")
        assert await ada.request("client/ask", [client_id, [1, 2, 3]]) == 6
        assert await ada.request("who/online", "bob")


async def test_sentes_own_clients(broker: Server) -> None:
    async with cluster(broker) as several, several.client("bob", "ws") as bob:
        for transport in TRANSPORTS:
            async with several.client("ada", transport, classic="edn") as ada:
                for number in range(20):
                    assert await ada.request("echo/ask", number) == number
                ada.received.clear()
                bob.send("count/down", ["ada", 20])
                said = [event.data for event in await ada.received.at_least(20) if event.id == "count/said"]
                assert said == list(range(20))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_in_javascript(broker: Server, transport: str) -> None:
    async with cluster(broker) as several, several.client("bob", "ws") as bob:
        url = f"http://{several.proxy.address}/chsk"
        options = json.dumps({"params": {"uid": "ada"}})
        node = await asyncio.create_subprocess_exec(
            "node", NODE_CLIENT, url, transport, options, stdin=PIPE, stdout=PIPE
        )
        assert node.stdin is not None and node.stdout is not None
        try:
            async with asyncio.timeout(20):
                heard: list[Any] = []
                replies: dict[int, Any] = {}
                async for line in node.stdout:
                    said = json.loads(line)
                    if said.get("state", {}).get("open") and not replies and not heard:
                        for number in range(30):
                            asks = {"cmd": "request", "id": "echo/ask", "data": number}
                            node.stdin.write(f"{json.dumps(asks)}\n".encode())
                        bob.send("count/down", ["ada", 30])
                    if "reply" in said:
                        replies[said["n"]] = said["reply"]
                    if said.get("event", [""])[0] == "count/said":
                        heard.append(said["event"][1])
                    if len(replies) == len(heard) == 30:
                        break
            assert [replies[number] for number in sorted(replies)] == heard == list(range(30))
        finally:
            node.kill()
            await node.wait()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_process_is_killed(broker: Server, transport: Any) -> None:
    """Its clients go on at another at once, and are told that it is not known what they missed."""
    async with cluster(broker) as several, several.client("ada", transport) as ada:
        await several.kill(await ada.request("who/serves"))
        async with asyncio.timeout(5):
            while not ada.state.open or ada.state.first_open:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (ada.state.resumed, ada.state.lost) == (False, None)
        await talks(ada, ada.received)
        async with asyncio.timeout(20):  # 6 s of silence, and a beat
            while not await ada.request("who/online", "ada"):  # noqa: ASYNC110
                await asyncio.sleep(0.2)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_lines_that_break_all_the_time(broker: Server, transport: Any) -> None:
    faults = Faults(seed=7, cut=1.0)
    async with (
        cluster(broker, faults=faults) as several,
        several.client("ada", transport) as ada,
        several.client("bob", transport) as bob,
    ):
        for part in range(10):
            for number in range(part * 50, part * 50 + 50):
                await say(ada, "count/up", number)
            await asyncio.sleep(0.2)
        await say(bob, "count/down", ["ada", 300])
        async with asyncio.timeout(60):
            while len(ada.received) < 800:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        back = [event.data for event in ada.received if event.id == "count/back"]
        said = [event.data for event in ada.received if event.id == "count/said"]
        for heard, count in ((back, 500), (said, 300)):
            assert_no_loss(range(count), heard)
            assert_ordered(heard)
        assert ada.state.lost == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_broker_restarts_while_events_flow(broker: Server, transport: Any) -> None:
    """Nothing is lost and nothing comes twice: what was said meanwhile is said again, and every session goes on."""
    async with cluster(broker) as several, several.client("ada", transport) as ada, AsyncExitStack() as stack:
        others = [await stack.enter_async_context(several.client(f"c{number}", "ws")) for number in range(3)]
        for part in range(12):
            if part == 3:
                broker.stop()
            if part == 7:
                broker.start()
            for client in others:
                client.send("count/down", ["ada", 20])
            await asyncio.sleep(0.15)
        async with asyncio.timeout(30):
            while len(ada.received) < 12 * 20 * 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert len(ada.received) == 12 * 20 * 3
        for client in (ada, *others):
            assert (client.state.lost, client.state.resumed or client.state.first_open) == (0, True)
