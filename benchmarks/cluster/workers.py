"""One worker of uvicorn and two, on a machine of two cores, the load included: ``python -m benchmarks.cluster.workers``
takes a minute and writes ``results/workers.json``.

50 clients, spread over the workers by the kernel, each hand events to each other, so that with two workers every second
one goes through Redis. As the load needs a core itself, two workers cannot do twice as much here: that each delivery
costs the workers about as much CPU as with one says whether they could.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.cluster.run import RESULTS as CLUSTER
from benchmarks.cluster.run import ROOT, broker, free_port, running
from sente.bench.table import Table, markdown

RESULTS = CLUSTER.with_name("workers.json")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure one worker and two.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    options = parser.parse_args()
    found: dict[str, list[list[float]]] = {}
    for turn in range(options.rounds):
        for workers in (1, 2):
            print(f"round {turn + 1} of {options.rounds}: {workers} workers", file=sys.stderr, flush=True)
            found.setdefault(str(workers), []).append(measure(workers, options.seconds))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(markdown(table(found)))


def measure(workers: int, seconds: float) -> list[float]:
    """Deliveries a second, microseconds of CPU that each costs the workers, and the share of both cores in use."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.cluster.apps:sente", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio", "--workers", str(workers)]
    command += ["--ws-per-message-deflate", "false", "--log-level", "warning", "--no-access-log"]
    with broker("redis") as (url, pid_of_broker), running(command, port, {"BROKER": url, "DURABLE": ""}) as pid:
        load = ["node", str(Path(__file__).parent / "crowd.mjs"), str(port), str(seconds), str(pid), str(pid_of_broker)]
        done = subprocess.run(load, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    rate, of_workers, of_all = json.loads(done.stdout)
    return [rate, of_workers, of_all / (os.cpu_count() or 1)]


def table(found: dict[str, list[list[float]]]) -> Table:
    """Medians."""
    rows: Table = [["workers", "deliveries/s", "µs CPU of the workers per delivery", "both cores in use"]]
    for workers, rounds in found.items():
        rate, cost, used = (median(values) for values in zip(*rounds, strict=True))
        rows.append([workers, f"{rate:,.0f}", f"{cost:.0f}", f"{used:.0%}"])
    return rows


if __name__ == "__main__":
    main()
