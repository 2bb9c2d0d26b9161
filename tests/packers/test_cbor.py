"""CBOR: what is on the wire, what others write, the vectors of RFC 8949, and what strangers send."""

import json
import math
import random
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente import Char, ConfigError, Keyword, PackError, Symbol, TaggedValue, TypeHandler, UnpackError, Uri
from sente.packers import get
from sente.packers.cbor import CborPacker
from sente.packers.limits import UnpackLimits
from tests.packers.examples import Colour, same
from tests.packers.test_fuzz import ALIKE, values

CBOR, SORTED = CborPacker(), CborPacker(deterministic=True)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), "c0 78 18 " + b"2026-01-02T00:00:00.000Z".hex(" ")),
        (
            datetime(2026, 1, 2, 9, 0, 0, 1, timezone(timedelta(hours=9))),
            "c0 78 1b " + b"2026-01-02T00:00:00.000001Z".hex(" "),
        ),
        (date(2026, 1, 2), "d9 03 ec 6a " + b"2026-01-02".hex(" ")),
        (UUID(int=1), "d8 25 50" + " 00" * 15 + " 01"),
        (Decimal("1.50"), "c4 82 21 18 96"),
        (Decimal("-1E+3"), "c4 82 03 20"),
        (Decimal("-0.0"), "d8 1b 82 61 66 64 2d 30 2e 30"),
        (Decimal("NaN"), "d8 1b 82 61 66 63 4e 61 4e"),
        (Decimal("-Infinity"), "d8 1b 82 61 66 69 2d 49 6e 66 69 6e 69 74 79"),
        (Fraction(1, 3), "d8 1e 82 01 03"),
        (2**64 - 1, "1b ff ff ff ff ff ff ff ff"),
        (2**64, "c2 49 01" + " 00" * 8),
        (-(2**64), "3b ff ff ff ff ff ff ff ff"),
        (-(2**64) - 1, "c3 49 01" + " 00" * 8),
        ({1}, "d9 01 02 81 01"),
        (Uri("a:b"), "d8 20 63 61 3a 62"),
        (Keyword("a/b"), "d8 1b 82 61 3a 63 61 2f 62"),
        (Symbol("s"), "d8 1b 82 61 24 61 73"),
        (Char("c"), "d8 1b 82 61 63 61 63"),
        ({1: None, (1,): b"x", frozenset({2}): -0.0}, "a3 01 f6 81 01 41 78 d9 01 02 81 02 fb 80" + " 00" * 7),
        (TaggedValue("a/b", 1), "d8 1b 82 63 61 2f 62 01"),
        (TaggedValue("u", str(UUID(int=1))), "d8 25 50" + " 00" * 15 + " 01"),
        (TaggedValue("r", "a:b"), "d8 20 63 61 3a 62"),
        (TaggedValue("time/date", "2026-01-02"), "d9 03 ec 6a " + b"2026-01-02".hex(" ")),
        ([memoryview(b"a"), bytearray(b"b")], "82 41 61 41 62"),
        ([math.nan, math.inf], "82 f9 7e 00 f9 7c 00"),
        (["a"] * 24, "98 18" + " 61 61" * 24),
    ],
)
def test_what_is_written(value: Any, packed: str) -> None:
    assert CBOR.pack(value).hex(" ") == packed
    assert CBOR.pack(CBOR.unpack(bytes.fromhex(packed))).hex(" ") == packed


