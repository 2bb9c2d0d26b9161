"""What is registered, under which id, and what of it is refused with a sentence."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import pytest
from pydantic import BaseModel

from sente import ConfigError, EventContract, EventRegistry, InvalidEvent, Request, UnknownEvent, latest
from sente.events import Untyped
from tests.events.contract import Ack, Move, Said, Say, Sight, contract

T = TypeVar("T")


class Page(BaseModel, Request[list[T]], Generic[T]):
    items: list[T]


class Cell(BaseModel, Request[T], Generic[T]):
    item: T


class Fixed(BaseModel, Request[bool], Generic[T]):
    item: T


class Early(BaseModel, Request["Later"]):
    text: str
    later: "Later | None" = None


@dataclasses.dataclass
class EarlyToo(Request["list[Later]"]):
    later: "Later | None" = None


EARLY = EventRegistry()
EARLY.event("a/early")(Early)  # when Later does not exist
EARLY.event("a/early-too")(EarlyToo)


class Later(BaseModel):
    number: int


class Tree(BaseModel, Request["Tree"]):
    children: list["Tree"] = []


class Point(NamedTuple):
    x: int
    y: int


# -- what can be read of it


def test_everything_can_be_read_of_a_contract() -> None:
    say = contract().contracts["chat/say"]
    assert (say.id, say.type, say.reply, say.direction, say.delivery, say.deadline) == (
        *("chat/say", Say, Ack, "both", "reliable"),
        3,
    )
    assert say.doc == "Someone says something."
    assert say.adapter.json_schema()["properties"]["text"] == {"minLength": 1, "title": "Text", "type": "string"}
    assert "colour" in say.reply_adapter.json_schema()["properties"]


def test_docs_are_those_that_somebody_wrote() -> None:
    events = contract()

    @dataclasses.dataclass
    class Plain:
        x: int

    class Undocumented(Say):
        pass

    events.event("a/plain")(Plain)
    events.event("a/undocumented")(Undocumented)
    events.event("a/given", doc="Given.")(Later)
    docs = {event_id: each.doc for event_id, each in events.contracts.items()}
    assert docs["game/move"] == "A stone is set."
    assert (docs["a/plain"], docs["a/undocumented"], docs["chat/typing"], docs["a/given"]) == ("", "", "", "Given.")


def test_the_contracts_are_read_only_and_in_order() -> None:
    contracts = contract().contracts
    assert list(contracts)[:3] == ["chat/say", "chat/said", "game/move"]
    with pytest.raises(TypeError):
        contracts["a/b"] = contracts["chat/say"]  # type: ignore[index]


def test_a_class_stays_what_it_was() -> None:
    assert EventRegistry().event("chat/say")(Say) is Say


# -- ids


def test_an_event_is_known_by_id_class_and_object() -> None:
    events = contract()
    for event in ("chat/say", Say, Say(text="hi")):
        assert events.identify(event) == "chat/say"
    assert events.identify(Move(1, 2)) == events.identify(Move) == "game/move"
    assert events.identify(Sight) == "map/sight"
    typing = events.event("chat/typists", of=list[str])
    assert events.identify(typing) == "chat/typists"
    outer = EventRegistry()
    outer.include(events, prefix="a.")
    for registry in (events, outer):
        assert [registry.identify(each) for each in registry.contracts.values()] == list(registry.contracts)
    with pytest.raises(UnknownEvent):
        events.identify(outer.contracts["a.chat/typists"])


def test_an_object_of_a_subclass_is_an_event_too() -> None:
    class Whisper(Said):
        to: str

    event = Whisper(text="psst", at=datetime.now(UTC), to="ada")
    events = contract()
    assert events.identify(event) == "chat/said"
    assert events.dump("chat/said", event, sender="server").keys() == {"text", "at"}


@pytest.mark.parametrize(
    "nothing", [Later, Later(number=1), {"text": "hi"}, 7, None, list[str], EventContract("a/b", int)]
)
def test_what_is_no_event_is_unknown(nothing: object) -> None:
    with pytest.raises(UnknownEvent, match="no event of the registry"):
        contract().identify(nothing)
    with pytest.raises(UnknownEvent):
        Untyped().identify(nothing)


def test_an_unknown_id_is_unknown_everywhere() -> None:
    events = contract()
    for use in (
        lambda: events.identify("chat/sya"),
        lambda: events.deadline("chat/sya"),
        lambda: events.load("chat/sya", {}, sender="client"),
        lambda: events.dump("chat/sya", {}, sender="client", reply=True),
    ):
        with pytest.raises(UnknownEvent, match="chat/sya: there is no such event") as error:
            use()
        assert error.value.event_id == "chat/sya"
    with pytest.raises(UnknownEvent) as long:
        events.load("a/" + "b" * 10_000, {}, sender="client")
    assert len(str(long.value)) < 200


@pytest.mark.parametrize("event_id", ["say", "chat/", "/say", "", "chsk/say", None, 7])
def test_an_id_has_a_namespace(event_id: Any) -> None:
    with pytest.raises(ConfigError, match="'namespace/name', like 'chat/say'"):
        EventRegistry().event(event_id)(Say)
    with pytest.raises(ConfigError, match="'namespace/name'"):
        EventRegistry().event(event_id, of=int)


def test_an_id_is_given_once() -> None:
    events = contract()
    with pytest.raises(ConfigError, match=r"event\('chat/say'\): this id is taken, by .*Say"):
        events.event("chat/say")(Later)
    with pytest.raises(ConfigError, match="taken"):
        events.event("chat/say", of=int)


def test_a_class_is_one_event() -> None:
    events = contract()
    with pytest.raises(ConfigError, match="Say is 'chat/say' already; an object of it could not tell"):
        events.event("chat/say-again")(Say)
    events.event("chat/say-again", of=Say)  # which is then told by the id
    assert events.identify(Say) == "chat/say"
    assert events.contracts["chat/say-again"].reply is Ack


@pytest.mark.parametrize("type_", [int, list[str], int | str, Annotated[int, 1], "Say"])
def test_only_a_class_of_its_own_can_be_decorated(type_: Any) -> None:
    with pytest.raises(ConfigError, match=r"no class of its own: event\('a/b', of="):
        EventRegistry().event("a/b")(type_)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"direction": "up"}, "direction='up'"),
    ({"delivery": "unreliable"}, r"delivery='unreliable'\): give 'reliable', 'volatile' or latest\(...\)"),
    ({"delivery": "latest"}, r"give 'reliable', 'volatile' or latest\(...\)"),
    ({"delivery": latest}, r"give 'reliable', 'volatile' or latest\(...\)"),
    ({"deadline": 0}, "finite number of seconds above 0"),
    ({"deadline": float("inf")}, "finite number of seconds above 0"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_a_wrong_option_says_what_would_be_right(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EventRegistry().event("a/b", **options)
    with pytest.raises(ConfigError, match=message):
        EventRegistry().event("a/b", of=int, **options)


def test_extra_is_one_of_three() -> None:
    with pytest.raises(ConfigError, match="extra='deny': choose one of allow, ignore, forbid"):
        EventRegistry(extra="deny")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- replies


def test_the_reply_is_said_by_the_class_or_the_argument() -> None:
    events = contract()
    assert events.contracts["device/confirm"].reply is bool
    assert events.contracts["chat/said"].reply is None
    assert events.event("a/sight", of=Sight, reply=int).reply is int

    class Loud(Say):
        pass

    events.event("a/loud")(Loud)
    assert events.contracts["a/loud"].reply is Ack
    events.event("a/page")(Page[int])
    events.event("a/cell")(Cell[str])
    events.event("a/fixed")(Fixed[str])
    assert [events.contracts[f"a/{name}"].reply for name in ("page", "cell", "fixed")] == [list[int], str, bool]
    with pytest.raises(InvalidEvent):
        events.load("a/page", ["a"], sender="client", reply=True)


def test_a_reply_that_is_no_type_is_refused() -> None:
    class Nameless(BaseModel, Request):  # type: ignore[type-arg]
        pass

    with pytest.raises(ConfigError, match=r"Nameless: say what the reply is, as in Request\[int\]"):
        EventRegistry().event("a/b")(Nameless)
    with pytest.raises(ConfigError, match=r"the reply to 'a/b': pydantic cannot check this type"):
        EventRegistry().event("a/b", of=int, reply=7)
    with pytest.raises(ConfigError, match=r"the reply to 'a/b' is list\[.*T\]: give a whole type as reply="):
        EventRegistry().event("a/b")(Page)
    with pytest.raises(ConfigError, match=r"the reply to 'a/b' is .*T: give a whole type"):
        EventRegistry().event("a/b", of=int, reply=T)


def test_an_event_without_reply_is_replied_to_with_none() -> None:
    events = contract()
    assert events.dump("chat/said", None, sender="server", reply=True) is None
    with pytest.raises(InvalidEvent, match="chat/said: Input should be None"):
        events.dump("chat/said", 7, sender="server", reply=True)


# -- types


def test_names_may_be_defined_later() -> None:
    assert EARLY.load("a/early", {"text": "x", "later": {"number": 7}}, sender="client").later == Later(number=7)
    assert EARLY.load("a/early", {"number": 7}, sender="client", reply=True) == Later(number=7)
    assert EARLY.load("a/early-too", {"later": {"number": 7}}, sender="client").later == Later(number=7)
    assert EARLY.load("a/early-too", [{"number": 7}], sender="client", reply=True) == [Later(number=7)]


def test_names_that_are_never_defined_are_named() -> None:
    class Lost(BaseModel, Request["Nowhere"]):  # type: ignore[name-defined]  # pyright: ignore
        pass

    class LostToo(BaseModel):
        where: "Nowhere"  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore

    @dataclasses.dataclass
    class LostThree:
        where: "Nowhere"  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore

    events = EventRegistry()
    events.event("a/lost")(Lost)
    events.event("a/lost-too")(LostToo)
    events.event("a/lost-three")(LostThree)
    with pytest.raises(ConfigError, match="the reply to 'a/lost': 'Nowhere' is not defined yet"):
        events.load("a/lost", 1, sender="client", reply=True)
    for event_id, what in (("a/lost-too", "LostToo"), ("a/lost-three", "LostThree")):
        with pytest.raises(ConfigError, match=f"event '{event_id}': .*{what}.*names a type that is not defined yet"):
            events.load(event_id, {"where": 1}, sender="client")


def test_a_type_that_pydantic_does_not_know_is_refused() -> None:
    class Opaque:
        pass

    class Rude:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            raise RuntimeError("no")

    for type_ in (Opaque, Rude):
        with pytest.raises(ConfigError, match="event 'a/b': pydantic cannot check this type"):
            EventRegistry().event("a/b")(type_)
    with pytest.raises(ConfigError, match="pydantic cannot check this type"):
        EventRegistry().event("a/b", of=7)


def test_recursive_generic_and_other_types() -> None:
    events = EventRegistry()
    events.event("a/tree")(Tree)
    events.event("a/point")(Point)
    events.event("a/either", of=Say | Move)
    tree: Any = {"children": []}
    for _ in range(90):
        tree = {"children": [tree]}
    assert events.load("a/tree", tree, sender="client").children[0].children
    assert events.load("a/tree", tree, sender="client", plain=True).children[0].children
    for _ in range(30):
        tree = {"children": [tree]}
    with pytest.raises(InvalidEvent, match="recursion limit"):
        events.load("a/tree", tree, sender="client", plain=True)
    assert events.load("a/point", [1, 2], sender="client") == Point(1, 2)
    assert isinstance(events.load("a/either", {"x": 1, "y": 2}, sender="client"), Move)
    assert isinstance(events.load("a/either", {"text": "x"}, sender="client", plain=True), Say)
    assert events.identify(Point(1, 2)) == "a/point"


# -- one registry within another


def test_registries_compose() -> None:
    events = EventRegistry(extra="forbid")
    events.event("a/b", of=int)
    chat = contract()
    typing = chat.event("chat/typists", of=list[str])
    events.include(chat, prefix="lobby.")
    assert [*events.contracts][:2] == ["a/b", "lobby.chat/say"]
    assert events.identify(Say(text="hi")) == events.identify(Say) == "lobby.chat/say"
    assert events.identify(typing) == "lobby.chat/typists"
    assert events.contracts["lobby.chat/say"].deadline == events.deadline("lobby.chat/say") == 3
    assert events.load("lobby.chat/say", {"text": "hi", "more": 1}, sender="client"), "as lenient as there"
    assert chat.identify(Say) == "chat/say"
    outer = EventRegistry()
    outer.include(events, prefix="v1.")
    assert outer.identify(typing) == "v1.lobby.chat/typists"
    chat.event("chat/more", of=int)
    assert "lobby.chat/more" not in events.contracts


def test_what_does_not_fit_together_is_not_included_at_all() -> None:
    events = EventRegistry()
    events.event("a/b")(Later)
    events.event("chat/typing", of=int)
    for other, prefix, message in (
        (contract(), "", r"event\('chat/typing'\): this id is taken"),
        (contract(), "chsk/", "an event id is"),
        (EARLY, "", ""),
    ):
        if message:
            with pytest.raises(ConfigError, match=message):
                events.include(other, prefix=prefix)
            assert len(events.contracts) == 2
    twice = EventRegistry()
    twice.include(contract(), prefix="a.")
    with pytest.raises(ConfigError, match=r"include\(prefix='b.'\): these are events already: .*Confirm"):
        twice.include(contract(), prefix="b.")
    assert all(event_id.startswith("a.") for event_id in twice.contracts)


# -- directions


def test_an_event_is_taken_from_the_side_that_says_it() -> None:
    events = contract()
    said = {"text": "hi", "at": datetime.now(UTC)}
    assert events.load("chat/said", said, sender="server")
    assert events.dump("game/move", Move(1, 2), sender="client") == {"x": 1, "y": 2, "by": None}
    assert events.dump("game/move", (1, "x"), sender="client", reply=True) == (1, "x")
    wrong: list[Callable[[], Any]] = [
        lambda: events.load("chat/said", said, sender="client"),
        lambda: events.dump("game/move", Move(1, 2), sender="server"),
    ]
    for use in wrong:
        with pytest.raises(InvalidEvent, match="does not say this event: it goes to-") as error:
            use()
        assert error.value.errors[0]["type"] == "direction"
