"""JSON: the same values back, and a clear word about what it cannot carry."""

import dataclasses
import datetime
import json
import uuid
from contextlib import suppress
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente.errors import PackError, UnpackError
from sente.packers.json import JsonPacker

packer = JsonPacker()

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_what_is_packed_is_unpacked(value: Any) -> None:
    packed = packer.pack(value)
    assert packer.unpack(packed) == value
    assert packer.unpack(packed.encode()) == value
    assert json.loads(packed) == value  # as others read it


@given(st.lists(values))
def test_parts_are_joined_as_if_packed_together(parts: list[Any]) -> None:
    assert packer.unpack(packer.join([packer.pack(part) for part in parts])) == parts


class Colour(Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, 2), [1, 2]),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), "2026-01-02T03:04:05.000Z"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        (Point(3), {"x": 3}),
    ],
)
def test_what_becomes_plain(value: Any, plain: Any) -> None:
    assert packer.unpack(packer.pack(value)) == plain


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"photo": [1, b"x"]}, r"value\.photo\[1\]: bytes cannot"),
        ({1: "a"}, r"value: a key of type int cannot"),
        ({"a": ({"b": {1, b"x"}},)}, r"value\.a\[0\]\.b\[\d\]: bytes cannot"),
        ({"an item": [object()]}, r"value\['an item'\]\[0\]: object cannot be packed: give the packer a TypeHandler"),
        (2**64, "value: a whole number beyond 64 bit"),
        ("\ud800", "value: str with half a character"),
        ({"\ud800": 1}, "value: str with half a character"),
        ({"a": [None, float("nan")]}, r"value\.a\[1\]: NaN and the infinities"),
        (float("inf"), "value: NaN and the infinities"),
    ],
)
def test_what_cannot_be_packed_is_named_with_its_place(value: Any, says: str) -> None:
    with pytest.raises(PackError, match=says) as caught:
        packer.pack(value)
    assert caught.value.path.startswith("value")


def test_null_is_no_nan() -> None:
    assert packer.pack([None, "null", 1.5]) == '[null,"null",1.5]'


def test_what_is_nested_too_deeply_or_in_itself() -> None:
    deep: list[Any] = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(PackError):
        packer.pack(deep)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(PackError):
        packer.pack(endless)


@given(st.binary() | st.text())
def test_only_the_documented_error_comes_out(wire: Any) -> None:
    with suppress(UnpackError):
        packer.unpack(wire)


@pytest.mark.parametrize("wire", ["[" * 5000, "", "{", "NaN", b"\xff", "[1,]"])
def test_what_is_no_json(wire: Any) -> None:
    with pytest.raises(UnpackError, match="not JSON"):
        packer.unpack(wire)
