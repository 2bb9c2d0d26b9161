"""The compiled part makes the same of the same values as Python does, and raises the same."""

import gc
import json
import math
import os
import runpy
import string
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sente import PackError, TaggedValue, TypeHandler, UnpackError
from sente.packers import walks
from sente.packers.json import JsonPacker
from sente.packers.transit import TransitPacker
from sente.packers.walks import BIG, INEXACT, MARKED, OTHER
from tests.packers.examples import MONEY, Money, same
from tests.packers.test_fuzz import plain_values, values

PURE = bool(os.environ.get("SENTE_PURE"))
TRANSIT = TransitPacker(types=[MONEY])


class Own:
    """One of the application's types."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and same(other.value, self.value)


class Id(Own):
    pass


class Tags(Own):
    pass


class Price(Own):
    pass


# What handlers have taken over is theirs in the compiled part, too.
ADOPTED = TransitPacker(
    types=[
        TypeHandler(tag="u", type=Id, encode=lambda own: own.value, decode=Id),
        TypeHandler(tag="set", type=Tags, encode=lambda own: own.value, decode=Tags),
        TypeHandler(tag="f", type=Price, encode=lambda own: own.value, decode=Price),
        TypeHandler(tag=None, type=datetime, encode=lambda value: value.year),
        TypeHandler(tag="app/set", type=set, encode=sorted),
        TypeHandler(tag="app/uuid", type=UUID, encode=str),
    ]
)


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    try:
        return call(*args)
    except (PackError, UnpackError) as error:
        return repr(error)


def test_it_is_there_unless_told_otherwise() -> None:
    assert (walks.compiled is None) is PURE
    asked = "from sente.packers import walks; print(walks.compiled is None)"
    said = subprocess.run(
        [sys.executable, "-c", asked], env={**os.environ, "SENTE_PURE": "1"}, capture_output=True, text=True, check=True
    )
    assert said.stdout == "True\n"


def test_nothing_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("sente.packers._walks", raising=False)
    monkeypatch.setitem(sys.modules, "sente.packers._walks", None)  # cannot be imported
    assert runpy.run_path(walks.__file__)["compiled"] is None


WRITTEN = [
    *(2**53, -(2**53), 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 2**70, 10**2000, math.nan, math.inf, -math.inf),
    *(Decimal(text) for text in ("1.50", "-0", "1E+5", "NaN", "-Infinity", "sNaN", "9" * 101, "9" * 1001, "1E-7")),
    *(datetime(2026, 1, 2, 3, 4, 5, micro, UTC) for micro in (0, 1, 1000, 678_000, 678_901)),
    *(datetime(7, 1, 2, tzinfo=UTC), datetime(2026, 1, 2), datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5)))),
    *(
        UUID(int=0),
        UUID(int=2**128 - 1),
        UUID("01234567-89ab-cdef-0123-456789abcdef"),
        "~",
        "^é",
        "`",
        "",
        {},
        set(),
        (),
    ),
    *(
        {"~": "~"},
        {1: "~"},
        {(1,): 2},
        {"a": {"^": {3}}},
        frozenset({"~"}),
        b"",
        b"\0\1",
        Money("EUR", Decimal(1)),
        [object()],
    ),
]


@pytest.mark.parametrize("value", WRITTEN, ids=lambda value: f"{value!r:.30}")
def test_each_value(value: Any) -> None:
    check_written(value)
    check_written([1, {"a": (value, None)}])


@given(value=values | plain_values)
def test_what_is_written(value: Any) -> None:
    check_written(value)


def check_written(value: Any) -> None:
    assert outcome(TRANSIT.part, value) == outcome(TRANSIT._pack_exactly, value)


def plainly(packer: TransitPacker, wire: str) -> Any:
    """As Python alone reads it."""
    return packer._restored(json.loads(wire))


scalars = st.text(string.printable + "é", max_size=40).map(lambda rest: f"~{rest}")
WORDS = [
    *("~u00000000-0000-0000-0000-000000000001", "~uABCDEF00-0000-0000-0000-00000000000f", "~u1", "~u" + "g" * 36),
    *("~u0000000-00000-0000-0000-000000000001", "~u" + "0" * 36, "~u00000000-0000-0000-0000-00000000000é"),
    *("~t2026-01-02T03:04:05.678Z", "~t2026-02-30T03:04:05.678Z", "~t2026-01-02T03:04:05Z", "~t2026-01-02"),
    *("~t2026-01-02T03:04:05.678901Z", "~t2026-01-02T03:04:05.67890xZ", "~t2026-01-02T03:04:05+01:00"),
    *("~t2026-01-02T24:04:05.678Z", "~t0000-01-02T03:04:05.678Z", "~t2026-01-02 03:04:05.678Z"),
    *("~f1.50", "~f-0", "~f1.", "~f.5", "~f", "~f-", "~f1e5", "~fNaN", "~f" + "9" * 101, "~f" + "9" * 1001, "~f1.5x"),
    *("~i1", "~i-1", "~i", "~i-", "~i--1", "~i+1", "~i 1", "~i" + "9" * 101, "~i" + "9" * 1001, "~i1_0"),
    *(
        "~b",
        "~bAA==",
        "~bAAA=",
        "~bAAAA",
        "~bAB==",
        "~bA===",
        "~b=AAA",
        "~bAA=A",
        "~bAAAAA",
        "~b+/+/",
        "~bA-_A",
        "~bAAA-",
        "~bAA-A",
    ),
    *("~~", "~^", "~`", "~~é", "~^ ", "~", "^", "^ ", "`", "~s", "~sx", "~#", "~#set", "~?t", "~zNaN", "~:a", "~m1"),
    *("~_", "~d1.5", "~cx", "~rx", "~$x", "~xy", "~é", "é~", ""),
]
words = st.sampled_from(WORDS)
rest = (
    words
    | scalars
    | st.none()
    | st.booleans()
    | st.integers(-10, 10)
    | st.floats(allow_nan=False, allow_infinity=False)
)
tags = st.sampled_from(["~#set", "~#list", "~#cmap", "~#ratio", "~#app/money", "~#app/none", "~#'", "~#u", "~#t", "~#"])
transit = st.recursive(
    rest,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(words | st.text(max_size=3), inner, max_size=3)
        | st.tuples(tags, inner).map(list)
        | st.tuples(tags, inner).map(lambda pair: dict([pair]))
    ),
    max_leaves=10,
)


both = pytest.mark.parametrize("packer", [TRANSIT, ADOPTED], ids=["built in", "adopted"])


@both
@pytest.mark.parametrize("word", WORDS)
def test_each_word(packer: TransitPacker, word: str) -> None:
    check_read(packer, [1, {"a": word}])


@both
@given(plain=transit)
@example(plain=[["~#set", list(range(101))], {"~#set": [1, 1]}])
@example(plain=[{"~#set": [[1], [1]]}, {"~#set": "x"}, {"~#set": [{}]}])
@example(plain={"~#set": list(range(101))})
@example(plain={"~:a": 1, "a": 2})
def test_what_is_read(packer: TransitPacker, plain: Any) -> None:
    check_read(packer, plain)


def check_read(packer: TransitPacker, plain: Any) -> None:
    wire = json.dumps(plain)
    if '"^' in wire or '"\\u00' in wire:  # may be the form with a cache
        return
    read = outcome(packer.unpack, wire)
    assert same(read, outcome(plainly, packer, wire))


def test_a_handler_is_asked() -> None:
    value = [datetime(2026, 1, 2, tzinfo=UTC), {2, 1}, UUID(int=7), Price(Decimal("1.5")), frozenset({1})]
    packed = f'[2026,{{"~#app/set":[1,2]}},{{"~#app/uuid":"{UUID(int=7)}"}},"~f1.5",{{"~#set":[1]}}]'
    assert ADOPTED.pack(value) == packed == ADOPTED._pack_exactly(value)
    read = ADOPTED.unpack(f'["~u{UUID(int=8)}",{{"~#set":[2,1]}},"~f1.5","~t2026-01-02T00:00:00Z"]')
    assert read == [Id(UUID(int=8)), Tags({1, 2}), Price(Decimal("1.5")), value[0]]


class Odd(Own):
    """Says more than that it cannot be hashed."""

    def __hash__(self) -> int:
        raise ValueError("no hash")


def test_what_members_of_a_set_raise_is_an_error_of_reading() -> None:
    packer = TransitPacker(types=[TypeHandler(tag="app/odd", type=Odd, encode=lambda own: own.value, decode=Odd)])
    assert packer.unpack('[{"~#app/odd":1}]') == [Odd(1)]
    with pytest.raises(UnpackError, match="tag 'set': ValueError"):
        packer.unpack('[{"~#set":[{"~#app/odd":1}]}]')


class Tampering:
    """What changes the value that it is part of while that is written."""

    def __init__(self, change: Callable[[], Any]) -> None:
        self.change = change


@pytest.mark.parametrize("step", ["clear", "append", "pop"])
def test_a_handler_may_change_what_is_written(step: str) -> None:
    packer = TransitPacker(
        types=[TypeHandler(tag=None, type=Tampering, encode=lambda tampering: tampering.change() or {1})]
    )
    inside: list[Any] = []
    around: dict[str, Any] = {"a": inside, "b": "~x"}

    def clear() -> None:
        inside.clear()
        around.clear()

    def append() -> None:
        inside.append(Money("EUR", Decimal(1)))
        around[str(len(around))] = 1

    def pop() -> None:
        if inside and around:
            inside.pop()
            around.popitem()

    change = {"clear": clear, "append": append, "pop": pop}[step]
    inside.extend([Tampering(change) if n % 2 else f"~{n}" for n in range(50)])
    with suppress(PackError, RuntimeError):  # whatever it is: nothing crashes
        packer.pack([around, around])


def test_nothing_is_kept() -> None:
    value = [{"a": [UUID(int=5), {1, 2}, Decimal("1.5"), datetime(2026, 1, 2, tzinfo=UTC), "~x", 2**60, 2**70, 1.5]}]
    wires = [TRANSIT.pack(value), '[{"~#set":[1,1]}]', '["~uX"]', '[{"~:a":["~b=="]}]', '[{"~#app/money":[]}]']
    bad = [[{"a": [object()]}], {"a": {"~": object()}}, {(1,): [{object()}]}]

    def once() -> None:
        for wire in wires:
            outcome(TRANSIT.unpack, wire)
        for each in (value, *bad):
            outcome(TRANSIT.pack, each)

    def objects() -> int:
        gc.collect()
        return len(gc.get_objects())

    once()
    held = [value[0]["a"][3], UUID, Decimal, UTC]
    before, blocks = objects(), sys.getallocatedblocks()
    counts = [sys.getrefcount(each) for each in held]
    for _ in range(300):
        once()
    assert objects() - before < 50
    assert sys.getallocatedblocks() - blocks < 1000
    assert all(sys.getrefcount(each) - count < 50 for each, count in zip(held, counts, strict=True))


PAIRS = {
    "plain": (["a", 1, 1.5, None, True, {"b": [{}]}, ()], 0),
    "marked": ({"a": ["~"]}, MARKED),
    "marked key": ({"^": 1}, MARKED),
    "not at the start": ([" ~", "é`", "é"], 0),
    "exact": ([2**53 - 1, 1 - 2**53], 0),
    "inexact": ([2**53], INEXACT),
    "64 bit": ([2**64 - 1, -(2**63)], INEXACT),
    "beyond": ([2**64], INEXACT | BIG),
    "far below": ([-(2**63) - 1], INEXACT | BIG),
    "large float": ([float(2**63)], BIG),
    "nearly": ([float(2**63) - 1024.0], 0),
    "no number": ([float("nan")], OTHER),
    "endless": ([float("-inf")], OTHER),
    "key": ({1: 1}, OTHER),
    "type": ([{"a": UUID(int=1)}], OTHER),
    "tagged": (TaggedValue("a/b", 1), OTHER),
}


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


if walks.compiled:
    compiled = walks.compiled

    def test_what_is_found() -> None:
        for name, (value, found) in PAIRS.items():
            assert compiled.look(value) == found, name
        assert compiled.look(nested(254)) == 0 and compiled.look(nested(255)) == OTHER

    def test_what_is_proven() -> None:
        proven = ["[]", '{"a":1}', '{"a" :1,"b"\n:{}}', '{"a":"x:"}', "[1e18,-9223372036854775808]", "1"]
        unproven = [
            '{"a":1,"a":1}',
            '{"a":1,"a" :1}',
            '{"a":":","a":":"}',
            "[1e19]",
            "[-1e300]",
            '{"a":":"}',
            '{"a":{"b":1,"b":2},"c":3}',
        ]
        for wire in proven:
            assert compiled.proves(wire.encode(), json.loads(wire)), wire
        for wire in [*unproven, json.dumps(nested(255))]:
            assert not compiled.proves(wire.encode(), json.loads(wire)), wire
        many = {f"k{n}": [{"a": n}] for n in range(2000)}
        text = json.dumps(many, separators=(",", ":"))
        assert compiled.proves(text.encode(), many) and not compiled.proves(text.encode(), {**many, "more": 1})
        for wrong in [(), (b"1",), ("1", 1)]:
            with pytest.raises(TypeError, match="proves"):
                compiled.proves(*wrong)


members = st.lists(st.tuples(st.sampled_from(["a", "b", ":", '":', "a\\", "~"]), st.sampled_from([1, ":", '":"', 1.5])))


@given(pairs=members, colon=st.sampled_from([":", ": ", " :", "\t:\n"]))
def test_a_key_given_twice_is_never_missed(pairs: list[tuple[str, Any]], colon: str) -> None:
    wire = "{" + ",".join(f"{json.dumps(key)}{colon}{json.dumps(value)}" for key, value in pairs) + "}"
    for packer in (JsonPacker(), TRANSIT):
        if len(dict(pairs)) < len(pairs):
            with pytest.raises(UnpackError, match="given twice"):
                packer.unpack(wire)
        elif not any(key == "~" for key, _ in pairs):
            assert packer.unpack(wire) == dict(pairs)