@pytest.mark.parametrize(
    ("packed", "value"),
    [
        ("d9d9f7 01", 1),
        ("c1 00", EPOCH),
        ("c1 20", EPOCH - timedelta(seconds=1)),
        ("c1 fb 3fe0000000000000", EPOCH + timedelta(milliseconds=500)),
        ("c0 74 323031332d30332d32315432303a30343a30305a", datetime(2013, 3, 21, 20, 4, tzinfo=UTC)),
        ("c2 40", 0),
        ("c2 42 0001", 1),
        ("c4 82 c2 41 01 c3 41 00", Decimal("-1E+1")),
        ("82 f7 a1 61 61 f7", [None, {"a": None}]),
        ("82 f7 63 e5 85 88", [None, "先"]),
        (
            "83 f7 41 f7 c0 74 323031332d30332d32315432303a30343a30305a",
            [None, b"\xf7", datetime(2013, 3, 21, 20, 4, tzinfo=UTC)],
        ),
        ("5f 41 e0 41 f7 ff", b"\xe0\xf7"),
        ("bf 9f 01 ff 61 61 ff", {(1,): "a"}),
        ("d8 1b 82 64 636d6170 82 01 02", {1: 2}),
        ("d8 1b 82 63 736574 81 01", {1}),
        ("a1 d8 1b 82 63 612f62 01 02", {TaggedValue("a/b", 1): 2}),
        ("19 0001", 1),
        ("b9 0001 61 61 01", {"a": 1}),
    ],
)
def test_what_other_writers_put_there(packed: str, value: Any) -> None:
    assert same(CBOR.unpack(bytes.fromhex(packed)), value)


VECTORS = json.loads((Path(__file__).parent / "rfc8949.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["hex"][:40])
def test_the_vectors_of_the_rfc(vector: Any) -> None:
    """Appendix A: each is read as it says, written again as it stands if it can be, or refused for a reason."""
    wire = bytes.fromhex(vector["hex"])
    if "refused" in vector:
        with pytest.raises(UnpackError, match=vector["refused"]):
            CBOR.unpack(wire)
        return
    value = eval(vector["python"], dict(globals()))
    assert same(CBOR.unpack(wire), value)
    if vector.get("again", True):
        assert SORTED.pack(value) == wire


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        ({"b": 1, "a": 2, "aa": 3}, "a3 61 61 02 61 62 01 62 61 61 03"),
        # RFC 8949, 4.2.1: by bytes; the older 4.2.3, which cbor2 calls canonical, goes by length first.
        (
            {10: 0, 100: 1, -1: 2, "z": 3, "aa": 4, (100,): 5, (-1,): 6, False: 7},
            "a8 0a 00 18 64 01 20 02 61 7a 03 62 61 61 04 81 18 64 05 81 20 06 f4 07",
        ),
        ([1.5, 1e5, 1.1, -0.0], "84 f9 3e 00 fa 47 c3 50 00 fb 3f f1 99 99 99 99 99 9a f9 80 00"),
        ({3, 1, 20000, -1}, "d9 01 02 84 01 03 19 4e 20 20"),
        (
            {frozenset({2, 1}): {"b": 1, 1: {"c": 2, "a": {3: 1, 2: 1}}}},
            "a1 d9 01 02 82 01 02 a2 01 a2 61 61 a2 02 01 03 01 61 63 02 61 62 01",
        ),
        ({(1, 2): {(): 1}}, "a1 82 01 02 a1 80 01"),
    ],
)
def test_equal_values_become_equal_bytes(value: Any, packed: str) -> None:
    assert SORTED.pack(value).hex(" ") == packed
    backwards = dict(reversed(value.items())) if isinstance(value, dict) else value
    assert SORTED.pack(backwards).hex(" ") == packed
    assert CBOR.unpack(SORTED.pack(value)) == value


@given(value=values)
def test_cbor2_reads_what_is_written(value: Any) -> None:
    for packer in (CBOR, SORTED):
        cbor2.loads(packer.pack(value), max_depth=100)


class Celsius(float):
    pass


