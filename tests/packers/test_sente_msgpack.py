"""MessagePack as real Sente writes it, to the byte; and nothing but ``UnpackError`` for what it does not."""

import hashlib
import inspect
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente import Char, ConfigError, Extension, Keyword, PackError, Symbol, TaggedValue, TypeHandler, UnpackError, Uri
from sente.packers import get
from sente.packers.limits import UnpackLimits
from sente.packers.sente_msgpack import SenteMsgpackPacker
from sente.testing import check_packer
from tests.packers.examples import same
from tests.packers.test_fuzz import values

PACKER = SenteMsgpackPacker()
ROWS = json.loads((Path(__file__).parent / "sente_values.json").read_text())["rows"]

# What Python reads as a value that it writes otherwise: it has one kind of float, of microseconds, and of list.
NARROWED = {
    "(float 1.5)": "92cb3ff8000000000000c0",
    '(java.time.Instant/parse "2020-01-02T03:04:05.678901234Z")': "92c70cff28773508000000005e0d5da5c0",
    "(int-array [1 -1 65536])": "929301ffce00010000c0",
    "(float-array [1.5 -2.5])": "9292cb3ff8000000000000cbc004000000000000c0",
}
LARGE = {
    "(vec (range 65536))": list(range(65536)),
    "(apply str (repeat 65535 \\y))": "y" * 65535,
    "(byte-array 65536)": bytes(65536),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["expr"][:60])
def test_what_sente_wrote_is_read_and_written_again(row: dict[str, Any]) -> None:
    written = row["jvm"]["msgpack"]
    if isinstance(written, dict):
        packed = PACKER.pack([LARGE[row["expr"]], None]).hex()
        assert hashlib.sha256(packed.encode()).hexdigest() == written["sha256"]
    elif written is not None:
        value = PACKER.unpack(bytes.fromhex(written))
        assert PACKER.pack(value).hex() == NARROWED.get(row["expr"], written)
    if isinstance(by_script := row["cljs"]["msgpack"], str):
        assert same(PACKER.unpack(PACKER.pack(value := PACKER.unpack(bytes.fromhex(by_script)))), value)


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        ([Keyword("a/b"), Symbol("c"), Char("先")], "93 c7 03 00 61 2f 62 d4 01 63 c7 03 02 e5 85 88"),
        ({1}, "d5 04 91 01"),
        (frozenset(), "d4 04 90"),
        (Fraction(-1, 300), "d6 03 ff cd 01 2c"),
        (UUID(int=1), "c7 24 09 " + b"00000000-0000-0000-0000-000000000001".hex(" ")),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), "c7 0c ff 3b 9a c6 18 ff ff ff ff ff ff ff ff"),
        ([Decimal("0.1"), Decimal("1E+999")], "92 cb 3f b9 99 99 99 99 99 9a cb 7f f0 00 00 00 00 00 00"),
        ([2**32 - 1, 2**32, 2**63 - 1], "93 ce ff ff ff ff d3 00 00 00 01 00 00 00 00 d3 7f ff ff ff ff ff ff ff"),
        ([-32, -33, -129, -(2**15) - 1, -(2**63)], "95 e0 d0 df d1 ff 7f d2 ff ff 7f ff d3 80 00 00 00 00 00 00 00"),
        ({Keyword("a"): {"a": 1}, "b": {Keyword("a"): {"a": "a"}}},
         "82 d4 00 61 81 a1 61 01 a1 62 81 d4 08 00 81 d4 08 01 a1 61"),
        ([Extension(106, b"\1"), Extension(-5, b"")], "92 d4 6a 01 c7 00 fb"),
        (TaggedValue("cmap", [1, 2]), "81 01 02"),
        (TaggedValue("n", "-5"), "fb"),
        ((1, bytearray(b"a")), "92 01 c4 01 61"),
        ({(1, 2): None}, "81 92 01 02 c0"),
    ],
)  # fmt: skip
def test_forms(value: Any, packed: str) -> None:
    assert PACKER.pack(value).hex(" ") == " ".join(packed.split())


