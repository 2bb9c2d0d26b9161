"""What is on the wire, byte for byte; and what other writers of the formats put there."""

import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest

from sente import Char, ConfigError, Keyword, PackError, Symbol, TaggedValue, UnpackError, Uri
from sente.packers.cbor import CborPacker
from sente.packers.edn import EdnPacker
from sente.packers.json import JsonPacker
from sente.packers.msgpack import MsgpackPacker
from sente.packers.negotiation import Spoken, for_peer, packers
from sente.packers.transit import TransitPacker
from sente.packers.walks import compiled
from tests.packers.examples import same
from tests.packers.test_negotiation import Reversed

TRANSIT, MSGPACK, CBOR = TransitPacker(), MsgpackPacker(), CborPacker()
JSON, EDN = JsonPacker(), EdnPacker()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), "d6 ff 69 57 0a 80"),
        (datetime(2026, 1, 2, 9, tzinfo=timezone(timedelta(hours=9))), "d6 ff 69 57 0a 80"),
        (EPOCH + timedelta(microseconds=1), "d7 ff 00 00 0f a0 00 00 00 00"),
        (EPOCH + timedelta(seconds=2**32), "d7 ff 00 00 00 01 00 00 00 00"),
        (EPOCH - timedelta(seconds=1), "c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff"),
        (EPOCH + timedelta(seconds=2**34), "c7 0c ff 00 00 00 00 00 00 00 04 00 00 00 00"),
        (UUID(int=1), "d8 02" + " 00" * 15 + " 01"),
        (Decimal("1.50"), "d6 03 31 2e 35 30"),
        (2**64, "c7 09 04 01" + " 00" * 8),
        (-(2**63) - 1, "c7 09 04 ff 7f" + " ff" * 7),
        ({1}, "d5 05 91 01"),
        (Keyword("a/b"), "c7 03 07 61 2f 62"),
        (Symbol("s"), "c7 05 01 92 a1 24 a1 73"),
        ({1: None, None: b"x"}, "82 01 c0 c0 c4 01 78"),
        ({(1,): 2}, "c7 0a 01 92 a4 63 6d 61 70 92 91 01 02"),
        ({2**64: 1}, "c7 14 01 92 a4 63 6d 61 70 92 c7 09 04 01" + " 00" * 8 + " 01"),
        (TaggedValue("a/b", 1), "c7 06 01 92 a3 61 2f 62 01"),
        (TaggedValue("u", str(UUID(int=1))), "d8 02" + " 00" * 15 + " 01"),
        (TaggedValue("t", "1970-01-01T00:00:00Z"), "d6 ff 00 00 00 00"),
        (TaggedValue("f", "1"), "d4 03 31"),
        (TaggedValue(":", "k"), "d4 07 6b"),
    ],
)
def test_msgpack(value: Any, packed: str) -> None:
    assert MSGPACK.pack(value).hex(" ") == packed
    assert MSGPACK.pack(MSGPACK.unpack(bytes.fromhex(packed))).hex(" ") == packed


