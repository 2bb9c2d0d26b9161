"""What is wrong with an event, said in few words to whoever wrote it; and nothing else is raised."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import AfterValidator, AliasGenerator, BaseModel, ConfigDict, Field, PlainSerializer, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from sente import EventRegistry, InvalidEvent, Keyword, PackError
from sente.events.validation import ERRORS, STEP, STEPS, TEXT
from sente.packers import get
from tests.events.contract import Ack, Confirm, Move, Said, Say, contract
from tests.packers.examples import MONEY, Colour, Money, Point

ways = pytest.mark.parametrize("plain", [False, True])


def invalid(events: EventRegistry, event_id: str, value: Any, *, plain: bool = False) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as error:
        events.load(event_id, value, sender="client", plain=plain)
    return error.value


def one(type_: Any, **options: Any) -> EventRegistry:
    events = EventRegistry(**options)
    events.event("a/b", of=type_)
    return events


# -- what is said of it


@ways
def test_an_error_says_what_and_where(plain: bool) -> None:
    error = invalid(contract(), "chat/say", {"text": "", "tags": ["a", 7]}, plain=plain)
    assert error.event_id == "chat/say"
    assert error.errors == [
        {"type": "string_too_short", "loc": ["text"], "msg": "String should have at least 1 character"},
        {"type": "string_type", "loc": ["tags", 1], "msg": "Input should be a valid string"},
    ]
    assert str(error) == "chat/say: text: String should have at least 1 character (and 1 more)"
    assert str(invalid(contract(), "chat/say", 7, plain=plain)).startswith("chat/say: Input should be")


@ways
def test_ten_thousand_errors_are_told_as_twenty_and_soon(plain: bool) -> None:
    begun = time.perf_counter()
    error = invalid(contract(), "chat/typing", [1] * 10_000, plain=plain)
    assert time.perf_counter() - begun < 1
    assert (len(error.errors), error.more) == (ERRORS, 10_000 - ERRORS)
    assert str(error).endswith("(and 9999 more)")
    strict = invalid(one(list[tuple[int, int]], strict=True), "a/b", [1] * 10_000)
    assert (len(strict.errors), strict.more) == (ERRORS, 10_000 - ERRORS)


@ways
def test_no_text_of_a_stranger_comes_back_at_length(plain: bool) -> None:
    def refuse(value: Any) -> Any:
        raise ValueError("no " * 10_000)

    deep = Annotated[int, AfterValidator(refuse)]
    for _ in range(2 * STEPS):
        deep = dict[str, deep]  # type: ignore[misc,assignment]
    value: Any = 7
    for _ in range(2 * STEPS):
        value = {"k" * 10_000: value}
    (flaw,) = invalid(one(deep), "a/b", value, plain=plain).errors
    assert flaw["loc"] == ["k" * STEP] * STEPS
    assert len(flaw["msg"]) == TEXT


def test_an_error_can_be_sent_back_by_any_packer() -> None:
    error = invalid(one(dict[int, int]), "a/b", {10**30: "a", b"\xff": 1, Keyword("a"): 2, None: 3})
    for name in ("json", "transit", "msgpack"):
        assert get(name).unpack(get(name).pack(error.errors)) == error.errors


@ways
@pytest.mark.parametrize("raised", [KeyError("secret"), RuntimeError("secret"), RecursionError()])
def test_whatever_a_validator_raises_is_an_invalid_event(raised: Exception, plain: bool) -> None:
    class Odd(BaseModel):
        text: str

        @field_validator("text")
        @classmethod
        def check(cls, text: str) -> str:
            raise raised

    error = invalid(one(Odd), "a/b", {"text": "hi"}, plain=plain)
    assert error.errors == [{"type": "validator", "loc": [], "msg": "it could not be checked"}]
    assert error.__cause__ is raised
    assert "secret" not in str(error)


@ways
def test_an_error_of_the_applications_own_kind(plain: bool) -> None:
    def refuse(value: Any) -> Any:
        raise PydanticCustomError("is_instance_of", "no {what}", {"what": "way"})

    for strict in (None, True):
        error = invalid(one(Annotated[int, AfterValidator(refuse)], strict=strict), "a/b", 7, plain=plain)
        assert error.errors == [{"type": "is_instance_of", "loc": [], "msg": "no way"}]
    assert str(InvalidEvent("a/b", [])) == "a/b"


# -- strictness, unknown fields, and what models say of themselves


class Lenient(BaseModel):
    number: int


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    number: int


@ways
def test_strictness_is_the_registrys_or_the_models(plain: bool) -> None:
    loose: Any = {"number": "7"}
    assert one(Lenient).load("a/b", loose, sender="client", plain=plain).number == 7
    assert one(Strict, strict=False).load("a/b", loose, sender="client", plain=plain).number == 7
    for events in (one(Lenient, strict=True), one(Strict)):
        assert invalid(events, "a/b", loose, plain=plain).errors[0]["type"] == "int_type"


@ways
def test_unknown_fields_are_the_registrys_or_the_models(plain: bool) -> None:
    more: Any = {"number": 7, "more": 1}
    assert one(Lenient).load("a/b", more, sender="client", plain=plain) == Lenient(number=7)
    assert one(Strict, extra="ignore").load("a/b", more, sender="client", plain=plain) == Strict(number=7)
    for events in (one(Lenient, extra="forbid"), one(Strict)):
        assert invalid(events, "a/b", more, plain=plain).errors[0]["type"] == "extra_forbidden"


def test_what_no_packer_carries_is_taken_in_its_plain_form_by_strict_types_too() -> None:
    class Everything(BaseModel):
        model_config = ConfigDict(strict=True)
        place: tuple[int, int]
        point: Point
        colour: Colour
        word: Keyword
        ids: set[UUID]
        blob: bytes

    events = one(Everything)
    before = Everything(
        place=(1, 2),
        point=Point(1, datetime.now(UTC).date()),
        colour=Colour.RED,
        word=Keyword("a"),
        ids={UUID(int=1)},
        blob=b"\xff",
    )
    for name in ("transit", "msgpack"):
        packed = get(name).pack(events.dump("a/b", before, sender="server"))
        value = get(name).unpack(packed)
        assert events.load("a/b", value, sender="server") == before
        for field, wrong in (("ids", [UUID(int=1)]), ("ids", {"text"}), ("blob", "text"), ("word", 1)):
            assert invalid(events, "a/b", {**value, field: wrong})
    (flaw,) = invalid(events, "a/b", {**value, "place": [1, 2, 3]}).errors
    assert flaw["type"] == "too_long", "what is wrong beyond its form"


def test_however_many_of_them_there_are() -> None:
    events = one(list[tuple[int, Colour]], strict=True)
    many = [(1, Colour.RED)] * 1000
    packed = get("msgpack").pack(events.dump("a/b", many, sender="server"))
    assert events.load("a/b", get("msgpack").unpack(packed), sender="server") == many


@ways
def test_defaults_and_aliases(plain: bool) -> None:
    class Renamed(BaseModel):
        model_config = ConfigDict(alias_generator=AliasGenerator(alias=to_camel), populate_by_name=True)
        user_name: str
        last_seen: datetime | None = None
        tags: list[str] = Field(default_factory=lambda: ["new"])

    events = one(Renamed)
    loaded = events.load("a/b", {"userName": "ada"}, sender="client", plain=plain)
    assert loaded == Renamed(user_name="ada")
    assert loaded.tags == ["new"]
    dumped = events.dump("a/b", loaded, sender="server")
    assert dumped == {"userName": "ada", "lastSeen": None, "tags": ["new"]}


# -- what leaves


def test_what_is_dumped_keeps_its_types_for_the_packers() -> None:
    events = contract()
    moment = datetime.now(UTC)
    assert events.dump("chat/said", Said(text="hi", at=moment), sender="server") == {"text": "hi", "at": moment}
    assert events.dump("chat/said", {"text": "hi", "at": moment}, sender="server") == {"text": "hi", "at": moment}
    assert events.dump("map/sight", {"lat": 1, "lon": 2}, sender="server") == {"lat": 1.0, "lon": 2.0}
    assert events.dump("chat/say", Ack(at=moment), sender="client", reply=True) == {"at": moment, "colour": Colour.RED}
    assert events.dump("device/confirm", Confirm(what="x"), sender="server") == {"what": "x"}


def test_a_type_with_a_handler_stays_whole_in_a_model() -> None:
    events = one(list[Annotated[Money, MONEY]])
    money = [Money("EUR", Decimal(5))]
    for name in ("json", "transit", "msgpack"):
        packer = get(name, types=[MONEY])
        packed = packer.pack(events.dump("a/b", money, sender="server"))
        plain = name == "json"
        assert events.load("a/b", packer.unpack(packed), sender="server", plain=plain) == money


def wrong_model() -> Any:
    return Say.model_construct(**{"text": 7})  # type: ignore[arg-type]


def wrong_dataclass() -> Any:
    return Move("one", 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def changed() -> Any:
    say = Say(text="hi")
    say.id = "no id"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    return say


@pytest.mark.parametrize("make", [wrong_model, wrong_dataclass, changed, dict, lambda: {"text": 7}, lambda: Said])
def test_what_is_not_of_its_type_does_not_leave(make: Any) -> None:
    events = contract()
    value = make()
    event_id = "game/move" if isinstance(value, Move) else "chat/say"
    with pytest.raises(InvalidEvent, match=event_id):
        events.dump(event_id, value, sender="client")


def test_whatever_a_serializer_raises_is_an_invalid_event() -> None:
    def refuse(value: Any) -> Any:
        raise KeyError("x")

    with pytest.raises(InvalidEvent, match="a/b: Error calling function `refuse`"):
        one(Annotated[int, PlainSerializer(refuse)]).dump("a/b", 7, sender="server")


def test_what_packers_do_not_know_is_theirs_to_refuse() -> None:
    from pydantic import HttpUrl

    dumped = one(HttpUrl).dump("a/b", HttpUrl("https://example.com/"), sender="server")
    with pytest.raises(PackError, match="HttpUrl cannot be packed: give the packer a TypeHandler"):
        get("json").pack(dumped)
