"""The packer that chooses: what it chooses, for whom, and what it says about it."""

import random
import re
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from sente import ConfigError, PackError
from sente.interfaces import FormPacker, JoinablePacker, VariedPacker, offer
from sente.packers import get
from sente.packers.auto import AutoPacker, Payload, best
from sente.packers.codings import CODINGS, is_compressed
from sente.packers.negotiation import choose, packers
from tests.packers.examples import MONEY, Money

AUTO = AutoPacker(types=[MONEY])
TABLE = [{"id": number, "name": f"user {number}", "note": None} for number in range(100)]
NOISE = random.Random(1).randbytes(16_384)
FLOATS = [random.Random(1).random() for _ in range(300)]


@pytest.mark.parametrize(
    ("value", "accepts", "form", "coding", "why"),
    [
        (["chat/said", {"n": 1}], ["msgpack", "gzip"], "msgpack", None, "small"),
        (TABLE, ["msgpack"], "json", None, "large and plain"),
        (TABLE, ["msgpack", "gzip"], "json", "gzip", "large and plain.*; gzip shrinks it"),
        (TABLE, ["msgpack", *CODINGS], "json", CODINGS[-1], "shrinks"),
        (TABLE, ["gzip"], "json", "gzip", "text only"),
        (TABLE, ["unheard-of"], "json", None, "text only"),
        (FLOATS, ["msgpack"], "msgpack", None, "numbers with fractions"),
        ([1.5] * 1000, ["msgpack"], "json", None, "large and plain"),
        ([NOISE], ["msgpack", "gzip"], "msgpack", None, "has bytes"),
        ([*TABLE, UUID(int=5)], ["msgpack"], "msgpack", None, "has types"),
        ([*TABLE, "~x"], ["msgpack"], "msgpack", None, "need tags"),
        ([*TABLE, float("nan")], ["msgpack"], "msgpack", None, "need tags"),
        ([UUID(int=5)], [], "transit", None, "text only"),
        (["~x"], [], "transit", None, "text only"),
        ([float("inf")], [], "transit", None, "text only"),
        ([Money("EUR", Decimal(1))], [], "transit", None, "text only"),
    ],
)
def test_the_choice_and_its_reason(value: Any, accepts: list[str], form: str, coding: str | None, why: str) -> None:
    packer = AUTO.for_peer(accepts)
    choice = packer.explain(value)
    assert (choice.form, choice.coding) == (form, coding)
    assert re.search(why, choice.why)
    wire = packer.pack(value)
    assert choice.size == len(wire) == choice.sizes[f"{form}+{coding}" if coding else form]
    assert isinstance(wire, bytes) == (form == "msgpack" or coding is not None)
    assert (isinstance(wire, bytes) and is_compressed(wire)) == (coding is not None)


@pytest.mark.parametrize("value", [TABLE, {"a": TABLE}, "x" * 2000, [b"x" * 2000], {"b": b"x" * 2000}])
@pytest.mark.parametrize("form", ["json", "msgpack"])
@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_compressed_says_what_it_is(value: Any, form: str, coding: str) -> None:
    packed = AUTO.for_peer(["msgpack", coding]).in_form(form).pack(value)
    assert isinstance(packed, bytes) and is_compressed(packed)
    assert AUTO.unpack(packed) == value


def test_what_the_others_would_have_cost() -> None:
    choice = AutoPacker().for_peer(["msgpack", "gzip"]).explain(TABLE)
    assert choice.sizes.keys() == {"json", "msgpack", "json+gzip", "msgpack+gzip"}
    assert choice.sizes["json"] > choice.sizes["msgpack"] > choice.size
    with pytest.raises(PackError):
        AUTO.explain([object()])


def test_another_rule() -> None:
    seen: list[Payload] = []

    def rule(payload: Payload) -> Any:
        seen.append(payload)
        return "json", "I say so"

    packer = AutoPacker(choose=rule)
    assert packer.pack([1]) == "[1]"
    assert packer.pack([{1}]) == '[{"~#set":[1]}]'
    assert packer.explain(["x"]).why == "I say so"
    assert [(p.typed, p.packed) for p in seen[:2]] == [(False, b"\x91\x01"), (True, b"\x91\xd5\x05\x91\x01")]
    assert seen[0].text() == "[1]" and seen[1].text() is None


def test_a_rule_may_go_by_the_usual_one() -> None:
    packer = AutoPacker(choose=lambda payload: best(payload))
    for value in ([1], TABLE, FLOATS, [UUID(int=5)]):
        assert packer.explain(value) == AutoPacker().explain(value)


def test_a_form_that_is_asked_for() -> None:
    packer = AUTO.in_form("msgpack")
    assert isinstance(packer.pack(TABLE), bytes) and AUTO.in_form("json").pack([1]) == "[1]"
    assert packer.explain([1]).why == "this form was asked for"
    assert packer.for_peer([]).pack([1]) == "[1]"  # never what is not read
    assert AUTO.for_peer([]).in_form("msgpack").pack([1]) == "[1]"
    with pytest.raises(ConfigError, match="choose one of json, transit, msgpack"):
        AUTO.in_form("edn")


@pytest.mark.parametrize(
    ("parts", "kind"),
    [([1, "x" * 2000], str), ([1, b"x" * 2000], bytes), ([[UUID(int=5)], "x" * 2000], str), ([b"", NOISE], bytes)],
)
def test_parts_of_different_forms_take_that_of_the_longest(parts: list[Any], kind: type) -> None:
    packer = AUTO.for_peer(["msgpack"])
    packed = [packer.part(part) for part in parts]
    joined = packer.join([*packed, packer.join([])])
    assert type(joined) is kind
    assert packer.unpack(packer.frame(joined)) == [*parts, []]


@pytest.mark.parametrize("size", [0, 15, 16, 65535, 65536])
def test_any_number_of_parts(size: int) -> None:
    msgpack: Any = get("msgpack")
    assert msgpack.unpack(msgpack.join([b"\x01"] * size)) == [1] * size


def test_what_it_is() -> None:
    assert isinstance(AUTO, JoinablePacker) and isinstance(AUTO, VariedPacker) and isinstance(AUTO, FormPacker)
    assert not isinstance(get("json"), VariedPacker)
    assert AUTO.for_peer(["gzip", "x"]) is AUTO.for_peer(["gzip"]) is not AUTO
    assert AUTO.for_peer(AUTO.accepts) is AUTO
    assert offer(AUTO) == "+".join(["auto", *AUTO.accepts])


@pytest.mark.parametrize(
    ("offered", "capabilities"),
    [
        ("auto", set()),
        ("auto+msgpack", {"msgpack"}),
        ("json, auto msgpack gzip", {"msgpack", "gzip"}),  # a plus that was not encoded
        ("auto+unheard-of+gzip", {"gzip"}),
    ],
)
def test_a_name_says_what_is_read(offered: str, capabilities: set[str]) -> None:
    served = packers("auto")
    assert choose(served, offered) is choose(served, "auto" + "".join(f"+{one}" for one in sorted(capabilities)))
    assert (choose(served, offered).pack([1]) == "[1]") == ("msgpack" not in capabilities)
