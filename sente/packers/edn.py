"""edn, the notation of Clojure's data: what its servers and Sente's clients write by default, and people can read.

=====================================  ============================================
Python                                 edn
=====================================  ============================================
None, bool, str                        ``nil``, ``true``, ``"text"``
int; beyond 64 bit                     ``7``; ``18446744073709551616N``
float; NaN, the infinities             ``1.5``, ``1.0E10``; ``##NaN``, ``##Inf``, ``##-Inf``
Decimal, Fraction                      ``1.50M``, ``1/3``
list, tuple; set, frozenset; dict      ``[1 2]``; ``#{1 2}``; ``{"a" 1, "b" 2}``
Keyword, Symbol, Char                  ``:user/id``, ``map``, ``\\a``
datetime with time zone, UUID          ``#inst "2026-01-02T03:04:05.678-00:00"``, ``#uuid "…"``
datetime without, date, time,          ``#time/date "2026-01-02"`` and so on, as ``time-literals`` has them
timedelta
bytes, Uri, Decimal without a value    ``#sente/bytes "base64"``, ``#sente/uri "…"``, ``#sente/decimal "NaN"``
a type with a handler, TaggedValue     ``#app/money ["EUR" 500]``
=====================================  ============================================

Lists ``(1 2)`` are read as lists of Python, and come back as vectors.
"""

from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring
from typing import Any

from sente.errors import UnpackError
from sente.interfaces import Wire
from sente.packers.blame import packed
from sente.packers.edn_reader import read
from sente.packers.edn_writer import EdnWriter, quoted
from sente.packers.handlers import TypeHandler, Types
from sente.packers.limits import UnpackLimits, checked


class EdnPacker:
    """Every type, in Clojure's own notation.

    >>> from sente.values import Keyword
    >>> EdnPacker().pack({Keyword("tags"): {"go"}, Keyword("by"): "ada"})
    '{:tags #{"go"}, :by "ada"}'
    """

    name = "edn"

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        self._types = Types(types)
        self._limits = limits or UnpackLimits()
        self._fast = EdnWriter(self._types, encode_basestring)
        self._exact = EdnWriter(self._types, quoted)

    def pack(self, value: Any, /) -> str:
        """Write a value.

        Raises:
            PackError: something in it cannot be written; says what and where.
        """
        return packed(value, self._written, self._types.lower)

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value; of an empty text ``None``, as Sente does.

        Raises:
            UnpackError: it is not edn, says a thing twice, or is more than the limits allow; says in which line and
                column.
        """
        self._limits.check_size(wire)
        try:
            text = wire if isinstance(wire, str) else wire.decode()
            if not text.isascii():
                self._limits.check_size(text.encode())
        except UnicodeError as error:
            raise UnpackError("not edn: not UTF-8, or half a character") from error
        return read(text, self._types, self._limits.containers)

    def part(self, value: Any, /) -> str:
        """A value to be joined with others: packed."""
        return self.pack(value)

    def join(self, parts: Sequence[str], /) -> str:
        """The vector of values that were packed one by one."""
        return f"[{' '.join(parts)}]"

    def frame(self, part: str, /) -> str:
        """What travels: the part as it is."""
        return part

    def _written(self, value: Any) -> str:
        text = self._fast.text(value)
        if "\\u00" in text:  # JSON escapes control characters, Clojure does not; in all else their strings are alike
            text = self._exact.text(value)
        return text if text.isascii() else checked(text)
