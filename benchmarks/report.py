"""Writes the tables of docs/reference/benchmarks.md from results/*.json: ``python -m benchmarks.report``."""

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.messaging.plot import svg
from benchmarks.messaging.profile import SHARES
from benchmarks.messaging.run import RESULTS as MESSAGING
from benchmarks.messaging.tables import shares_table
from benchmarks.messaging.tables import tables as messaging_tables
from sente.bench import table
from sente.bench.results import Run, geometric_mean

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "packers.json"
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
PICTURE = PAGE.with_name("messaging.svg")

LARGE = 1024
"""Bytes from which on the targets are ratios; below, calls cost more than work."""

TAGGED = ["blob", "code", "typed"]
"""The payloads that need tags, or escapes, and that transit-js can carry."""


def read() -> Run:
    """The reference run."""
    return Run.from_json(RESULTS.read_text())


def read_messaging() -> dict[str, Any]:
    """The reference run of the messaging benchmark."""
    result: dict[str, Any] = json.loads(MESSAGING.read_text())
    return result


def written(page: str, run: Run, messaging: dict[str, Any]) -> str:
    """The page with the tables of the runs between its marks."""
    tables = {
        "versions": table.versions(run),
        "summary": table.markdown(table.summary_table(run)),
        "targets": table.markdown(targets_table(run)),
        "ours": table.markdown(table.ours_table(run)),
        "speed": table.markdown(table.speed_table(run)),
        **{f"messaging {title}": text for title, text in messaging_tables(messaging["found"]).items()},
        "messaging shares": table.markdown(shares_table(json.loads(SHARES.read_text()))),
        "messaging versions": f"{messaging['machine']}; {', '.join(messaging['versions'])}; "
        f"{messaging['rounds']} rounds of {messaging['seconds']:g} s, {messaging['date']}",
        "notes": "\n".join(f"- {codec.name}: {codec.note}." for codec in run.codecs if codec.note),
    }
    for name, text in tables.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, count = mark.subn(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"the page needs one place <!-- {name} --> ... <!-- end -->, and has {count}")
    return page


def targets_table(run: Run) -> table.Table:
    """What this project set out for, and what was measured. Means are geometric."""
    rows = [
        _target(run, "json", "orjson", 1.3, 1.15),
        _target(run, "auto", "orjson", 1.3, 1.15),
        _target(run, "transit", "orjson", 3, 1.3),
        _target(run, "transit", "transit-js json-verbose", 1, 1),
        _target(run, "transit", "transit-python json_verbose", 1, 1),
        _target(run, "transit", "transit-js json-verbose", 1, 1, payloads=TAGGED, note=", tagged"),
        _target(run, "msgpack", "ormsgpack + ext", 1.5, 1.5, payloads=[payload.name for payload in run.payloads]),
    ]
    return [["", "pack: target", "measured", "unpack: target", "measured"], *rows]


def _target(
    run: Run, codec: str, peer: str, pack: float, unpack: float, payloads: list[str] | None = None, note: str = ""
) -> list[str]:
    chosen = plain_payloads(run) if payloads is None else payloads
    cells = [f"{codec} / {peer}{note}"]
    for what, target in (("pack", pack), ("unpack", unpack)):
        ratios = []
        for payload in chosen:
            ours, theirs = run.row(payload, codec), run.row(payload, peer)
            mine, other = ours and getattr(ours, what), theirs and getattr(theirs, what)
            if mine and other:
                ratios.append(mine.median / other.median)
        mean = geometric_mean(ratios)
        cells += [f"{target:g}×", f"{mean:.2f}×{'' if mean <= target else ', missed'}"]
    return cells


def plain_payloads(run: Run) -> list[str]:
    """The payloads over 1 KB that are the same as plain JSON and as Transit: nothing in them needs a tag."""
    names = []
    for payload in run.payloads:
        transit, plain = run.row(payload.name, "transit"), run.row(payload.name, "orjson")
        if transit and plain and transit.size == plain.size and (plain.size or 0) > LARGE and plain.keeps == "same":
            names.append(payload.name)
    return names


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), read(), read_messaging()))
    PICTURE.write_text(svg(read_messaging()["found"]))
