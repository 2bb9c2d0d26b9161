"""What a typed event costs: ``python -m benchmarks.events`` measures the registry beside the packers.

It takes a quarter of a minute, and writes ``results/events.json`` and the table of docs/reference/benchmarks.md.
"""

import json
import os
import platform
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from sente import EventRegistry
from sente.bench.table import Table, markdown
from sente.interfaces import is_plain_json
from sente.packers import get

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "events.json"
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
PACKERS = ("json", "msgpack")
STEPS = ("pack", "dump", "unpack", "load")
ROUNDS, SAMPLE = 31, 0.004


class Say(BaseModel):
    """A chat event."""

    room: str
    text: str
    by: UUID
    at: datetime


class Row(BaseModel):
    """A row of a table."""

    number: int
    name: str
    price: float
    sold: bool
    tags: list[str]
    note: str | None


MOMENT = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
SAY = Say(room="go", text="先手", by=UUID(int=7), at=MOMENT)
ROWS = [
    Row(number=n, name=f"stone {n}", price=n / 4, sold=n % 3 == 0, tags=["black", "slate"], note=None)
    for n in range(200)
]
EVENTS: dict[str, tuple[Any, Any]] = {"chat event": (Say, SAY), "table of 200 rows": (list[Row], ROWS)}


def steps(type_: Any, value: Any, packer: str, *, strict: bool) -> dict[str, Callable[[], Any]]:
    """What an event goes through, each step to be timed alone."""
    events, through = EventRegistry(strict=strict), get(packer)
    plain = is_plain_json(through)
    events.event("a/b", of=type_)
    dumped = events.dump("a/b", value, sender="server")
    wire = through.pack(dumped)
    unpacked = through.unpack(wire)
    assert events.load("a/b", unpacked, sender="server", plain=plain) == value
    return {
        "pack": lambda: through.pack(dumped),
        "dump": lambda: events.dump("a/b", value, sender="server"),
        "unpack": lambda: through.unpack(wire),
        "load": lambda: events.load("a/b", unpacked, sender="server", plain=plain),
    }


def measure() -> dict[str, dict[str, float]]:
    """Medians in µs, by event, packer and strictness, and by step. All take turns."""
    runs: dict[str, dict[str, Callable[[], Any]]] = {}
    for name, (type_, value) in EVENTS.items():
        for packer in PACKERS:
            for strict in (False, True):
                runs[f"{name}, {packer}{', strict' * strict}"] = steps(type_, value, packer, strict=strict)
    times: dict[str, dict[str, list[float]]] = {run: {step: [] for step in STEPS} for run in runs}
    for _ in range(ROUNDS):
        for run, calls in runs.items():
            for step, call in calls.items():
                times[run][step].append(timed(call))
    return {run: {step: round(median(taken), 3) for step, taken in found.items()} for run, found in times.items()}


def timed(call: Callable[[], Any]) -> float:
    """Microseconds of one call."""
    begun, count = perf_counter(), 0
    while not count or perf_counter() - begun < SAMPLE:
        for _ in range(10):
            call()
        count += 10
    return (perf_counter() - begun) / count * 1e6


def table(found: dict[str, dict[str, float]]) -> Table:
    """The packer's part, and what the registry adds."""
    rows = [["µs", "packer: pack", "registry: dump", "packer: unpack", "registry: load"]]
    return rows + [[run, *(f"{taken[step]:,.1f}" for step in STEPS)] for run, taken in found.items()]


def written(page: str, result: dict[str, Any]) -> str:
    """The page with the tables between its marks."""
    for name, text in (("events", markdown(table(result["found"]))), ("events versions", result["with"])):
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, count = mark.subn(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"the page needs one place <!-- {name} --> ... <!-- end -->, and has {count}")
    return page


def main() -> None:
    """Measure, and write it down."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, CPython {platform.python_version()}"
    of = ", ".join(f"{name} {version(name)}" for name in ("pydantic", "pydantic-core", "orjson", "ormsgpack"))
    result = {"with": f"{machine}; {of}; {ROUNDS} rounds, {date.today()}", "found": measure()}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(written(PAGE.read_text(), result))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
