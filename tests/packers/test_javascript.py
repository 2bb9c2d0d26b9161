"""The same values mean the same in Python and in JavaScript: they go there and come back through each packer."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sente.packers.negotiation import for_peer, get
from sente.values import Keyword, TaggedValue
from tests.packers.examples import MONEY, VALUES, expected, same
from tests.packers.node import Node
from tests.packers.test_cbor import HOSTILE, VECTORS

PACKERS = ["auto", "auto+msgpack", "cbor", "msgpack", "transit", "transit-json"]
every_packer = pytest.mark.parametrize("packer", PACKERS)

# What examples.py has no room for in its table.
MORE: Mapping[str, Any] = {
    "integers": [0, 1, -1, 127, 128, -32, -33, 2**31, 2**32, 2**53 - 1, -(2**53) + 1],
    "integers of 64 bit": [2**53, -(2**53), 2**63 - 1, -(2**63)],
    "larger integers": [2**63, 2**64 - 1, 2**64, -(2**63) - 1, -(2**71), 10**800],
    "floats": [0.1, -1.5, 1e-300, 5e-324],
    "floats as large as integers": [float(2**53), 1e21, 1.7976931348623157e308],
    "text": ["", "先手", '\x00\x1f"\\/', "😀", "x" * 31, "x" * 32, "é" * 40_000, "\ufeffx"],
    "text like tags": ["~", "~~", "~#set", "^", "^ ", "`", "~b", "~:a", "a~", ["~#set", [1]], ["^ ", 1]],
    "bytes": [b"", b"\x00\xff", b"x" * 300, b"x" * 70_000],
    "maps": [{}, {"a": {"b": [{}]}}, {"": 1, "~#set": [1], "^ ": 2, "`": 3, "~": 4}, {"~#tag": 1}],
    "the key __proto__": {"__proto__": {"polluted": True}, "constructor": 1},
    "moments": [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
        datetime(2514, 5, 30, 1, 53, 4, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
    "more keys than have a code, twice": [{f"key-{number}": number for number in range(2000)}] * 2,
    "keys and keywords that come again": [{"name": Keyword("said"), "go🙂": Keyword("said"), Keyword("name"): 1}] * 3,
    "unknown tags of one character": [TaggedValue("x", "scalar"), TaggedValue("x", [1])],
}
WHOLE = {**{name: expected(name) for name in VALUES if name != "datetime with microseconds"}, **MORE}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.close()


def there_and_back(node: Node, name: str, value: Any) -> Any:
    """A value as it comes back from JavaScript."""
    packer = get(name.partition("+")[0], types=[MONEY])
    reader = for_peer(packer, name.split("+")[1:])
    wire = reader.pack(value)
    return packer.unpack(node.again(name, wire))


def alike(left: Any, right: Any) -> bool:
    """The same, but for what JavaScript does not tell apart: 1.0 is 1, and the order of keys like 1 is its own."""
    if isinstance(left, dict) and isinstance(right, dict):
        return len(left) == len(right) and all(key in right and alike(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, TaggedValue) and isinstance(right, TaggedValue):
        return left.tag == right.tag and alike(left.rep, right.rep)
    if type(left) is float and type(right) is int:
        return left == right and abs(right) < 2**53
    return same(left, right)


@every_packer
@pytest.mark.parametrize("what", WHOLE)
def test_values_come_back_as_they_were(node: Node, packer: str, what: str) -> None:
    came = there_and_back(node, packer, [WHOLE[what]])
    assert alike([WHOLE[what]], came), came


@every_packer
def test_a_moment_loses_its_microseconds(node: Node, packer: str) -> None:
    moment = datetime(2026, 11, 24, 20, 16, 32, 123_456, tzinfo=UTC)
    assert there_and_back(node, packer, [moment]) == [moment.replace(microsecond=123_000)]


@every_packer
@pytest.mark.parametrize("depth", [1, 250])
def test_what_is_as_deep_as_may_be(node: Node, packer: str, depth: int) -> None:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    assert there_and_back(node, packer, value) == value


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.uuids()
    | st.dates()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.builds(Keyword, st.text())
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers() | st.uuids(), inner)
        | st.sets(st.integers() | st.text() | st.dates())
        | st.builds(TaggedValue, st.just("app/any"), inner)
    ),
)


@every_packer
@settings(deadline=None)
@given(value=values)
def test_whatever_it_is(node: Node, packer: str, value: Any) -> None:
    came = there_and_back(node, packer, value)
    assert alike(value, came), came


def test_plain_json(node: Node) -> None:
    value = [{"a": [1, 1.5, None, True, "先手"], "__proto__": 1}]
    assert get("json").unpack(node.again("json", get("json").pack(value))) == value


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["hex"][:40])
def test_the_vectors_of_the_rfc_of_cbor(node: Node, vector: Any) -> None:
    wire, cbor = bytes.fromhex(vector["hex"]), get("cbor")
    if "refused" in vector:
        assert node.refused("cbor", wire).startswith("UnpackError")
    else:
        assert alike(cbor.unpack(wire), cbor.unpack(node.again("cbor", wire)))


@pytest.mark.parametrize("wire", [wire for says, wires in HOSTILE.items() if "means nothing" in says for wire in wires])
def test_tags_that_mean_nothing_in_cbor(node: Node, wire: str) -> None:
    assert "means nothing here" in node.refused("cbor", bytes.fromhex(wire))
