"""Transit in its caching forms: against transit-js, against what Sente writes, and by its own rules."""

import io
import json
import math
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente import Keyword, PackError, Symbol, TaggedValue, TypeHandler, UnpackError, Uri
from sente.packers import get
from sente.packers.msgpack import MsgpackPacker
from sente.packers.transit import TransitPacker
from sente.packers.transit_cache import CODES, FULL
from sente.packers.transit_json import TransitJsonPacker
from sente.packers.transit_msgpack import TransitMsgpackPacker
from sente.testing import check_packer
from tests.packers.examples import MONEY, VALUES, Colour, expected, same
from tests.packers.test_fuzz import values

ROOT = Path(__file__).parent.parent.parent
VERBOSE, CACHING = TransitPacker(types=[MONEY]), TransitJsonPacker(types=[MONEY])
BINARY = TransitMsgpackPacker(types=[MONEY])
FORMS = pytest.mark.parametrize("packer", [CACHING, BINARY], ids=lambda packer: packer.name)


@pytest.mark.parametrize("name", ["transit", "transit-json", "transit-msgpack"])
def test_the_contract(name: str) -> None:
    check_packer(get(name))


@FORMS
@pytest.mark.parametrize("name", VALUES)
def test_every_type_comes_back(packer: Any, name: str) -> None:
    assert same(packer.unpack(packer.pack(VALUES[name])), expected(name))
    assert same(packer.unpack(packer.pack([{"a": VALUES[name]}] * 2)), [{"a": expected(name)}] * 2)


@FORMS
@given(value=values)
def test_what_is_packed_is_unpacked(packer: Any, value: Any) -> None:
    assert same(packer.unpack(packer.pack(value)), value)


@given(value=values)
def test_each_reads_what_the_other_text_form_writes(value: Any) -> None:
    assert same(VERBOSE.unpack(CACHING.pack(value)), CACHING.unpack(VERBOSE.pack(value)))


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (None, '["~#\'",null]'),
        ("~a", '["~#\'","~~a"]'),
        ({}, '["^ "]'),
        ({"abc": 1, "abcd": {"abcd": 2}}, '["^ ","abc",1,"abcd",["^ ","^0",2]]'),
        ([Keyword("name"), Keyword("name"), "~:name"], '["~:name","^0","~~:name"]'),
        ([Keyword("ab"), Keyword("ab"), Symbol("abc"), Symbol("abc")], '["~:ab","^0","~$abc","^1"]'),
        ([Keyword("a")] * 2, '["~:a","~:a"]'),
        ([{1}, {1}], '[["~#set",[1]],["^0",[1]]]'),
        ({(1, 2): 3}, '["~#cmap",[[1,2],3]]'),
        ({1: 1, None: 2, False: 3, 1.5: 4}, '["^ ","~i1",1,"~_",2,"~?f",3,"~d1.5",4]'),
        ({10: 1}, '["^ ","~i10",1]'),
        ([{1000: 1}, {1000: 2}], '[["^ ","~i1000",1],["^ ","^0",2]]'),
        ([datetime(2020, 1, 2, 3, 4, 5, 678000, UTC)], '["~m1577934245678"]'),
        ([datetime(1969, 12, 31, 23, 59, 59, 999000, UTC)], '["~m-1"]'),
        ([datetime(2020, 1, 2, 3, 4, 5, 1, UTC)], '["~t2020-01-02T03:04:05.000001Z"]'),
        ({datetime(1970, 1, 1, tzinfo=UTC): 1}, '["^ ","~m0",1]'),
        (Fraction(1, 3), '["~#ratio",["~n1","~n3"]]'),
        ([2**53, -(2**53), 2**63], '["~i9007199254740992","~i-9007199254740992","~n9223372036854775808"]'),
        ([float("inf"), {float("-inf"): 1}], '["~zINF",["^ ","~z-INF",1]]'),
        ([b"\0\1", {b"\0\1": Uri("a:b")}], '["~bAAE=",["^ ","~bAAE=","~ra:b"]]'),
        (TaggedValue("link", {"rel": "next"}), '["~#link",["^ ","rel","next"]]'),
        ([TaggedValue("X", "y"), TaggedValue("X", 5)], '["~Xy",["~#X",5]]'),
    ],
)
def test_how_it_is_written(value: Any, packed: str) -> None:
    assert CACHING.pack(value) == packed
    assert same(CACHING.unpack(packed), value)


