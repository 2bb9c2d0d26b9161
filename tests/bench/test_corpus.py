"""The payloads: the same in every run, of the sizes they claim, and compared by type."""

import datetime
import subprocess
import sys
import uuid
from collections import OrderedDict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sente.bench import corpus as module
from sente.bench.corpus import corpus, public_corpus, same
from sente.bench.run import _json_size

SIZES = {"ack": 16, "chat event": 100, "form": 1009, "table": 28_730, "config": 47_694}


def test_there_is_a_dozen_and_more() -> None:
    names = [payload.name for payload in corpus()]
    assert len(set(names)) == len(names) >= 12


def test_they_are_of_the_sizes_they_are_chosen_for() -> None:
    sizes = {payload.name: _json_size(payload) for payload in corpus()}
    assert {name: sizes[name] for name in SIZES} == SIZES


def test_they_are_the_same_in_every_process() -> None:
    program = "from sente.bench.corpus import corpus; print([p.value for p in corpus() if p.name != 'typed'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{[payload.value for payload in corpus() if payload.name != 'typed']}\n"
    assert all(same(one.value, other.value) for one, other in zip(corpus(), corpus(), strict=True))


def test_public_files_come_from_the_package_that_ships_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "shipping"
    (package / "_files").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('not to be imported')")
    (package / "_files" / "github.json").write_text('[{"id": 1}]')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "PUBLIC_PACKAGE", "shipping")
    assert [(payload.name, payload.value) for payload in public_corpus()] == [("github.json", [{"id": 1}])]


def test_without_that_package_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PUBLIC_PACKAGE", "no_such_package")
    assert public_corpus() == []


NAN = float("nan")
UTC = datetime.UTC


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"a": [1, None]}, OrderedDict(a=(1, None)), True),
        ({1, 2}, frozenset({2, 1}), True),
        (NAN, NAN, True),
        (1, 1.0, False),
        (1, True, False),
        (True, 1, False),
        (1.0, 1, False),
        ({1}, [1], False),
        ([1], {1}, False),
        ([1], [1, 2], False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, [["a", 1]], False),
        (b"a", "a", False),
        (Decimal("1.0"), 1.0, False),
        (uuid.UUID(int=1), str(uuid.UUID(int=1)), False),
        (datetime.datetime(2026, 1, 1, tzinfo=UTC), datetime.datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), False),
    ],
)
def test_what_counts_as_the_same(one: Any, other: Any, alike: bool) -> None:
    assert same(one, other) is alike


def test_the_booleans_of_transit_python_are_booleans() -> None:
    own = type("Boolean", (), {"__module__": "transit.transit_types", "__bool__": lambda self: True})()
    assert same(True, own)
    assert not same(False, own)
