"""JSON: what every client reads, and what the types that JSON has no word for are written as.

=====================================  ============================================
Python                                 JSON
=====================================  ============================================
None, bool, str, int within 64 bit,    the same
finite float
list, tuple, set, frozenset            array
dict with str keys                     object
datetime, date, time, timedelta        string, ISO 8601; a datetime with time zone in UTC
UUID, Decimal, Keyword, Symbol, Uri,   string
Char
Fraction                               ``[numerator, denominator]``
Enum, dataclass, pydantic model        its value; object; ``model_dump()``
a type with a handler, TaggedValue     what its ``encode`` returns, its ``rep``
=====================================  ============================================

Anything else raises ``PackError``: bytes, NaN and the infinities, other keys, whole numbers beyond 64 bit. Nothing
comes back as the type it was; a ``TypeHandler`` is asked only for writing.
"""

import math
from collections.abc import Iterable
from enum import Enum
from typing import Any
from uuid import UUID

from sente.errors import PackError
from sente.interfaces import Wire
from sente.packers.handlers import TypeHandler
from sente.packers.limits import UnpackLimits, too_deep
from sente.packers.msgpack import is_plain
from sente.packers.text import TextPacker, as_utf8, read_text, write_text
from sente.packers.walks import BIG, compiled
from sente.values import TaggedValue

SCALARS = {type(None), bool, int, float, str}


class JsonPacker(TextPacker):
    """The packer every browser has.

    >>> JsonPacker().pack(["chat/say", {"text": "hi"}])
    '["chat/say",{"text":"hi"}]'
    >>> JsonPacker().pack({"photo": b"..."})
    Traceback (most recent call last):
    sente.errors.PackError: value.photo: bytes cannot be written as JSON
    """

    name = "json"
    plain = True

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        super().__init__(types=types, limits=limits)
        self._always_exact = self._types.overrides(UUID, Enum)  # which orjson writes without asking

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value.

        Raises:
            UnpackError: it is not JSON, names a key twice, or is more than the limits allow.
        """
        return read_text(as_utf8(wire, self._limits), self._limits)

    def _pack_fast(self, value: Any) -> bytes | None:
        try:
            if compiled.look(value) < BIG if compiled else is_plain(value):
                return write_text(value)
            if self._always_exact:
                return None
            packed = write_text(value, self._lower)
        except (TypeError, RecursionError):
            return None
        # orjson writes NaN as null.
        return packed if b"null" not in packed or is_plain(value, self._lower) else None

    def _lower(self, value: Any) -> Any:
        """What stands for a value in JSON."""
        lowered = value if type(value) is TaggedValue else self._types.lower(value)
        if type(lowered) is bytes:
            raise PackError(f"{type(value).__name__} cannot be written as JSON")
        return lowered.rep if type(lowered) is TaggedValue else lowered

    def _plain(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if not depth:
            raise too_deep()
        if kind is dict:
            return {self._key(key): self._plain(inner, depth - 1) for key, inner in value.items()}
        if kind is list or kind is tuple:
            return [self._plain(inner, depth - 1) for inner in value]
        if kind is int and not -(2**63) <= value < 2**64:
            raise PackError("a whole number beyond 64 bit cannot be written as JSON")
        if kind is float and not math.isfinite(value):
            raise PackError("NaN and the infinities cannot be written as JSON")
        if kind in SCALARS:
            return value
        return self._plain(self._lower(value), depth - 1)

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise PackError(f"a key of type {type(key).__name__} cannot be written as JSON: keys are strings")
        return str.__str__(key)