def test_what_says_that_it_is_a_moment_and_is_none_is_written_as_it_is() -> None:
    assert CACHING.pack([TaggedValue("t", "soon")]) == '["~tsoon"]'
    assert BINARY.pack([TaggedValue("t", "soon"), TaggedValue("u", "x")]) == b"\x92\xa6~tsoon\xa3~ux"


def test_lists_of_clojure_are_lists() -> None:
    assert CACHING.unpack('[["~#list",[1,2]],{"~#list":[]}]') == [[1, 2], []]
    with pytest.raises(UnpackError, match="a list of its items"):
        CACHING.unpack('["~#list","ab"]')


def test_numbers_that_are_no_text_in_messagepack() -> None:
    moment, uuid = datetime(2020, 1, 2, 3, 4, 5, 678000, UTC), UUID("66d96ab4-9834-40db-a3cd-42b361503ab9")
    plain = MsgpackPacker().unpack(BINARY.pack([moment, uuid, 2**60, {"name": uuid}, TaggedValue("u", "x"), {uuid: 1}]))
    assert plain[1][1] == [int(uuid) >> 64, (int(uuid) & (2**64 - 1)) - 2**64]
    assert plain == [
        ["~#m", 1577934245678],
        ["~#u", plain[1][1]],
        2**60,
        {"name": ["~#u", plain[1][1]]},
        "~ux",
        {f"~u{uuid}": 1},
    ]
    assert CACHING.unpack(json.dumps(plain[:2])) == [moment, uuid]


def test_codes() -> None:
    assert [CODES[number] for number in (0, 43, 44, FULL - 1)] == ["^0", "^[", "^10", "^[["]
    assert len({*CODES}) == FULL == 44 * 44


def test_characters_are_counted_as_java_and_javascript_do() -> None:
    assert CACHING.pack([{"go🙂": 1}] * 2) == '[["^ ","go🙂",1],["^ ","^0",1]]'
    assert CACHING.pack([{"go先": 1}] * 2) == '[["^ ","go先",1],["^ ","go先",1]]'
    assert CACHING.pack([{"~🙂": 1}] * 2) == '[["^ ","~~🙂",1],["^ ","^0",1]]'


@FORMS
@pytest.mark.parametrize("count", [FULL - 1, FULL, FULL + 1, 2 * FULL + 5])
def test_the_cache_begins_anew_when_it_is_full(packer: Any, count: int) -> None:
    keys = [f"key-{number}" for number in range(count)]
    value = [dict.fromkeys(keys, 1), dict.fromkeys(keys[::-1], 2)]
    assert packer.unpack(packer.pack(value)) == value


@FORMS
def test_a_cached_value_is_read_once(packer: Any) -> None:
    names = packer.unpack(packer.pack([Keyword("name")] * 3))
    assert names[0] is names[1] is names[2]


def test_what_has_no_place_in_messagepack() -> None:
    with pytest.raises(UnpackError, match="datetime is nothing that Transit writes"):
        BINARY.unpack(MsgpackPacker().pack([datetime(2020, 1, 1, tzinfo=UTC)]))
    with pytest.raises(UnpackError, match="a text frame"):
        BINARY.unpack("[]")
    assert BINARY.unpack(MsgpackPacker().pack({1: [1.5, {}]})) == {1: [1.5, {}]}
    for halves in ([1], ["a", 2], [2**64 - 1, 1]):
        with pytest.raises(UnpackError, match="tag 'u'"):
            BINARY.unpack(MsgpackPacker().pack(["~#u", halves]))
    with pytest.raises(UnpackError, match="deep"):
        BINARY.unpack(b"\x91" * 249 + b"\x92\xa5~#set" + b"\x91" * 240 + b"\x00")


