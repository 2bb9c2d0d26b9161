"""Transit in its verbose form: JSON that says what it holds, readable by every Transit library.

A value that JSON has a word for is written as JSON writes it. Everything else is a string or a map that begins with
``~``: ``"~u…"`` a UUID, ``{"~#set": […]}`` a set, ``{"~#app/money": …}`` a type with a handler; a string of the
application that begins with ``~``, ``^`` or a backtick gets a ``~`` before it. Nothing is cached and nothing quoted, so
parts can be joined; a scalar alone is written bare. Reading takes quoted scalars and the array form ``["~#set", […]]``.
"""

import math
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any
from uuid import UUID

from sente.errors import PackError, UnpackError
from sente.interfaces import Wire
from sente.packers.blame import blame
from sente.packers.builtin import hashable, read_integer
from sente.packers.handlers import TypeHandler, Types
from sente.packers.limits import BITS, DEPTH, UnpackLimits, checked, too_deep
from sente.packers.msgpack import is_plain
from sente.packers.text import as_utf8, join_text, read_text, write_text
from sente.values import TaggedValue

EXACT = 2**53
"""From here on JavaScript does not count exactly: larger whole numbers are tagged."""

MARKS = ("~", "^", "`")
UUID_TEXT = re.compile(rb'-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"')
MARKED = re.compile(rb'"([~^`])')
TAGGED = {bytes, TaggedValue}
NOT_FINITE = {"NaN": math.nan, "INF": math.inf, "-INF": -math.inf}
FINITE_NOT = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}
BOOLEANS = {"t": True, "f": False}


