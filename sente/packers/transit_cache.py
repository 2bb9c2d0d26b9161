"""Transit's forms with a cache: maps as lists, and strings that come again as codes of two or three characters.

What may be cached is numbered on its first appearance, by writer and reader alike: keys of maps, keywords, symbols and
tags of at least four characters. The code of number 0 is ``^0``, of 44 ``^10``; after 44 * 44 both sides begin anew
(transit-format, "Caching"). Characters are counted as Java and JavaScript do, in UTF-16, where an emoji is two: other
libraries lose step at a key of three characters with one among them.
"""

from math import isfinite
from typing import Any

from sente.errors import PackError, UnpackError
from sente.packers.builtin import as_map, hashable, read_utc, read_uuid
from sente.packers.handlers import OWN_FORMS, Types
from sente.packers.limits import SAME_KEY, too_deep
from sente.packers.transit_scalars import (
    EXACT,
    MARKS,
    Texts,
    is_scalar,
    milliseconds,
    read_composite,
    read_scalar,
    rep_of,
    write_key,
    write_scalar,
)
from sente.values import TaggedValue

MAP = "^ "
"""The first item of a list that is a map."""

RADIX, FIRST = 44, ord("0")
FULL = RADIX * RADIX
"""Entries after which the cache is emptied."""

CONSTANTS = {type(None), bool}
PLAIN = {*CONSTANTS, int, float}
CACHED = ("~:", "~$", "~#")
WITHIN = {list, dict, TaggedValue}
COMPOSITE = object()
"""In place of the name of a key that has none."""


def is_long(text: str) -> bool:
    """Whether a string as it stands on the wire is worth a number.

    >>> is_long("abc"), is_long("abcd"), is_long("go🙂")
    (False, True, True)
    """
    return len(text) > 3 or (len(text) > 1 and len(text) + sum(character > "\uffff" for character in text) > 3)


def code_of(number: int) -> str:
    """What stands for the string of this number.

    >>> code_of(0), code_of(44)
    ('^0', '^10')
    """
    high, low = divmod(number, RADIX)
    return f"^{chr(high + FIRST)}{chr(low + FIRST)}" if high else f"^{chr(low + FIRST)}"


CODES = tuple(map(code_of, range(FULL)))


class Tag(str):
    """A string that says what the next item of its list is."""

    __slots__ = ()


class CachingWriter:
    """One value on its way into lists, strings and numbers; with ``native`` into MessagePack's maps and numbers too.

    Args:
        types: Lowers what JSON has no word for.
        texts: What is one string at once, by type; ``None`` where that depends on the value.
        native: For MessagePack.
    """

    def __init__(self, types: Types, texts: Texts, *, native: bool = False) -> None:
        self._types = types
        self._texts = texts
        self._native = native
        self._exact = 2**63 if native else EXACT
        self._codes: dict[str, str] = {}

    def top(self, value: Any, depth: int) -> Any:
        """The whole value: a scalar alone is quoted, be it a list with a tag of one character.

        Raises:
            PackError: something in it cannot be written.
        """
        written = self.value(value, depth)
        match written:
            case [str(tag), _] if len(tag) == 3 and tag[:2] == "~#":
                return ["~#'", written]
            case list() | dict():
                return written
            case _:
                return ["~#'", written]

    def value(self, value: Any, depth: int) -> Any:
        """A value that is no key of a map."""
        kind = type(value)
        if kind is str:
            return f"~{value}" if value[:1] in MARKS else value
        if kind in self._texts and (text := self._texts[kind](value)) is not None:
            return self._scalar(text)
        if kind not in OWN_FORMS:
            value = self._own(value, depth)
            kind = type(value)
        if kind not in WITHIN:
            return value if self._native and _fits(value) else write_scalar(value)
        if not depth:
            raise too_deep()
        write = self._list if kind is list else self._map if kind is dict else self._tagged
        return write(value, depth - 1)

    def _own(self, value: Any, depth: int) -> Any:
        """A value of another type as what stands for it."""
        for _ in range(depth + 1):
            value = self._types.lower(value)
            if type(value) in OWN_FORMS:
                return value
        raise too_deep()

    def _list(self, value: Any, depth: int) -> list[Any]:
        written = []
        exact = self._exact
        for inner in value:
            kind = type(inner)
            if (kind is int and -exact < inner < exact) or (kind is float and isfinite(inner)) or kind in CONSTANTS:
                written.append(inner)
            else:
                written.append(self.value(inner, depth))
        return written

    def _tagged(self, value: TaggedValue, depth: int) -> Any:
        if not is_scalar(value):
            return [self._cached(f"~#{value.tag}"), self.value(rep_of(value), depth)]
        if self._native and (number := _number(value)) is not None:
            return [self._cached(f"~#{'m' if value.tag == 't' else value.tag}"), number]
        return self._scalar(_moment(value))

    def _map(self, value: dict[Any, Any], depth: int) -> Any:
        if {*map(type, value)} <= {str}:
            names: list[Any] = [f"~{key}" if key[:1] in MARKS else key for key in value]
        else:
            names = [self._name(key, depth) for key in value]
            if COMPOSITE in names:
                return [self._cached("~#cmap"), self._list([inner for pair in value.items() for inner in pair], depth)]
            if len({*names}) != len(names):
                raise PackError(SAME_KEY)
        written: list[Any] = [MAP]
        exact = self._exact
        for name, inner in zip(names, value.values(), strict=True):
            if type(name) is str:
                name = self._codes.get(name) or self._cached(name)
            kind = type(inner)
            if not ((kind is str and inner[:1] not in MARKS) or (kind is int and -exact < inner < exact)):
                inner = self.value(inner, depth)
            written += (name, inner)
        return dict(zip(written[1::2], written[2::2], strict=True)) if self._native else written

    def _name(self, key: Any, depth: int) -> Any:
        """A key as it stands in a map, a string but in MessagePack; ``COMPOSITE`` if it is nothing that can."""
        if type(key) in self._texts and (text := self._texts[type(key)](key)) is not None:
            return text
        if type(key) not in OWN_FORMS:
            key = self._own(key, depth)
        if type(key) is TaggedValue:
            return _moment(key) if is_scalar(key) else COMPOSITE
        if type(key) in (dict, list):
            return COMPOSITE
        written = key if self._native and _fits(key) else write_scalar(key)
        return written if self._native else write_key(written)

    def _scalar(self, text: str) -> str:
        return self._cached(text) if text[:2] in CACHED else text

    def _cached(self, text: str) -> str:
        """A key or a tag, or its code."""
        if text in self._codes:
            return self._codes[text]
        if is_long(text):
            if len(self._codes) == FULL:
                self._codes.clear()
            self._codes[text] = CODES[len(self._codes)]
        return text


