"""Types come back from plain JSON when the event says what they are; and the table in the docs says so."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from sente import EventRegistry, InvalidEvent, Keyword, Symbol, TaggedValue
from sente.interfaces import is_plain_json
from sente.packers import get
from tests.events.contract import PLAIN
from tests.packers.examples import MONEY, VALUES, same

FORMATS = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
NOT_IN_JSON = {"int beyond 64 bit", "NaN", "infinity", "bytes", "dict with scalar keys", "dict with other keys"}

each_type = pytest.mark.parametrize("name", PLAIN)
each_packer = pytest.mark.parametrize("packer", ["json", "transit", "msgpack", "auto", "edn"])
strictly = pytest.mark.parametrize("strict", [None, True])


def there_and_back(events: EventRegistry, value: Any, packer: str) -> Any:
    through = get(packer, types=[MONEY])
    wire = through.pack(events.dump("a/b", value, sender="server"))
    return events.load("a/b", through.unpack(wire), sender="server", plain=is_plain_json(through))


@strictly
@each_packer
@each_type
def test_every_type_comes_back_as_what_the_event_says(name: str, packer: str, strict: bool | None) -> None:
    events = EventRegistry(strict=strict)
    events.event("a/b", of=PLAIN[name])
    assert same(there_and_back(events, VALUES[name], packer), VALUES[name])


@strictly
@each_packer
@each_type
def test_within_others_too(name: str, packer: str, strict: bool | None) -> None:
    events = EventRegistry(strict=strict)
    inner: Any = PLAIN[name]
    events.event("a/b", of=dict[str, list[inner]])
    assert same(there_and_back(events, {"key": [VALUES[name]] * 2}, packer), {"key": [VALUES[name]] * 2})


def test_nothing_is_left_out() -> None:
    others = {"str that begins with ~, ^ or a backtick", "set of sets", "TaggedValue"}
    assert VALUES.keys() == PLAIN.keys() | NOT_IN_JSON | others


@pytest.mark.parametrize("name", ["UUID", "date", "timedelta", "Decimal"])
def test_a_strict_type_takes_a_string_from_plain_json_only(name: str) -> None:
    events = EventRegistry(strict=True)
    events.event("a/b", of=PLAIN[name])
    text = get("json").unpack(get("json").pack(VALUES[name]))
    assert events.load("a/b", text, sender="client", plain=True) == VALUES[name]
    with pytest.raises(InvalidEvent):
        events.load("a/b", text, sender="client", plain=False)


@pytest.mark.parametrize("plain", [False, True])
def test_strict_is_strict(plain: bool) -> None:
    events = EventRegistry(strict=True)
    events.event("a/b", of=int)
    for wrong in ("7", 7.5, True, None, [7]):
        with pytest.raises(InvalidEvent):
            events.load("a/b", wrong, sender="client", plain=plain)
    assert events.load("a/b", 7, sender="client", plain=plain) == 7


def test_text_is_no_type_with_a_string_form() -> None:
    events = EventRegistry()
    events.event("a/b", of=str)
    for value in (VALUES["UUID"], VALUES["date"], Symbol("a"), TaggedValue("a/b", "c")):
        with pytest.raises(InvalidEvent):
            events.load("a/b", value, sender="client")


@pytest.mark.parametrize("strict", [False, True])
def test_a_keyword_is_text_and_text_a_keyword(strict: bool) -> None:
    events = EventRegistry(strict=strict)
    events.event("a/text", of=str)
    events.event("a/word", of=Keyword)
    assert events.load("a/text", Keyword("a"), sender="client") == "a"
    for plain in (False, True):
        assert type(events.load("a/word", "a", sender="client", plain=plain)) is Keyword


def test_a_model_takes_a_map_whose_keys_are_keywords() -> None:
    class Said(BaseModel):
        room: str

    events = EventRegistry(extra="forbid")
    events.event("a/said", of=Said)
    assert events.load("a/said", {Keyword("room"): "go"}, sender="client") == Said(room="go")


def test_the_docs_say_which() -> None:
    text = FORMATS.read_text()
    listed = ", ".join(name for name in PLAIN)
    assert listed in text, f"put this into {FORMATS.name}: {listed}"
