"""Transit as real Sente writes it, and nothing but ``UnpackError`` for what it does not write."""

import inspect
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente import PackError, UnpackError
from sente.packers.transit_json import TransitJsonPacker
from sente.packers.transit_msgpack import TransitMsgpackPacker
from tests.packers.examples import same

PACKER = TransitJsonPacker()
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


@pytest.mark.parametrize("packer", [PACKER, TransitMsgpackPacker()], ids=lambda packer: packer.name)
def test_the_end_of_the_stack_is_an_error_like_others(packer: Any) -> None:
    nested: list[Any] = [{}]
    for _ in range(60):
        nested = [nested]
    packed = packer.pack(nested)

    def dive(levels: int, call: Any, value: Any) -> Any:
        return dive(levels - 1, call, value) if levels else call(value)

    levels = sys.getrecursionlimit() - len(inspect.stack(0)) - 60
    with pytest.raises(PackError, match="deep"):
        dive(levels, packer.pack, nested)
    with pytest.raises(UnpackError, match="nested too deeply"):
        dive(levels, packer.unpack, packed)


codes = st.sampled_from(["^ ", "^0", "^1", "^", "~#set", "~#cmap", "~:word", "~$word", "~#'", "word", "~n1", "~~", "`"])
trees = st.recursive(
    codes | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(codes, inner), max_leaves=20
)


@given(trees)
def test_any_tree(tree: Any) -> None:
    with suppress(UnpackError):
        PACKER.pack(PACKER.unpack(json.dumps(tree)))