class Endless:
    """Its handler makes another one of it."""


@FORMS
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([{"a": [object()]}], r"value\[0\]\.a\[0\]: object cannot be packed"),
        ([2**4000], r"value\[0\]: a whole number of more than 3000 bit"),
        ({"a": "\ud800"}, r"value\.a: .*half a character"),
        ({"a": Endless()}, "nested more than 250 deep"),
    ],
)
def test_what_cannot_be_written(packer: Any, value: Any, says: str) -> None:
    endless = TypeHandler(tag=None, type=Endless, encode=lambda _: Endless())
    with pytest.raises(PackError, match=says):
        type(packer)(types=[endless]).pack(value)


@FORMS
def test_a_value_that_holds_itself(packer: Any) -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(PackError, match="deep"):
        packer.pack(ring)


class Room:
    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Room) and other.name == self.name


ROOM = TypeHandler(tag=None, type=Room, encode=lambda room: room.name)


@FORMS
def test_keys_that_have_a_handler(packer: Any) -> None:
    with_rooms = type(packer)(types=[ROOM])
    assert packer.unpack(with_rooms.pack({Room("go"): 1, Fraction(1, 2): timedelta(1)})) == {
        "go": 1,
        Fraction(1, 2): timedelta(1),
    }


EVERY_FORM = pytest.mark.parametrize("packer", [VERBOSE, CACHING, BINARY], ids=lambda packer: packer.name)


@EVERY_FORM
def test_keys_that_would_become_one_are_refused(packer: Any) -> None:
    with pytest.raises(PackError, match=r"value\[0\]: two keys would be written as the same"):
        packer.pack([{Colour.RED: 1, "red": 2}])


@EVERY_FORM
@pytest.mark.parametrize("around", [lambda v: [v], lambda v: {"a": v}, lambda v: TaggedValue("x/y", v)])
def test_what_is_written_is_not_too_deep_to_be_read(packer: Any, around: Any) -> None:
    value: Any = 1
    for _ in range(250):
        value = around(value)
    assert same(packer.unpack(packer.pack(value)), value)
    for _ in range(5):  # orjson alone writes 254
        value = around(value)
    with pytest.raises(PackError, match="nested more than 250 deep"):
        packer.pack(value)


SCALARS = [("b", "AQID", b"\1\2\3"), ("i", "5", 5), ("n", "5", 5), ("?", "t", True), ("_", "", None), ("d", "1.5", 1.5)]
SCALARS += [("z", "-INF", -math.inf), (":", "a", Keyword("a")), ("f", "1.50", Decimal("1.50")), ("X", "y", None)]


@pytest.mark.parametrize(("tag", "rep", "value"), SCALARS)
def test_a_scalar_may_stand_behind_its_tag(tag: str, rep: str, value: Any) -> None:
    value = TaggedValue(tag, rep) if tag == "X" else value
    for text in (json.dumps([[f"~#{tag}", rep]]), json.dumps([{f"~#{tag}": rep}]), f'["~#\'",["~{tag}{rep}"]]'):
        assert same(VERBOSE.unpack(text), [value])
        assert same(CACHING.unpack(text), [value])
    assert same(BINARY.unpack(MsgpackPacker().pack([[f"~#{tag}", rep]])), [value])


def test_keys_are_numbers_in_messagepack() -> None:
    value = [{1: "a", 2**60: None, None: 1, 1.5: 2, 2**63: 3, math.inf: 4}] * 2
    plain = MsgpackPacker().unpack(BINARY.pack(value))
    assert plain[0] == {1: "a", 2**60: None, None: 1, 1.5: 2, f"~n{2**63}": 3, "~zINF": 4}
    assert plain[1] == {1: "a", 2**60: None, None: 1, 1.5: 2, "^0": 3, "^1": 4}
    assert BINARY.unpack(BINARY.pack(value)) == value


