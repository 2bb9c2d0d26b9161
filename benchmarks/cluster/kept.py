"""What a durable session takes in Redis: ``python -m benchmarks.cluster.kept`` takes seconds and writes
``results/kept.json``."""

import asyncio
import json

import redis.asyncio

from benchmarks.cluster.run import RESULTS as CLUSTER
from benchmarks.cluster.run import broker
from sente.bench.table import Table, markdown
from sente.brokers.redis import RedisBroker
from sente.brokers.store import Bounds
from sente.cluster.notices import write

RESULTS = CLUSTER.with_name("kept.json")

SESSIONS = 10_000
WAITING = (1, 10, 100)
"""Events of 100 bytes that wait for each client."""


async def measure(url: str) -> dict[str, float]:
    """Bytes for each session with so many events."""
    client = redis.asyncio.from_url(url)
    store = RedisBroker(url).store("bench", Bounds(4096, 4 * 1024 * 1024, 150), lambda: None)
    body = write("stored", "bench", {"event": "bench/said", "packer": 0, "uid": "user1"}, ["x" * 100])

    async def used() -> float:
        return float((await client.info("memory"))["used_memory"])

    before = await used()
    await asyncio.gather(*(store.create(f"{number:032}", f'"user{number}"', "c" * 22) for number in range(SESSIONS)))
    found = {"0": (await used() - before) / SESSIONS}
    said = 0
    for wanted in WAITING:
        for _ in range(wanted - said):
            await asyncio.gather(*(store.say(f'"user{number}"', "news", body) for number in range(SESSIONS)))
        said = wanted
        found[str(wanted)] = (await used() - before) / SESSIONS
    await store.aclose()
    await client.aclose()
    return found


def table(found: dict[str, float]) -> Table:
    """As the page shows it."""
    rows: Table = [["events of 100 bytes that wait for its client", "bytes in Redis, a session"]]
    return [*rows, *([waiting, f"{size:,.0f}"] for waiting, size in found.items())]


def main() -> None:
    with broker("redis") as (url, _):
        found = asyncio.run(measure(url))
    RESULTS.write_text(json.dumps({waiting: round(size) for waiting, size in found.items()}, indent=1) + "\n")
    print(markdown(table(found)))


if __name__ == "__main__":
    main()
