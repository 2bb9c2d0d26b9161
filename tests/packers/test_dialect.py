"""A packer as Sente speaks it."""

from typing import Any

import pytest

from sente import Keyword, PackError, UnpackError
from sente.interfaces import JoinablePacker, NamingPacker
from sente.packers import Dialect, dialect, get
from sente.packers.negotiation import DIALECTS
from sente.testing import check_packer

NAMES = [f"{name}{gzip}" for name in DIALECTS for gzip in ("", "+gzip")]


@pytest.mark.parametrize("name", NAMES)
def test_the_contract(name: str) -> None:
    packer = dialect(name)
    assert isinstance(packer, NamingPacker)
    check_packer(packer, [Keyword("a"), {Keyword("b"): {Keyword("c")}}])
    assert type(packer.unpack(packer.pack([packer.event_id("a/b")]))[0]) is Keyword


@pytest.mark.parametrize("name", NAMES)
def test_frames_of_the_other_kind(name: str) -> None:
    packer = dialect(name)
    wire = packer.pack([1])
    other: Any = wire.encode() if isinstance(wire, str) else "[1]"
    with pytest.raises(UnpackError, match=f"not {packer.name}: a (text|binary) frame"):
        packer.unpack(other)


def test_parts_are_joined_where_the_packer_joins() -> None:
    edn, msgpack = dialect("edn", keyword_keys=True), dialect("msgpack")
    assert isinstance(edn, JoinablePacker) and not isinstance(msgpack, JoinablePacker)
    parts = [edn.part([edn.event_id("a/b"), {"n": 1}]), edn.part(None)]
    assert edn.frame(edn.join(parts)) == "[[:a/b {:n 1}] nil]"


def test_keys_as_keywords() -> None:
    value = [{"a": ({"b": "c"},), 1: {"set"}, Keyword("k"): None}]
    assert Dialect(get("edn"), keyword_keys=True).pack(value) == '[{:a [{:b "c"}], 1 #{"set"}, :k nil}]'
    assert Dialect(get("edn")).pack(value) == '[{"a" [{"b" "c"}], 1 #{"set"}, :k nil}]'
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(PackError, match="deep"):
        dialect("edn", keyword_keys=True).pack(endless)
