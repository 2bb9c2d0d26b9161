"""Transit's scalars: what is one string or number in each of its forms, and how it is read."""

import math
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from sente.errors import PackError, UnpackError
from sente.packers.builtin import EPOCH, decimal_text, read_integer, utc_text, uuid_of
from sente.packers.handlers import Types
from sente.packers.limits import BITS
from sente.values import Char, Keyword, Symbol, TaggedValue, Uri

Texts: TypeAlias = Mapping[type, Callable[[Any], str | None]]
"""What writes values of a type as one string each; ``None`` for one that it cannot."""

EXACT = 2**53
"""From here on JavaScript does not count exactly: larger whole numbers are tagged."""

MARKS = frozenset("~^`")
"""What a string of the application is not begun with: such a one gets another ``~``."""

NOT_FINITE = {"NaN": math.nan, "INF": math.inf, "-INF": -math.inf}
FINITE_NOT = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}
BOOLEANS = {"t": True, "f": False}
FLOAT = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.A)


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
    """What stands behind a tag of its own, ``["~#set", [1]]``, which may be a scalar, ``["~#b", "AAE="]``; in
    MessagePack moments and UUIDs are numbers there.

    >>> read_composite("'", "quoted", Types()), read_composite("m", 0, Types()).year
    ('quoted', 1970)

    Raises:
        UnpackError: it is not what the tag promises.
    """
    if tag not in TAGS_OF_SCALARS:
        return types.raise_(tag, rep)
    match tag, rep:
        case "'", _:
            return rep
        case _, str() if tag in SCALARS:
            return read_scalar(f"~{tag}{rep}", types)
        case "m", int():
            return types.raise_("m", str(rep))
        case "u", [int(), int()]:
            return types.adopt("u", _read_halves, rep)
        case _:
            return types.raise_(tag, rep)


def milliseconds(moment: datetime) -> int | None:
    """Since 1970; ``None`` if there is a fraction of one.

    >>> milliseconds(EPOCH.replace(year=2020, microsecond=678000))
    1577836800678
    """
    since = moment - EPOCH
    count, rest = divmod(since.microseconds, 1000)
    return None if rest else (since.days * 86_400 + since.seconds) * 1000 + count


def texts_of(types: Types, *, verbose: bool) -> Texts:
    """How each type is written whose values are one string, ``None`` where one is not; without those that a handler
    writes. It is the short way to what lowering and ``write_scalar`` would make of them."""
    texts = {**TEXTS, datetime: _verbose_moment if verbose else _moment}
    return {kind: text for kind, text in texts.items() if not types.handles(kind)}


def _verbose_moment(value: datetime) -> str | None:
    return None if value.tzinfo is None else f"~t{utc_text(value)}"


def _moment(value: datetime) -> str | None:
    number = None if value.tzinfo is None else milliseconds(value)
    return None if number is None else f"~m{number}"


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
    if len(rep) > 40 or not FLOAT.fullmatch(rep) or not math.isfinite(value := float(rep)):
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

TAGS_OF_SCALARS = {*SCALARS, "'", "m", "u"}

TEXTS: Texts = {
    bytes: lambda value: f"~b{b64encode(value).decode()}",
    UUID: lambda value: f"~u{value}",
    Decimal: lambda value: f"~f{decimal_text(value)}",
    Keyword: lambda value: f"~:{value.name}",
    Symbol: lambda value: f"~${value.name}",
    Uri: lambda value: f"~r{value.text}",
    Char: lambda value: f"~c{value.text}",
}
