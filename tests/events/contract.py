"""A contract as an application would write it, with every kind of type that an event can be."""

import dataclasses
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from sente import Char, EventRegistry, Keyword, Request, Symbol, Uri
from tests.packers.examples import MONEY, Colour, Money, Order, Point

PLAIN: dict[str, Any] = {
    "None": None,
    "bool": bool,
    "int": int,
    "int beyond 2^53": int,
    "float": float,
    "str": str,
    "list": list[int | list[int]],
    "tuple": tuple[int, int],
    "dict": dict[str, int | None],
    "set": set[str],
    "frozenset": frozenset[int],
    "datetime with time zone": datetime,
    "datetime with microseconds": datetime,
    "datetime without time zone": datetime,
    "date": date,
    "time": time,
    "timedelta": timedelta,
    "UUID": UUID,
    "Decimal": Decimal,
    "Fraction": Fraction,
    "Enum": Colour,
    "dataclass": Point,
    "pydantic model": Order,
    "Keyword": Keyword,
    "Symbol": Symbol,
    "Uri": Uri,
    "Char": Char,
    "a type with a handler": Annotated[Money, MONEY],
}
"""The types of tests/packers/examples.py that come back from plain JSON when the event says what they are."""


class Ack(BaseModel):
    at: datetime
    colour: Colour = Colour.RED


@dataclasses.dataclass
class Move(Request[tuple[int, str]]):
    """A stone is set."""

    x: int
    y: int
    by: UUID | None = None


class Sight(TypedDict):
    lat: float
    lon: float


def contract(**options: Any) -> EventRegistry:
    """A registry of its own for each test."""
    events = EventRegistry(**options)
    events.event("chat/say", deadline=3)(Say)
    events.event("chat/said", direction="to-client")(Said)
    events.event("game/move", direction="to-server")(Move)
    events.event("device/confirm", deadline=2)(Confirm)
    events.event("map/sight")(Sight)
    events.event("chat/typing", of=list[str])
    return events


class Say(BaseModel, Request[Ack]):
    """Someone says something."""

    text: str = Field(min_length=1)
    tags: frozenset[str] = frozenset()
    id: UUID | None = None


class Said(BaseModel):
    text: str
    at: datetime


class Confirm(BaseModel, Request[bool]):
    what: str