@pytest.mark.parametrize(
    ("packed", "value"),
    [
        ("cf ff ff ff ff ff ff ff ff", 2**64 - 1),
        ("d6 ff 00 00 00 01", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("d7 ff 00 00 00 04 00 00 00 01", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("d7 07 3f f8 00 00 00 00 00 00", [1.5]),
        ("c7 00 05", []),
        ("01" + " 00" * 1023, 1),
        ("92 82 a1 61 01 a1 62 02 81 a1 61 03", [{"a": 1, "b": 2}, {"a": 3}]),
        ("93 81 a1 61 01 81 a1 61 02 81 d4 08 01 03", [{"a": 1}, {"a": 2}, {"a": 3}]),
    ],
)
def test_what_sente_does_not_write_but_read(packed: str, value: Any) -> None:
    assert same(PACKER.unpack(bytes.fromhex(packed)), value)


def test_a_key_keeps_its_number_in_sets_too() -> None:
    inner = {frozenset({Keyword("a")}): {Keyword("b"): 1}, Keyword("b"): 2}
    assert PACKER.pack(inner).hex(" ") == "82 d6 04 91 d4 00 61 81 d4 00 62 01 d4 08 00 02"
    assert PACKER.unpack(PACKER.pack(inner)) == inner


def test_only_256_keys_have_numbers() -> None:
    many: list[Any] = [{f"k{i}": i} for i in range(300)] * 2
    packed = PACKER.pack(many)
    assert packed.count(b"\xd4\x08") == 256 and packed.count(b"k299") == 2
    assert PACKER.unpack(packed) == many


def test_keys_come_back_as_keywords() -> None:
    (key,) = PACKER.unpack(PACKER.pack({Keyword("name"): 1}))
    assert type(key) is Keyword and key == "name"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": [2**63]}, r"value\.a\[0\]: a whole number beyond 64 bit"),
        ([TaggedValue("n", "9" * 30)], "beyond 64 bit"),
        ([Fraction(1, 10**30)], "beyond 64 bit"),
        ([Uri("http://a")], "no word for the tag 'r'"),
        ([date(2026, 1, 1)], "no word for the tag 'time/date'"),
        ([timedelta(1)], "no word for the tag 'time/duration'"),
        ([datetime(2026, 1, 1)], "no word for the tag 'time/date-time'"),
        ([TaggedValue("app/money", [1])], "no word for the tag 'app/money'"),
        ([TaggedValue("u", "x")], "'x' cannot be packed under the tag 'u'"),
        ([TaggedValue("cmap", [1])], "cannot be packed under the tag 'cmap'"),
        ([Keyword("\ud800")], "half a character"),
        ([{"a": object()}], r"value\[0\]\.a: object cannot be packed"),
    ],
)
def test_what_sente_has_no_word_for(value: Any, says: str) -> None:
    with pytest.raises(PackError, match=says):
        PACKER.pack(value)


def test_no_other_packer_has_a_word_for_an_extension() -> None:
    for name in ("json", "transit", "msgpack", "auto"):
        with pytest.raises(PackError, match="Sente's msgpack"):
            get(name).pack([Extension(106, b"")])
    with pytest.raises(ConfigError, match="-128 to 127"):
        Extension(128, b"")


HOSTILE = {
    "ends too early": ["", "92 01", "c7 05 00 61", "d9 ff 61", "dd ff ff ff ff"],
    "not UTF-8": ["a1 ff"],
    "tag ':'": ["d4 00 ff"],
    "tag 'c'": ["c7 02 02 61 62", "c7 00 02"],
    "tag 'u'": ["d4 09 61", "d4 09 ff"],
    "4, 8 or 12 bytes": ["d4 ff 00"],
    "means nothing": ["c1"],
    "not all of them zero": ["01 01", "01 00 01"],
    "there is no key of number": ["81 d4 08 00 01", "82 01 02 d4 08 00 01", "82 a1 61 01 d4 08 01 02"],
    "is no key": ["92 81 a1 61 01 d4 08 00", "c7 02 08 00 00", "d5 08 00 00"],
    "does not end where it says": ["d5 04 90 01", "d4 04 91 01", "c7 03 03 01 02 03"],
    "an array of": ["d4 05 00", "c7 07 07 00 00 00 00 00 00 00"],
    "a set is": ["d4 04 01", "d4 04 80", "c7 03 04 92 01 01"],
    "ratio": ["d5 03 01 00", "d5 03 90 01"],
    "given twice": ["82 a1 61 01 a1 61 02", "82 a1 61 01 d4 08 00 02", "82 a1 61 01 d4 00 61 02"],
    "neither a key": ["81 81 01 02 03"],
    "nested": ["91" * 300 + "c0", "81 01" * 300 + "c0", "c7 03 04 91 " * 300],
    "more lists": ["dc 27 10" + "90" * 10_000],
    "longer than": ["00" * 20_001],
}


