"""The fast ways take no step that the exact ones would not: what orjson and ormsgpack change silently is found."""

import copy
import dataclasses
import json
import math
import pickle
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sente import Keyword, PackError, TaggedValue, TypeHandler, UnpackError
from sente.packers.builtin import read_uuid
from sente.packers.json import JsonPacker
from sente.packers.msgpack import is_finite, is_plain
from sente.packers.text import write_text
from sente.packers.transit import TransitPacker
from sente.packers.walks import compiled
from tests.packers.examples import Colour, same
from tests.packers.test_fuzz import plain_values, values

JSON, TRANSIT = JsonPacker(), TransitPacker()
both = pytest.mark.parametrize("packer", [JSON, TRANSIT], ids=lambda packer: packer.name)


def floats_of(bits: int) -> float:
    value: float = struct.unpack(">d", struct.pack(">Q", bits))[0]
    return value


# Quiet, signalling and negative NaN, some with a payload; the infinities.
NOT_FINITE = [
    floats_of(bits)
    for bits in (
        0x7FF8 << 48,
        0xFFF8 << 48,
        0x7FF0_0000_0000_0001,
        0xFFFF_FFFF_FFFF_FFFF,
        0x7FF4_CB7F_F0FF_0000,
        0x7FF0 << 48,
        0xFFF0 << 48,
    )
]
# Around it what looks like it: bytes 7f and ff, few and many, floats that are nearly infinite.
BESIDE: dict[str, list[Any]] = {
    "nothing": [],
    "null": [None],
    "few": [127, -1, 255, "\x7f", 1.5, -1.7976931348623157e308, 1.7976931348623157e308],
    "many": [127, -1, 65535] * 1000 + [1.5],
    "few in much": ["x" * 5000, 127, -1, 1.5],
}


@both
@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("bad", NOT_FINITE, ids=lambda bad: struct.pack(">d", bad).hex())
def test_no_number_that_is_none_becomes_null(packer: Any, bad: float, beside: str) -> None:
    others = BESIDE[beside]
    hidden: list[Any] = [
        [*others, bad],
        [bad, *others],
        {"a": [{"b": (others, bad)}], "z": None},
        [datetime(2026, 1, 2, tzinfo=UTC), bad, others],
        [{bad}, others],
        [Measured(bad), *others],
    ]
    for value in hidden:
        if packer is JSON:
            with pytest.raises(PackError, match="NaN and the infinities"):
                packer.pack(value)
        else:
            assert "~z" in packer.pack(value)
            assert same(packer.unpack(packer.pack([bad, *others])), [bad, *others])


@pytest.mark.parametrize("beside", BESIDE)
def test_what_is_finite_needs_no_second_look(beside: str) -> None:
    assert is_plain(BESIDE[beside])


@dataclasses.dataclass
class Measured:
    value: float


def test_what_a_handler_makes_is_looked_at() -> None:
    handler = TypeHandler(tag=None, type=Measured, encode=lambda measured: [None, measured.value])
    packer = JsonPacker(types=[handler])
    assert packer.pack([Measured(1.5), None, UUID(int=1), date(2026, 1, 2)]).startswith("[[null,1.5],null,")
    with pytest.raises(PackError, match="NaN"):
        packer.pack([Measured(math.nan)])


@given(value=values | plain_values)
def test_json_is_written_as_the_exact_way_would(value: Any) -> None:
    assert written(JSON.pack, value) == written(JSON._pack_exactly, value)


def written(pack: Callable[[Any], str], value: Any) -> str:
    try:
        return pack(value)
    except PackError as error:
        return str(error)


def test_typed_json_with_a_null_is_not_written_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JSON, "_pack_exactly", None)
    assert JSON.pack([None, {1}, UUID(int=1), datetime(2026, 1, 2, tzinfo=UTC)]).startswith("[null,[1],")


def test_typed_transit_is_not_written_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    if compiled:
        monkeypatch.setattr(TRANSIT, "_pack_exactly", None)
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    packed = TRANSIT.pack(
        [None, {1}, UUID(int=1), Keyword("a"), moment, {"d": Decimal("1.50"), "b": b"\0"}, Colour.RED]
    )
    assert packed == (
        '[null,{"~#set":[1]},"~u00000000-0000-0000-0000-000000000001","~:a","~t2026-01-02T00:00:00.000Z",'
        '{"d":"~f1.50","b":"~bAA=="},"red"]'
    )


class Same(Enum):
    ONE = UUID(int=5)
    TEXT = str(UUID(int=5))


class Derived(UUID):
    pass


