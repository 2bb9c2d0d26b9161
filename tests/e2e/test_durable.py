"""Processes are killed, and their sessions go on at others: nothing is lost, nothing comes twice, all in order."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from typing import Any

import pytest

from sente import Disconnected
from sente.testing import Faults, ServedClient
from tests.asgi import TRANSPORTS
from tests.brokers.servers import Server, redis_server
from tests.e2e.test_cluster import NODE_CLIENT, Cluster, cluster, say

pytestmark = pytest.mark.e2e


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("DURABLE", "yes")
    with redis_server() as server:
        yield server


async def elsewhere(several: Cluster, client: ServedClient, uid: str) -> ServedClient:
    """A client that another process serves."""
    served = await client.request("who/serves")
    while True:
        other = several.client(uid, "ws")
        await other.__aenter__()
        if await other.request("who/serves") != served:
            return other
        await other.__aexit__(None, None, None)


def heard(client: ServedClient, event_id: str) -> list[Any]:
    return [event.data for event in client.received if event.id == event_id]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_process_is_killed_while_events_flow(broker: Server, transport: Any) -> None:
    async with cluster(broker) as several, several.client("ada", transport) as ada:
        bob = await elsewhere(several, ada, "bob")
        try:
            for part in range(20):
                await say(bob, "count/down", ["ada", 25])
                for number in range(part * 10, part * 10 + 10):
                    await say(ada, "count/up", number)
                if part == 8:
                    await several.kill(await ada.request("who/serves"))
                await asyncio.sleep(0.05)
            async with asyncio.timeout(30):
                while len(heard(ada, "count/said")) < 500 or len(heard(ada, "count/back")) < 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            assert heard(ada, "count/back") == list(range(200))
            assert heard(ada, "count/said") == [number for _ in range(20) for number in range(25)]
            assert (ada.state.lost, ada.state.resumed) == (0, True)
        finally:
            await bob.__aexit__(None, None, None)


async def test_one_after_the_other_is_killed_while_lines_break(broker: Server) -> None:
    """Two of three processes, and every line after a few thousand bytes."""
    async with (
        cluster(broker, faults=Faults(seed=5, cut=1.0)) as several,
        several.client("ada", "ws") as ada,
        several.client("cleo", "poll") as cleo,
    ):
        clients = {"ada": ada, "cleo": cleo}
        for part in range(30):
            for uid, client in clients.items():
                for number in range(part * 10, part * 10 + 10):
                    await say(client, "count/up", number)
                if part in (8, 18):
                    await say(client, "count/down", [uid, 30])
            if part in (10, 20):
                await several.kill(await served_by(ada))
            await asyncio.sleep(0.03)
        async with asyncio.timeout(40):
            while any(len(client.received) < 360 for client in clients.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        for client in clients.values():
            assert heard(client, "count/back") == list(range(300))
            assert heard(client, "count/said") == [*range(30), *range(30)]
            assert (client.state.lost, client.state.first_open) == (0, False)


async def served_by(client: ServedClient) -> int:
    """The process that serves a client. It is asked again when the line breaks, or the process dies, meanwhile."""
    while True:
        try:
            pid: int = await client.request("who/serves")
        except Disconnected:
            await asyncio.sleep(0.05)
        else:
            return pid


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_in_javascript_goes_on(broker: Server, transport: str) -> None:
    async with cluster(broker) as several:
        url = f"http://{several.proxy.address}/chsk"
        node = await asyncio.create_subprocess_exec(
            "node", NODE_CLIENT, url, transport, json.dumps({"params": {"uid": "ada"}}), stdin=PIPE, stdout=PIPE
        )
        assert node.stdin is not None and node.stdout is not None
        back: list[int] = []
        states: list[dict[str, Any]] = []
        asked = killed = False
        try:
            async with asyncio.timeout(30):
                async for line in node.stdout:
                    said = json.loads(line)
                    if "state" in said:
                        states.append(said["state"])
                    if "event" in said:
                        back.append(said["event"][1])
                    if states and states[-1]["open"] and not asked:
                        asked = True
                        commands: list[dict[str, Any]] = [{"cmd": "request", "id": "who/serves"}]
                        commands += [{"cmd": "send", "id": "count/up", "data": number} for number in range(100)]
                        node.stdin.writelines(f"{json.dumps(command)}\n".encode() for command in commands)
                    if "reply" in said and not killed:
                        killed = True
                        await several.kill(said["reply"])
                    if len(back) == 100:
                        break
            assert back == list(range(100))
            assert (states[-1]["lost"], states[-1]["open"]) == (0, True)
        finally:
            node.kill()
            await node.wait()
