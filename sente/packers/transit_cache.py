"""Transit's forms with a cache: maps as lists, and strings that come again as codes of two or three characters.

What may be cached is numbered on its first appearance, by writer and reader alike: keys of maps, keywords, symbols and
tags of at least four characters. The code of number 0 is ``^0``, of 44 ``^10``; after 44 * 44 both sides begin anew
(transit-format, "Caching"). Characters are counted as Java and JavaScript do, in UTF-16, where an emoji is two: other
libraries lose step at a key of three characters with one among them.
"""

from collections.abc import Iterable
from typing import Any

from sente.errors import UnpackError
from sente.packers.builtin import EPOCH, as_map, hashable, read_utc, read_uuid
from sente.packers.handlers import OWN_FORMS, Types
from sente.packers.limits import too_deep
from sente.packers.transit_scalars import MARKS, is_scalar, read_composite, read_scalar, rep_of, write_key, write_scalar
from sente.values import TaggedValue

MAP = "^ "
"""The first item of a list that is a map."""

RADIX, FIRST = 44, ord("0")
FULL = RADIX * RADIX
"""Entries after which the cache is emptied."""

PLAIN = {type(None), bool, int, float}
CONSTANTS = {type(None), bool}
CACHED = {"~:", "~$", "~#"}


def is_cached(text: str, *, key: bool) -> bool:
    """Whether a string as it stands on the wire gets a number.

    >>> is_cached("~:name", key=False), is_cached("name", key=False), is_cached("name", key=True)
    (True, False, True)
    """
    if not key and text[:2] not in CACHED:
        return False
    return len(text) > 3 or (len(text) > 1 and len(text) + sum(character > "\uffff" for character in text) > 3)


CODES = [f"^{chr(high + FIRST) if high else ''}{chr(low + FIRST)}" for high in range(RADIX) for low in range(RADIX)]
"""What stands for each number: ``^0``, ``^1``, ..."""
NUMBERS = {code: number for number, code in enumerate(CODES)}


class Tag(str):
    """A string that says what the next item of its list is."""

    __slots__ = ()


class CachingWriter:
    """One value on its way into lists, strings and numbers; with ``native`` into MessagePack's maps and numbers too."""

    def __init__(self, types: Types, *, native: bool = False) -> None:
        self._types = types
        self._native = native
        self._codes: dict[str, str] = {}

    def top(self, value: Any, depth: int) -> Any:
        """The whole value: a scalar alone is quoted.

        Raises:
            PackError: something in it cannot be written.
        """
        written = self.value(value, depth)
        return written if type(written) in (list, dict) else ["~#'", written]

    def value(self, value: Any, depth: int) -> Any:
        """A value that is no key of a map."""
        kind = type(value)
        if kind is str:
            return f"~{value}" if value[:1] in MARKS else value
        if not depth:
            raise too_deep()
        if kind not in OWN_FORMS:
            value = self._own(value, depth)
            kind = type(value)
        if kind is dict:
            return self._map(value, depth - 1)
        if kind is list or kind is tuple:
            return self._list(value, depth - 1)
        if kind is TaggedValue:
            return self._tagged(value, depth)
        if self._native and kind is int and -(2**63) <= value < 2**63:
            return value
        return write_scalar(value)

    def _list(self, value: Iterable[Any], depth: int) -> list[Any]:
        return [
            inner
            if (kind := type(inner)) in CONSTANTS or (kind is str and inner[:1] not in MARKS)
            else self.value(inner, depth)
            for inner in value
        ]

    def _own(self, value: Any, depth: int) -> Any:
        """A value of another type as what stands for it."""
        for _ in range(depth):
            value = self._types.lower(value)
            if type(value) in OWN_FORMS:
                return value
        raise too_deep()

    def _tagged(self, value: TaggedValue, depth: int) -> Any:
        if not is_scalar(value):
            return [self._cached(f"~#{value.tag}"), self.value(rep_of(value), depth - 1)]
        if self._native and (number := _number(value)) is not None:
            return [self._cached(f"~#{'m' if value.tag == 't' else value.tag}"), number]
        return self._cached(_moment(value))

    def _map(self, value: dict[Any, Any], depth: int) -> Any:
        names = [name for key in value if (name := self._name(key, depth)) is not None]
        if len(names) < len(value):
            return [self._cached("~#cmap"), self.value([inner for pair in value.items() for inner in pair], depth)]
        written: list[Any] = [MAP]
        for name, inner in zip(names, value.values(), strict=True):
            kind = type(inner)
            bare = kind in CONSTANTS or (kind is str and inner[:1] not in MARKS)
            written += self._cached(name, key=True), inner if bare else self.value(inner, depth)
        return dict(zip(written[1::2], written[2::2], strict=True)) if self._native else written

    def _name(self, key: Any, depth: int) -> str | None:
        """A key as the string that it is in a map, ``None`` if it has none."""
        if type(key) is str:
            return f"~{key}" if key[:1] in MARKS else key
        if type(key) not in OWN_FORMS:
            key = self._own(key, depth)
        if type(key) in (dict, list) or (type(key) is TaggedValue and not is_scalar(key)):
            return None
        name: str = _moment(key) if type(key) is TaggedValue else write_key(write_scalar(key))
        return name

    def _cached(self, text: str, *, key: bool = False) -> str:
        if not is_cached(text, key=key):
            return text
        code = self._codes.get(text)
        if code is not None:
            return code
        if len(self._codes) == FULL:
            self._codes.clear()
        self._codes[text] = CODES[len(self._codes)]
        return text


