"""The AsyncAPI document: what it says of an event, that AsyncAPI's own parser takes it, and odd types."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema, computed_field, field_validator
from typing_extensions import TypedDict

from sente import ConfigError, EventRegistry, Request
from sente.demo.lobby import events as demo
from sente.events.asyncapi import asyncapi
from tests.events.contract import PLAIN, contract
from tests.packers.examples import MONEY, Money

ROOT = Path(__file__).parent.parent.parent
T = TypeVar("T")


class Tree(BaseModel):
    name: str
    parent: "Tree | None" = None
    children: list["Tree"] = []


class Page(BaseModel, Generic[T]):
    items: list[T]
    following: int | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(9, ge=0, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    barks: bool


class Spot(NamedTuple):
    x: int
    y: int = 0


class Loose(TypedDict, total=False):
    at: float


def since(schema: dict[str, Any]) -> None:
    schema["x-since"] = object()


class Odd(BaseModel):
    """Whatever JSON schema has no word for, or JSON no value."""

    model_config = ConfigDict(arbitrary_types_allowed=True, json_schema_extra=since)

    code: Annotated[Any, Field(default_factory=dict)]
    far: float = float("inf")
    near: float = Field(0, le=float("inf"))
    where: type[int] = int
    what: complex = 1j
    how: Annotated[object, Field(default=object())]


class Renamed(BaseModel):
    """Read under one name, written under another."""

    price: int = Field(validation_alias="in", serialization_alias="out")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        """Twice the price."""
        return 2 * self.price


def odd() -> EventRegistry:
    """A registry of all that is hard to describe."""
    events = EventRegistry(strict=True, extra="forbid")
    for name, type_ in {
        "tree": Tree,
        "page": Page[Tree],
        "pages": Page[Page[int]],
        "union": Annotated[Cat | Dog, Field(discriminator="kind")],
        "spot": Spot,
        "open tuple": tuple[int, ...],
        "loose": Loose,
        "odd": Odd,
        "renamed": Renamed,
        "described": Annotated[Cat | None, Field(description="a cat, or none")],
        "a~b/c#d?é{e}": dict[str, Cat],
        "nothing": None,
    }.items():
        events.event(f"odd/{name}", of=type_, reply=type_)
    return events


def same_names() -> EventRegistry:
    """Two types of one name, and of names that schemas cannot have."""
    events = EventRegistry()

    def make(field: str, type_: Any) -> Any:
        return type("Größe", (BaseModel,), {"__annotations__": {field: type_}, "__module__": f"of.{field}"})

    events.event("one/size")(make("width", int))
    events.event("other/size")(make("height", str))
    return events


def plain() -> EventRegistry:
    events = EventRegistry()
    for name, type_ in PLAIN.items():
        events.event(f"plain/{name}", of=type_)
    return events


REGISTRIES = {
    "contract": contract(),
    "demo": demo,
    "empty": EventRegistry(),
    "odd": odd(),
    "plain": plain(),
    "same names": same_names(),
}


@pytest.mark.parametrize("name", REGISTRIES)
def test_the_official_parser_takes_it(name: str) -> None:
    node = shutil.which("node")
    assert node is not None
    document = json.dumps(asyncapi(REGISTRIES[name], title="Test", version="1", packers={"json": "application/json"}))
    done = subprocess.run([node, ROOT / "js" / "asyncapi.mjs"], input=document, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_channel_is_an_event_with_what_each_side_says() -> None:
    document = asyncapi(contract(), title="Chat", version="2", packers={"json": "application/json"})
    assert document["info"] == {"title": "Chat", "version": "2", "x-sente-packers": {"json": "application/json"}}
    channel = document["channels"]["game/move"]
    assert channel["title"] == channel["address"] == "game/move" and channel["description"] == "A stone is set."
    assert channel["x-sente-delivery"] == "reliable"
    assert list(channel["messages"]) == ["from-client", "reply-from-server"]
    assert channel["messages"]["from-client"]["payload"] == {"$ref": "#/components/schemas/Move"}
    said = document["channels"]["chat/said"]["messages"]
    assert list(said) == ["from-server"]
    assert said["from-server"]["examples"] == [{"payload": {"text": "text", "at": "2026-01-02T03:04:05Z"}}]


def test_an_operation_is_one_way_of_an_event() -> None:
    operations = asyncapi(contract())["operations"]
    assert "send:game/move" not in operations and "receive:chat/said" not in operations
    assert operations["receive:chat/say"] == {
        "action": "receive",
        "channel": {"$ref": "#/channels/chat~1say"},
        "messages": [{"$ref": "#/channels/chat~1say/messages/from-client"}],
        "reply": {
            "channel": {"$ref": "#/channels/chat~1say"},
            "messages": [{"$ref": "#/channels/chat~1say/messages/reply-from-server"}],
        },
        "x-sente-deadline": 3,
    }
    assert "reply" not in operations["send:chat/typing"]


def test_what_is_read_and_what_is_written_are_two_things() -> None:
    document = asyncapi(odd())
    messages, schemas = document["channels"]["odd/renamed"]["messages"], document["components"]["schemas"]

    def fields(said: str) -> list[str]:
        return list(schemas[messages[said]["payload"]["$ref"].rpartition("/")[2]]["properties"])

    assert fields("from-client") == fields("reply-from-client") == ["in"]
    assert fields("from-server") == fields("reply-from-server") == ["out", "twice"]
    assert messages["from-client"]["examples"] == [{"payload": {"in": 1}}]
    assert messages["from-server"]["examples"] == [{"payload": {"out": 1, "twice": 2}}]


def test_what_has_a_default_need_not_be_said_and_is_always_written() -> None:
    schemas = asyncapi(contract())["components"]["schemas"]
    assert schemas["Say-Input"]["required"] == ["text"] and set(schemas["Say-Output"]["required"]) == {
        "text",
        "tags",
        "id",
    }
    loose = asyncapi(odd())["components"]["schemas"]["Loose"]
    assert "required" not in loose, "a key that may be missing"


def test_it_is_written_in_the_words_of_draft_7() -> None:
    document = asyncapi(odd())
    schemas = document["components"]["schemas"]
    assert schemas["Spot"]["items"] == [
        {"title": "X", "type": "integer"},
        {"default": 0, "title": "Y", "type": "integer"},
    ]
    assert document["channels"]["odd/union"]["messages"]["from-client"]["payload"] == {
        "oneOf": [{"$ref": "#/components/schemas/Cat-Input"}, {"$ref": "#/components/schemas/Dog"}]
    }
    assert not any(word in json.dumps(document) for word in ("prefixItems", "$defs", "discriminator", "Infinity"))


class Star(BaseModel):
    magnitude: float
    companion: Annotated["Star | None", Field(description="the one beside it")] = None
    home: Annotated[Cat, Field(description="beside a reference")]
    spot: Annotated[Any, Field(json_schema_extra={"prefixItems": [{"type": "integer"}], "items": False})] = None


def test_a_type_with_a_handler_may_be_given_a_schema() -> None:
    events = EventRegistry()
    events.event("shop/bare", of=Annotated[Money, MONEY])
    events.event("shop/price", of=Annotated[Money, MONEY, WithJsonSchema({"type": "array"})])
    channels = asyncapi(events)["channels"]
    assert channels["shop/bare"]["messages"]["from-server"]["payload"] == {}
    assert channels["shop/price"]["messages"]["from-client"]["payload"] == {"type": "array"}
    assert channels["shop/price"]["messages"]["from-server"]["payload"] == {"type": "array"}


def test_what_stands_beside_a_reference_is_kept() -> None:
    events = EventRegistry()
    events.event("sky/star", direction="to-server")(Star)
    fields = asyncapi(events)["components"]["schemas"]["Star"]["properties"]
    assert fields["home"] == {"allOf": [{"$ref": "#/components/schemas/Cat"}], "description": "beside a reference"}
    assert fields["spot"]["items"] == [{"type": "integer"}] and fields["spot"]["additionalItems"] is False


def test_types_that_only_code_knows_may_be_anything() -> None:
    fields = asyncapi(odd())["components"]["schemas"]["Odd-Input"]["properties"]
    assert fields["where"] == {"title": "Where"} and fields["near"] == {"default": 0, "title": "Near", "type": "number"}


def test_an_id_that_is_no_address_is_encoded() -> None:
    document = asyncapi(odd())
    channel = document["channels"]["odd/a~b/c=23d=3Fé=7Be=7D"]
    assert channel["title"] == "odd/a~b/c#d?é{e}"
    assert document["operations"][f"send:{channel['address']}"]["channel"] == {
        "$ref": "#/channels/odd~1a~0b~1c%3D23d%3D3F%C3%A9%3D7Be%3D7D"
    }


def test_types_of_one_name_are_told_apart() -> None:
    document = asyncapi(same_names())
    assert len(document["components"]["schemas"]) == 2
    one, other = (document["channels"][event]["messages"]["from-client"] for event in ("one/size", "other/size"))
    assert one["payload"] != other["payload"] and other["examples"] == [{"payload": {"height": "text"}}]


def test_strictness_and_unknown_fields_are_said() -> None:
    channel = asyncapi(odd())["channels"]["odd/tree"]
    assert channel["x-sente-strict"] is True and channel["x-sente-unknown-fields"] == "forbid"
    assert "x-sente-strict" not in asyncapi(contract())["channels"]["chat/say"]


def test_a_type_that_is_not_whole_is_named() -> None:
    events = EventRegistry()
    events.event("chat/later")(type("Later", (BaseModel,), {"__annotations__": {"x": "Never"}, "__module__": __name__}))
    with pytest.raises(ConfigError, match=r"event 'chat/later': its type gives no schema: .*Never"):
        asyncapi(events)


def test_a_reply_that_is_not_defined_is_named() -> None:
    events = EventRegistry()
    events.event("chat/later", of=int, reply="Nowhere")
    with pytest.raises(ConfigError, match="the reply to 'chat/later': 'Nowhere' is not defined"):
        asyncapi(events)


def test_a_type_that_gives_no_schema_is_named() -> None:
    class Silent:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            return handler.generate_schema(int)

        @classmethod
        def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
            raise LookupError("no schema today")

    events = EventRegistry()
    events.event("chat/silent", of=Silent)
    with pytest.raises(ConfigError, match=r"event 'chat/silent': .*no schema today"):
        asyncapi(events)


# -- examples


def shown(type_: Any, *, written: bool = False) -> Any:
    """The example of an event of this type; ``...`` if there is none."""
    events = EventRegistry()
    events.event("a/b", of=type_)
    message = asyncapi(events)["channels"]["a/b"]["messages"]["from-server" if written else "from-client"]
    return message["examples"][0]["payload"] if "examples" in message else ...


class Shown(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"x": 41}]})
    x: int


class Endless(BaseModel):
    again: "Endless"


class Forever(BaseModel):
    again: list["Forever"] = Field(min_length=1)


class Hopeful(BaseModel):
    never: Endless = None  # type: ignore[assignment]


class Wide(BaseModel):
    """Each level holds the next twice."""

    a: tuple["Wider", "Wider"]


class Wider(BaseModel):
    a: "tuple[Widest, Widest, Widest, Widest, Widest, Widest, Widest, Widest]"
    b: "tuple[Widest, Widest, Widest, Widest, Widest, Widest, Widest, Widest]"


class Widest(BaseModel):
    a: tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int]


class Wary(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def never(cls, value: int) -> int:
        raise RuntimeError("not today")


def broken(value: int) -> int:
    raise RuntimeError("not to be written")


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (Shown, {"x": 41}),
        (Tree, {"name": "text", "parent": None, "children": []}),
        (Page[int], {"items": [1], "following": 1}),
        (Cat | None, {"kind": "cat", "lives": 0}),
        (None, None),
        (bool, True),
        (bool | None, True),
        (Any, None),
        (list[Any], [None]),
        (dict[str, Tree], {"key": {"name": "text", "parent": None, "children": []}}),
        (dict[str, Any], {}),
        (Annotated[str, Field(min_length=9, max_length=10)], "texttextte"),
        (Annotated[str, Field(max_length=2)], "te"),
        (Annotated[str, Field(min_length=1000)], ...),
        (Annotated[str, Field(pattern="^[0-9]+$")], ...),
        (Annotated[int, Field(gt=3)], 4),
        (Annotated[int, Field(ge=3)], 3),
        (Annotated[int, Field(le=-3)], -3),
        (Annotated[int, Field(lt=-3)], -4),
        (Annotated[list[int], Field(min_length=3)], [1, 1, 1]),
        (Annotated[list[int], Field(min_length=1000)], ...),
        (Endless, ...),
        (list[Endless], []),
        (Endless | None, None),
        (Annotated[list[Endless], Field(min_length=1)], ...),
        (dict[str, Endless], {}),
        (Endless | Forever, ...),
        (Hopeful, {}),
        (Wide, ...),
        (Wary, ...),
        (Spot, [1, 1]),
    ],
)
def test_an_example_is_what_the_type_takes(type_: Any, value: Any) -> None:
    assert shown(type_) == value


def test_an_example_that_cannot_be_written_is_none() -> None:
    assert shown(Annotated[int, PlainSerializer(broken)], written=True) is ...


def test_a_request_has_an_example_of_its_reply() -> None:
    class Ask(BaseModel, Request[Shown]):
        pass

    events = EventRegistry()
    events.event("a/ask", direction="to-server")(Ask)
    messages = asyncapi(events)["channels"]["a/ask"]["messages"]
    assert messages["from-client"]["examples"] == [{"payload": {}}]
    assert messages["reply-from-server"]["examples"] == [{"payload": {"x": 41}}]
