"""The same values mean the same in every packer that carries types; and the table in the docs says so."""

from pathlib import Path
from typing import Any

import pytest

from sente.errors import PackError
from sente.packers import get
from sente.packers.auto import AutoPacker
from sente.packers.transit import TransitPacker
from sente.testing import check_packer
from tests.packers.examples import MONEY, VALUES, expected, same
from tests.packers.node import Node

FORMATS = Path(__file__).parent.parent.parent / "docs" / "reference" / "formats.md"

TYPED = [get(name, types=[MONEY]) for name in ("transit", "msgpack", "cbor", "edn", "auto")]
TYPED.append(AutoPacker(types=[MONEY]).for_peer(()))

every_packer = pytest.mark.parametrize(
    "packer", TYPED, ids=["transit", "msgpack", "cbor", "edn", "auto", "auto as text"]
)


@every_packer
@pytest.mark.parametrize("name", VALUES)
def test_every_type_comes_back(packer: Any, name: str) -> None:
    alone = packer.unpack(packer.pack(VALUES[name]))
    assert same(alone, expected(name)), alone
    inside = packer.unpack(packer.pack([{"a": VALUES[name], "plain": 1}] * 2))
    assert same(inside, [{"a": expected(name), "plain": 1}] * 2), inside


@every_packer
def test_the_contract(packer: Any) -> None:
    check_packer(packer, *(VALUES[name] for name in VALUES if name != "NaN" and same(VALUES[name], expected(name))))


def test_the_contract_of_json() -> None:
    check_packer(get("json"))


def table() -> str:
    names = ("json", "msgpack", "cbor", "edn", "transit-json")
    json, msgpack, cbor, edn, cached = (get(name, types=[MONEY]) for name in names)
    transit = TransitPacker(types=[MONEY])
    formats = ["json", "transit, auto as text", "msgpack", "cbor", "edn"]
    head = ["Python", *formats, "back in Python", "in JavaScript", "from json"]
    rows = [head, ["---"] * len(head)]
    node = Node()
    for name, value in VALUES.items():
        text, packed, third = transit.part(value), msgpack.pack(value), cbor.pack(value)
        assert isinstance(packed, bytes) and isinstance(third, bytes)
        back = "the same" if same(value, expected(name)) else type(expected(name)).__name__
        there, *others = (
            node.shown(packer, wire)
            for packer, wire in (
                ("auto", text),
                ("msgpack", packed),
                ("cbor", third),
                ("transit-json", cached.pack(value)),
            )
        )
        assert set(others) == {there}, name
        try:
            plain = code(json.pack(value))
            from_json = node.shown("json", json.pack(value))
        except PackError:
            plain, from_json = "`PackError`", ""
        cells = [
            plain,
            code(text),
            code(packed.hex(" "), 35),
            code(third.hex(" "), 35),
            code(edn.pack(value)),
            back,
            code(there),
            code(from_json),
        ]
        rows.append([name, *cells[:-1], "the same" if from_json == there else cells[-1] if from_json else ""])
    node.close()
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def code(text: Any, most: int = 200) -> str:
    text = text if len(text) <= most else f"{text[:most]} …"
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def test_the_table_of_the_docs_is_what_is_written() -> None:
    shown, want = FORMATS.read_text(), table()
    for row in want.split("\n"):
        if not row.startswith("| set |"):  # its order is that of hashes
            assert row in shown, f"put this into {FORMATS.name}:\n\n{want}\n"
