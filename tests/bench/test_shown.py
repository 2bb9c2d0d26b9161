"""A run as JSON, as tables and as pictures."""

import re
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sente.bench import table
from sente.bench.plot import save, spaced
from sente.bench.results import Run
from sente.errors import ConfigError
from tests.bench.runs import failed, row, run

FOUND = run(
    row("json", 2, 100),
    row("json", 2, 100, payload="<typed> & co", keeps="lossy"),
    row("msgpack", 30, 80),
    failed("msgpack", payload="<typed> & co"),
    row("JSON (Node)", 4, 100),
    notes={"json": "unsafe: <b>"},
    node=("JSON (Node)",),
)


def test_json_and_back() -> None:
    assert Run.from_json(FOUND.to_json()) == FOUND


@pytest.mark.parametrize("text", ["{}", "[]", '{"schema": 0}'])
def test_json_of_something_else(text: str) -> None:
    with pytest.raises(ValueError, match="no result of `sente bench`"):
        Run.from_json(text)


def test_the_terminal_is_told_everything() -> None:
    text = table.terminal(FOUND)
    assert "chat: what is said (100 bytes as JSON)" in text
    assert re.search(r"json +2\.00 \(1\.00-4\.00\) +2\.00 \(1\.00-4\.00\) +0\.20 +0\.20 +100 +50 +-\n", text)
    assert re.search(r"json .* lossy\n", text)
    assert re.search(r"msgpack .* failed: PackError: <no> word\n", text)
    assert "all payloads (geometric means)" in text
    assert "json: unsafe: <b>" in text
    assert "not measured: cbor2 (pip install cbor2)" in text
    assert "×: times as long as JSON (Node), in node" in text
    assert "3 rounds, 2026-11-24" in text


def test_one_payload_needs_no_mean() -> None:
    assert "all payloads" not in table.terminal(run(row("json", 2, 100)))


def test_markdown() -> None:
    lines = table.markdown(table.speed_table(FOUND, ["chat"])).split("\n")
    assert lines[:3] == ["| pack / unpack, µs | chat |", "| --- | ---: |", "| json | 2.00 / 2.00 |"]
    ours = table.markdown(table.ours_table(FOUND))
    assert "| <typed> & co | 0.20 / 0.20, 100 lossy | fails |" in ours


def test_svg_is_whole_and_says_what_is_where(tmp_path: Path) -> None:
    save(FOUND, tmp_path / "run.svg")
    root = ElementTree.parse(tmp_path / "run.svg").getroot()
    spoken = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(spoken) == 4
    assert any(text.startswith("json; 1 of 2 payloads come back the same; lossy; unsafe: <b>") for text in spoken)
    hollow = [element.get("class") for element in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert sorted(map(str, hollow)) == ["mark", "ours", "ours hollow"]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}rect"))) == 1  # the one in Node


def test_the_better_is_further_down_and_to_the_left(tmp_path: Path) -> None:
    save(run(row("good", 1, 10), row("bad", 90, 900)), tmp_path / "run.svg")
    marks = ElementTree.parse(tmp_path / "run.svg").getroot().iter("{http://www.w3.org/2000/svg}circle")
    at = {str(mark[0].text).split(";")[0]: (float(mark.get("cx", 0)), float(mark.get("cy", 0))) for mark in marks}
    assert at["good"][0] < at["orjson"][0] < at["bad"][0]
    assert at["good"][1] > at["orjson"][1] > at["bad"][1]  # SVG counts from above


def test_labels_do_not_lie_on_each_other(tmp_path: Path) -> None:
    save(run(*(row(f"codec{number}", 10, 100) for number in range(6))), tmp_path / "run.svg")
    texts = ElementTree.parse(tmp_path / "run.svg").getroot().iter("{http://www.w3.org/2000/svg}text")
    heights = sorted(float(text.get("y", 0)) for text in texts if str(text.text).startswith("codec"))
    assert len(heights) == 6
    assert all(below - above >= 12 for above, below in pairwise(heights))


@pytest.mark.parametrize(
    ("wanted", "places"),
    [([], []), ([1, 5], [1, 5]), ([1, 1, 5], [1, 3, 5]), ([5, 6, 6], [2, 4, 6]), ([-3], [0]), ([9], [6])],
)
def test_labels_are_near_to_what_they_name(wanted: list[float], places: list[float]) -> None:
    assert spaced(wanted, 2, 0, 6) == places


def test_html_is_complete_in_itself(tmp_path: Path) -> None:
    save(FOUND, tmp_path / "run.html")
    html = (tmp_path / "run.html").read_text()
    assert html.count("<svg ") == 3  # all together, and each payload
    assert "&lt;typed&gt; &amp; co: what is said" in html
    assert not re.search(r"(?:src|href)=|url\(|@import|<script", html)


def test_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    save(FOUND, tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_png_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ConfigError, match=r'PNG needs matplotlib: pip install "sente-channels\[bench\]"; or give \.svg'
    ):
        save(FOUND, tmp_path / "run.png")


def test_no_other_suffix(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'\.gif' is none of"):
        save(FOUND, tmp_path / "run.gif")