class TransitPacker:
    """Every type, in text that people can read.

    >>> TransitPacker().pack([{"tags": {"go"}, "by": "~ada"}])
    '[{"tags":{"~#set":["go"]},"by":"~~ada"}]'
    """

    name = "transit"

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        self._types = Types(types)
        self._limits = limits or UnpackLimits()
        self._always_exact = self._types.overrides(UUID, Enum)  # which orjson writes without asking

    # -- writing

    def pack(self, value: Any, /) -> str:
        """Write a value.

        Raises:
            PackError: there is no handler for something in it; says what and where.
        """
        tags = 0

        def write(rich: Any) -> Any:
            nonlocal tags
            lowered = rich if type(rich) in TAGGED else self._types.lower(rich)
            if type(lowered) not in TAGGED:
                return lowered
            tags += 1
            return _tagged(lowered)

        try:
            packed = b"" if self._always_exact else write_text(value, write, big=False)
        except (TypeError, RecursionError):
            return self._pack_exactly(value)
        if not packed or not _is_true(packed, tags, value):
            return self._pack_exactly(value)
        return (packed if tags or not _may_be_marked(packed) else _with_escapes(packed)).decode()

    def part(self, value: Any, /) -> str:
        """A value to be joined with others: packed."""
        return self.pack(value)

    def pack_plain(self, value: Any) -> str | None:
        """The value as JSON without tags, if it needs none, else ``None``.

        Only for what surely has no UUID, enum or NaN in it: those would be written as something else.
        """
        try:
            packed = write_text(value, big=False)
        except TypeError:
            return None
        return None if _may_be_marked(packed) else packed.decode()

    def join(self, parts: Sequence[str], /) -> str:
        """The text of a list whose items were packed one by one."""
        return join_text(parts)

    def frame(self, part: str, /) -> str:
        """What travels: the part as it is."""
        return part

    def _pack_exactly(self, value: Any) -> str:
        """The slow and complete way, and the reference for the fast one."""
        try:
            return write_text(self._plain(value, DEPTH)).decode()
        except (PackError, RecursionError) as error:
            reason = error if isinstance(error, PackError) else too_deep()
            raise blame(value, self._try, self._types.lower, reason) from None

    def _try(self, part: Any) -> None:
        self._plain(part, DEPTH)

    def _plain(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if not depth:
            raise too_deep()
        if kind is str:
            return _escaped(value)
        if kind is dict:
            return self._map(value, depth - 1)
        if kind is list or kind is tuple:
            return [self._plain(inner, depth - 1) for inner in value]
        if kind is int:
            return value if -EXACT < value < EXACT else _big(value)
        if kind is float:
            return value if math.isfinite(value) else f"~z{FINITE_NOT[str(value)]}"
        if kind is bool or value is None:
            return value
        if kind is TaggedValue and not (len(value.tag) == 1 and type(value.rep) is str):
            return {checked(f"~#{value.tag}"): self._plain(value.rep, depth - 1)}
        if kind in TAGGED:
            return checked(_tagged(value))
        return self._plain(self._types.lower(value), depth - 1)

    def _map(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        keys = [key if type(key) is str else _key(self._plain(key, depth)) for key in value]
        if all(type(key) is str for key in keys):
            written = zip(keys, value.items(), strict=True)
            return {
                _escaped(text) if text is key else text: self._plain(inner, depth) for text, (key, inner) in written
            }
        return {"~#cmap": [self._plain(inner, depth) for pair in value.items() for inner in pair]}

    # -- reading

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value. Text without tags is plain JSON, so that is read too.

        Raises:
            UnpackError: it is not Transit, says a thing twice, or is more than the limits allow.
        """
        raw = as_utf8(wire, self._limits)
        plain = read_text(raw, self._limits)
        if not _may_be_marked(raw):
            return plain
        try:
            return self._restored(plain)
        except RecursionError as error:
            raise UnpackError("nested too deeply") from error

    def _restored(self, plain: Any) -> Any:
        kind = type(plain)
        if kind is str:
            return self._text(plain) if plain.startswith(MARKS) else plain
        if kind is list:
            if len(plain) == 2 and type(plain[0]) is str and plain[0].startswith("~#"):
                return self._composite(plain[0], plain[1])
            return [self._restored(inner) for inner in plain]
        if kind is not dict:
            return plain
        if len(plain) == 1 and (key := next(iter(plain))).startswith("~#"):
            return self._composite(key, plain[key])
        value = {
            hashable(self._text(key)) if key.startswith(MARKS) else key: self._restored(inner)
            for key, inner in plain.items()
        }
        if len(value) != len(plain):
            raise UnpackError("a key is given twice")
        return value

    def _composite(self, mark: str, rep: Any) -> Any:
        value = self._restored(rep)
        return value if mark == "~#'" else self._types.raise_(mark[2:], value)

    def _text(self, text: str) -> Any:
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
        return self._types.raise_(tag, rep)


def _is_true(packed: bytes, tags: int, value: Any) -> bool:
    """Whether what orjson wrote is what should be written. It may say no for nothing, never yes.

    Finding single bytes costs next to nothing, and most of them are rare; so is everything looked for after them.
    """
    if tags and (packed.count(b'"~') != tags or b'"^' in packed or b'"`' in packed):
        return False  # the application's strings begin with marks too
    doubtful = b"null" in packed or (b"-" in packed and UUID_TEXT.search(packed))  # may have been NaN, or a UUID
    return not doubtful or (not tags and is_plain(value))


def _with_escapes(packed: bytes) -> bytes:
    """JSON text whose strings that begin with a mark get another. A quote after a backslash begins no string; one that
    ends a string is never followed by a mark."""

    def escape(found: re.Match[bytes]) -> bytes:
        return found[0] if packed[found.start() - 1 : found.start()] == b"\\" else b'"~' + found[1]

    return MARKED.sub(escape, packed)


def _may_be_marked(raw: bytes) -> bool:
    """Whether a string in JSON text may begin with a mark, be it hidden by an escape."""
    return (
        (b"~" in raw and b'"~' in raw)
        or (b"\\" in raw and b'"\\u00' in raw)
        or (b"^" in raw and b'"^' in raw)
        or (b"`" in raw and b'"`' in raw)
    )


def _tagged(value: Any) -> Any:
    """The form of bytes and tagged values; what is in a composite is not written yet."""
    if type(value) is bytes:
        return f"~b{b64encode(value).decode()}"
    if len(value.tag) == 1 and type(value.rep) is str:
        return f"~{value.tag}{value.rep}"
    return {f"~#{value.tag}": value.rep}


def _big(value: int) -> str:
    if value.bit_length() > BITS:
        raise PackError(f"a whole number of more than {BITS} bit cannot be packed")
    return f"~i{value}" if -(2**63) <= value < 2**63 else f"~n{value}"


def _escaped(text: str) -> str:
    return checked(f"~{text}" if text.startswith(MARKS) else text)


def _key(written: Any) -> Any:
    """A scalar as the key of a map; what is none, as it is."""
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
