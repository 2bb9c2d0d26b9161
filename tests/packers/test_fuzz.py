"""Round trips of anything that can be packed, and rubbish: every packer raises its two errors and nothing else."""

import math
import tracemalloc
import zlib
from contextlib import suppress
from datetime import UTC, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente import Char, Keyword, Symbol, TaggedValue, UnpackError, Uri
from sente.interfaces import Packer
from sente.packers.auto import AutoPacker
from sente.packers.cbor import CborPacker
from sente.packers.codings import CODINGS, compress
from sente.packers.json import JsonPacker
from sente.packers.limits import UnpackLimits
from sente.packers.msgpack import MsgpackPacker
from sente.packers.transit import TransitPacker
from sente.packers.transit_json import TransitJsonPacker
from sente.packers.transit_msgpack import TransitMsgpackPacker
from tests.packers.examples import same

TRANSIT, MSGPACK, AUTO, JSON = TransitPacker(), MsgpackPacker(), AutoPacker(), JsonPacker()
CBOR, SORTED = CborPacker(), CborPacker(deterministic=True)
CACHING: list[Packer] = [TransitJsonPacker(), TransitMsgpackPacker()]

every_packer = pytest.mark.parametrize(
    "packer", [JSON, TRANSIT, MSGPACK, CBOR, AUTO, *CACHING], ids=lambda packer: packer.name
)
typed_packers = pytest.mark.parametrize(
    "packer",
    [TRANSIT, MSGPACK, CBOR, AUTO, *(AUTO.for_peer({coding}) for coding in CODINGS)],
    ids=lambda packer: packer.name,
)

letters = st.characters(exclude_categories=["Cs"])
texts = st.text(letters, max_size=12) | st.sampled_from(
    ["~", "^ ", "`x", "~#set", '"~', '\\"^', "~~", "\0", "null", "-"]
)
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | texts
    | st.binary(max_size=8)
    | st.uuids()
    | st.uuids().map(str)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.datetimes(timezones=st.just(UTC) | offsets).filter(lambda value: 1 < value.year < 9999)
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.builds(Keyword, texts)
    | st.builds(Symbol, texts)
    | st.builds(Uri, texts)
    | st.builds(Char, st.text(letters, min_size=1, max_size=1))
)
keys = (scalars | st.tuples(scalars, scalars)).filter(lambda key: key == key and not _holds_nan(key))
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=3)
        | st.sets(keys, max_size=3)
        | st.builds(TaggedValue, st.just("app/thing"), inner)
    ),
    max_leaves=12,
)
plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def _holds_nan(key: Any) -> bool:
    return isinstance(key, tuple) and any(isinstance(part, float) and math.isnan(part) for part in key)


@typed_packers
@given(value=values)
def test_what_is_packed_is_unpacked(packer: Any, value: Any) -> None:
    back = packer.unpack(packer.pack(value))
    assert same(back, value), back


@given(value=values | plain_values)
def test_the_fast_ways_write_what_the_exact_ones_do(value: Any) -> None:
    assert TRANSIT.part(value) == TRANSIT._pack_exactly(value)
    assert same(MSGPACK.unpack(MSGPACK.pack(value)), MSGPACK.unpack(MSGPACK._exact(value, 0)))
    assert CBOR.pack(value) == CBOR._exact(value)
    assert SORTED.pack(value) == SORTED._exact(value) == SORTED.pack(SORTED.unpack(CBOR.pack(value)))


@given(value=plain_values)
def test_plain_values_are_plain_json_unless_marked(value: Any) -> None:
    text = AUTO.for_peer(()).pack(value)
    assert JSON.unpack(TRANSIT.pack([value])) == [value] or "~" in str(text)


@typed_packers
@given(parts=st.lists(values, max_size=5))
def test_parts_are_joined_as_if_packed_together(packer: Any, parts: list[Any]) -> None:
    back = packer.unpack(packer.frame(packer.join([packer.part(part) for part in parts])))
    assert same(back, parts)


@every_packer
@given(wire=st.binary(max_size=60) | st.text(max_size=60))
def test_rubbish_raises_the_documented_error(packer: Any, wire: Any) -> None:
    with suppress(UnpackError):
        packer.unpack(wire)


