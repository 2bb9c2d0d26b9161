"""Processes are killed, and their sessions go on at others: nothing is lost, nothing comes twice, all in order."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from sente.testing import ServedClient
from tests.asgi import TRANSPORTS
from tests.brokers.servers import Server, redis_server
from tests.e2e.test_cluster import Cluster, cluster, say

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
