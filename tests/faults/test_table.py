"""The table of faults says what the tests hold."""

import ast
import re
from pathlib import Path

import pytest

from tests.faults.test_faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "faults.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.read_text().splitlines() if line[:2] == "| "
]
HELD = {row[0]: row for row in ROWS if len(row) == 3 and row[0] != "fault"}
NAMED = [row for row in ROWS if len(row) == 4 and row[0] != "fault"]


def words(cell: str) -> set[str]:
    """What stands in backticks."""
    return set(re.findall(r"`([^`]+)`", cell))


def test_there_is_a_row_for_each_fault() -> None:
    assert list(HELD) == list(dict.fromkeys(fault.name for fault in FAULTS))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name}-{fault.transport}")
def test_a_row_says_what_is_tested(fault: Fault) -> None:
    _, seen, counted = HELD[fault.name]
    assert str(fault.answer) in words(seen)
    assert words(counted) == fault.counts and bool(fault.counts) != (counted == "–")


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row[0])
def test_a_test_that_is_named_exists(row: list[str]) -> None:
    (named,) = words(row[-1])
    path, _, test = named.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_what_is_said_to_be_counted_is_counted_somewhere() -> None:
    source = "".join(path.read_text() for path in (ROOT / "sente").rglob("*.py"))
    for word in {word for row in [*HELD.values(), *NAMED] for word in words(row[2])}:
        kind, _, which = word.partition(" ")
        literal = f'"{which}"' if kind == "ended" else "rejected {" if kind == "rejected" else f'"{word}"'
        assert literal in source, word
