"""Transit as real Sente writes it, and nothing but ``UnpackError`` for what it does not."""

import inspect
import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente import Keyword, PackError, Symbol, TaggedValue, TypeHandler, UnpackError
from sente.packers import get
from sente.packers.limits import UnpackLimits
from sente.packers.sente_transit import CODES, SenteTransitPacker
from sente.testing import check_packer
from tests.packers.examples import same
from tests.packers.test_fuzz import values

PACKER = SenteTransitPacker()
ROWS = json.loads((Path(__file__).parent / "sente_values.json").read_text())["rows"]

# Numbers that JSON has several spellings for, big integers that are small, and Clojure's lists, read as lists.
RESPELLED = {
    "123N": "[123,null]",
    "1e100": "[1e+100,null]",
    "1e21": "[1e+21,null]",
    "123456789.0": "[123456789.0,null]",
    "5e-324": "[5e-324,null]",
    "()": "[[],null]",
    "(map inc [1 2 3])": "[[2,3,4],null]",
    "(cons 1 [2])": "[[1,2],null]",
    "{123N 1}": '[["^ ","~i123",1],null]',
    "[#{:abcd} #{:abcd} '(:abcd) '(:abcd)]": '[[["~#set",["~:abcd"]],["^0",["^1"]],["^1"],["^1"]],null]',
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["expr"][:60])
def test_what_sente_wrote_is_read_and_written_again(row: dict[str, Any]) -> None:
    written = row["jvm"]["transit"]
    if isinstance(written, str):
        packed = PACKER.pack(PACKER.unpack(written))
        assert packed == RESPELLED.get(row["expr"], packed)
        if row["expr"] not in RESPELLED:
            assert json.loads(packed) == json.loads(written), "escapes aside, the same"
    for text in (row["jvm"]["transit-verbose"], row["cljs"]["transit"], row["cljs"]["transit-verbose"]):
        if isinstance(text, str):
            value = PACKER.unpack(text)
            assert same(PACKER.unpack(PACKER.pack(value)), value)


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        ([{"name": "name"}, {"name": "name"}], '[["^ ","name","name"],["^ ","^0","name"]]'),
        ([{"abc": 1}, {"abc": 2}], '[["^ ","abc",1],["^ ","abc",2]]'),
        ([{"a\U0001f600b": 1}] * 2, '[["^ ","a\U0001f600b",1],["^ ","^0",1]]'),
        ([Keyword("ab"), Symbol("ab")] * 2, '["~:ab","~$ab","^0","^1"]'),
        ([Keyword("a")] * 2, '["~:a","~:a"]'),
        ([Fraction(1, 3), Fraction(1, 2**70)], '[["~#ratio",["~n1","~n3"]],["^0",["~n1","~n1180591620717411303424"]]]'),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), '["~#\'","~m-1"]'),
        ({datetime(1970, 1, 1, tzinfo=UTC): "~"}, '["^ ","~m0","~~"]'),
        ({(1,): {"k": 1}}, '["~#cmap",[[1],["^ ","k",1]]]'),
        ([TaggedValue("app/x", 1), TaggedValue("y", "z")], '[["~#app/x",1],"~yz"]'),
        (1, '["~#\'",1]'),
    ],
)
def test_forms(value: Any, packed: str) -> None:
    assert PACKER.pack(value) == packed
    assert PACKER.pack(PACKER.unpack(packed)) == packed


def test_codes_begin_anew() -> None:
    words = [Keyword(f"word{number}") for number in range(CODES + 1)]
    packed = PACKER.pack([words, words[-1], words[0]])
    assert packed.endswith(',"~:word1936"],"^0","~:word0"]')
    assert PACKER.unpack(packed) == [words, words[-1], words[0]]
    assert '"^[[","~:' not in PACKER.pack(words[:44] * 2) and PACKER.pack(words[:45] * 2).endswith('"^[","^10"]')


HOSTILE = {
    "no code": ['["^0"]', '["~:abcd","^1"]', '["^"]', '["^000"]', '["^/"]', '["^\u0661"]', '["^ "]x', '[["^"]]'],
    "for each key": ['["^ ",1]', '["^ ","a"]', '["~#cmap",[1]]'],
    "a key in Transit": ['["^ ",1,2]', '["^ ",["~#set",[]],1]'],
    "a tag is no key": ['["^ ","~#set",[1]]'],
    "given twice": ['["^ ","a",1,"a",2]', '["^ ","~:a",1,"a",2]', '["^ ","abcd",1,"^0",2]', '{"a":1,"a":2}'],
    "ratio": ['["~#ratio",[1,0]]'],
    "neither a key": ['["~#set",[["^ ","a",1]]]'],
    "not JSON": ["", "[", "NaN"],
}


@pytest.mark.parametrize("says", HOSTILE)
def test_hostile(says: str) -> None:
    for packed in HOSTILE[says]:
        with pytest.raises(UnpackError, match=f"{says}|not JSON" if packed.endswith("x") else says):
            PACKER.unpack(packed)


def test_few_bytes_do_not_mean_many() -> None:
    packed = json.dumps([f"~:{'k' * 9_000}", *["^0"] * 3])
    assert len(PACKER.unpack(packed)) == 4
    with pytest.raises(UnpackError, match="spelled out"):
        SenteTransitPacker(limits=UnpackLimits(size=20_000)).unpack(packed)


def test_the_end_of_the_stack_is_an_error_like_others() -> None:
    nested: list[Any] = []
    for _ in range(60):
        nested = [nested]
    packed = PACKER.pack(nested)

    def dive(levels: int, call: Any, value: Any) -> Any:
        return dive(levels - 1, call, value) if levels else call(value)

    levels = sys.getrecursionlimit() - len(inspect.stack(0)) - 60
    with pytest.raises(PackError, match="deep"):
        dive(levels, PACKER.pack, nested)
    with pytest.raises(UnpackError, match="nested too deeply"):
        dive(levels, PACKER.unpack, packed)


def test_the_contract() -> None:
    check_packer(PACKER, [Keyword("abcd"), {Keyword("abcd"): Symbol("c")}, Fraction(1, 3), b"", 1.5, 2**70])


def test_types_of_your_own() -> None:
    class Money:
        pass

    handler = TypeHandler(tag="app/money", type=Money, encode=lambda money: [5], decode=lambda rep: rep[0])
    packer = SenteTransitPacker(types=[handler])
    assert packer.unpack(packer.pack([Money(), Money()])) == [5, 5]


@given(values)
def test_any_value_is_what_the_verbose_form_says(value: Any) -> None:
    verbose = get("transit")
    told = verbose.unpack(verbose.pack(value))
    heard = PACKER.unpack(PACKER.pack(value))
    if "~t" not in str(verbose.pack(value)):  # moments lose what is less than a millisecond
        assert same(heard, told)


codes = st.sampled_from(["^ ", "^0", "^1", "^", "~#set", "~#cmap", "~:word", "~$word", "~#'", "word", "~n1", "~~", "`"])
trees = st.recursive(
    codes | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(codes, inner), max_leaves=20
)


@given(trees)
def test_any_tree(tree: Any) -> None:
    with suppress(UnpackError):
        PACKER.pack(PACKER.unpack(json.dumps(tree)))