CELSIUS = TypeHandler(tag="app/celsius", type=Celsius, encode=float, decode=Celsius)


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_handler_is_asked_about_what_cbor2_would_write(deterministic: bool) -> None:
    day = TypeHandler(tag="time/date", type=date, encode=lambda day: day.replace(year=2000))
    packer = CborPacker(types=[CELSIUS, day], deterministic=deterministic)
    assert packer.pack(Celsius(1.5)).hex(" ").startswith("d8 1b 82 6b")
    back = packer.unpack(packer.pack([Celsius(1.5)]))
    assert back == [1.5] and type(back[0]) is Celsius


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": {Keyword("k"): 1, "b": cbor2.undefined}}, r"value\.a\.b: UndefinedType cannot"),
        ([cbor2.CBORTag(28, [])], "CBORTag cannot"),
        ([{"red": 1, Colour.RED: 2}], r"value\[0\]: two keys"),
        (2**3001, "3000 bit"),
        ([{1}, "\ud800"], r"value\[1\]: .*half a character"),
        ([TaggedValue("u", "junk")], "cannot be packed under the tag 'u'"),
        ([TaggedValue("time/date", "junk")], "cannot be packed under the tag 'time/date'"),
    ],
)
def test_what_cannot_be_written(value: Any, says: str) -> None:
    for packer in (CBOR, SORTED):
        with pytest.raises(PackError, match=says):
            packer.pack(value)


def test_a_key_that_is_written_as_a_map() -> None:
    handler = TypeHandler(tag=None, type=Char, encode=lambda char: {"char": char.text})
    with pytest.raises(PackError, match="written as a map"):
        CborPacker(types=[handler]).pack({Char("a"): 1})


def until_it_is_too_deep(value: Any, step: Callable[[Any], Any]) -> tuple[Any, bytes]:
    packed = b""
    while True:
        try:
            packed = CBOR.pack(value)
        except PackError:
            return value, packed
        value = step(value)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("shape", ["list", "tagged", "set", "map", "map with other keys", "mixed"])
def test_depth_that_is_written_is_read(shape: str, hard: bool) -> None:
    value: Any = {1} if hard else 1
    steps: dict[str, Callable[[Any], Any]] = {
        "list": lambda value: [value],
        "tagged": lambda value: TaggedValue("a/b", value),
        "set": lambda value: frozenset({(value, 1)}) if not isinstance(value, set) else frozenset({1}),
        "map": lambda value: {"a": value},
        "map with other keys": lambda value: {1: value},
        "mixed": lambda value: [{"a": TaggedValue("a/b", (value, 1.5))}],
    }
    value, packed = until_it_is_too_deep(value, steps[shape])
    with pytest.raises(PackError, match="deep"):
        CBOR.pack(value)
    assert CBOR.unpack(CBOR.join([CBOR.join([packed, packed]), CBOR.part(None)]))
    with pytest.raises(UnpackError, match="depth"):
        CBOR.unpack(b"\x81" * 20 + packed)


def test_a_list_that_would_end_the_stack_of_cbor2() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(PackError, match="deep"):
        CBOR.pack(value)


