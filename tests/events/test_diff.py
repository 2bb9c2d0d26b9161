"""What changed in a contract: every kind of change, from the side that says it and from the one that hears it."""

import copy
import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from sente import ConfigError, EventRegistry
from sente.demo.lobby import events as demo
from sente.events.asyncapi import asyncapi
from sente.events.compare import REMARKS, STRUCTURE
from sente.events.diff import diff
from tests.events.contract import contract
from tests.events.test_asyncapi import odd

Document = dict[str, Any]


def of(type_: Any, reply: Any = None, direction: Any = "both", **options: Any) -> Document:
    events = EventRegistry(**options)
    events.event("a/b", of=type_, reply=reply, direction=direction)
    return asyncapi(events)


def said(old: Document, new: Document) -> list[str]:
    """Changes in words, the breaking ones with an exclamation mark."""
    return [f"{'!' if change.breaking else ''}{change.where}: {change.text}" for change in diff(old, new)]


def changes(old: Any, new: Any) -> tuple[list[str], list[str]]:
    """What changed for the one that says it to the server, and for the one that hears it from there."""
    found = said(of(old), of(new))
    return tuple(
        [text.replace(f"{side}", "") for text in found if side in text] for side in ("from-client", "from-server")
    )  # type: ignore[return-value]


def model(closed: bool = False, /, **fields: Any) -> Any:
    config = ConfigDict(extra="forbid") if closed else ConfigDict()
    body = {"__annotations__": {name: type_ for name, (type_, *_) in fields.items()}, "__module__": __name__}
    defaults = {name: rest[0] for name, (_, *rest) in fields.items() if rest}
    return type("Thing", (BaseModel,), {**body, **defaults, "model_config": config})


X = (int,)
OPTIONAL = (int, 0)


@pytest.mark.parametrize("registry", [contract(), demo, odd(), EventRegistry()], ids=str)
def test_a_contract_is_what_it_is(registry: EventRegistry) -> None:
    document = asyncapi(registry)
    assert diff(document, json.loads(json.dumps(document))) == []


@pytest.mark.parametrize(
    ("old", "new", "taken", "sent"),
    [
        # fields
        (model(x=X), model(x=X, y=X), ["!.y: added, required"], [".y: added, required"]),
        (model(x=X), model(x=X, y=OPTIONAL), [".y: added"], [".y: added, required"]),
        (model(x=X, y=X), model(x=X), [".y: removed"], ["!.y: removed"]),
        (model(x=OPTIONAL), model(x=X), ["!.x: is required now"], []),
        (model(x=X), model(x=OPTIONAL), [".x: may be missing now"], []),
        (
            model(x=X),
            model(True, x=X),
            ["!: unknown fields are refused now"],
            [": unknown fields are refused now"],
        ),
        (
            model(True, x=X),
            model(x=X),
            [": unknown fields are refused no more"],
            ["!: unknown fields are refused no more"],
        ),
        (model(True, x=X), model(True, x=X, y=OPTIONAL), [".y: added"], ["!.y: added, required"]),
        (model(True, x=X, y=OPTIONAL), model(True, x=X), ["!.y: removed"], ["!.y: removed"]),
        (dict[str, int], dict[str, float], [".*: integer → number"], ["!.*: integer → number"]),
        # types
        (
            int,
            str,
            ["!: may be integer no more", ": may be string now"],
            [": may be integer no more", "!: may be string now"],
        ),
        (int, float, [": integer → number"], ["!: integer → number"]),
        (float, int, ["!: number → integer"], [": number → integer"]),
        (int, int | None, [": may be null now"], ["!: may be null now"]),
        (int | None, int, ["!: may be null no more"], [": may be null no more"]),
        (int, Any, [": integer → anything"], ["!: integer → anything"]),
        (Any, int, ["!: anything → integer"], [": anything → integer"]),
        (
            model(x=(model(y=X),)),
            model(x=(model(y=(str,)),)),
            ["!.x.y: may be integer no more", ".x.y: may be string now"],
            [".x.y: may be integer no more", "!.x.y: may be string now"],
        ),
        (model(x=X), model(x=X) | None, [": may be null now"], ["!: may be null now"]),
        # single values
        (Literal["a"], Literal["a", "b"], [': may be "b" now'], ['!: may be "b" now']),
        (Literal["a", "b"], Literal["a"], ['!: may be "b" no more'], [': may be "b" no more']),
        (Literal["a"], str, [': "a" → string'], ['!: "a" → string']),
        (str, Literal["a"], ['!: string → "a"'], [': string → "a"']),
        (Literal["a"], Annotated[str, Field(min_length=2)], ['!: "a" → string'], ['!: "a" → string']),
        (Annotated[str, Field(min_length=2)], Literal["a"], ['!: string → "a"'], ['!: string → "a"']),
        (
            Literal["a"],
            int,
            ['!: may be "a" no more', ": may be integer now"],
            [': may be "a" no more', "!: may be integer now"],
        ),
        # lists and tuples
        (list[int], list[float], ["[]: integer → number"], ["![]: integer → number"]),
        (tuple[int, int], tuple[int, float], ["[1]: integer → number"], ["![1]: integer → number"]),
        (
            list[int],
            tuple[int, float],
            ["!: maxItems none → 2", "!: minItems none → 2", "[1]: integer → number", "[]: integer → anything"],
            [": maxItems none → 2", ": minItems none → 2", "![1]: integer → number", "![]: integer → anything"],
        ),
        # limits
        (
            Annotated[str, Field(max_length=5)],
            Annotated[str, Field(max_length=3)],
            ["!: maxLength 5 → 3"],
            [": maxLength 5 → 3"],
        ),
        (
            Annotated[str, Field(min_length=5)],
            Annotated[str, Field(min_length=3)],
            [": minLength 5 → 3"],
            ["!: minLength 5 → 3"],
        ),
        (Annotated[int, Field(ge=5)], Annotated[int, Field(ge=7)], ["!: minimum 5 → 7"], [": minimum 5 → 7"]),
        (Annotated[int, Field(le=5)], int, [": maximum 5 → none"], ["!: maximum 5 → none"]),
        (str, Annotated[str, Field(pattern="a")], ['!: pattern none → "a"'], [': pattern none → "a"']),
        (
            Annotated[str, Field(pattern="a")],
            Annotated[str, Field(pattern="b")],
            ['!: pattern "a" → "b"'],
            ['!: pattern "a" → "b"'],
        ),
    ],
)
def test_both_sides_count(old: Any, new: Any, taken: list[str], sent: list[str]) -> None:
    assert changes(old, new) == (taken, sent)


