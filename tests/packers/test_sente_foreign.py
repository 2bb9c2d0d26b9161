"""What Sente's packers write is read by the libraries of JavaScript that others use, and read again."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sente import Char, Extension, Keyword, Symbol
from sente.packers.sente_msgpack import SenteMsgpackPacker
from sente.packers.transit_json import TransitJsonPacker
from tests.packers.examples import VALUES, same

TRANSIT, MSGPACK = TransitJsonPacker(), SenteMsgpackPacker()

TEXTS: list[Any] = [
    [{Keyword("name"): f"n{number}", "text": {Keyword(f"key-{number % 7}")}} for number in range(60)],
    [Keyword(f"word-{number}") for number in range(2_000)] + [Keyword("word-0"), Keyword("word-1999")],
    [{f"long key {number % 50}": Symbol(f"sym{number}")} for number in range(3_000)],
    *(VALUES[name] for name in ("dict", "UUID", "set", "bytes", "datetime with time zone", "int beyond 2^53", "Uri")),
]

# Each value, and what a reader that knows no extension makes of it.
FRAMES: list[tuple[Any, Any]] = [
    ([0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1], [0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1]),
    ([-1, -32, -33, -128, -129, -(2**15), -(2**31)], [-1, -32, -33, -128, -129, -(2**15), -(2**31)]),
    ([2**32, 2**63 - 1, -(2**63)], [{"big": str(number)} for number in (2**32, 2**63 - 1, -(2**63))]),
    ([None, True, False, 1.5], [None, True, False, 1.5]),
    (["a" * 31, "a" * 32, "先" * 100], ["a" * 31, "a" * 32, "先" * 100]),
    ([b"", b"\1" * 300, list(range(20))], [{"bytes": ""}, {"bytes": "01" * 300}, list(range(20))]),
    ([Keyword("a"), Keyword("chat/say")], [{"ext": 0, "hex": "61"}, {"ext": 0, "hex": b"chat/say".hex()}]),
    ([Symbol("s"), Char("c"), {7}], [{"ext": 1, "hex": "73"}, {"ext": 2, "hex": "63"}, {"ext": 4, "hex": "9107"}]),
    ([UUID(int=0)], [{"ext": 9, "hex": str(UUID(int=0)).encode().hex()}]),
    ([Extension(106, b"\2" * size) for size in (0, 1, 2, 3, 4, 8, 15, 16, 17, 255, 256, 70_000)],
     [{"ext": 106, "hex": "02" * size} for size in (0, 1, 2, 3, 4, 8, 15, 16, 17, 255, 256, 70_000)]),
]  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> dict[str, list[Any]]:
    node = shutil.which("node")
    assert node, "these tests need Node"
    task = {
        "transit": [TRANSIT.pack(value) for value in TEXTS],
        "msgpack": [MSGPACK.pack(value).hex() for value, _ in FRAMES],
    }
    done = subprocess.run(
        [node, str(Path(__file__).parent / "sente.mjs")],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, list[Any]] = json.loads(done.stdout)
    return told


def test_transit_js_reads_and_writes_the_codes(answers: dict[str, list[Any]]) -> None:
    for value, text in zip(TEXTS, answers["transit"], strict=True):
        assert same(TRANSIT.unpack(text), TRANSIT.unpack(TRANSIT.pack(value)))
    for value, text in zip(TEXTS[:2], answers["transit"], strict=False):
        assert text == TRANSIT.pack(value), "the same codes for the same strings"
    # Where all codes are used up, transit-js begins anew before it looks, transit-java and we after.
    assert answers["transit"][2] != TRANSIT.pack(TEXTS[2])


def test_a_library_reads_each_form_of_msgpack(answers: dict[str, list[Any]]) -> None:
    for (_, expected), shown in zip(FRAMES, answers["msgpack"], strict=True):
        assert shown == expected
