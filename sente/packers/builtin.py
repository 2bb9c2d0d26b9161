"""The types that every packer knows: what each is written as, and how it is read.

``LOWER`` takes a value one step down, to a plainer value or a ``TaggedValue`` whose ``rep`` is text where Transit has a
scalar for it. ``RAISE`` is the way back, by tag. Each packer writes tags and plain values in its own way.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, TypeAlias
from uuid import UUID, SafeUUID

from sente.errors import PackError, UnpackError
from sente.packers.limits import COLLISIONS, DIGITS, EXPONENT, TWICE
from sente.values import Char, Extension, Keyword, Symbol, TaggedValue, Uri

Lower: TypeAlias = Callable[[Any], Any]
Raise: TypeAlias = Callable[[Any], Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DURATION = re.compile(
    r"(-)?P(?:(\d{1,9})D)?(?:T(?:(\d{1,12})H)?(?:(\d{1,14})M)?(?:(\d{1,15})(?:\.(\d{1,6})\d*)?S)?)?", re.A
)
DECIMAL = re.compile(r"-?(?:\d+(?:\.\d*)?(?:E[+-]?\d{1,9})?|NaN|Infinity)", re.A | re.I)

SET_INT, SET_IS_SAFE = UUID.__dict__["int"].__set__, UUID.__dict__["is_safe"].__set__
"""What ``UUID`` does not let one set."""


def utc_text(value: datetime) -> str:
    """RFC 3339 in UTC: with milliseconds, or microseconds if there are any.

    >>> utc_text(datetime(2026, 1, 2, tzinfo=UTC))
    '2026-01-02T00:00:00.000Z'
    """
    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f"{moment.isoformat(timespec=precision)[:-6]}Z"


def duration_text(value: timedelta) -> str:
    """ISO 8601, in seconds: every reader of durations takes that.

    >>> duration_text(timedelta(minutes=-1, milliseconds=-500))
    '-PT60.5S'
    """
    microseconds = abs(value) // timedelta(microseconds=1)
    seconds, fraction = divmod(microseconds, 1_000_000)
    sign = "-" if value < timedelta() else ""
    return f"{sign}PT{seconds}{f'.{fraction:06}'.rstrip('0') if fraction else ''}S"


def read_utc(text: str) -> datetime:
    """A moment; one without an offset is in UTC.

    >>> read_utc("2026-01-02T02:00:00+02:00")
    datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """
    value = datetime.fromisoformat(text)
    if value.tzinfo is UTC:
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def uuid_of(number: int) -> UUID:
    """The UUID of a number of 128 bit, in less than half the time that ``UUID(int=number)`` takes for its checks.

    >>> uuid_of(1)
    UUID('00000000-0000-0000-0000-000000000001')
    """
    value = object.__new__(UUID)
    SET_INT(value, number)
    SET_IS_SAFE(value, SafeUUID.unknown)
    return value


def read_uuid(text: str) -> UUID:
    """A UUID, in any form that ``UUID`` takes; the usual ones sooner."""
    digits = text.replace("-", "")
    if len(digits) != 32:
        digits = digits.removeprefix("urn:uuid:").strip("{}")
    raw = bytes.fromhex(digits)  # int(digits, 16) takes a sign, an underscore and the digits of other scripts too
    if len(digits) != 32 or len(raw) != 16:
        raise ValueError(text)
    return uuid_of(int.from_bytes(raw))


def read_milliseconds(text: str) -> datetime:
    """A moment by milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=read_integer(text))


def read_duration(text: str) -> timedelta:
    """ISO 8601, without months and years: those have no length.

    >>> read_duration("P1DT2H3M4.5S")
    datetime.timedelta(days=1, seconds=7384, microseconds=500000)
    """
    found = DURATION.fullmatch(text)
    if found is None or not any(found.groups()[1:]):
        raise UnpackError(f"no duration: {text[:40]!r}")
    sign, days, hours, minutes, seconds, fraction = found.groups(default="")
    value = timedelta(int(days or 0), int(seconds or 0), int(f"{fraction:0<6}"), 0, int(minutes or 0), int(hours or 0))
    return -value if sign else value


def read_decimal(text: str) -> Decimal:
    """A decimal number, NaN and the infinities too, and as many digits as are worth their time."""
    if len(text) <= DIGITS and DECIMAL.fullmatch(text) and abs((value := Decimal(text)).adjusted()) <= EXPONENT:
        return value
    raise UnpackError(f"no decimal number, or too large an exponent: {text[:40]!r}")


def read_integer(text: str) -> int:
    """A whole number of up to 1000 digits."""
    digits = text[1:] if text[:1] == "-" else text
    if len(text) > DIGITS or not (digits.isascii() and digits.isdigit()):
        raise UnpackError(f"no whole number: {text[:40]!r}")
    return int(text)