@pytest.mark.parametrize(
    "packer",
    [TRANSIT, MSGPACK, CBOR, AUTO, *(AUTO.for_peer({coding}) for coding in CODINGS), *CACHING],
    ids=lambda packer: packer.name,
)
@given(value=values, at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_raises_the_documented_error(packer: Any, value: Any, at: int, byte: int) -> None:
    wire = packer.pack(value)
    raw = bytearray(wire.encode() if isinstance(wire, str) else wire)
    raw[at % len(raw)] = byte
    with suppress(UnpackError):
        packer.unpack(bytes(raw))
        packer.unpack(raw.decode(errors="surrogateescape"))


@pytest.mark.parametrize("coding", CODINGS)
@given(value=values, at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_of_what_is_compressed(coding: str, value: Any, at: int, byte: int) -> None:
    wire = bytearray(compress(MSGPACK.pack(value), coding))
    wire[at % len(wire)] = byte
    with suppress(UnpackError):
        AUTO.unpack(bytes(wire))


ALIKE = [UUID(int=number * (2**61 - 1)) for number in range(1, 2**15)]  # all of the same hash


@pytest.mark.parametrize(
    "wire",
    [
        TRANSIT.pack({"~": ALIKE}).replace('{"~~":', '{"~#set":'),
        TRANSIT.pack({"~": [*ALIKE, 1]}).replace('{"~~":', '{"~#cmap":'),
        "{" + ",".join(f'"~u{value}":1' for value in ALIKE) + "}",
        b"\xc9" + (18 * len(ALIKE) + 3).to_bytes(4) + b"\x05" + bytes(MSGPACK.pack(ALIKE)),
        b"\xde\x7f\xff" + b"".join(MSGPACK.pack(value) + b"\x01" for value in ALIKE),
    ],
    ids=["Transit set", "Transit cmap", "Transit map", "msgpack set", "msgpack map"],
)
@pytest.mark.timeout(10)
def test_what_is_chosen_to_collide_takes_no_time(wire: Any) -> None:
    """Each new key would be compared with all before it: minutes, for what 32 000 are."""
    packer: Any = TRANSIT if isinstance(wire, str) else MSGPACK
    with pytest.raises(UnpackError, match="have the same hash"):
        packer.unpack(wire)


@typed_packers
def test_a_few_that_collide_are_taken(packer: Any) -> None:
    value = [{*ALIKE[:100], *map(str, range(500))}, dict.fromkeys(ALIKE[:100], 1), {*ALIKE[:90], *range(1000)}]
    assert packer.unpack(packer.pack(value)) == value


SMALL = UnpackLimits(size=2000, containers=900)
HOSTILE_TEXT = {
    "not JSON": ["", "{", "[1,]", "NaN", "[1e999]", '"\\ud800"', '"\ud800"', b'"\xff"', "[1]x", "[1][2]", '{"a"}'],
    "given twice": ['{"a":1,"a":2}', '[{"b":{"a":1, "a":2}}]', '{"a":1,"\\u0061":2}'],
    "infinity": ["9" * 400, "-" + "9" * 400],
    "deep": ["[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300, "[" * 890 + "]" * 890],
    "longer than": ["1" * 2001, "先" * 667],
    "more than the 900 lists and maps": ["[" * 950 + "]" * 950],
}
HOSTILE_TRANSIT = {
    "begins like a tag": ['["`x"]', '["~"]', '["\\u007e"]'],
    "stands for nothing": [
        *('[["^0"]]', '{"^1":1}', '[["^ ","~:abcd",1],"^1"]', '["^[["]', '["~:a","^0"]', '[1,"^ "]'),
        *('["^"]', '["^000"]', '["~:abcd","^00"]', '["^!"]', '["^\\\\0"]', '["\\u005e"]', '["^\u0661"]'),
    ],
    "nothing to tag": ['[1,"~#set",["^ "]]', '["^ ","~#set",1]', '["^ ","a","~#set"]'],
    "tags one thing": ['["~#set",[],["^ "]]', '[["^ "],["~#a"]]', '["~#set",["~#set"],["^ "]]'],
    "no such value": [
        f'["~d{"1" * 41}"]',
        *('["~d1_0"]', '["~d 1"]', '["~dinf"]', '["~d0x1"]', '["~d\u0661"]', '["~#?","true"]'),
        *('["~?x"]', '["~_1"]', '["~d1e999"]', '["~dx"]', '["~zx"]', '["~b*"]'),
    ],
    "no whole number": [
        *('["~m1_0"]', '["~m 1"]', '["~#m","+1"]', '["~#i","1_0"]'),
        *('["~i1.5"]', '["~nx"]', '["~i1_0"]', '["~i"]', f'["~n{"9" * 1001}"]', '["~i\u0661"]'),
    ],
    "too large an exponent": [
        '["~f1E+999999999"]',
        '["~#m","~f1E+999999999"]',
        '["~f-1E-10001"]',
        '["~f0E+10001"]',
        '["~f12E+10000"]',
    ],
    "no decimal": ['["~f1e5000000000"]', '["~fx"]', f'["~f{"9" * 1001}"]', '["~fsNaN"]', '["~f 1"]'],
    "no duration": ['[{"~#time/duration":"P1Y"}]', '[{"~#time/duration":"P"}]', '[{"~#time/duration":"PT"}]'],
    "a set": ['{"~#set":[1,1]}', '{"~#set":"aa"}', '{"~#set":[1,1.0]}', '{"~#set":{"a":1}}'],
    "given twice": [
        '["^ ","a",1,"a",2]',
        '["^ ","~:abcd",1,"^0",2]',
        '{"~#cmap":[1,2,1,3]}',
        '{"~i1":1,"~i01":2}',
        '{"~i1":1,"~?t":2}',
    ],
    "two whole numbers": ['{"~#ratio":["1e99999999"]}', '{"~#ratio":["~f1e9999"]}', '{"~#ratio":[1,2,3]}'],
    "a keyword is the same key": ['{"~:a":1,"a":2}', '{"~#cmap":["a",1,"~:a",2]}'],
    "a keyword is the same member": ['{"~#set":["~:a","a"]}'],
    "for each key": ['["^ ",1]', '["^ ","a",1,"b"]', '{"~#cmap":[1]}', '{"~#cmap":"ab"}'],
    "neither a key": ['{"~#set":[{"a":1}]}', '{"~#cmap":[{"a":1},2]}', '{"~#set":[[{}]]}'],
    "tag": [
        '["~unope"]',
        *(f'["~u{text}"]' for text in ("1_" + "0" * 30, "+1" + "0" * 30, "0x" + "0" * 30, "\u0661" * 32, " " * 32)),
        '["~tyesterday"]',
        '["~m99999999999999999999"]',
        '["~cab"]',
        '{"~#ratio":[1,0]}',
        '{"~#time/date":5}',
        '{"~#":1}',
        '{"~#`":1}',
        '["~#a","~#b"]',
        f'{{"~#{"x" * 200}":1}}',
        '["~xlonely", "~#set"]',
    ],
}
HOSTILE_MSGPACK = {
    "ends too early": [
        "",
        "dd ff ff ff ff",
        "df ff ff ff ff",
        "db ff ff ff ff 61",
        "c6 ff ff ff ff",
        "c9 ff ff ff ff 01",
        "92 01",
        "cf 00",
    ],
    "means nothing": ["c1", "d4 06 00", "d4 fe 00", "d4 80 00"],
    "too many": ["01 02", "90 c0"],
    "given twice": ["82 a1 61 01 a1 61 02", "82 01 01 c3 02", "82 01 01 cb 3f f0 00 00 00 00 00 00 02"],
    "a keyword is the same key": ["82 d4 07 61 01 a1 61 02", "82 a1 61 01 d4 07 61 02"],
    "not UTF-8": ["a1 ff", "d9 01 ff"],
    "deep": ["91" * 300 + "01", "91" * 2000 + "01"],
    "neither a key": ["81 80 01", "81 91 80 01"],
    "no decimal": ["d4 03 78", "d5 03 31 5f"],
    "extension 1 holds": ["d4 01 01", "d5 01 91 01", "c7 03 01 92 01 01"],
    "tag": ["d4 02 00", "d4 03 ff", "d4 07 ff", "c7 04 01 92 a1 75 01", "c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff"],
    "timestamp": ["d4 ff 00", "d7 ff ff ff ff ff 00 00 00 00"],
    "a set": ["c7 03 05 92 01 01", "d4 05 01"],
    "bit": ["c8 02 00 04" + "7f" * 512],
    "text frame": [],
}


def cases(*tables: Any) -> list[Any]:
    return [
        pytest.param(wire, says, id=f"{says}: {str(wire)[:30]}")
        for table in tables
        for says, wires in table.items()
        for wire in wires
    ]


@pytest.mark.parametrize(("wire", "says"), cases(HOSTILE_TEXT))
def test_hostile_text(wire: Any, says: str) -> None:
    for packer in (JsonPacker(limits=SMALL), TransitPacker(limits=SMALL)):
        with pytest.raises(UnpackError, match=says):
            packer.unpack(wire)


@pytest.mark.parametrize(("wire", "says"), cases(HOSTILE_TRANSIT))
def test_hostile_transit(wire: str, says: str) -> None:
    for packer in (TRANSIT, AUTO, CACHING[0]):
        with pytest.raises(UnpackError, match=says):
            packer.unpack(wire)


@pytest.mark.parametrize(("wire", "says"), cases(HOSTILE_MSGPACK))
def test_hostile_msgpack(wire: str, says: str) -> None:
    for packer in (MSGPACK, AUTO):
        with pytest.raises(UnpackError, match=says):
            packer.unpack(bytes.fromhex(wire))


def test_a_text_frame_is_no_msgpack() -> None:
    with pytest.raises(UnpackError, match="a text frame"):
        MSGPACK.unpack("\x01")


def nested(levels: int) -> bytes:
    """Extensions within each other, each beside a map that only the exact reader takes."""
    inner = b"\x01"
    for _ in range(levels):
        inner = b"\x92\xa3x/y" + inner
        inner = b"\x92\xc8" + len(inner).to_bytes(2) + b"\x01" + inner + b"\x81\xd4\x07\x61\x01"
    return inner


def test_extensions_within_each_other_are_read_once() -> None:
    calls = 0
    packer = MsgpackPacker()
    read = packer._read

    def counted(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        return read(*given)

    packer._read = counted  # type: ignore[method-assign, assignment]
    assert packer.unpack(nested(15))[1] == {Keyword("a"): 1}
    assert calls == 16


def test_too_many_extensions_within_each_other() -> None:
    wire = b"\x01"
    for _ in range(20):
        wire = b"\xc8" + (len(wire) + 1).to_bytes(2) + b"\x05\x91" + wire
    with pytest.raises(UnpackError, match="nested too deeply"):
        MSGPACK.unpack(wire)


@pytest.mark.parametrize("item", [b"\x90", b"\x80", b"\xd4\x07a"])
def test_too_many_containers(item: bytes) -> None:
    packer = MsgpackPacker(limits=UnpackLimits(containers=100))
    with pytest.raises(UnpackError, match="more lists, maps and extensions"):
        packer.unpack(b"\xdc\x00\xc8" + item * 200)
    tagged = b"\xc7\x0f\x01\x92\xa3x/y\x99" + b"\x90" * 9
    assert len(packer.unpack(b"\x98" + tagged * 8)) == 8
    with pytest.raises(UnpackError, match="more lists, maps and extensions"):
        packer.unpack(b"\x99" + tagged * 9)
    text = ["先" * 40] * 90  # full of bytes that look like lists
    assert packer.unpack(packer.pack(text)) == text


@pytest.mark.parametrize("coding", CODINGS)
def test_what_swells_is_stopped_in_time(coding: str) -> None:
    packer = AutoPacker(limits=UnpackLimits(size=1_000_000))
    bomb = compress(b"[" + b" " * 50_000_000 + b"]", coding)
    tracemalloc.start()
    with pytest.raises(UnpackError, match="longer than 1000000 bytes"):
        packer.unpack(bomb)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    whole = compress(b"[" + b" " * 5000 + b"]", coding)
    assert packer.unpack(whole) == []
    for broken in (whole[:-1], whole + b"x", whole + whole, whole[:5]):
        with pytest.raises(UnpackError):
            packer.unpack(broken)


def test_zstd_that_does_not_say_its_size() -> None:
    zstandard = pytest.importorskip("zstandard")
    stream = zstandard.ZstdCompressor().compressobj()
    with pytest.raises(UnpackError, match="does not say"):
        AUTO.unpack(stream.compress(b"[1]") + stream.flush())


def test_without_zstandard_zstd_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sente.packers.codings.CODINGS", ("gzip",))
    with pytest.raises(UnpackError, match=r"sente-channels\[zstd\]"):
        AUTO.unpack(compress(b"[1]", "zstd"))


def test_deflate_is_not_gzip() -> None:
    with pytest.raises(UnpackError):
        AUTO.unpack(b"\x1f" + zlib.compress(b"[1]"))
