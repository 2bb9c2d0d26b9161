"""The hash of an event: the same where its values are the same, another where they are not."""

import subprocess
import sys
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, create_model

from sente import EventRegistry, Request
from sente.interfaces import HashedRegistry
from sente.testing import check_registry
from tests.events.contract import PLAIN, contract

ROOT = Path(__file__).parents[2]


def hash_of(type_: Any, **options: Any) -> str:
    events = EventRegistry()
    events.event("it/is", of=type_, **options)
    return events.hashes()["it/is"]


class Say(BaseModel):
    """Says something."""

    text: str
    tags: list["Tag"] = []


class Tag(BaseModel):
    name: str


class Tree(BaseModel):
    kids: list["Tree"] = []


def test_what_is_written_otherwise_and_is_the_same() -> None:
    class Other(BaseModel):
        tags: list["Label"] = Field([], title="Labels", description="What it is about.")
        text: str = Field(examples=["hi"])

    class Label(BaseModel):
        name: str

    Other.model_rebuild()

    @dataclass
    class Third:
        text: str
        tags: list[Tag] = field(default_factory=list)

    assert hash_of(Say) == hash_of(Other) == hash_of(Third)


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    "other",
    [
        create_model("Say", text=(int, ...), tags=(list[Tag], [])),
        create_model("Say", text=(str, ...)),
        create_model("Say", text=(str, ...), tags=(list[Tag], ...)),
        create_model("Say", text=(str, ...), tags=(list[Tag], []), more=(int, 0)),
        create_model("Say", text=(str, ...), tags=(list[str], [])),
        create_model("Say", text=(str, Field(max_length=5)), tags=(list[Tag], [])),
        create_model("Say", text=(str, Field(alias="words")), tags=(list[Tag], [])),
        create_model("Say", title=(str, ...), tags=(list[Tag], [])),
    ],
)
def test_another_type(other: Any) -> None:
    assert hash_of(other) != hash_of(Say)


def test_titles_that_are_fields_count() -> None:
    fields: Any = {"title": (str, ...)}, {"description": (str, ...)}
    assert len({hash_of(create_model("It", **each)) for each in fields}) == 2


def test_types_that_look_alike_in_json() -> None:
    alike = [
        str,
        bytes,
        UUID,
        Colour,
        list[str],
        set[str],
        tuple[str, ...],
        tuple[str, str],
        dict[str, str],
        dict[int, str],
    ]
    assert len({hash_of(type_) for type_ in alike}) == len(alike) - 1, "a tuple of any length is a list"


def test_definitions_are_told_apart() -> None:
    leaf, tag = create_model("Leaf", name=(int, ...)), Tag
    both = [create_model("It", a=(a, ...), b=(b, ...)) for a, b in ((leaf, tag), (tag, leaf), (tag, tag))]
    assert len({hash_of(type_) for type_ in both}) == 3


def test_a_recursive_type() -> None:
    class Again(BaseModel):
        kids: list["Again"] = []

    Again.model_rebuild()
    assert hash_of(Tree) == hash_of(Again) != hash_of(create_model("Tree", kids=(list[Tag], [])))


def test_the_reply_and_the_direction_count() -> None:
    class Ask(BaseModel, Request[int]):
        pass

    class Tell(BaseModel):
        pass

    hashes = [hash_of(Ask), hash_of(Tell), hash_of(Tell, direction="to-client"), hash_of(Tell, direction="to-server")]
    assert len(set(hashes)) == 4
    assert hash_of(Ask, doc="other words", deadline=3) == hash_of(Ask)


def test_a_type_that_is_defined_later() -> None:
    events = EventRegistry()

    @events.event("late/one")
    class Late(BaseModel):
        it: "Soon"

    assert events.hashes()["late/one"] == "undefined"

    class Soon(BaseModel):
        x: int

    Late.model_rebuild()
    assert events.hashes()["late/one"] != "undefined"


def test_events_that_come_later() -> None:
    events = contract()
    before = dict(events.hashes())
    events.event("some/more", of=int)
    assert events.hashes() == {**before, "some/more": hash_of(int)}


def test_they_are_the_same_in_another_process() -> None:
    program = "from tests.events.test_hashes import everything; print(dict(everything()))"
    for seed in ("1", "2"):
        command = [sys.executable, "-c", program]
        done = subprocess.run(
            command, cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == str(dict(everything()))


def everything() -> Any:
    events = contract()
    for number, type_ in enumerate(PLAIN.values()):
        events.event(f"plain/{number}", of=type_)
    return events.hashes()


def test_they_stay_what_they_are() -> None:
    """What is deployed compares with these: who changes them makes every page that is open stale once."""
    hashes = contract().hashes()
    assert hashes == {
        "chat/say": "bc82b297",
        "chat/said": "225ab97a",
        "game/move": "91231a15",
        "device/confirm": "c466394a",
        "map/sight": "d1252f09",
        "chat/typing": "cb17cefe",
    }


def test_a_registry_without_hashes_is_one_all_the_same() -> None:
    class Bare:
        def __init__(self) -> None:
            events = EventRegistry()
            events.event("it/is", of=int)
            self.identify, self.load, self.dump = events.identify, events.load, events.dump
            self.deadline = events.deadline

    check_registry(Bare(), ("it/is", 7))
    assert not isinstance(Bare(), HashedRegistry) and isinstance(EventRegistry(), HashedRegistry)
