"""Round after round of clients that never read, under constant pushes: what they cost, and what others feel of it."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sente import Client
from tests.faults.test_crowds import crowd, deaf
from tests.soak.serving import Serving

ROOM = 128 * 1024
"""Bytes of memory that one of them may cost, as `docs/reference/faults.md` has it."""

GROWTH = 0.1
"""Of what a crowd may cost, how much the server may grow by in the second half of the rounds: it is flat. In the first
half it comes to remember as many ended sessions as it may."""

CALM = 2.0
"""Seconds for which the others are watched alone, before anybody comes."""

PATIENCE = 5
"""So many times as long as at a bare server to which as many connect may 99 of 100 requests of the others take. While
a hundred shake hands at once, and the collector looks at all they brought, everybody waits there as well."""


class Watcher:
    """Clients who do their part, asking all the time, in a process of their own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    async def milliseconds(self) -> dict[str, float]:
        """What requests took since this was asked last.

        Raises:
            AssertionError: a line of one who reads broke.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        said = await asyncio.to_thread(self._process.stdout.readline)
        assert said, "a line of one who reads broke"
        took: dict[str, float] = json.loads(said)
        return took


@contextmanager
def watching(url: str) -> Iterator[Watcher]:
    """Watch the server at ``url``."""
    command = [sys.executable, "-m", "tests.soak.watching", url]
    root = Path(__file__).parents[2]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, text=True) as process:
        yield Watcher(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


async def soak(
    server: Serving, bare: Serving, *, clients: int, rounds: int, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """So many rounds of so many clients; what it cost. Before, as many come to a ``bare`` server.

    Raises:
        AssertionError: memory grows, a line of one who reads broke, or had to wait too long.
    """
    url = f"http://127.0.0.1:{server.port}/chsk"
    with watching(f"ws://127.0.0.1:{bare.port}") as watcher:
        await asyncio.sleep(CALM)
        await watcher.milliseconds()
        for _ in range(rounds):
            sockets: list[socket.socket] = []
            async with crowd(sockets):
                await _come(sockets, bare.port, clients)
        control = await watcher.milliseconds()
    with watching(url) as watcher:
        async with Client(url) as talker:
            await asyncio.sleep(CALM)
            calm, before = await watcher.milliseconds(), server.resident
            resident: list[int] = []
            for number in range(rounds):
                resident.append(await _round(server, talker, clients))
                progress(f"round {number + 1} of {rounds}: {resident[-1] >> 20} MiB")
            stormy = await watcher.milliseconds()
    assert max(resident) - before < clients * ROOM, f"{max(resident) - before} bytes for {clients} clients"
    grown = resident[-1] - resident[rounds // 2]
    assert grown < GROWTH * clients * ROOM, f"it grew by {grown} bytes in {rounds} rounds: {resident}"
    assert stormy["p99"] < PATIENCE * control["p99"], f"{stormy} against {control} at a bare server"
    return {
        "clients": clients,
        "rounds": rounds,
        "MiB before": before >> 20,
        "MiB at most": max(resident) >> 20,
        "MiB halfway": resident[rounds // 2] >> 20,
        "MiB in the end": resident[-1] >> 20,
        "calm": calm,
        "stormy": stormy,
        "bare": control,
    }


async def _come(sockets: list[socket.socket], port: int, clients: int) -> None:
    for start in range(0, clients, 100):
        sockets += await asyncio.gather(*(deaf(port, number) for number in range(start, start + 100)))


async def _round(server: Serving, talker: Client, clients: int) -> int:
    """They come, are pushed to until most were ended; memory at most."""
    sockets: list[socket.socket] = []
    slow = await _slow(talker)
    highest = 0
    async with crowd(sockets):
        await _come(sockets, server.port, clients)
        while await _slow(talker) < slow + clients * 8 // 10:
            await talker.request("soak/noise", 5, timeout=30)
            highest = max(highest, server.resident)
            await asyncio.sleep(0.05)
    return highest


async def _slow(talker: Client) -> int:
    stats: dict[str, int] = await talker.request("soak/stats", timeout=30)
    return stats.get("ended slow", 0)