class CachingReader:
    """One value on its way out of lists, maps, strings and numbers, in any of Transit's forms."""

    def __init__(self, types: Types) -> None:
        self._types = types
        self._known: dict[str, Any] = {}

    def value(self, plain: Any) -> Any:
        """What a part of it says; lists are read in their place.

        Raises:
            UnpackError: it is not Transit.
        """
        kind = type(plain)
        if kind is list:
            return self._list(plain)
        if kind is str:
            return self._text(plain) if plain[:1] in MARKS else plain
        if kind is dict:
            name = next(iter(plain), None) if len(plain) == 1 else None
            if type(name) is str and name[:2] == "~#":
                return self._composite(name, plain[name])
            return self._map([*plain], [*plain.values()])
        if kind in PLAIN:
            return plain
        raise UnpackError(f"{kind.__name__} is nothing that Transit writes")

    def _list(self, plain: list[Any]) -> Any:
        if plain and type(first := plain[0]) is str and first[:1] in MARKS:
            if first == MAP:
                return self._map(plain[1::2], plain[2::2])
            if first[:2] == "~#" or type(self._known.get(first)) is Tag:
                if len(plain) != 2:
                    raise UnpackError(f"the tag {first[:40]!r} tags one thing, not {len(plain) - 1}")
                return self._composite(first, plain[1])
        for index, inner in enumerate(plain):
            kind = type(inner)
            if kind is str:
                if inner[:1] in MARKS:
                    plain[index] = self._text(inner)
            elif kind not in PLAIN:
                plain[index] = self.value(inner)
        return plain

    def _map(self, names: list[Any], values: list[Any]) -> dict[Any, Any]:
        if len(names) != len(values):
            raise UnpackError("a map needs a value for each key")
        for index, (name, inner) in enumerate(zip(names, values, strict=True)):  # in turn, as the cache is filled
            if type(name) is not str:
                names[index] = hashable(self.value(name))
            elif name[:1] in MARKS:
                names[index] = hashable(self._text(name, key=True))
            elif is_long(name):
                self._remember(name)
            kind = type(inner)
            if kind is str:
                if inner[:1] in MARKS:
                    values[index] = self._text(inner)
            elif kind not in PLAIN:
                values[index] = self.value(inner)
        return as_map(names, values)

    def _composite(self, mark: str, rep: Any) -> Any:
        tag = self._marked(mark)
        return read_composite(str(tag), self.value(rep), self._types)

    def _text(self, text: str, *, key: bool = False) -> Any:
        """What a string says that begins with a mark."""
        value = self._marked(text, key=key)
        if type(value) is Tag:
            raise UnpackError(f"the tag {value[:40]!r} stands where there is nothing to tag")
        return value

    def _marked(self, text: str, *, key: bool = False) -> Any:
        """The same, or a tag."""
        if text[0] == "^":
            if text not in self._known:
                raise UnpackError(f"{text[:40]!r} begins like a code of Transit's cache, and stands for nothing")
            return self._known[text]
        value: Any = Tag(text[2:]) if text[:2] == "~#" else read_scalar(text, self._types)
        if (key or text[:2] in CACHED) and is_long(text):
            self._remember(value)  # read once, however often it comes
        return value

    def _remember(self, value: Any) -> None:
        if len(self._known) == FULL:
            self._known.clear()
        self._known[CODES[len(self._known)]] = value


def _fits(value: Any) -> bool:
    """Whether it is a whole number of MessagePack's."""
    return type(value) is int and -(2**63) <= value < 2**63


def _moment(value: TaggedValue) -> str:
    """A tagged scalar as the caching forms have it: a moment by its milliseconds, unless it is finer than those."""
    number = _milliseconds(value.rep) if value.tag == "t" else None
    return f"~{value.tag}{value.rep}" if number is None else f"~m{number}"


def _milliseconds(text: str) -> int | None:
    try:
        return milliseconds(read_utc(text))
    except ValueError:  # it says that it is a moment, and is none
        return None


def _number(value: TaggedValue) -> Any:
    """A tagged scalar as MessagePack has it: moments are numbers, UUIDs two of 64 bit."""
    if value.tag == "t":
        return _milliseconds(value.rep)
    if value.tag != "u":
        return None
    try:
        raw = read_uuid(value.rep).bytes
    except ValueError:
        return None
    return [int.from_bytes(raw[:8], signed=True), int.from_bytes(raw[8:], signed=True)]
