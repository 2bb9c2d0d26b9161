"""The long form: ``python -m tests.fuzz --seconds 600``. One seed after the other, until time is up or one fails."""

import argparse
import asyncio
import gc
import random
import sys
import time
import tracemalloc
from contextlib import AsyncExitStack

from tests.e2e.serving import serving
from tests.fuzz.chaos import Chaos, Outcome, server, watched
from tests.fuzz.lines import SERVERS, LineChaos, lines_only

ASGI = "none"
ACTS = 1000
GROWTH = 512 * 1024
"""Bytes that may stay after a seed, once the caches are warm: graves and full buckets that nobody has asked for yet."""


async def run(seed: int, way: str) -> Outcome:
    """Everything that comes from one seed, at a server of its own."""
    outcome, chsk = Outcome(), server()
    async with AsyncExitStack() as stack:
        port = 0 if way == ASGI else await stack.enter_async_context(serving(lines_only(chsk), way))
        await stack.enter_async_context(watched(chsk, outcome))
        chaos = LineChaos(chsk, port, seed, outcome) if port else Chaos(chsk, seed, outcome)
        for _ in range(ACTS):
            await chaos.act()
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="where to begin; default: by chance")
    parser.add_argument("--server", choices=[ASGI, *SERVERS], default=ASGI, help="over sockets: which")
    arguments = parser.parse_args()
    seed = random.randrange(10**6) if arguments.seed is None else arguments.seed
    until, runs, before = time.monotonic() + arguments.seconds, 0, 0
    tracemalloc.start()
    while not runs or time.monotonic() < until:
        try:
            outcome = asyncio.run(run(seed, arguments.server))
        except Exception as error:
            print(f"seed {seed}: {error!r}")
            outcome = Outcome(odd=["it raised"])
        gc.collect()
        now = tracemalloc.get_traced_memory()[0]
        if runs >= 2 and now - before > GROWTH:
            outcome.odd.append(f"{now - before} bytes more than after the seed before")
        answers = " ".join(f"{code}x{count}" for code, count in sorted(outcome.answers.items()))
        print(f"seed {seed}: {outcome.acts} acts, {now // 1024} KiB: {answers}", flush=True)
        if outcome.odd:
            print(*outcome.odd[:20], sep="\n")
            print(f"to repeat: python -m tests.fuzz --seconds 0 --seed {seed} --server {arguments.server!r}")
            return 1
        seed, runs, before = seed + 1, runs + 1, now
    return 0


if __name__ == "__main__":
    sys.exit(main())
