"""The values that every packer is asked about, and how the table in the docs shows them."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel

from sente import Char, Keyword, Symbol, TaggedValue, TypeHandler, Uri


class Colour(Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    at: date


@dataclasses.dataclass(frozen=True)
class Money:
    currency: str
    amount: Decimal


MONEY = TypeHandler(
    tag="app/money",
    type=Money,
    encode=lambda money: [money.currency, money.amount],
    decode=lambda rep: Money(rep[0], Decimal(rep[1])),
)


class Order(BaseModel):
    total: Annotated[Money, MONEY]
    note: str = ""


VALUES: Mapping[str, Any] = {
    "None": None,
    "bool": True,
    "int": 7,
    "int beyond 2^53": 2**53,
    "int beyond 64 bit": -(2**64),
    "float": 1.5,
    "NaN": math.nan,
    "infinity": -math.inf,
    "str": "先手 😀 ~",
    "str that begins with ~, ^ or a backtick": "~ada",
    "bytes": b"\0\xff",
    "list": [1, [2]],
    "tuple": (1, 2),
    "dict": {"a": 1, "~b": None},
    "dict with scalar keys": {1: "a", None: "b", UUID(int=1): "c", 1.5: "d", True and b"x": "e", Keyword("k"): "f"},
    "dict with other keys": {(1, 2): "a", frozenset({"b"}): {}},
    "set": {"a", "b"},
    "frozenset": frozenset({1}),
    "set of sets": {frozenset({1}), (2, 3)},
    "datetime with time zone": datetime(2026, 1, 2, 3, 4, 5, 678000, timezone(timedelta(hours=9))),
    "datetime with microseconds": datetime(1969, 1, 2, 3, 4, 5, 678901, UTC),
    "datetime without time zone": datetime(2026, 1, 2, 3, 4, 5),
    "date": date(2026, 1, 2),
    "time": time(3, 4, 5),
    "timedelta": timedelta(days=-1, microseconds=1),
    "UUID": UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    "Decimal": Decimal("1.50"),
    "Fraction": Fraction(1, 3),
    "Enum": Colour.RED,
    "dataclass": Point(1, date(2026, 1, 2)),
    "pydantic model": Order(total=Money("EUR", Decimal(5))),
    "Keyword": Keyword("user/id"),
    "Symbol": Symbol("map"),
    "Uri": Uri("https://example.com/"),
    "Char": Char("先"),
    "a type with a handler": Money("EUR", Decimal("5.00")),
    "TaggedValue": TaggedValue("other/thing", [1, {"a"}]),
}

BACK: Mapping[str, Callable[[Any], Any]] = {
    "tuple": list,
    "frozenset": set,
    "Enum": lambda value: value.value,
    "dataclass": dataclasses.asdict,
    "pydantic model": lambda value: {"total": value.total, "note": value.note},
}
"""What comes back, where it is not what was given."""


def expected(name: str) -> Any:
    return BACK.get(name, lambda value: value)(VALUES[name])


def same(left: Any, right: Any) -> bool:
    """Equal, with the same types all the way down; and NaN is NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        pairs = zip(left.items(), right.items(), strict=False)
        return len(left) == len(right) and all(same(a, c) and same(b, d) for (a, b), (c, d) in pairs)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, TaggedValue):
        return bool(left.tag == right.tag) and same(left.rep, right.rep)
    if isinstance(left, float | Decimal) and left != left:
        return bool(right != right)
    if isinstance(left, datetime):
        return bool(left == right and (left.tzinfo is None) == (right.tzinfo is None))
    return bool(left == right)
