"""A run as tables: for the terminal, and as Markdown for the documentation."""

from collections.abc import Sequence

from sente.bench.results import PayloadInfo, Row, Run, Spread
from sente.bench.summary import standings

SHOWN = ("chat event", "table", "config", "floats", "typed", "blob", "twitter.json")
"""The payloads of the table that shows every codec; the others are in the JSON and in the plot."""

Table = list[list[str]]


def terminal(run: Run) -> str:
    """All of a run, to read in a terminal."""
    parts = [_aligned(_payload_table(run, payload), _title(payload)) for payload in run.payloads]
    if len(run.payloads) > 1:
        parts.append(_aligned(summary_table(run), "all payloads (geometric means)"))
    parts.append(_legend(run))
    return "\n\n".join(parts)


def _title(payload: PayloadInfo) -> str:
    size = f" ({payload.json_size:,} bytes as JSON)" if payload.json_size is not None else ""
    return f"{payload.name}: {payload.about}{size}"


def _payload_table(run: Run, payload: PayloadInfo) -> Table:
    table = [["", "pack µs", "unpack µs", "× pack", "× unpack", "bytes", "gzip-6", "zstd-3", ""]]
    for codec in run.codecs:
        row = run.row(payload.name, codec.name)
        if row is None:
            continue
        ratios = [_times(run.ratio(row, "pack")), _times(run.ratio(row, "unpack"))]
        sizes = [_count(row.size), _count(row.gzip), _count(row.zstd)]
        says = f"failed: {row.why}" if row.keeps == "failed" else "lossy" if row.keeps == "lossy" else ""
        table.append([codec.name, _ranged(row.pack), _ranged(row.unpack), *ratios, *sizes, says])
    return table


def summary_table(run: Run) -> Table:
    """Every codec in one line."""
    table = [["codec", "× pack", "× unpack", "× bytes", "types kept", "lossy", "failed"]]
    for each in standings(run):
        means = [_times(each.pack), _times(each.unpack), _times(each.wire)]
        table.append([each.codec.name, *means, str(each.same), str(each.lossy), str(each.failed)])
    return table


def speed_table(run: Run, payloads: Sequence[str] = SHOWN) -> Table:
    """Microseconds of every codec on some payloads."""
    shown = [payload for payload in run.payloads if payload.name in payloads]
    table = [["pack / unpack, µs", *(payload.name for payload in shown)]]
    for codec in run.codecs:
        rows = [run.row(payload.name, codec.name) for payload in shown]
        table.append([codec.name, *map(_pair, rows)])
    return table


def ours_table(run: Run) -> Table:
    """The packers of this project on every payload: times in relation to the yardstick, and bytes."""
    ours = [codec for codec in run.codecs if codec.ours and codec.runtime == "python"]
    table = [["× pack / × unpack, bytes", *(codec.name for codec in ours)]]
    for payload in run.payloads:
        cells = []
        for codec in ours:
            row = run.row(payload.name, codec.name)
            if row is None or row.size is None:
                cells.append("fails" if row else "")
            else:
                times = f"{_times(run.ratio(row, 'pack'))} / {_times(run.ratio(row, 'unpack'))}"
                cells.append(f"{times}, {row.size:,}{' lossy' if row.keeps == 'lossy' else ''}")
        table.append([payload.name, *cells])
    return table


def markdown(table: Table) -> str:
    """A table as Markdown."""
    head, *body = table
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def versions(run: Run) -> str:
    """What was measured with, in a sentence."""
    of = sorted({codec.version for codec in run.codecs if codec.version})
    return f"{run.machine}; {', '.join(of)}; {run.rounds} rounds, {run.date}"


def _legend(run: Run) -> str:
    lines = [f"×: times as long as {yardstick}, in {runtime}" for runtime, yardstick in run.yardsticks.items()]
    lines += [f"{codec.name}: {codec.note}" for codec in run.codecs if codec.note]
    lines += [f"not measured: {name} ({needs})" for name, needs in run.absent.items()]
    lines.append("lossy: something came back as another type. µs: median (fastest-slowest round)")
    return "\n".join([*lines, versions(run)])


def _aligned(table: Table, title: str) -> str:
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = [title]
    for first, *cells in table:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        if not table[0][-1]:
            padded[-1] = cells[-1]  # words, not numbers
        lines.append("  " + "  ".join([first.ljust(widths[0]), *padded]).rstrip())
    return "\n".join(lines)


def _ranged(spread: Spread | None) -> str:
    return f"{_micro(spread.median)} ({_micro(spread.least)}-{_micro(spread.most)})" if spread else "-"


def _pair(row: Row | None) -> str:
    if row is None:
        return ""
    if row.pack is None or row.unpack is None:
        return "fails"
    return f"{_micro(row.pack.median)} / {_micro(row.unpack.median)}{' lossy' if row.keeps == 'lossy' else ''}"


def _micro(microseconds: float) -> str:
    """
    >>> _micro(0.254), _micro(12.34), _micro(1234.5)
    ('0.25', '12.3', '1234')
    """
    return f"{microseconds:.2f}" if microseconds < 9.995 else f"{microseconds:.{1 if microseconds < 100 else 0}f}"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