def test_a_scalar_alone_is_quoted_even_if_it_is_a_list() -> None:
    assert MsgpackPacker().unpack(BINARY.pack(UUID(int=5))) == ["~#'", ["~#u", [0, 5]]]
    assert CACHING.pack(TaggedValue("X", 5)) == '["~#\'",["~#X",5]]'
    assert CACHING.pack(["~#X", 5]) == '["~~#X",5]'


# -- other libraries: these keep milliseconds; transit-js has no characters, transit-python counts bytes of UTF-8


def trees_of(letters: str) -> Any:
    keys = st.text(st.sampled_from("ab~^`:#$" + letters), max_size=6)
    words = st.text(st.sampled_from("abc/" + letters), min_size=1, max_size=5)
    scalars = (
        keys
        | st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.builds(Keyword, words)
        | st.builds(Symbol, words)
        | st.uuids()
        | st.integers(-(2**41), 2**41).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
    )
    names = keys | st.integers(-9, 9_999) | st.uuids()
    return st.recursive(scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=5))


many_keys = [{f"key {number}🙂": number for number in range(FULL + 60)}, {f"key {number}🙂": 0 for number in range(60)}]


def through_python(form: str, wire: Any) -> Any:
    reader, writer = import_module("transit.reader"), import_module("transit.writer")
    stream: Any = io.BytesIO if isinstance(wire, bytes) else io.StringIO
    out = stream()
    writer.Writer(out, form).write(reader.Reader(form).read(stream(wire)))
    return out.getvalue()


@pytest.mark.parametrize(
    ("packer", "form"), [(VERBOSE, "json_verbose"), (CACHING, "json"), (BINARY, "msgpack")], ids=lambda each: str(each)
)
def test_transit_python_reads_it_and_is_read(packer: Any, form: str) -> None:
    @given(value=trees_of(""))
    def goes_through(value: Any) -> None:
        wire = packer.pack(value)
        again = through_python(form, wire)
        assert again == wire
        assert same(packer.unpack(again), value)

    goes_through()
    assert same(packer.unpack(through_python(form, packer.pack(many_keys))), many_keys)
    for name in VALUES:
        if name not in UNKNOWN_TO_PYTHON:
            assert same(packer.unpack(through_python(form, packer.pack([VALUES[name]]))), [expected(name)]), name


UNKNOWN_TO_PYTHON = {"datetime with microseconds"}  # it keeps milliseconds


# -- transit-js

JAVASCRIPT = """
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
const transit = createRequire(`${process.cwd()}/package.json`)("transit-js");
const answers = JSON.parse(await text(process.stdin)).map(([from, to, wire]) =>
  transit.writer(to).write(transit.reader(from).read(wire)));
console.log(JSON.stringify(answers));
"""


def through_javascript(tasks: list[tuple[str, str, str]]) -> list[str]:
    node = shutil.which("node")
    assert node is not None, "node is not installed"
    done = subprocess.run(
        [node, "--input-type=module", "-e", JAVASCRIPT],
        cwd=ROOT / "js",
        input=json.dumps(tasks),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[str] = json.loads(done.stdout)
    return answers


def test_transit_js_reads_it_and_is_read_in_every_text_form() -> None:
    said: list[tuple[Any, Any]] = [([VALUES[name]], [expected(name)]) for name in VALUES if name not in COARSER]
    said += [(many_keys, many_keys)]

    @given(value=st.lists(trees_of("🙂先"), min_size=3, max_size=3))
    def collect(value: Any) -> None:
        said.append((value, value))

    collect()
    packers: dict[str, Any] = {"json": CACHING, "json-verbose": VERBOSE}
    ways = [(value, back, one, other) for value, back in said for one in packers for other in packers]
    answers = through_javascript([(one, other, packers[one].pack(value)) for value, _, one, other in ways])
    for (_, back, one, other), wire in zip(ways, answers, strict=True):
        assert same(packers[other].unpack(wire), back), (one, other, wire)


COARSER = {"datetime with microseconds", "Char", "dict with scalar keys"}
