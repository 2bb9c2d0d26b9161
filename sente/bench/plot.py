"""A run as a picture: bytes to the right, time upwards, so that the best is at the lower left.

SVG and HTML are written by hand and need nothing; they can be opened from disk, sent by mail, put into a page.
PNG needs matplotlib.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib import import_module
from math import ceil, floor, log10
from pathlib import Path

from sente.bench.results import CodecInfo, Row, Run
from sente.bench.summary import standings, wire_ratio
from sente.bench.table import versions
from sente.errors import ConfigError

SUFFIXES = (".html", ".svg", ".png")
PNG_NEEDS = 'PNG needs matplotlib: pip install "sente-channels[bench]"; or give .svg or .html, which need nothing'
WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 64, 210, 44, 52
LINE = 14
"""Pixels from one label to the next, so that they do not lie on each other; a run of everything has two dozen."""

X_AXIS = "bytes; 1 is the smallest form of any codec, compressed or not"
STYLE = """
svg { font: 12px system-ui, sans-serif; background: #fff; color: #222; max-width: 100%; height: auto }
text { fill: currentColor } .title { font-size: 15px; font-weight: 600 } .axis { fill: #666 }
.grid { stroke: #ddd } .even { stroke: #999; stroke-dasharray: 4 4 } .leader { stroke: #bbb }
.mark { fill: #8a8f98; stroke: #8a8f98 } .ours { fill: #0b6e4f; stroke: #0b6e4f } text.ours { stroke: none }
circle.hollow, rect.hollow { fill: #fff; stroke-width: 1.5 }
"""
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>sente bench</title>
<style>body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1480px; margin: 2rem auto; padding: 0 1rem }}
.panels {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(460px, 1fr)); gap: 1rem }}</style>
<h1>Packers: size against speed</h1>
<p>{legend}</p>
{first}
<div class="panels">
{rest}
</div>
<p>{versions}</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One codec in one panel."""

    codec: CodecInfo
    bytes: float
    time: float
    hollow: bool
    """It loses types, or is not safe."""
    says: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram."""

    title: str
    points: list[Point]


def save(run: Run, path: Path) -> None:
    """Draw a run into a file, by its suffix: ``.html`` with a panel for each payload, ``.svg`` or ``.png`` with one.

    Raises:
        ConfigError: PNG, and matplotlib is not installed.
        ValueError: another suffix.
    """
    panels = [panel for panel in [_overall(run), *_each(run)] if panel.points]
    if len(run.payloads) == 1:
        panels = panels[1:]
    match path.suffix.lower():
        case ".svg":
            path.write_text(svg(panels[0], run))
        case ".html":
            path.write_text(_page(panels, run))
        case ".png":
            _png(panels[0], run, path)
        case suffix:
            raise ValueError(f"{suffix!r} is none of {SUFFIXES}")


def _overall(run: Run) -> Panel:
    points = []
    for each in standings(run):
        if each.pack and each.unpack and each.wire:
            carried = f"{each.same} of {len(run.payloads)} payloads come back the same"
            points.append(_point(run, each.codec, each.wire, (each.pack * each.unpack) ** 0.5, each.lossy > 0, carried))
    return Panel("all payloads", points)


def _each(run: Run) -> Iterable[Panel]:
    for payload in run.payloads:
        rows = [row for row in run.rows if row.payload == payload.name]
        points = [point for row in rows if (point := _of_row(run, row))]
        yield Panel(f"{payload.name}: {payload.about}", points)


def _of_row(run: Run, row: Row) -> Point | None:
    pack, unpack, size = run.ratio(row, "pack"), run.ratio(row, "unpack"), wire_ratio(run, row)
    if not (pack and unpack and size and row.pack and row.unpack):
        return None
    says = f"{row.pack.median:.3g} + {row.unpack.median:.3g} µs, {row.size:,} bytes"
    return _point(run, run.codec(row.codec), size, (pack * unpack) ** 0.5, row.keeps == "lossy", says)


def _point(run: Run, codec: CodecInfo, size: float, time: float, lossy: bool, says: str) -> Point:
    told = [codec.name, says, *(["lossy"] if lossy else []), *([codec.note] if codec.note else []), codec.version]
    return Point(codec, size, time, lossy or "unsafe" in codec.note, "; ".join(told))


def _y_axis(run: Run) -> str:
    of = " or ".join(f"{name} ({runtime})" for runtime, name in run.yardsticks.items())
    return f"time; 1 is {of}"


def _legend(run: Run) -> str:
    return (
        f"To the right: {X_AXIS}. Upwards: {_y_axis(run)}, the geometric mean of packing and unpacking. "
        "Both axes are logarithmic; the best is at the lower left. "
        "Green: sente. Squares: in Node. Hollow: lossy, or unsafe. Point at a mark to read it."
    )


def _page(panels: list[Panel], run: Run) -> str:
    first, *rest = (svg(panel, run) for panel in panels)
    return PAGE.format(legend=escape(_legend(run)), first=first, rest="\n".join(rest), versions=escape(versions(run)))


class _Scale:
    """From ratios to pixels, in logarithms; the bounds lie a little outside of the values."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        low, high = log10(min([*values, 1])), log10(max([*values, 1]))
        margin = max(0.06 * (high - low), 0.05)
        self._low, self._high = low - margin, high + margin
        self._start, self._end = start, end

    @property
    def low(self) -> float:
        """The lower bound, as a ratio."""
        return float(10**self._low)

    @property
    def high(self) -> float:
        """The upper bound, as a ratio."""
        return float(10**self._high)

    def __call__(self, value: float) -> float:
        part = (log10(value) - self._low) / (self._high - self._low)
        return self._start + part * (self._end - self._start)

    def ticks(self) -> list[float]:
        decades = range(floor(self._low), ceil(self._high) + 1)
        ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
        return [tick for tick in ticks if self._low <= log10(tick) <= self._high]


def svg(panel: Panel, run: Run) -> str:
    """One panel as SVG, complete in itself."""
    x = _Scale([point.bytes for point in panel.points], LEFT, WIDTH - RIGHT)
    y = _Scale([point.time for point in panel.points], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img"><style>{STYLE}</style>',
        f'<text class="title" x="{LEFT}" y="22">{escape(panel.title)}</text>',
        *_axes(x, y, run),
        *_marks(panel.points, x, y),
        "</svg>",
    ]
    return "\n".join(parts)


def _axes(x: _Scale, y: _Scale, run: Run) -> Iterable[str]:
    for tick in x.ticks():
        at, kind = f"{x(tick):.1f}", "even" if tick == 1 else "grid"
        yield f'<line class="{kind}" x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        yield f'<text class="axis" x="{at}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:g}×</text>'
    for tick in y.ticks():
        at, kind = f"{y(tick):.1f}", "even" if tick == 1 else "grid"
        yield f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>'
        yield f'<text class="axis" x="{LEFT - 6}" y="{at}" dy="4" text-anchor="end">{tick:g}×</text>'
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<text class="axis" x="{LEFT}" y="{HEIGHT - 12}">{escape(X_AXIS)}</text>'
    yield (
        f'<text class="axis" transform="translate(16 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(_y_axis(run))}</text>"
    )


def _marks(points: list[Point], x: _Scale, y: _Scale) -> Iterable[str]:
    ordered = sorted(points, key=lambda point: y(point.time))
    labels = spaced([y(point.time) for point in ordered], LINE, TOP, HEIGHT - BOTTOM)
    beside = WIDTH - RIGHT + 18
    for point, label in zip(ordered, labels, strict=True):
        left, top = x(point.bytes), y(point.time)
        yield f'<line class="leader" x1="{left:.1f}" y1="{top:.1f}" x2="{beside - 4}" y2="{label:.1f}"/>'
        colour = ' class="ours"' if point.codec.ours else ""
        yield f'<text{colour} x="{beside}" y="{label:.1f}" dy="4">{escape(point.codec.name)}</text>'
    for point in ordered:
        left, top = x(point.bytes), y(point.time)
        kind = f"{'ours' if point.codec.ours else 'mark'}{' hollow' if point.hollow else ''}"
        if point.codec.runtime == "python":
            mark, shape = "circle", f'cx="{left:.1f}" cy="{top:.1f}" r="4.5"'
        else:
            mark, shape = "rect", f'x="{left - 4:.1f}" y="{top - 4:.1f}" width="8" height="8"'
        yield f'<{mark} class="{kind}" {shape}><title>{escape(point.says)}</title></{mark}>'


def spaced(wanted: list[float], apart: float, low: float, high: float) -> list[float]:
    """Places for labels in a column: as near as it goes to the wanted ones (ascending), and not on each other.

    >>> spaced([1, 1, 5], 2, 0, 6)
    [1, 3, 5]
    >>> spaced([5, 6, 6], 2, 0, 6)
    [2, 4, 6]
    """
    places: list[float] = []
    for place in wanted:
        places.append(max(place, low, places[-1] + apart if places else low))
    for index in reversed(range(len(places))):
        places[index] = min(places[index], places[index + 1] - apart if index + 1 < len(places) else high)
    return places


def _png(panel: Panel, run: Run, path: Path) -> None:
    try:
        matplotlib = import_module("matplotlib")
        matplotlib.use("agg")
        plot = import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ConfigError(f"{path}: {PNG_NEEDS}") from error
    figure, axes = plot.subplots(figsize=(11, 6.5), dpi=120, layout="constrained")
    for point in panel.points:
        colour = _colour(point)
        marker = "o" if point.codec.runtime == "python" else "s"
        face = "white" if point.hollow else colour
        axes.scatter(point.bytes, point.time, marker=marker, s=45, edgecolors=colour, facecolors=face, zorder=3)
    axes.set(xscale="log", yscale="log", xlabel=X_AXIS, ylabel=_y_axis(run), title=panel.title)
    axes.grid(which="both", color="#eee")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}×")
        axis.set_minor_formatter("")
    axes.set_xticks(_Scale([point.bytes for point in panel.points], 0, 1).ticks())
    height = _Scale([point.time for point in panel.points], 0, 1)
    axes.set_ylim(height.low, height.high)
    ordered = sorted(panel.points, key=lambda point: point.time)
    for point, label in zip(ordered, spaced([height(each.time) for each in ordered], 0.037, 0, 1), strict=True):
        axes.annotate(
            point.codec.name,
            (point.bytes, point.time),
            (1.02, label),
            textcoords="axes fraction",
            va="center",
            color=_colour(point),
            arrowprops={"arrowstyle": "-", "color": "#ccc", "linewidth": 0.7, "relpos": (0, 0.5)},
        )
    figure.savefig(path)
    plot.close(figure)


def _colour(point: Point) -> str:
    return "#0b6e4f" if point.codec.ours else "#8a8f98"
