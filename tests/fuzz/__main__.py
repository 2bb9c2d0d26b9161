"""The long form: ``python -m tests.fuzz --seconds 600``. One seed after the other, until time is up or one fails."""

import argparse
import asyncio
import gc
import random
import sys
import time
import tracemalloc

from tests.fuzz.chaos import Chaos, Outcome, server, watched

ACTS = 1000
GROWTH = 512 * 1024
"""Bytes that may stay after a seed, once the caches are warm: graves and full buckets that nobody has asked for yet."""


async def run(seed: int) -> Outcome:
    """Everything that comes from one seed, at a server of its own."""
    outcome, chsk = Outcome(), server()
    async with watched(chsk, outcome):
        chaos = Chaos(chsk, seed, outcome)
        for _ in range(ACTS):
            await chaos.act()
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="where to begin; default: by chance")
    arguments = parser.parse_args()
    seed = random.randrange(10**6) if arguments.seed is None else arguments.seed
    until, runs, before = time.monotonic() + arguments.seconds, 0, 0
    tracemalloc.start()
    while not runs or time.monotonic() < until:
        try:
            outcome = asyncio.run(run(seed))
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
            print("\n".join(outcome.odd[:20]), f"\nto repeat: python -m tests.fuzz --seconds 0 --seed {seed}", sep="")
            return 1
        seed, runs, before = seed + 1, runs + 1, now
    return 0


if __name__ == "__main__":
    sys.exit(main())
