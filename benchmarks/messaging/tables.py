"""What a run of the messaging benchmark found, as tables."""

from collections import Counter
from statistics import median
from typing import TypeAlias

from benchmarks.messaging.workloads import LOADS, SERVERS, TABLES, TARGETS, Load, Target
from sente.bench.table import Table, markdown

Found: TypeAlias = dict[str, dict[str, list[list[float | None]]]]
"""By load and server, what each round measured: the figure, µs of the server's CPU for each, percent of a core that
the load took."""

BASE = "socketio"
BUSY = 95
"""Percent of its core: a load that takes more may be slower than the server, whose figure is then one that it reaches
at least."""


def tables(found: Found) -> dict[str, str]:
    """All of them as Markdown, by title."""
    drawn = {title: table(found, loads) for title, loads in TABLES.items()}
    return {
        **{title: markdown(rows) for title, rows in drawn.items() if len(rows) > 1},
        "targets": markdown(targets(found)),
    }


def table(found: Found, loads: tuple[str, ...]) -> Table:
    """Medians, the least and the most; in relation to python-socketio, where it was measured."""
    loads = tuple(load for load in loads if load in found)
    rows = [["on one core", *(LOADS[load].unit for load in loads)]]
    for name, server in SERVERS.items():
        cells = [_cell(found[load], name, LOADS[load]) for load in loads]
        if any(cells):
            rows.append([server.title, *cells])
    return rows


def _cell(found: dict[str, list[list[float | None]]], server: str, load: Load) -> str:
    if server not in found:
        return ""
    figures = sorted(figure(found, server))
    text = _written(median(figures), load)
    if len(figures) > 1:
        text += f" [{_written(figures[0], load)}-{_written(figures[-1], load)}]"
    if base := median(figure(found, BASE)) if BASE in found else 0:
        text += f", {median(figures) / base:.2f}×"
    if None not in (cost := [each[1] for each in found[server]]):
        text += f", {median(each for each in cost if each is not None):.3g} µs CPU"
    return text + (", the load was full" if busy(found, server) else "")


def _written(value: float, load: Load) -> str:
    return f"{value:,.1f}" if load.what in ("idle", "rest") else f"{value:,.0f}"


def figure(found: dict[str, list[list[float | None]]], server: str) -> list[float]:
    """What each round measured."""
    return [each[0] or 0.0 for each in found[server]]


def busy(found: dict[str, list[list[float | None]]], server: str) -> bool:
    """Whether the load may have been slower than the server."""
    return median(each[2] or 0.0 for each in found[server]) >= BUSY


def targets(found: Found) -> Table:
    """What was set out for, and what was measured: of speeds the ratio, and the same by CPU of the server.

    The smaller one counts, as a server that waits for its load is not measured by its speed; where the load was full
    the one by CPU."""
    rows = [["", "in relation to", "target", "measured", "by CPU"]]
    for target in TARGETS:
        measured = found.get(target.load, {})
        if target.server in measured and (not target.peer or target.peer in measured):
            rows.append(_target(target, measured))
    return rows


def shares_table(found: dict[str, dict[str, dict[str, float]]]) -> Table:
    """Percent of a server's time, by load and server, of each who is at work there; the busiest first."""
    total: Counter[str] = Counter()
    for shares in found.values():
        for share in shares.values():
            total.update(share)
    who = [name for name, _ in total.most_common()]
    rows = [["% of the time", *who]]
    for load, shares in found.items():
        for server, share in shares.items():
            title = f"{LOADS[load].unit}: {SERVERS[server].title}"
            rows.append([title, *(f"{share.get(name, 0):.0f}" for name in who)])
    return rows


def _target(target: Target, found: dict[str, list[list[float | None]]]) -> list[str]:
    name = f"{LOADS[target.load].unit}: {SERVERS[target.server].title}"
    mine = median(figure(found, target.server))
    if not target.peer:
        missed = mine > target.goal
        return [name, "", f"{target.goal:g}", f"{mine:.1f}{', missed' if missed else ''}", ""]
    ratio = mine / median(figure(found, target.peer))
    costs = [median(each[1] or 0.0 for each in found[server]) for server in (target.peer, target.server)]
    by_cpu = costs[0] / costs[1] if costs[1] else 0.0
    full = busy(found, target.server) or busy(found, target.peer)
    verdict = "" if (by_cpu if full else min(ratio, by_cpu)) >= target.goal else ", missed"
    return [name, SERVERS[target.peer].title, f"{target.goal:g}×", f"{ratio:.2f}×{verdict}", f"{by_cpu:.2f}×"]