@given(
    value=st.lists(
        st.sampled_from(
            [
                *(UUID(int=5), str(UUID(int=5)), f'"{UUID(int=5)}"', Same.ONE, Same.TEXT, Derived(int=5)),
                *(
                    None,
                    math.nan,
                    {1},
                    frozenset({UUID(int=5)}),
                    bytearray(b"x"),
                    frozenset({math.nan}),
                    date(2026, 1, 2),
                    Keyword(str(UUID(int=5))),
                ),
                *(TaggedValue("x/y", UUID(int=5)), {"a": UUID(int=5)}, Measured(math.inf)),
            ]
        )
    )
)
@example(value=[None, bytearray(b"x"), frozenset({math.nan})])
def test_uuids_are_told_from_what_looks_like_them(value: Any) -> None:
    assert TRANSIT.pack(value) == TRANSIT._pack_exactly(value)


marked = st.text(st.sampled_from('~^`"\\,a:\n'), max_size=8)


@given(value=st.recursive(marked, lambda inner: st.lists(inner) | st.dictionaries(marked, inner)))
@example(value="~")
@example(value=['\\"~', '"~^', "\\", "~", '"', "^~", '~"', '\\\\"`'])
@example(value={'"~': "~", "\\": "~", '\\"^': "`"})
def test_marks_are_told_from_what_looks_like_them(value: Any) -> None:
    packed = TRANSIT.part(value)
    assert packed == TRANSIT._pack_exactly(value)
    assert TRANSIT.unpack(packed) == value
    escaped = packed.replace("~", "\\u007e").replace("^", "\\u005E").replace("`", "\\u0060")
    assert TRANSIT.unpack(escaped) == value


@both
@pytest.mark.parametrize("digits", [18, 19, 20, 21, 25, 300])
@pytest.mark.parametrize("sign", ["", "-"])
def test_no_whole_number_becomes_a_float(packer: Any, digits: int, sign: str) -> None:
    for number in (sign + "9" * digits, f"{sign}1{'0' * (digits - 1)}"):
        for text in (f"[{number}]", f'{{"a":[[],{number}]}}', f'[0.5,[{{"b": {number}}}]]'):
            assert same(packer.unpack(text), json.loads(text))


@both
@pytest.mark.parametrize("again", ['"a"', '"\\u0061"', ' "a"', '"a" '])
def test_no_key_is_given_twice(packer: Any, again: str) -> None:
    for text in (f'{{"a":1,{again}:1}}', f'[{{"b":{{"a":":",{again}:":"}}}}]', f'{{"x":[],"a":0.5,"c":1,{again}:0.5}}'):
        with pytest.raises(UnpackError, match="given twice"):
            packer.unpack(text)


@both
@pytest.mark.parametrize("value", [{"a": ["\ud800"]}, [{"\udfff": 1}], [None, {"~\ud800"}]])
def test_half_a_character_is_named(packer: Any, value: Any) -> None:
    with pytest.raises(PackError, match=r"value(\.a)?\[[01]\].*half a character"):
        packer.pack(value)


def test_half_a_character_in_a_tag() -> None:
    for value in (TaggedValue("a/\ud800", 1), TaggedValue("x", "\ud800")):
        with pytest.raises(PackError, match="half a character"):
            TRANSIT.pack(value)


@given(value=st.uuids())
def test_a_uuid_is_one(value: UUID) -> None:
    for text in (str(value), str(value).upper(), value.hex, f"{{{value}}}", value.urn):
        read = read_uuid(text)
        assert (read, hash(read), str(read), repr(read)) == (value, hash(value), str(value), repr(value))
        assert read.is_safe is value.is_safe
    assert pickle.loads(pickle.dumps(read)) == copy.deepcopy(read) == value
    assert write_text(read) == write_text(value)


@pytest.mark.parametrize("text", ["", "x" * 36, "0" * 36, "0" * 33, f"{'0' * 32}---x", f"{'0' * 31}g----"])
def test_what_is_no_uuid(text: str) -> None:
    with pytest.raises(UnpackError, match="tag 'u'"):
        TRANSIT.unpack(json.dumps([f"~u{text}"]))


def test_a_moment_is_in_utc_wherever_it_was_written() -> None:
    moment = datetime(2026, 1, 2, 3, tzinfo=UTC)
    for text in ("03:00:00Z", "03:00:00+00:00", "03:00:00", "05:30:00+02:30", "01:00:00-02:00"):
        (read,) = TRANSIT.unpack(f'["~t2026-01-02T{text}"]')
        assert read == moment and read.tzinfo is UTC
    assert TRANSIT.pack([moment.astimezone(timezone(timedelta(hours=-9)))]) == '["~t2026-01-02T03:00:00.000Z"]'


@pytest.mark.parametrize("number", [float(2**63), 1e19, -1e300, 5e-324, -0.0])
def test_a_float_stays_one(number: float) -> None:
    assert is_finite(b"\xcb" + struct.pack(">d", number))
    for packer in (JSON, TRANSIT):
        assert same(packer.unpack(packer.pack([number, None])), [number, None])
