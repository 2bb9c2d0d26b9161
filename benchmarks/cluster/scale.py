"""A large cluster on paper: what it would cost, from constants that are measured here.

``python -m benchmarks.cluster.scale --processes 100 --sessions 1000000`` starts a Redis, measures for some ten seconds,
and prints the table of docs/explanation/scale.md.
"""

import argparse
import asyncio
import json
import os
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import redis.asyncio

from benchmarks.cluster.run import RESULTS as CLUSTER
from benchmarks.cluster.run import broker
from sente.bench.table import markdown
from sente.cluster.node import PACE
from sente.cluster.notices import read, write
from sente.cluster.roster import BEAT, Roster

RESULTS = CLUSTER.with_name("scale.json")

USERS = 20_000
"""Of whom the constants are measured."""


@dataclass(frozen=True)
class Constants:
    """What one of each costs."""

    user: float
    """Bytes for a user of another process, in each process."""
    delta: float
    """Seconds of CPU to hear that somebody came or went, in each process."""
    channel: float
    """Bytes for a subscribed channel, in Redis."""
    publish: float
    """Seconds of Redis for what is published to one process."""
    copy: float
    """Seconds of Redis for each further process that hears it."""
    pushes: float
    """Seconds of CPU to push to a user elsewhere (``benchmarks.cluster.run``)."""
    delivers: float
    """The same to deliver it there."""


def main() -> None:
    parser = argparse.ArgumentParser(description="A large cluster on paper.")
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--sessions", type=int, default=1_000_000, help="one for each user")
    parser.add_argument("--minutes", type=float, default=10.0, help="that a session lasts")
    parser.add_argument("--pushes", type=float, default=0.1, help="to each user, in a second")
    parser.add_argument("--polling", type=float, default=0.02, help="the share of those who poll")
    options = parser.parse_args()
    known = measured()
    RESULTS.write_text(json.dumps(asdict(known), indent=1) + "\n")
    print(markdown(paper(known, **vars(options))))


def measured() -> Constants:
    """The constants, on this machine."""
    with broker("redis") as (url, pid):
        channel, publish, copy = asyncio.run(_of_redis(url, pid))
    user, delta = _of_rosters()
    found = list(json.loads(CLUSTER.read_text())["found"].values())
    pushes, delivers = [median(values["sente, redis"]) / 1e6 for values in found[2:4]]
    return Constants(user, delta, channel, publish, copy, pushes, delivers)


def paper(
    known: Constants,
    *,
    processes: int = 100,
    sessions: int = 1_000_000,
    minutes: float = 10.0,
    pushes: float = 0.1,
    polling: float = 0.02,
) -> list[list[str]]:
    """What each part of it takes, of a core and in memory: in Redis, and in each process."""
    changes = 2 * sessions / (minutes * 60)
    words = min(changes, processes / PACE)
    all_pushes = sessions * pushes
    each_pushes = all_pushes / processes
    polls = sessions * polling / 20 * 3  # a poll each 20 s is opened, taken and answered by way of the broker
    beats = processes / BEAT

    def everywhere(a_second: float) -> float:
        return a_second * (known.publish + known.copy * (processes - 1))

    rows: list[list[str | float]] = [
        ["", "a second", "Redis, of a core", "each process, of a core", "Redis", "each process"],
        ["users known everywhere", "", "", "", "", f"{known.user * sessions / 1e6:,.0f} MB"],
        ["channels", "", "", "", f"{known.channel * 2 * sessions / 1e6:,.0f} MB", ""],
        ["who comes and goes", words, everywhere(words), changes * known.delta, "", ""],
        ["beats", beats, everywhere(beats), beats * known.delta, "", ""],
        [
            "pushes",
            all_pushes,
            all_pushes * known.publish,
            each_pushes * (known.pushes + known.delivers),
            "",
            "",
        ],
        ["polls, at another process", polls, polls * known.publish, polls / processes * known.pushes, "", ""],
    ]
    return [[_shown(cell, at) for at, cell in enumerate(row)] for row in rows]


def _shown(cell: str | float, at: int) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell:,.0f}" if at == 1 else f"{cell:.0%}"


def _of_rosters() -> tuple[float, float]:
    said: list[bytes] = []
    one = Roster("one", lambda *_: None, lambda _, op, head: said.append(write(op, "one", head)))
    tracemalloc.start()
    other = Roster("other", lambda *_: None, lambda *_: None)
    other.on_state("one", {"v": 0, "first": True, "last": True, "users": []}, 0.0)
    before = tracemalloc.get_traced_memory()[0]
    for number in range(USERS):
        one.here(f"user{number}", 1, 0.0)
        one.flush()
    tracemalloc.stop()
    start = time.process_time()
    for body in said:
        other.on_delta("one", read(body).head, 0.0)
    seconds = time.process_time() - start
    tracemalloc.start()
    third = Roster("third", lambda *_: None, lambda *_: None)
    before = tracemalloc.get_traced_memory()[0]
    third.on_state("one", {"v": 0, "first": True, "last": True, "users": []}, 0.0)
    for body in said:
        third.on_delta("one", read(body).head, 0.0)
    bytes_each = (tracemalloc.get_traced_memory()[0] - before) / USERS
    tracemalloc.stop()
    return bytes_each, seconds / USERS


async def _of_redis(url: str, pid: int) -> tuple[float, float, float]:
    client = redis.asyncio.from_url(url)
    hears = client.pubsub()
    await hears.subscribe("warm")
    await hears.get_message(timeout=5)
    before = (await client.info("memory"))["used_memory"]
    for at in range(0, USERS, 1_000):
        await hears.subscribe(*(f'sente:user:"user{number}"' for number in range(at, at + 1_000)))
        for _ in range(1_000):
            await hears.get_message(timeout=5)
    channel = ((await client.info("memory"))["used_memory"] - before) / USERS
    port, loop = int(url.rpartition(":")[2]), asyncio.get_running_loop()
    others = [await loop.create_connection(_Listener, "127.0.0.1", port) for _ in range(50)]

    async def publish(name: str, count: int) -> None:
        pipeline = client.pipeline(transaction=False)
        for _ in range(count):
            pipeline.publish(name, bytes(200))
        await pipeline.execute()

    push = (
        await _cpu(pid, lambda: publish('sente:user:"user1"', 20)) / 20
    )  # a process's pushes of one turn leave together
    alone, to_all = [await _cpu(pid, partial(publish, name, 1)) for name in ('sente:user:"user1"', "all")]
    for transport, _ in others:
        transport.close()
    await hears.aclose()  # type: ignore[no-untyped-call]
    await client.aclose()
    return channel, push, (to_all - alone) / 49


class _Listener(asyncio.Protocol):
    """Hears what is said to all, and forgets it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"SUBSCRIBE all\r\n")


async def _cpu(pid: int, work: Callable[[], Awaitable[None]]) -> float:
    """Seconds of CPU that a process takes for it."""
    start, times, until = _used(pid), 0, time.monotonic() + 3
    while time.monotonic() < until:
        await work()
        times += 1
    return (_used(pid) - start) / times


def _used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().split(") ")[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