class CachingReader:
    """One value on its way out of lists, maps, strings and numbers, in any of Transit's forms."""

    def __init__(self, types: Types) -> None:
        self._types = types
        self._known: list[Any] = []

    def value(self, plain: Any) -> Any:
        """What a part of it says.

        Raises:
            UnpackError: it is not Transit.
        """
        kind = type(plain)
        if kind is str:
            return self._text(plain) if plain[:1] in MARKS else plain
        if kind is list:
            return self._list(plain)
        if kind is dict:
            return self._dict(plain)
        if kind in PLAIN:
            return plain
        raise UnpackError(f"{kind.__name__} is nothing that Transit writes")

    def _text(self, text: str, *, key: bool = False) -> Any:
        """What a string says that begins with a mark, and is no tag."""
        value = self._word(text, key=key)
        if type(value) is Tag:
            raise UnpackError(f"the tag {value[:40]!r} stands where there is nothing to tag")
        return value

    def _word(self, text: str, *, key: bool = False) -> Any:
        """The same, or the tag that it is."""
        if text[0] == "^" and text != MAP:
            number = NUMBERS.get(text)
            if number is None:
                raise UnpackError(f"{text[:40]!r} begins like a code of Transit's cache, and is none")
            if number >= len(self._known):
                raise UnpackError(f"the code {text!r} stands for nothing yet")
            return self._known[number]
        value = Tag(text[2:]) if text[:2] == "~#" else read_scalar(text, self._types)
        if is_cached(text, key=key):
            self._remember(value)
        return value

    def _remember(self, value: Any) -> None:
        """It is read once, however often its code comes."""
        if len(self._known) == FULL:
            self._known.clear()
        self._known.append(value)

    def _list(self, plain: list[Any]) -> Any:
        first = plain[0] if plain else None
        if type(first) is str and first[:1] in MARKS:
            if first == MAP:
                return self._map(plain[1::2], plain[2::2])
            word = self._word(first)
            if type(word) is Tag:
                if len(plain) != 2:
                    raise UnpackError(f"the tag {word[:40]!r} tags one thing, not {len(plain) - 1}")
                return self._composite(word, plain[1])
            return [word, *self._each(plain[1:])]
        return self._each(plain)

    def _each(self, plain: list[Any]) -> list[Any]:
        """What the parts say, in their order: they fill the cache in it."""
        for at, inner in enumerate(plain):
            kind = type(inner)
            if kind not in PLAIN and (kind is not str or inner[:1] in MARKS):
                plain[at] = self.value(inner)
        return plain

    def _dict(self, plain: dict[Any, Any]) -> Any:
        name = next(iter(plain), None) if len(plain) == 1 else None
        if type(name) is str and name[:2] == "~#":
            return self._composite(self._word(name), plain[name])
        return self._map([*plain], [*plain.values()])

    def _map(self, keys: list[Any], values: list[Any]) -> dict[Any, Any]:
        if len(keys) != len(values):
            raise UnpackError("a map needs a value for each key")
        for at, name in enumerate(keys):
            if type(name) is not str:
                keys[at] = hashable(self.value(name))
            elif name[:1] in MARKS:
                keys[at] = hashable(self._text(name, key=True))
            elif is_cached(name, key=True):
                self._remember(name)
            inner = values[at]
            kind = type(inner)
            if kind not in PLAIN and (kind is not str or inner[:1] in MARKS):
                values[at] = self.value(inner)
        return as_map(keys, values)

    def _composite(self, tag: Tag, rep: Any) -> Any:
        return read_composite(str(tag), self.value(rep), self._types)


def _moment(value: TaggedValue) -> str:
    """A tagged scalar as the caching forms have it: a moment by its milliseconds, unless it is finer than those."""
    number = milliseconds(value.rep) if value.tag == "t" else None
    return f"~{value.tag}{value.rep}" if number is None else f"~m{number}"


def milliseconds(text: str) -> int | None:
    """Since 1970; ``None`` if there is a fraction of one, or this is no moment.

    >>> milliseconds("2020-01-02T03:04:05.678Z")
    1577934245678
    """
    try:
        moment = read_utc(text) - EPOCH
    except ValueError:
        return None
    count, rest = divmod(moment.days * 86_400_000_000 + moment.seconds * 1_000_000 + moment.microseconds, 1000)
    return None if rest else count


def _number(value: TaggedValue) -> Any:
    """A tagged scalar as MessagePack has it: moments are numbers, UUIDs two of 64 bit."""
    if value.tag == "t":
        return milliseconds(value.rep)
    if value.tag != "u":
        return None
    try:
        raw = read_uuid(value.rep).bytes
    except ValueError:
        return None
    return [int.from_bytes(raw[:8], signed=True), int.from_bytes(raw[8:], signed=True)]
