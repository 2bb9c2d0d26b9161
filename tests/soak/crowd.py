"""Round after round of clients that never read, under constant pushes: what they cost, and what others feel of it."""

import asyncio
import socket
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from sente import Client
from tests.asgi import TRANSPORTS
from tests.faults.test_crowds import crowd, deaf
from tests.soak.serving import Serving

ROOM = 128 * 1024
"""Bytes of memory that one of them may cost, as `docs/reference/faults.md` has it."""

GROWTH = 0.1
"""Of what a crowd may cost, how much the server may grow by in the second half of the rounds: it is flat. In the first
half it comes to remember as many ended sessions as it may."""

CALM = 2.0
"""Seconds for which the others are watched alone, before anybody comes."""


class Watcher:
    """Clients who do their part: one on each transport, asking all the time."""

    def __init__(self) -> None:
        self.took: list[float] = []

    async def watch(self, client: Client) -> None:
        while True:
            began = time.monotonic()
            await client.request("soak/echo", 1, timeout=30)
            self.took.append(time.monotonic() - began)
            await asyncio.sleep(0.01)

    def milliseconds(self) -> dict[str, float]:
        """Of the requests since it was asked last."""
        took, self.took = self.took, []
        hundredths = statistics.quantiles(took, n=100)
        return {"median": round(hundredths[49] * 1000, 1), "p99": round(hundredths[98] * 1000, 1)}


async def soak(
    server: Serving, *, clients: int, rounds: int, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """So many rounds of so many clients; what it cost.

    Raises:
        AssertionError: memory grows, or a line of one who reads broke.
    """
    url = f"http://127.0.0.1:{server.port}/chsk"
    watcher = Watcher()
    async with AsyncExitStack() as stack:
        talk = [await stack.enter_async_context(Client(url, transport=each)) for each in TRANSPORTS]
        tasks = [asyncio.create_task(watcher.watch(client)) for client in talk]
        await asyncio.sleep(CALM)
        calm, before = watcher.milliseconds(), server.resident
        resident: list[int] = []
        for number in range(rounds):
            resident.append(await _round(server, talk[0], clients))
            progress(f"round {number + 1} of {rounds}: {resident[-1] >> 20} MiB")
        stormy = watcher.milliseconds()
        for task in tasks:
            assert not task.done(), task
            task.cancel()
        assert [client.state.last_close for client in talk] == [None, None], "a line of one who reads broke"
    assert max(resident) - before < clients * ROOM, f"{max(resident) - before} bytes for {clients} clients"
    grown = resident[-1] - resident[rounds // 2]
    assert grown < GROWTH * clients * ROOM, f"it grew by {grown} bytes in {rounds} rounds: {resident}"
    return {
        "clients": clients,
        "rounds": rounds,
        "MiB before": before >> 20,
        "MiB at most": max(resident) >> 20,
        "MiB halfway": resident[rounds // 2] >> 20,
        "MiB in the end": resident[-1] >> 20,
        "calm": calm,
        "stormy": stormy,
    }


async def _round(server: Serving, talker: Client, clients: int) -> int:
    """They come, are pushed to until most were ended; memory at most."""
    sockets: list[socket.socket] = []
    slow = await _slow(talker)
    highest = 0
    async with crowd(sockets):
        for start in range(0, clients, 100):
            sockets += await asyncio.gather(*(deaf(server.port, number) for number in range(start, start + 100)))
        while await _slow(talker) < slow + clients * 8 // 10:
            await talker.request("soak/noise", 5, timeout=30)
            highest = max(highest, server.resident)
            await asyncio.sleep(0.05)
    return highest


async def _slow(talker: Client) -> int:
    stats: dict[str, int] = await talker.request("soak/stats", timeout=30)
    return stats.get("ended slow", 0)