HOSTILE = {
    "tag 28 means nothing": ["d81c 81 d81d 00", "d81c 01"],
    "tag 29 means nothing": ["d81d 00"],
    "tag 35 means nothing": ["d823 61 28", "81 d823 61 61"],
    "tag 36 means nothing": ["d824 61 61"],
    "tag 25 means nothing": ["d819 00"],
    "tag 256 means nothing": ["d90100 80"],
    "tag 5 means nothing": ["c5 82 1b7fffffffffffffff 01"],
    "tag 52 means nothing": ["d834 44 01010101"],
    "tag 260 means nothing": ["d90104 44 01010101"],
    "tag 261 means nothing": ["d90105 a1 44 01010101 01"],
    "tag 43000 means nothing": ["d9a7f8 82 01 02"],
    "tag 55799 means nothing": ["81 d9d9f7 01", "d9d9f7 d9d9f7 01"],
    "tag 18446744073709551615 means nothing": ["dbffffffffffffffff 01"],
    "simple value": ["e0", "81 f3", "f8 ff", "82 63 e58588 e5"],
    "tags 2 and 3": ["c2 81 01", "c3 61 61", "c2 f6", "c2 59 0179" + "ff" * 377, "c3 59 1000" + "ff" * 4096],
    "tag 1 holds": ["c1 61 61", "c1 f5", "c1 c4 82 00 01"],
    "tag 't'": ["c0 61 61", "c1 f9 7e00", "c1 f9 7c00", "c1 1b ffffffffffffffff", "c1 fb 7fefffffffffffff"],
    "tags 0, 32 and 1004": ["c0 01", "d820 01", "d903ec 00"],
    "tag 'time/date'": ["d903ec 61 61"],
    "tag 4 holds": ["c4 82 f9 3c00 01", "c4 82 01 61 31", "c4 82 f5 01"],
    "tag 'f'": ["c4 81 01", "c4 01", "c4 83 01 01 01"],
    "no decimal number": ["c4 82 1b7fffffffffffffff 01", "c4 82 3a 3b9aca00 01", "d81b 82 61 66 61 58"],
    "two whole numbers": ["d81e 82 61 31 01", "d81e 81 01", "d81e 82 c4 82 19 2328 01 01", "d81e 82 f5 01"],
    "tag 'ratio'": ["d81e 82 01 00"],
    "tag 37 holds": ["d825 41 00", "d825 61 61", "d825 80"],
    "tag 27 holds": ["d81b 80", "d81b 61 61", "d81b 82 01 01", "d81b 83 61 61 01 01"],
    "a set is": ["d90102 82 01 01", "d90102 82 01 f9 3c00", "d90102 82 01 f5"],
    "tag 'set'": ["d90102 01"],
    "neither a key": [
        "a1 d81b 82 63 612f62 81 01 02",
        "a1 a0 01",
        "a1 81 a1 01 01 01",
        "d90102 81 a0",
        "a1 d90102 81 a0 01",
        "a1 d81b 82 63 612f62 a0 01",
    ],
}
BROKEN = [
    "",
    "18",
    "1c",
    "61",
    "61 ff",
    "7f 61 c3 61 a9 ff",
    "9b ffffffffffffffff",
    "9b 7fffffffffffffff",
    "bb 00000000ffffffff",
    "5b ffffffffffffffff",
    "7b 00000000ffffffff",
    "5f 00 ff",
    "5f 5f 40 ff ff",
    "9f 01",
    "bf 01 ff",
    "81 ff",
    "ff",
    "df 01",
    "f8 18",
    "01 02",
    "80 00",
    "d9d9f7",
    "a2 01 01 01 02",
    "a2 01 01 f9 3c00 02",
    "a2 61 61 01 7f 61 61 ff 02",
    "bf 01 01 01 02 ff",
    "81" * 300 + "01",
    "9f" * 300,
    "c1" * 300 + "01",
    "d8 1b 82 61 78" * 200 + "01",
    "a1 01" * 300 + "01",
]


@pytest.mark.parametrize(
    ("wire", "says"),
    [pytest.param(wire, says, id=f"{says}: {wire[:30]}") for says, wires in HOSTILE.items() for wire in wires],
)
def test_hostile_cbor(wire: str, says: str) -> None:
    with pytest.raises(UnpackError, match=says):
        CBOR.unpack(bytes.fromhex(wire))


@pytest.mark.parametrize("wire", BROKEN)
def test_broken_cbor(wire: str) -> None:
    # What ends too early is read on into the word behind it: anything may be wrong then.
    with pytest.raises(UnpackError):
        CBOR.unpack(bytes.fromhex(wire))


def map_of(keys: list[Any]) -> bytes:
    return b"\xb9" + len(keys).to_bytes(2) + b"".join(CBOR.pack(key) + b"\x01" for key in keys)


@pytest.mark.parametrize(
    "wire",
    [
        b"\xd9\x01\x02" + CBOR.pack(ALIKE),
        map_of(ALIKE),
        map_of([number << 61 for number in range(8, 2**15)] + [number * (2**61 - 1) for number in range(8, 2**15)]),
        b"\x82\xa1\x61a\x01" + map_of([(value,) for value in ALIKE]),
        b"\x81\xd8\x1b\x82\x64cmap" + CBOR.pack([half for value in ALIKE for half in (value, 1)]),
    ],
    ids=["set", "map", "map of bignums", "map of lists", "cmap"],
)
@pytest.mark.timeout(10)
def test_what_is_chosen_to_collide_takes_no_time(wire: bytes) -> None:
    with pytest.raises(UnpackError, match="have the same hash"):
        CBOR.unpack(wire)