def test_words_that_say_nothing_of_values_are_no_change() -> None:
    described = Annotated[int, Field(title="Other", description="other", examples=[3], json_schema_extra={"x-a": 1})]
    assert said(of(model(x=X)), of(model(x=(described,)))) == []


def test_a_type_may_be_called_otherwise() -> None:
    other = type("Other", (BaseModel,), {"__annotations__": {"x": int}, "__module__": __name__})
    assert said(of(model(x=X)), of(other)) == []


def test_a_union_is_compared_choice_by_choice() -> None:
    class Cat(BaseModel):
        lives: int

    class Dog(BaseModel):
        barks: bool

    class Fish(BaseModel):
        wet: bool

    found = changes(Cat | Dog, Dog | Cat | Fish | None)
    assert found == ([": may be Fish now", ": may be null now"], ["!: may be Fish now", "!: may be null now"])


def test_events_come_and_go() -> None:
    old, new = contract(), contract()
    old.event("old/one?", of=int)
    new.event("new/one", of=int)
    found = diff(asyncapi(old), asyncapi(new))
    assert [(str(change), change.breaking) for change in found] == [
        ("old/one?: removed", True),
        ("new/one: added", False),
    ]


def test_a_direction_is_a_change() -> None:
    assert said(of(int), of(int, direction="to-client")) == ["!from-client: removed"]
    assert said(of(int, direction="to-client"), of(int)) == ["from-client: added"]
    assert said(of(int), of(int, direction="to-server")) == ["!from-server: removed"]


def test_a_reply_is_a_change() -> None:
    assert said(of(int), of(int, str)) == ["reply-from-server: added", "!reply-from-client: added"]
    assert said(of(int, str), of(int)) == ["!reply-from-server: removed", "reply-from-client: removed"]
    assert said(of(int, int), of(int, float)) == [
        "!reply-from-server: integer → number",
        "reply-from-client: integer → number",
    ]
    started = said(of(int, str, direction="to-server"), of(int, str))
    assert started == ["from-server: added", "reply-from-client: added"]


def test_what_a_registry_says_of_unknown_fields_counts() -> None:
    thing = model(x=X)
    assert changes(thing, thing) == ([], [])
    found = said(of(thing), of(thing, extra="forbid"))
    assert "!from-client: unknown fields are refused now" in found
    assert said(of(thing, extra="ignore"), of(thing)) == []
    closed = model(True, x=X)
    assert said(of(closed, extra="ignore"), of(thing)) == []


def test_strictness_counts_where_the_server_takes_it() -> None:
    assert said(of(int), of(int, strict=True)) == ["!: strict now"]
    assert said(of(int, direction="to-client"), of(int, direction="to-client", strict=True)) == [": strict now"]
    assert said(of(int, strict=True), of(int)) == [": strict no more"]


def test_deadline_and_delivery() -> None:
    old, new = EventRegistry(), EventRegistry()
    old.event("a/b", of=int, reply=int, deadline=3, direction="to-server")
    new.event("a/b", of=int, reply=int, deadline=5, direction="to-server")
    before, after = asyncapi(old), asyncapi(new)
    assert said(before, after) == [": receive: deadline 3 → 5"]
    after["channels"]["a/b"]["x-sente-delivery"] = "volatile"
    assert said(before, after) == ["!: delivery reliable → volatile", ": receive: deadline 3 → 5"]