@pytest.mark.parametrize(
    ("packed", "value"),
    [
        ("ca 3f c0 00 00", 1.5),
        ("cc 01", 1),
        ("cd 00 01", 1),
        ("ce 00 00 00 01", 1),
        ("cf 00 00 00 00 00 00 00 01", 1),
        ("d0 ff", -1),
        ("d1 ff ff", -1),
        ("d2 ff ff ff ff", -1),
        ("d3 ff ff ff ff ff ff ff ff", -1),
        ("92 cc 01 e0", [1, -32]),
        ("92 cc 01 c3", [1, True]),
        ("d9 01 61", "a"),
        ("da 00 01 61", "a"),
        ("db 00 00 00 01 61", "a"),
        ("c5 00 01 61", b"a"),
        ("c6 00 00 00 01 61", b"a"),
        ("dc 00 01 c0", [None]),
        ("dd 00 00 00 01 c2", [False]),
        ("de 00 01 a1 61 01", {"a": 1}),
        ("df 00 00 00 01 a1 61 01", {"a": 1}),
        ("c7 01 07 6b", Keyword("k")),
        ("c8 00 01 07 6b", Keyword("k")),
        ("81 d4 07 6b d6 ff 00 00 00 00", {Keyword("k"): EPOCH}),
        ("82 d4 07 6b 01 d4 07 6c d4 03 31", {Keyword("k"): 1, Keyword("l"): Decimal(1)}),
        ("92 d4 07 6b cc 01", [Keyword("k"), 1]),
        ("81 92 01 02 03", {(1, 2): 3}),
        ("d7 ff 00 00 00 04 00 00 00 00", EPOCH),  # a nanosecond, which Python has no room for
        ("c7 0c ff 00 00 00 00 00 00 00 00 00 00 00 00", EPOCH),
        ("c7 07 01 92 a4 63 6d 61 70 90", {}),
    ],
)
def test_msgpack_of_other_writers(packed: str, value: Any) -> None:
    assert same(MSGPACK.unpack(bytes.fromhex(packed)), value)


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (["~", "^x", "`y", "a~", '"~', "\\"], '["~~","~^x","~`y","a~","\\"~","\\\\"]'),
        ({"~a": "^", '\\"~': '"^'}, '{"~~a":"~^","\\\\\\"~":"\\"^"}'),
        ([b"\0\xff", "~"], '["~bAP8=","~~"]'),
        ([2**53 - 1, 2**53, -(2**53)], '[9007199254740991,"~i9007199254740992","~i-9007199254740992"]'),
        ([2**63 - 1, 2**63], '["~i9223372036854775807","~n9223372036854775808"]'),
        ([math.nan, math.inf, -math.inf], '["~zNaN","~zINF","~z-INF"]'),
        ({1: 1, None: 2, False: 3, 1.5: 4, 2**53: 5}, '{"~i1":1,"~_":2,"~?f":3,"~d1.5":4,"~i9007199254740992":5}'),
        ({UUID(int=0): "a"}, '{"~u00000000-0000-0000-0000-000000000000":"a"}'),
        ([str(UUID(int=0)), None], '["00000000-0000-0000-0000-000000000000",null]'),
        ({(1, 2): {3}}, '{"~#cmap":[[1,2],{"~#set":[3]}]}'),
        ([Keyword("a"), Symbol("b"), Uri("c"), Char("d")], '["~:a","~$b","~rc","~cd"]'),
        (Fraction(1, 3), '{"~#ratio":["~n1","~n3"]}'),
        (TaggedValue("x", "y"), '{"~#\'":"~xy"}'),
        (TaggedValue("x", ["y"]), '{"~#x":["y"]}'),
    ],
)
def test_transit(value: Any, packed: str) -> None:
    assert TRANSIT.pack(value) == packed
    assert same(TRANSIT.unpack(packed), value)


@pytest.mark.parametrize(
    ("packed", "value"),
    [
        ('["~#set",[1,2]]', {1, 2}),
        ('["~#\'",5]', 5),
        ('{"~#\'":"~:a"}', Keyword("a")),
        ('["~m1500"]', [EPOCH + timedelta(milliseconds=1500)]),
        ('["~t1970-01-01T00:00:00Z"]', [EPOCH]),
        ('["\\u007e:a"]', [Keyword("a")]),
        ('["\\u0041"]', ["A"]),
        ('{"\\u007e:a":1}', {Keyword("a"): 1}),
        ('[ "~_", "~?t", "~d1.5", "~n12" ]', [None, True, 1.5, 12]),
        ('["~xyz"]', [TaggedValue("x", "yz")]),
        ("[36893488147419103232]", [2**65]),
        ("[1.50, 1E2]", [1.5, 100.0]),
        ('{"a":{"~#cmap":["~i1",null,{"~#set":[]},1]}}', {"a": {1: None, frozenset(): 1}}),
    ],
)
def test_transit_of_other_writers(packed: str, value: Any) -> None:
    assert same(TRANSIT.unpack(packed), value)
    assert same(TRANSIT.unpack(packed.encode()), value)


class MyId(UUID):
    pass