def test_a_text_frame_is_no_cbor() -> None:
    with pytest.raises(UnpackError, match="a text frame"):
        CBOR.unpack("\x01")


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80" * 8_000_000,
        b"\x9a\x00\x7a\x12\x00" + b"\x80" * 8_000_000,
        b"\x81" * 8_000_000,
        b"\xc6" * 8_000_000,
        b"\x9f" * 8_000_000,
        b"\xd9\x01\x02\x81" * 2_000_000,
        b"\xbf" * 8_000_000,
        b"\x9b\x00\x00\x00\x01\x00\x00\x00\x00" * 800_000,
        b"\x9a\x00\x7a\x12\x00" + b"\xe0" * 8_000_000,
        b"\xc2\x5a\x00\x7a\x11\xf0" + b"\xff" * 7_999_984,
    ],
    ids=lambda bomb: bomb[:12].hex(),
)
def test_bombs_take_no_memory(bomb: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(UnpackError):
        CBOR.unpack(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * len(bomb)


def test_what_is_counted() -> None:
    packer = CborPacker(limits=UnpackLimits(containers=100))
    for item in (b"\x80", b"\xa0", b"\xc1\x00", b"\xd9\x01\x02\x80", b"\x9f\xff"):
        with pytest.raises(UnpackError, match="more than the 100 arrays, maps and tags"):
            packer.unpack(b"\x98\xc8" + item * 200)
        assert len(packer.unpack(b"\x98\x30" + item * 48)) == 48
    # Full of bytes that look like heads, in each form that holds them.
    for value in (
        ["先" * 40] * 90,
        [b"\x80" * 300] * 90,
        [b"\x80" * 70_000],
        "é" * 40_000,
        [1e-300 / 7] * 90,
        [0x8080, 0x80808080, 2**63 + 7] * 30,
    ):
        assert packer.unpack(packer.pack(value)) == value
    assert packer.unpack(b"\x9f" + (b"\x5f" + b"\x42\x80\x80" * 200 + b"\xff") + b"\xf7\xff") == [b"\x80" * 400, None]


@given(raw=st.binary(max_size=40))
def test_rubbish(raw: bytes) -> None:
    with suppress(UnpackError):
        CBOR.unpack(raw)


def test_much_rubbish() -> None:
    """Whatever cbor2 raises, panics of its Rust among it, is an ``UnpackError``; and what is read can be written."""
    chance = random.Random(8949)
    heads = bytes([*range(0x20, 0x28), *range(0x40, 0x44), *range(0x60, 0x64), 0x5F, 0x7F, *range(0x80, 0x85), 0x9F])
    heads += bytes(
        [*range(0xA0, 0xA4), 0xBF, *range(0xC0, 0xC6), 0xD8, 0x1B, 0x1E, 0x20, 0x25, 0xD9, 1, 2, 0xF6, 0xF9, 0xFB, 0xFF]
    )
    read = 0
    for _ in range(30_000):
        raw = bytes(chance.choices(heads, k=chance.randrange(1, 24)))
        with suppress(UnpackError):
            value = CBOR.unpack(raw)
            read += 1
            assert same(CBOR.unpack(CBOR.pack(value)), value), raw.hex()
    assert read > 100


def test_without_cbor2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cbor2", None)
    monkeypatch.delitem(__import__("sys").modules, "sente.packers.cbor")
    with pytest.raises(ConfigError, match=r'pip install "sente-channels\[cbor\]"'):
        get("cbor")


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65535, 65536])
def test_any_number_of_parts(size: int) -> None:
    joined = CBOR.join([CBOR.part(1)] * size)
    assert joined == CBOR.pack([1] * size)
    assert CBOR.unpack(CBOR.frame(joined)) == [1] * size


def test_floats_of_any_length() -> None:
    for number in (0.0, -0.0, 1.5, 65504.0, 5.960464477539063e-8, 3.4028234663852886e38, 1.1, 5e-324):
        assert struct.pack(">d", CBOR.unpack(SORTED.pack(number))) == struct.pack(">d", number)
