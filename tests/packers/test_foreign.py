"""The libraries that others use read what is packed here, and what they pack is read here."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sente.packers.cbor import CborPacker
from sente.packers.edn import EdnPacker
from sente.packers.msgpack import MsgpackPacker
from sente.packers.transit import TransitPacker
from tests.packers.examples import MONEY, VALUES, expected, same

ROOT = Path(__file__).parent.parent.parent
MSGPACK, TRANSIT = MsgpackPacker(types=[MONEY]), TransitPacker(types=[MONEY])
CBOR, EDN = CborPacker(types=[MONEY]), EdnPacker(types=[MONEY])

# An object of JavaScript has string keys only, beyond 2^53 a number of it is a float, and a Date has milliseconds.
PACKED = [
    name for name in VALUES if name not in {"dict with scalar keys", "int beyond 2^53", "datetime with microseconds"}
]
CBOR_PACKED = [name for name in VALUES if name != "datetime with microseconds"]
PLAIN: list[Any] = [
    [None, True, False, 0, -1, 255, 65536, -40_000, 2**40, 1.5, -0.25, 1e300],
    {"text": "先手 😀", "nested": [[], {}, [{"a": ["~x", "^y", "`z"]}]]},
    ["x" * 20, "x" * 300, "x" * 70_000, list(range(20))],
]


@pytest.fixture(scope="module")
def answers() -> dict[str, list[Any]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    task = {
        "packed": [MSGPACK.pack(VALUES[name]).hex() for name in PACKED],
        "cborPacked": [CBOR.pack(VALUES[name]).hex() for name in CBOR_PACKED],
        "tagged": [TRANSIT.pack([VALUES[name]]) for name in VALUES],
        "edns": [EDN.pack([VALUES[name]]) for name in VALUES],
        "values": PLAIN,
    }
    done = subprocess.run(
        [node, str(Path(__file__).parent / "foreign.mjs")],
        cwd=ROOT / "js",
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Any]] = json.loads(done.stdout)
    return found


def test_msgpack_reads_and_writes_the_same(answers: dict[str, list[Any]]) -> None:
    for name, again in zip(PACKED, answers["packed"], strict=True):
        assert same(MSGPACK.unpack(bytes.fromhex(again)), expected(name)), name


def test_cbor_reads_and_writes_the_same(answers: dict[str, list[Any]]) -> None:
    for name, again in zip(CBOR_PACKED, answers["cborPacked"], strict=True):
        assert same(CBOR.unpack(bytes.fromhex(again)), expected(name)), name


# transit-js keeps milliseconds, makes characters strings, and writes the key 1.5 as the whole number "~i1.5".
COARSER = {"datetime with microseconds", "Char", "dict with scalar keys"}


def test_transit_reads_and_writes_the_same(answers: dict[str, list[Any]]) -> None:
    for name, again in zip(VALUES, answers["tagged"], strict=True):
        if name not in COARSER:
            assert same(TRANSIT.unpack(again), [expected(name)]), (name, again)


# edn-data keeps milliseconds, has floats for decimals, and no NaN and no whole numbers beyond 2^53.
LESS = {"datetime with microseconds", "Decimal", "NaN", "infinity", "int beyond 2^53"}


def test_edn_reads_and_writes_the_same(answers: dict[str, list[Any]]) -> None:
    for name, again in zip(VALUES, answers["edns"], strict=True):
        if name not in LESS:
            assert same(EDN.unpack(again), [expected(name)]), (name, again)


def with_keywords(value: Any) -> Any:
    """Its keys as the strings that they were: edn-data writes objects with keywords."""
    if isinstance(value, dict):
        return {getattr(key, "name", key): with_keywords(inner) for key, inner in value.items()}
    return [*map(with_keywords, value)] if isinstance(value, list) else value


def test_what_they_pack_is_read(answers: dict[str, list[Any]]) -> None:
    written = (answers["msgpack"], answers["cbor"], answers["transit"], answers["edn"])
    for value, packed, cbor, tagged, edn in zip(PLAIN, *written, strict=True):
        assert MSGPACK.unpack(bytes.fromhex(packed)) == value
        assert CBOR.unpack(bytes.fromhex(cbor)) == value
        assert TRANSIT.unpack(tagged) in (value, [value])
        assert with_keywords(EDN.unpack(edn)) == value
