"""``make soak``: the long form of ``tests/soak``, and its result in docs/reference/soak.md."""

import argparse
import asyncio
import json
import os
import platform
import random
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.soak import crowd, flow
from tests.soak.serving import served

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "soak.json"
PAGE = ROOT / "docs" / "reference" / "soak.md"

APP = "tests.soak.app:app"
BARE = "tests.soak.bare:app"
MARK = re.compile(r"(<!-- soak -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Run everything, write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.run", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="events each way and variant, at least (100,000)")
    parser.add_argument("--cuts", type=int, default=1_000, help="lines cut in each variant, at least (1,000)")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of clients that never read (20)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="by chance, and printed")
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"where to ({RESULTS.relative_to(ROOT)})")
    options = parser.parse_args()
    print(f"seed {options.seed}; again with --seed {options.seed}")
    result = asyncio.run(_run(options))
    options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.json == RESULTS:
        PAGE.write_text(MARK.sub(lambda found: f"{found[1]}{table(result)}\n{found[2]}", PAGE.read_text()))
        print(f"==> The result is in {RESULTS.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}")


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    began, flows = time.monotonic(), []
    with served(APP) as server:
        for variant in flow.VARIANTS:
            size = {"seed": options.seed, "events": options.events, "cuts": options.cuts}
            flows.append(await flow.soak(variant, server.port, **size, progress=_progress(str(variant))))
            print(f"\r\x1b[K{variant}: ok, {flows[-1]['seconds']} s")
    with served(APP) as server, served(BARE) as bare:
        many = await crowd.soak(server, bare, clients=1000, rounds=options.rounds, progress=_progress("never read"))
        print(f"\r\x1b[Knever read: ok, {many}")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "command": f"python -m tests.soak.run --events {options.events} --cuts {options.cuts} "
        f"--rounds {options.rounds} --seed {options.seed}",
        "seconds": round(time.monotonic() - began),
        "flows": flows,
        "crowd": many,
    }


def _progress(what: str) -> Callable[[str], None]:
    """Show how far it is, a few times a second, where somebody looks."""
    last = [0.0]

    def show(text: str) -> None:
        if sys.stdout.isatty() and time.monotonic() > last[0] + 0.2:
            last[0] = time.monotonic()
            print(f"\r\x1b[K{what}: {text}", end="", flush=True)

    return show


def table(result: dict[str, Any]) -> str:
    """What stands in the docs."""
    heads = ("client, transport, packer", "lines cut", "events up", "events down", "requests", "seconds")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    numbers = ("cuts", "events up", "events down", "requests", "seconds")
    for each in result["flows"]:
        rows.append(f"| {each['variant']} | " + " | ".join(f"{each[name]:,}" for name in numbers) + " |")
    total = {name: sum(each[name] for each in result["flows"]) for name in numbers}
    rows.append("| all | " + " | ".join(f"{round(total[name]):,}" for name in numbers) + " |")
    many = result["crowd"]
    calm, stormy, bare = many["calm"], many["stormy"], many["bare"]
    return "\n".join(
        [
            f"{result['date']}, {result['machine']}, {result['seconds']} s: `{result['command']}`",
            "",
            *rows,
            "",
            "Nothing was lost, came twice or out of order, and each request had exactly one outcome.",
            "",
            f"{many['clients']:,} clients that never read, {many['rounds']} times over, under constant pushes: the "
            f"server takes {many['MiB before']} MiB without them, {many['MiB at most']} MiB at most with them; "
            f"{many['MiB halfway']} MiB halfway, {many['MiB in the end']} MiB in the end. A request of a client that "
            f"reads takes {calm['median']} ms without them (99 of 100 take {calm['p99']} ms at most), and "
            f"{stormy['median']} ms ({stormy['p99']} ms) while they come, are pushed to and go. A bare WebSocket "
            f"server to which as many connect takes {bare['median']} ms ({bare['p99']} ms).",
        ]
    )


if __name__ == "__main__":
    main()
