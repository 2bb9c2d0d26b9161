"""docs/guides/observability.md names what there is, all of it and nothing else; its example is watched for real."""

import ast
import asyncio
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from opentelemetry.metrics import Counter, Histogram, NoOpMeter, NoOpMeterProvider, ObservableCounter, ObservableGauge

from sente import Client, Gauges, Rejected, RequestFailed, Stats
from sente.integrations.opentelemetry import OpenTelemetry
from sente.protocol.actions import Dropped
from tests.test_docs import ROOT, fetch, served

GUIDE = ROOT / "docs" / "guides" / "observability.md"
EXAMPLE = ROOT / "examples" / "observability"
SERVER = [path for path in sorted((ROOT / "sente").rglob("*.py")) if "client" not in path.parts]


def first_cells(heading: str) -> list[str]:
    """What stands in code in the first column of the table with this heading."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", GUIDE.read_text(), re.MULTILINE)
    assert table, heading
    return [word for row in table[1].splitlines() for word in re.findall(r"`([^`]+)`", row.split("|")[1])]


# -- words of chsk.stats


def words(path: Path) -> Iterator[str]:
    """Every word that a module counts under; of a word that is made up what it begins with."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.AugAssign(target=ast.Subscript(value=ast.Attribute(attr="stats" | "_stats"), slice=key)):
                match key:
                    case ast.Constant(value=str(word)):
                        yield word
                    case ast.JoinedStr(values=[ast.Constant(value=str(begin)), *_]):
                        yield f"{begin}…"
                    case ast.Name():
                        pass  # a word that the action Dropped brings
                    case _:
                        pytest.fail(f"{path}:{node.lineno}: a word of stats that cannot be read")
            case ast.keyword(arg="word", value=ast.Constant(value=str(word))):
                yield f"ended {word}"
            case ast.Call(func=ast.Attribute(attr="_end"), args=[ast.Constant(value=str(word))]):
                yield f"ended {word}"


def test_each_word_of_stats_is_explained() -> None:
    counted = {word for path in SERVER for word in words(path)} - {"ended …"}
    counted |= set(get_args(get_type_hints(Dropped)["what"]))
    assert {"sent", "rejected …", "ended slow"} <= counted
    assert sorted(first_cells("word")) == sorted(counted)


def test_each_gauge_is_explained() -> None:
    fields = [field.name for field in dataclasses.fields(Gauges)]
    assert sorted(first_cells("gauge")) == sorted([*fields, "sessions"])


# -- metrics


class RecordingMeter(NoOpMeter):
    made: dict[str, str]

    def _made(self, kind: str, name: str, unit: str) -> None:
        assert name not in self.made
        self.made[name] = f"{kind}, {unit}" if unit in ("s", "By") else kind

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        self._made("counter", name, unit)
        return super().create_counter(name, unit, description)

    def create_histogram(self, name: str, unit: str = "", description: str = "", **more: Any) -> Histogram:
        self._made("histogram", name, unit)
        return super().create_histogram(name, unit, description, **more)

    def create_observable_counter(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        self._made("counter", name, unit)
        return super().create_observable_counter(name, callbacks, unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        self._made("gauge", name, unit)
        return super().create_observable_gauge(name, callbacks, unit, description)


class RecordingMeters(NoOpMeterProvider):
    def __init__(self) -> None:
        self.meter = RecordingMeter("sente")
        self.meter.made = {}

    def get_meter(self, name: str, *args: Any, **options: Any) -> RecordingMeter:
        return self.meter


def test_the_metrics_are_those_of_the_guide() -> None:
    meters = RecordingMeters()
    OpenTelemetry(meter_provider=meters).begin(Stats)
    rows = re.findall(r"^\| `((?:sente|messaging)\.[\w.]+)` \| ([^|]+) \|", GUIDE.read_text(), re.MULTILINE)
    assert dict(rows) == meters.meter.made


# -- the example


def test_the_guide_shows_the_example() -> None:
    assert (EXAMPLE / "main.py").read_text() in GUIDE.read_text()


def queries() -> str:
    board = json.loads((EXAMPLE / "grafana.json").read_text())
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    alerts = re.findall(r"expr: (.*)", GUIDE.read_text())
    assert len(shown) > 12
    assert len(alerts) == 3
    return "\n".join([*shown, *alerts])


@pytest.mark.e2e
async def test_prometheus_finds_what_board_and_alerts_ask_for() -> None:
    with served(EXAMPLE, "main:app") as address:
        exposed = await asyncio.wait_for(use(address), 20)
    asked = queries()
    names = {name for name in re.findall(r"\b(?:sente|messaging)_\w+", asked) if name not in labels(exposed)}
    assert names <= set(re.findall(r"^(\w+)(?:\{| )", exposed, re.MULTILINE))
    grouped = {label for labels in re.findall(r"by \(([^)]*)\)", asked) for label in labels.split(", ")}
    compared = set(re.findall(r"(\w+)(?:!=|=~|=)", asked))
    assert grouped | compared <= labels(exposed)
    names_of_guide = {name.replace(".", "_") for name in first_cells("metric")}
    missed = {name for name in names_of_guide if not any(shown.startswith(name) for shown in names)}
    assert missed == set(), "the board shows each metric"


def labels(exposed: str) -> set[str]:
    return set(re.findall(r'[{,](\w+)="', exposed))


async def scrape(address: str, *names: str) -> str:
    """What is exposed, once all of these are."""
    while True:
        exposed = await asyncio.to_thread(fetch, f"http{address}/metrics/")
        if all(f"{name}{{" in exposed for name in names):
            return exposed
        await asyncio.sleep(0.05)


async def use(address: str) -> str:
    """Have something happen that each metric tells of, and scrape."""
    url = f"http{address}/chsk"
    async with Client(url) as client, Client(url, transport="poll") as other:
        assert await client.request("chat/say", {"text": "hi"}) == 2
        with pytest.raises(RequestFailed, match="nobody handles"):
            await other.request("chat/other")
        await scrape(address, "sente_acks_total")
    with pytest.raises(Rejected, match="may not connect"):
        async with Client(url, headers={"origin": "https://evil.example"}):
            pass
    return await scrape(address, "sente_sessions_ended_total", "sente_closes_total")