def hashable(value: Any) -> Any:
    """What stands for a value as a member of a set or key of a map: lists become tuples, sets frozensets.

    Raises:
        UnpackError: a map, or what else cannot be hashed.
    """
    if type(value) is list:
        return tuple(map(hashable, value))
    if type(value) is set:
        return frozenset(value)
    try:
        hash(value)
    except TypeError as error:
        raise UnpackError(f"{type(value).__name__} can be neither a key nor a member of a set") from error
    return value


def scattered(keys: list[Any]) -> list[Any]:
    """The same, which may be hashed without losing much time.

    Raises:
        UnpackError: too many of them have the same hash.
        TypeError: one of them cannot be hashed; if there are many.
    """
    if len(keys) > COLLISIONS and len(keys) - len(set(map(hash, keys))) > COLLISIONS:
        raise UnpackError("too many keys, or members of a set, have the same hash")
    return keys


def read_ratio(rep: list[Any]) -> Fraction:
    """A fraction of two whole numbers; of text, ``Fraction`` would take an exponent and work out its digits."""
    if [type(part) for part in rep] != [int, int]:
        raise UnpackError("a ratio is a list of two whole numbers")
    return Fraction(*rep)


def read_set(rep: list[Any]) -> set[Any]:
    """A set. Members given twice are refused."""
    if type(rep) is list:
        try:
            value = set(scattered(rep))
        except TypeError:
            value = set(scattered(list(map(hashable, rep))))
        if len(value) == len(rep):
            return value
    raise UnpackError("a set is a list of members, each named once; a keyword is the same member as its name")


def read_list(rep: list[Any]) -> list[Any]:
    """Clojure's list, which is one like any other here."""
    if type(rep) is not list:
        raise UnpackError("a list is a list of its items")
    return rep


def read_pairs(rep: list[Any]) -> dict[Any, Any]:
    """A map from keys and values in turn. Keys given twice are refused."""
    if type(rep) is not list or len(rep) % 2:
        raise UnpackError("a map needs a value for each key")
    return as_map(list(map(hashable, rep[::2])), rep[1::2])


def as_map(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    """A map of as many keys, which can be hashed, and values. Keys given twice are refused."""
    value = dict(zip(scattered(keys), values, strict=True))
    if len(value) != len(keys):
        raise UnpackError(TWICE)
    return value


def decimal_text(value: Decimal) -> str:
    """A decimal number, as ``str`` writes it.

    Raises:
        PackError: no reader of ours would take it.
    """
    if value.is_snan():
        raise PackError("a signalling NaN cannot be packed")
    if len(text := str(value)) > DIGITS:
        raise PackError(f"a decimal number of more than {DIGITS} characters cannot be packed")
    if "E" in text and abs(value.adjusted()) > EXPONENT:
        raise PackError(f"a decimal number with an exponent beyond {EXPONENT} cannot be packed")
    return text


def _extension(value: Extension) -> Any:
    raise PackError("an Extension can only be packed as Sente's msgpack")


def _datetime(value: datetime) -> TaggedValue:
    if value.tzinfo is None:
        return TaggedValue("time/date-time", value.isoformat())
    return TaggedValue("t", utc_text(value))


LOWER: Mapping[type, Lower] = {
    bytearray: bytes,
    memoryview: bytes,
    str: str.__str__,  # its subclasses; the same below
    int: int,
    float: float,
    bytes: bytes,
    list: list,
    tuple: list,
    dict: dict,
    Enum: lambda value: value.value,
    set: lambda value: TaggedValue("set", list(value)),
    frozenset: lambda value: TaggedValue("set", list(value)),
    datetime: _datetime,
    date: lambda value: TaggedValue("time/date", value.isoformat()),
    time: lambda value: TaggedValue("time/time", value.isoformat()),
    timedelta: lambda value: TaggedValue("time/duration", duration_text(value)),
    UUID: lambda value: TaggedValue("u", str(value)),
    Decimal: lambda value: TaggedValue("f", decimal_text(value)),
    Fraction: lambda value: TaggedValue("ratio", [value.numerator, value.denominator]),
    Keyword: lambda value: TaggedValue(":", value.name),
    Symbol: lambda value: TaggedValue("$", value.name),
    Uri: lambda value: TaggedValue("r", value.text),
    Char: lambda value: TaggedValue("c", value.text),
    Extension: _extension,
}

RAISE: Mapping[str, Raise] = {
    "t": read_utc,
    "m": read_milliseconds,
    "u": read_uuid,
    "f": read_decimal,
    "n": read_integer,
    "set": read_set,
    "cmap": read_pairs,
    "list": read_list,
    "ratio": read_ratio,
    ":": Keyword,
    "$": Symbol,
    "r": Uri,
    "c": Char,
    "time/date-time": datetime.fromisoformat,
    "time/date": date.fromisoformat,
    "time/time": time.fromisoformat,
    "time/duration": read_duration,
}