class Branch(BaseModel):
    size: int
    left: "Branch | None" = None
    right: "list[Branch]" = []


def test_types_that_hold_themselves_are_compared_once_and_where_it_is_seen_best() -> None:
    old = of(Branch, direction="to-server")
    new = copy.deepcopy(old)
    new["components"]["schemas"]["Branch"]["properties"]["size"] = {"type": "string"}
    assert said(old, new) == ["!from-client.size: may be integer no more", "from-client.size: may be string now"]


def schema(payload: Any, **schemas: Any) -> Document:
    channels = {"a/b": {"messages": {"from-client": {"payload": payload}}}}
    return {"asyncapi": "3.0.0", "channels": channels, "components": {"schemas": schemas}}


def test_words_beside_a_reference_that_comes_back_end() -> None:
    beside = {"allOf": [{"$ref": "#/components/schemas/A"}], "minProperties": 1}
    node: dict[str, Any] = {
        "type": "object",
        "properties": {"a": beside, "b": {"type": ["object", "null"], "properties": {"c": beside}}},
    }
    other = {**node, "properties": {**node["properties"], "d": {"type": "object", "properties": {}}}}
    found = said(schema(beside, A=node), schema(beside, A=copy.deepcopy(other)))
    assert found[0] == "from-client.d: added" and len(found) < 9


def test_references_that_go_in_circles_end() -> None:
    circle = {"$ref": "#/components/schemas/A"}
    assert said(schema(circle, A=circle), schema(circle, A=circle)) == []
    assert said(schema(circle, A=circle), schema({"anyOf": [circle, {"type": "null"}]}, A=circle)) == [
        "from-client: may be null now"
    ]


def test_other_peoples_words() -> None:
    assert said(schema({"const": 1}), schema({"enum": [1, 2]})) == ["from-client: may be 2 now"]
    assert said(schema({"type": ["integer", "null"]}), schema({"type": "integer"})) == [
        "!from-client: may be null no more"
    ]
    assert said(schema(False), schema(True)) == ["from-client: nothing → anything"]
    assert said(schema({"properties": {}}), schema({"items": True})) == [
        "!from-client: may be object no more",
        "from-client: may be array now",
    ]
    assert said(schema({"const": "x" * 99}), schema({"const": 1}))[0] == f'!from-client: may be "{"x" * 58}… no more'
    several = {"allOf": [{"type": "object"}, {"minProperties": 2}]}
    assert said(schema(several), schema({"allOf": []}))[0].startswith("!from-client: allOf")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "the old document is no AsyncAPI 3: make it with `sente asyncapi`"),
        ([], "the old document is no AsyncAPI 3"),
        ({"asyncapi": "2.6.0"}, "the old document is no AsyncAPI 3"),
        (schema({"$ref": "#/components/schemas/Gone"}), "refers to '#/components/schemas/Gone', which is not in"),
    ],
)
def test_what_is_no_contract_is_refused(document: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        diff(document, of(int))


def test_a_document_nested_too_deep_is_refused() -> None:
    deep: Any = {"type": "integer"}
    for _ in range(5_000):
        deep = {"anyOf": [deep]}
    with pytest.raises(ConfigError, match="nested too deep"):
        diff(schema(deep), schema({"type": "integer"}))


WORDS = st.sampled_from(
    [*sorted(STRUCTURE | REMARKS), "$ref", "allOf", "const", "format", "maxLength", "minimum", "x-a"]
)
SCALARS = st.sampled_from([None, True, False, 0, 1.5, "string", "object", "array", "#/components/schemas/A"])
RUBBISH = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
ANY_SCHEMA = st.dictionaries(WORDS, RUBBISH, max_size=5)


@given(ANY_SCHEMA, ANY_SCHEMA, ANY_SCHEMA)
def test_rubbish_raises_only_what_is_documented(old: Any, new: Any, shared: Any) -> None:
    try:
        found = diff(schema(old, A=shared), schema(new, A=shared))
    except ConfigError:
        return
    assert all(str(change) for change in found)


@given(ANY_SCHEMA, ANY_SCHEMA)
def test_nothing_changed_is_nothing(old: Any, shared: Any) -> None:
    document = schema(old, A=shared)
    try:
        assert diff(document, copy.deepcopy(document)) == []
    except ConfigError:
        return


@given(RUBBISH)
def test_a_document_may_be_anything(rubbish: Any) -> None:
    for place in ("channels", "operations", "components"):
        document = {**of(int, int), place: rubbish}
        diff(document, document)
        diff(of(int, int), document)
        diff(document, {**document, "channels": {"a/b": rubbish}})
