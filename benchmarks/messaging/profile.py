"""Where the server spends its time: of each load a flame graph and the shares of who is at work, by py-spy, which looks
at it 500 times a second.

``python -m benchmarks.messaging.profile`` takes three minutes and writes ``results/profile/*.svg``, to be opened in a
browser, and ``results/shares.json``.
"""

import argparse
import json
import linecache
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.messaging.run import RESULTS, ROOT, allow_files, measure, serving
from benchmarks.messaging.workloads import LOADS, SERVERS

PROFILES = RESULTS.parent / "profile"
SHARES = RESULTS.parent / "shares.json"
PY_SPY = Path(sys.executable).parent / "py-spy"
WHAT = ("echo", "single", "push", "user 1", "poll", "poll push", "open")
CROWD = {"open": 5000}
"""How many connections, where fewer would be there before the server is seen often enough."""
WHERE = {
    "/benchmarks/messaging/": "the handler",
    "/sente/packers/": "sente's packers",
    "/sente/": "sente",
    "/uvicorn/": "uvicorn",
    "/websockets/": "uvicorn",
    "/uvloop/": "the event loop",
    "/asyncio/": "the event loop",
    "": "the rest of Python",
}
"""Whose a file is: the first that its path has in it. What is written in C belongs to the line that calls it, and what
the event loop does there to the line that runs it."""
WRITING = "writing to the socket"
"""Nearly all of it is in the kernel."""
FRAME = re.compile(r"\((\S+):(\d+)\)$")


def main() -> None:
    parser = argparse.ArgumentParser(description="Show where the server spends its time.")
    parser.add_argument("--server", choices=("sente", "direct"), nargs="+", default=["sente", "direct"])
    parser.add_argument("--only", choices=WHAT, nargs="+", default=WHAT)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each")
    options = parser.parse_args()
    allow_files()
    PROFILES.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for server in options.server:
        for name in options.only:
            if server in LOADS[name].servers:
                print(f"profiling {name} of {server}", file=sys.stderr, flush=True)
                drawing = PROFILES / f"{name} of {server}.svg"
                _look(server, name, options.seconds, "--output", str(drawing))
                found.setdefault(name, {})[server] = _shares(server, name, options.seconds)
                print(drawing, found[name][server])
    if {*options.only} == {*WHAT} and len(options.server) == 2:
        SHARES.write_text(json.dumps(found, indent=1) + "\n")


def _look(server: str, name: str, seconds: float, *into: str) -> None:
    looking = [str(PY_SPY), "record", "--rate", "500", *into, "--"]
    with serving(SERVERS[server], through=looking) as (port, pid):
        load = replace(LOADS[name], connections=CROWD.get(name, LOADS[name].connections))
        measure(SERVERS[server], load, port, pid, seconds)


def _shares(server: str, name: str, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        stacks = Path(folder) / "stacks"
        _look(server, name, seconds, "--format", "raw", "--full-filenames", "--output", str(stacks))
        return shares(stacks.read_text().splitlines())


def shares(stacks: Iterable[str]) -> dict[str, float]:
    """Percent of the time that each is at work. ``stacks`` are py-spy's: the functions that run, outermost first, with
    file and line, and how often they were seen. What the process does before it serves is left out."""
    seen: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        if "/asyncio/runners.py" not in stack or "importlib" in stack:
            continue  # it starts
        seen[whose(stack.rpartition(";")[2])] += int(count)
    return {who: round(100 * count / seen.total(), 1) for who, count in seen.most_common()}


def whose(frame: str) -> str:
    """Who is at work in the innermost function."""
    place = FRAME.search(frame)
    file, number = (place[1], int(place[2])) if place else ("", 0)
    if "transport.write(" in linecache.getline(file, number):
        return WRITING
    path = file.removeprefix(str(ROOT))
    return next(who for part, who in WHERE.items() if part in path)


if __name__ == "__main__":
    main()
