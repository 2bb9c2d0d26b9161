"""Transit's scalars: what is one string or number in each of its forms, and how it is read."""

import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sente.errors import PackError, UnpackError
from sente.packers.builtin import read_integer, uuid_of
from sente.packers.handlers import Types
from sente.packers.limits import BITS
from sente.values import TaggedValue

EXACT = 2**53
"""From here on JavaScript does not count exactly: larger whole numbers are tagged."""

MARKS = frozenset("~^`")
"""What a string of the application is not begun with: such a one gets another ``~``."""

NOT_FINITE = {"NaN": math.nan, "INF": math.inf, "-INF": -math.inf}
FINITE_NOT = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}
BOOLEANS = {"t": True, "f": False}


def is_scalar(value: TaggedValue) -> bool:
    """Whether a tagged value is one string, ``~t2026-...``.

    >>> is_scalar(TaggedValue("t", "2026-01-02T00:00:00.000Z")), is_scalar(TaggedValue("set", []))
    (True, False)
    """
    return len(value.tag) == 1 and type(value.rep) is str


def rep_of(value: TaggedValue) -> Any:
    """What is written behind the tag of a composite value: of a ratio big whole numbers, as Clojure has them.

    >>> rep_of(TaggedValue("ratio", [1, 3]))
    [TaggedValue(tag='n', rep='1'), TaggedValue(tag='n', rep='3')]
    """
    rep = value.rep
    if value.tag == "ratio" and type(rep) is list and all(type(part) is int for part in rep):
        return [TaggedValue("n", str(part)) for part in rep]
    return rep


def write_scalar(value: Any) -> Any:
    """A scalar of Python's own, or a tagged one, as it stands in a list.

    >>> write_scalar("~ada"), write_scalar(1.5), write_scalar(2**53), write_scalar(TaggedValue(":", "name"))
    ('~~ada', 1.5, '~i9007199254740992', '~:name')

    Raises:
        PackError: a whole number of too many digits.
    """
    match value:
        case str():
            return f"~{value}" if value[:1] in MARKS else value
        case None | bool():
            return value
        case int():
            return value if -EXACT < value < EXACT else _big(value)
        case float():
            return value if math.isfinite(value) else f"~z{FINITE_NOT[str(value)]}"
        case bytes():
            return f"~b{b64encode(value).decode()}"
        case _:
            return f"~{value.tag}{value.rep}"


def write_key(written: Any) -> Any:
    """A written scalar as the key of a map; what is none, as it is.

    >>> write_key("name"), write_key(1), write_key(None)
    ('name', '~i1', '~_')
    """
    match written:
        case None:
            return "~_"
        case bool():
            return f"~?{'ft'[written]}"
        case int():
            return f"~i{written}"
        case float():
            return f"~d{written!r}"
        case _:
            return written


def read_scalar(text: str, types: Types) -> Any:
    """What a string says that begins with a mark.

    >>> read_scalar("~i7", Types()), read_scalar("~~ada", Types())
    (7, '~ada')

    Raises:
        UnpackError: it is not what its tag promises, or none that is known to begin so.
    """
    tag, rep = text[1:2], text[2:]
    if text[0] != "~" or not tag:
        raise UnpackError(f"{text[:40]!r} begins like a tag of Transit's, and is none that is read here")
    if tag in MARKS:
        return text[1:]
    if tag in SCALARS:
        try:
            return SCALARS[tag](rep)
        except UnpackError:
            raise
        except (ValueError, KeyError) as error:
            raise UnpackError(f"tag {tag!r}: no such value: {rep[:40]!r}") from error
    return types.raise_(tag, rep)


def read_composite(tag: str, rep: Any, types: Types) -> Any:
    """What stands behind a tag of its own, ``["~#set", [1]]``; in MessagePack moments and UUIDs are numbers there.

    >>> read_composite("'", "quoted", Types()), read_composite("m", 0, Types()).year
    ('quoted', 1970)

    Raises:
        UnpackError: it is not what the tag promises.
    """
    match tag, rep:
        case "'", _:
            return rep
        case "m", int():
            return types.raise_("m", str(rep))
        case "u", [int(), int()]:
            return types.adopt("u", _read_halves, rep)
        case _:
            return types.raise_(tag, rep)


def _read_halves(halves: list[int]) -> UUID:
    return uuid_of(int.from_bytes(b"".join(half.to_bytes(8, signed=True) for half in halves)))


def _big(value: int) -> str:
    if value.bit_length() > BITS:
        raise PackError(f"a whole number of more than {BITS} bit cannot be packed")
    return f"~i{value}" if -(2**63) <= value < 2**63 else f"~n{value}"


def _null(rep: str) -> None:
    if rep:
        raise ValueError(rep)


def _float(rep: str) -> float:
    value = float(rep)
    if len(rep) > 40 or not math.isfinite(value):
        raise ValueError(rep)
    return value


SCALARS: Mapping[str, Callable[[str], Any]] = {
    "_": _null,
    "?": BOOLEANS.__getitem__,
    "i": read_integer,
    "d": _float,
    "z": NOT_FINITE.__getitem__,
    "b": lambda rep: b64decode(rep, validate=True),
}
