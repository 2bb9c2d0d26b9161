"""Draws what a run of the messaging benchmark found: a panel for each of the main loads, a bar for each server."""

from statistics import median

from benchmarks.messaging.tables import Found, figure
from benchmarks.messaging.workloads import LOADS, OURS, SERVERS

PANELS = ("echo", "push", "single", "poll", "open", "idle")
WIDTH, ROW, NAME, BAR = 490, 21, 222, 175
HEAD, MARGIN, COLUMNS = 34, 18, 2
OURS_COLOUR, PEERS_COLOUR, INK, FAINT = "#0f766e", "#cbd5e1", "#0f172a", "#64748b"


def svg(found: Found) -> str:
    """The picture. In each bar the median of the rounds; a line from the least of them to the most."""
    panels = [_panel(found, load) for load in PANELS if load in found]
    columns = [panels[at::COLUMNS] for at in range(COLUMNS)]
    height = max(sum(size + MARGIN for _, size in column) for column in columns) + MARGIN
    width = COLUMNS * (WIDTH + MARGIN) + MARGIN
    drawn = []
    for at, column in enumerate(columns):
        top = MARGIN
        for text, size in column:
            drawn.append(f'<g transform="translate({MARGIN + at * (WIDTH + MARGIN)} {top})">{text}</g>')
            top += size + MARGIN
    style = f"text{{font:13px system-ui,sans-serif;fill:{INK}}}.t{{font-weight:600}}.f{{fill:{FAINT};font-size:12px}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img"><title>Messaging, beside its peers</title><style>{style}</style>'
        f'<rect width="100%" height="100%" rx="8" fill="#fff"/>{"".join(drawn)}</svg>\n'
    )


def _panel(found: Found, load: str) -> tuple[str, int]:
    """A load, the best first, and its height."""
    less_is_better = LOADS[load].what in ("idle", "rest")
    measured = {name: figure(found[load], name) for name in SERVERS if name in found[load] and not SERVERS[name].spared}
    names = sorted(measured, key=lambda name: median(measured[name]), reverse=not less_is_better)
    most = max(max(figures) for figures in measured.values())
    note = "less is better" if less_is_better else "more is better"
    parts = [
        f'<text class="t" y="13">{LOADS[load].unit}</text>'
        f'<text class="f" x="{WIDTH}" y="13" text-anchor="end">{note}</text>'
    ]
    for at, name in enumerate(names):
        figures, y = measured[name], HEAD + at * ROW
        least, middle, greatest = (value / most * BAR for value in (min(figures), median(figures), max(figures)))
        colour = OURS_COLOUR if name in OURS else PEERS_COLOUR
        shown = f"{median(figures):,.1f}" if less_is_better else f"{median(figures):,.0f}"
        parts.append(
            f'<text x="{NAME - 8}" y="{y}" text-anchor="end">{SERVERS[name].title}</text>'
            f'<rect x="{NAME}" y="{y - 11}" width="{middle:.1f}" height="14" rx="2" fill="{colour}"/>'
            f'<path d="M{NAME + least:.1f} {y - 4}H{NAME + greatest:.1f}" stroke="{INK}"/>'
            f'<text class="f" x="{NAME + BAR + 10}" y="{y}">{shown}</text>'
        )
    return "".join(parts), HEAD + len(names) * ROW - 10