def test_subclasses_are_what_they_extend() -> None:
    for packer in (TRANSIT, MSGPACK, CBOR, EDN):
        assert packer.unpack(packer.pack([MyId(int=1)])) == [UUID(int=1)]
        assert packer.unpack(packer.pack([bytearray(b"x"), memoryview(b"y")])) == [b"x", b"y"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([Decimal("sNaN")], r"value\[0\]: a signalling NaN"),
        ([Decimal("1" * 1001)], r"value\[0\]: a decimal number of more than 1000"),
        ([Decimal("1E+10001")], r"value\[0\]: a decimal number with an exponent beyond 10000"),
        ([Decimal("-1E-10001")], r"value\[0\]: a decimal number with an exponent beyond 10000"),
        ({"a": 2**3001}, r"value\.a: a whole number of more than 3000 bit"),
        ({1: ["\ud800"]}, r"value\[1\]\[0\]: str with half a character"),
        ({Keyword("k"): object()}, r"value\[Keyword\('k'\)\]: object cannot"),
        ([TaggedValue("a/b", {"c": object()})], r"value\[0\]\.c: object cannot"),
        ([TaggedValue("a/b", object())], r"value\[0\]: object cannot"),
    ],
)
def test_what_has_no_form_in_any_format(value: Any, says: str) -> None:
    for packer in (TRANSIT, MSGPACK, CBOR, EDN):
        with pytest.raises(PackError, match=says):
            packer.pack(value)


def test_a_tag_of_another_type() -> None:
    with pytest.raises(PackError, match="'junk' cannot be packed under the tag 'u'"):
        MSGPACK.pack([TaggedValue("u", "junk")])
    for tag in ("", "~x", "#x", "x" * 129):
        with pytest.raises(ConfigError, match="tag"):
            TaggedValue(tag, 1)
    with pytest.raises(ConfigError, match="one character"):
        Char("ab")


def test_extensions_within_each_other() -> None:
    value: Any = 1
    for _ in range(16):
        value = TaggedValue("a/b", value)
    assert MSGPACK.unpack(MSGPACK.pack(value)) == value
    with pytest.raises(PackError, match="nested more than 16 deep"):
        MSGPACK.pack(TaggedValue("a/b", value))


def deep(levels: int) -> Any:
    value: Any = {1}
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("packer", [JSON, TRANSIT, MSGPACK, CBOR, EDN], ids=lambda packer: packer.name)
def test_depth(packer: Any) -> None:
    assert packer.unpack(packer.pack(deep(240)))
    with pytest.raises(PackError, match="deep"):
        packer.pack(deep(300))


def near_the_end_of_the_stack(call: Callable[[], Any], levels: int) -> Any:
    return call() if levels == 0 else near_the_end_of_the_stack(call, levels - 1)


# The compiled part needs no stack of Python's.
STACKED = [JSON, MSGPACK, CBOR, *([] if compiled else [TRANSIT])]


@pytest.mark.parametrize("packer", STACKED, ids=lambda packer: packer.name)
def test_where_the_stack_ends(packer: Any) -> None:
    depth = 0
    frame = sys._getframe()
    while (back := frame.f_back) is not None:
        depth, frame = depth + 1, back
    levels = sys.getrecursionlimit() - depth - 150
    hard = [deep(200), {(1,): float("nan")}]  # only for the slow ways
    with pytest.raises(PackError, match=r"deep|key of type"):
        near_the_end_of_the_stack(lambda: packer.pack(hard), levels)
    wire = "[" * 200 + '"~:a"' + "]" * 200 if isinstance(packer.pack(1), str) else b"\x91" * 200 + b"\xcc\x01"
    if packer not in (JSON, CBOR):  # nor does cbor2
        with pytest.raises(UnpackError, match="deep"):
            near_the_end_of_the_stack(lambda: packer.unpack(wire), levels)


def test_what_is_spoken() -> None:
    auto, own = served = packers(["auto", Reversed()])
    spoken = Spoken(served)
    assert list(spoken.packers) == [auto, own]
    plain, compact = for_peer(auto, []), for_peer(auto, ["msgpack"])
    for packer in (plain, compact, plain, own):
        spoken.add(packer)
    assert list(spoken.packers) == [plain, compact, own]
    assert for_peer(own, ["gzip"]) is own
