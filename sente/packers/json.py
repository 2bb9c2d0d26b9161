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
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any
from uuid import UUID

from sente.errors import PackError
from sente.interfaces import Wire
from sente.packers.blame import blame
from sente.packers.handlers import TypeHandler, Types
from sente.packers.limits import DEPTH, UnpackLimits, checked, too_deep
from sente.packers.msgpack import is_plain
from sente.packers.text import as_utf8, join_text, read_text, write_text
from sente.values import TaggedValue

SCALARS = {type(None), bool, int, float}


class JsonPacker:
    """The packer every browser has.

    >>> JsonPacker().pack(["chat/say", {"text": "hi"}])
    '["chat/say",{"text":"hi"}]'
    >>> JsonPacker().pack({"photo": b"..."})
    Traceback (most recent call last):
    sente.errors.PackError: value.photo: bytes cannot be written as JSON
    """

    name = "json"

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        self._types = Types(types)
        self._limits = limits or UnpackLimits()
        self._always_exact = self._types.overrides(UUID, Enum)  # which orjson writes without asking

    def pack(self, value: Any, /) -> str:
        """Write a value.

        Raises:
            PackError: it holds something JSON has no word for; says what and where.
        """
        try:
            packed = b"null" if self._always_exact else write_text(value, self._lower)
        except (TypeError, RecursionError):
            return self._pack_exactly(value)
        if b"null" in packed and (self._always_exact or not is_plain(value)):  # orjson writes NaN as null
            return self._pack_exactly(value)
        return packed.decode()

    def part(self, value: Any, /) -> str:
        """A value to be joined with others: packed."""
        if type(value) is int and 0 <= value < 2**53:  # numbers of packets, which need no look
            return str(value)
        return self.pack(value)

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value.

        Raises:
            UnpackError: it is not JSON, names a key twice, or is more than the limits allow.
        """
        return read_text(as_utf8(wire, self._limits), self._limits)

    def join(self, parts: Sequence[str], /) -> str:
        """The JSON of a list whose items were packed one by one."""
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
        if kind is str:
            return checked(value)
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
        return checked(str.__str__(key))
