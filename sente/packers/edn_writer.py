"""Writing edn, as Clojure's ``pr`` does: to the character, where Clojure has the value."""

import math
from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

from sente.errors import PackError, SenteError
from sente.packers.builtin import LOWER, RAISE, utc_text
from sente.packers.edn_words import CHARACTERS, is_keyword, is_symbol, is_tag
from sente.packers.handlers import Types
from sente.packers.limits import BITS, DEPTH, too_deep
from sente.values import Char, Keyword, Symbol, TaggedValue, Uri

Write: TypeAlias = Callable[[Any, int], str]

NATIVE = RAISE.keys() - {"time/date-time", "time/date", "time/time", "time/duration"}
"""Tags of other formats for what edn has a form of its own for."""

NAMES = {character: f"\\{name}" for name, character in CHARACTERS.items()}
ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"})


class EdnWriter:
    """What writes values whose types have these handlers.

    Args:
        types: The handlers.
        quote: Writes a string.
    """

    def __init__(self, types: Types, quote: Callable[[str], str]) -> None:
        self._types = types
        self._quote = quote
        self._native = _ByType(self._lowered, self._forms())
        self._write = _ByType(self._lowered, {k: w for k, w in self._native.items() if not types.handles(k)})

    def text(self, value: Any, depth: int = DEPTH) -> str:
        """The edn of a value.

        Raises:
            PackError: something in it cannot be written.
        """
        return self._write[type(value)](value, depth)

    def _forms(self) -> dict[type, Write]:
        return {
            **SCALARS,
            str: lambda value, _: self._quote(value),
            list: lambda value, depth: f"[{self._items(value, depth)}]",
            tuple: lambda value, depth: f"[{self._items(value, depth)}]",
            set: lambda value, depth: f"#{{{self._items(value, depth)}}}",
            frozenset: lambda value, depth: f"#{{{self._items(value, depth)}}}",
            dict: self._map,
            TaggedValue: self._tagged,
        }

    def _items(self, items: Iterable[Any], depth: int) -> str:
        if not depth:
            raise too_deep()
        depth -= 1
        write, quote = self._write, self._quote
        return " ".join([quote(i) if type(i) is str else write[type(i)](i, depth) for i in items])

    def _map(self, value: dict[Any, Any], depth: int) -> str:
        if not depth:
            raise too_deep()
        depth -= 1
        write, quote = self._write, self._quote
        entries = [
            f"{quote(key) if type(key) is str else write[type(key)](key, depth)} "
            f"{quote(i) if type(i) is str else write[type(i)](i, depth)}"
            for key, i in value.items()
        ]
        return f"{{{', '.join(entries)}}}"

    def _tagged(self, value: TaggedValue, depth: int) -> str:
        tag, rep = value.tag, value.rep
        if not depth:
            raise too_deep()
        if tag == "list" and type(rep) is list:
            return f"({self._items(rep, depth)})"
        if tag in NATIVE and type(rep) in (str, list):
            try:
                native = RAISE[tag](rep)
            except (SenteError, ValueError, TypeError, ArithmeticError) as error:
                raise PackError(f"{rep!r:.40} cannot be packed under the tag {tag!r}") from error
            return self._native[type(native)](native, depth)
        if not is_tag(tag):
            raise PackError(f"{tag!r:.40} cannot be written as a tag in edn")
        return f"#{tag} {self.text(rep, depth - 1)}"

    def _lowered(self, value: Any, depth: int) -> str:
        """One step down: a plainer value, or a tagged one."""
        if not depth:
            raise too_deep()
        return self.text(self._types.lower(value), depth - 1)


class _ByType(dict[type, Write]):
    """How each type is written."""

    def __init__(self, others: Write, known: dict[type, Write]) -> None:
        super().__init__(known)
        self._others = others

    def __missing__(self, kind: type) -> Write:
        return self._others


def quoted(text: str) -> str:
    """A string: seven characters are escaped, all others are as they are.

    >>> quoted('a "b"')
    '"a \\\\"b\\\\""'
    """
    return f'"{text.translate(ESCAPES)}"'


def float_text(value: float) -> str:
    """A float, as Java shows a double.

    >>> [float_text(value) for value in (1.0, 1e7, 0.0001, 5e-324)]
    ['1.0', '1.0E7', '1.0E-4', '4.9E-324']
    """
    size = abs(value)
    if 1e-3 <= size < 1e7 or not value:
        return repr(value)
    if not math.isfinite(value):
        return "##NaN" if math.isnan(value) else "##Inf" if value > 0 else "##-Inf"
    _, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    if len(digits) == 1 and float(two := f"{size:.1e}") == size:  # the nearest of those with two digits
        _, digits, exponent = Decimal(two).as_tuple()
        assert isinstance(exponent, int)
    fraction = "".join(map(str, digits[1:])) or "0"
    return f"{'-' * (value < 0)}{digits[0]}.{fraction}E{exponent + len(digits) - 1}"


def _integer(value: int, _: int = 0) -> str:
    if -(2**63) <= value < 2**63:
        return str(value)
    return f"{_digits(value)}N"


def _digits(value: int) -> str:
    if value.bit_length() > BITS:
        raise PackError(f"a whole number of more than {BITS} bit cannot be packed")
    return str(value)


def _fraction(value: Fraction, _: int) -> str:
    return f"{_digits(value.numerator)}/{_digits(value.denominator)}"


def _decimal(value: Decimal, _: int) -> str:
    text: str = LOWER[Decimal](value).rep
    return f"{text}M" if value.is_finite() else f'#sente/decimal "{text}"'


def _datetime(value: datetime, depth: int) -> str:
    """Three digits of a second as of a ``java.util.Date``; if it has more, nine as of a ``Timestamp``."""
    if value.tzinfo is None:
        return f'#time/date-time "{value.isoformat()}"'
    try:
        text = utc_text(value)[:-1]
    except OverflowError as error:
        raise PackError("a moment whose year in UTC is not 1 to 9999 cannot be packed") from error
    return f'#inst "{text}{"000" if len(text) > 23 else ""}-00:00"'


def _keyword(value: Keyword, _: int) -> str:
    return _known_keyword(value.name) if len(value.name) < 64 else _keyword_text(value.name)


def _keyword_text(name: str) -> str:
    if not is_keyword(name):
        raise PackError(f"a keyword {name!r:.40} cannot be written in edn")
    return f":{name}"


_known_keyword = lru_cache(maxsize=4096)(_keyword_text)  # short ones, so that strangers fill little memory


def _symbol(value: Symbol, _: int) -> str:
    if not is_symbol(value.name):
        raise PackError(f"a symbol {value.name!r:.40} cannot be written in edn")
    return value.name


SCALARS: dict[type, Write] = {
    type(None): lambda value, _: "nil",
    bool: lambda value, _: "true" if value else "false",
    int: _integer,
    float: lambda value, _: float_text(value),
    bytes: lambda value, _: f'#sente/bytes "{b64encode(value).decode()}"',
    datetime: _datetime,
    UUID: lambda value, _: f'#uuid "{value}"',
    Decimal: _decimal,
    Fraction: _fraction,
    Keyword: _keyword,
    Symbol: _symbol,
    Uri: lambda value, _: f"#sente/uri {quoted(value.text)}",
    Char: lambda value, _: NAMES.get(value.text) or f"\\{value.text}",
}