@pytest.mark.parametrize("says", HOSTILE)
def test_hostile(says: str) -> None:
    packer = SenteMsgpackPacker(limits=UnpackLimits(size=20_000, containers=9_000))
    for packed in HOSTILE[says]:
        with pytest.raises(UnpackError, match=says):
            packer.unpack(bytes.fromhex(packed))
    with pytest.raises(UnpackError, match="a text frame"):
        packer.unpack("[]")


def test_sets_within_each_other_end_somewhere() -> None:
    deep, packed = frozenset[Any](), b"\xd4\x04\x90"
    for _ in range(240):
        deep = frozenset([deep])
        size = len(packed) + 1
        packed = b"\xc8" + size.to_bytes(2) + b"\x04\x91" + packed
    with pytest.raises(PackError, match="deep"):
        PACKER.pack(deep)
    with pytest.raises(UnpackError, match="nested too deeply"):
        PACKER.unpack(packed)


def test_the_end_of_the_stack_is_an_error_like_others() -> None:
    def dive(levels: int, call: Callable[[Any], Any], value: Any) -> Any:
        return dive(levels - 1, call, value) if levels else call(value)

    levels = sys.getrecursionlimit() - len(inspect.stack(0)) - 60
    nested: list[Any] = []
    for _ in range(60):
        nested = [nested]
    with pytest.raises(PackError, match="deep"):
        dive(levels, PACKER.pack, nested)
    with pytest.raises(UnpackError, match="nested too deeply"):
        dive(levels, PACKER.unpack, PACKER.pack(nested))


def test_few_bytes_do_not_mean_many() -> None:
    key, times = b"k" * 9_000, 3
    packed = b"\x94\x81\xda" + len(key).to_bytes(2) + key + b"\x01" + b"\x81\xd4\x08\x00\x01" * times
    assert len(PACKER.unpack(packed)) == 4
    with pytest.raises(UnpackError, match="written out"):
        SenteMsgpackPacker(limits=UnpackLimits(size=20_000)).unpack(packed)


def test_types_of_your_own_are_written_by_what_sente_knows() -> None:
    class Money:
        pass

    handler = TypeHandler(tag=None, type=Money, encode=lambda money: Extension(42, b"EUR"))
    assert SenteMsgpackPacker(types=[handler]).pack(Money()).hex() == "c7032a" + b"EUR".hex()
    words = TypeHandler(tag=None, type=Keyword, encode=lambda word: word.name)
    assert SenteMsgpackPacker(types=[words]).pack([Keyword("a")]).hex() == "91a161"


def test_the_contract() -> None:
    check_packer(PACKER, [Keyword("a"), {Keyword("b"): Symbol("c")}, Fraction(1, 3), b"", 1.5, 2**40])


@given(st.binary(max_size=60))
def test_any_bytes(raw: bytes) -> None:
    try:
        value = PACKER.unpack(raw)
    except UnpackError:
        return
    if not has_large(value):
        assert same(PACKER.unpack(PACKER.pack(value)), value)


def has_large(value: Any) -> bool:
    """Whether it holds a number that only a reader of ``cf`` has."""
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(has_large, value))
    if isinstance(value, dict):
        return any(map(has_large, [*value, *value.values()]))
    return type(value) is int and value >= 2**63


@given(values)
def test_any_value(value: Any) -> None:
    try:
        packed = PACKER.pack(value)
    except PackError:
        return
    back = PACKER.unpack(packed)
    assert same(PACKER.unpack(PACKER.pack(back)), back)


@given(values, st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte(value: Any, at: int, byte: int) -> None:
    try:
        packed = bytearray(PACKER.pack(value))
    except PackError:
        return
    packed[at % len(packed)] = byte
    with suppress(UnpackError):
        PACKER.unpack(bytes(packed))
