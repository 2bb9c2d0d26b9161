"""The tests of delivery would notice: each rule that nothing is lost by is broken in a copy, and they fail there."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = [
    f"tests/protocol/test_{name}.py"
    for name in ("outbox", "server_session", "delivery_classes", "lossy_line", "takeover")
]


@dataclass(frozen=True)
class Mutation:
    """``new`` in the place of ``old``, which is there once."""

    name: str
    file: str
    old: str
    new: str


MUTATIONS = (
    Mutation("outbox: one more is forgotten", "outbox", "del self._sent[:new]", "del self._sent[: new + 1]"),
    Mutation("outbox: no limit", "conversation", "return len(self.outbox) >", "return False and len(self.outbox) >"),
    Mutation("dedup: what came is handled again", "inbox", "return []", "return [item]"),
    Mutation("order: what came early is handled at once", "inbox", "self.top + 1 in self._early", "self._early"),
    Mutation(
        "ack: what has not come is acknowledged",
        "conversation",
        "self._told = self._tellable",
        "self._told = self._tellable + self.inbox.has_gap",
    ),
    Mutation("ack: none goes alone", "conversation", "return self._owed_since + self._ack_delay", "return None"),
    Mutation("rewind: nothing leaves again", "outbox", "self.acked, self.acked + 1", "self.acked, self.next"),
    Mutation("stretch: always a whole batch", "outbox", "self.bytes) / 2", "self.bytes) * 2"),
    Mutation("window: as wide as one likes", "outbox", "return self._held_items >= window or", "return window < 0 and"),
    Mutation("latest: the older one leaves too", "outbox", "if item is not old]", "if item or old]"),
    Mutation(
        "take-over: what is not noted is acknowledged",
        "stored_session",
        "return max(self._told, self.secured)",
        "return self.inbox.top",
    ),
    Mutation("take-over: what is being handled counts as handled", "stored_session", "if self._open else", "if 0 else"),
    Mutation(
        "take-over: the next takes what came early",
        "stored_session",
        "pop(self._outbox.next,",
        "pop(min(self._early, default=0),",
    ),
    Mutation("volatile: it is kept", "server_session", "elif event.key is VOLATILE:", "elif not event.key:"),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, and the tests of its core, apart."""
    place = tmp_path_factory.mktemp("copy")
    dirt = shutil.ignore_patterns("__pycache__", "static")
    shutil.copytree(ROOT / "sente", place / "sente", ignore=dirt)
    shutil.copytree(ROOT / "tests", place / "tests", ignore=dirt)
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


def outcome(place: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TESTS]
    environment = os.environ | {
        "PYTHONPATH": str(place),
        "HYPOTHESIS_PROFILE": "unshrunk",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300)


def test_the_copy_is_whole(copy: Path) -> None:
    done = outcome(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_rule_that_is_broken_is_noticed(mutation: Mutation, copy: Path) -> None:
    path = copy / "sente" / "protocol" / f"{mutation.file}.py"
    whole = path.read_text()
    assert whole.count(mutation.old) == 1
    path.write_text(whole.replace(mutation.old, mutation.new))
    try:
        done = outcome(copy)
    finally:
        path.write_text(whole)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert " failed" in done.stdout
