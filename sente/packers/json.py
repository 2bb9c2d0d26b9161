"""JSON on orjson.

================================================  =======================
Python                                            JSON
================================================  =======================
None, bool, str, int within 64 bit, finite float  the same
list, tuple                                       array
dict with str keys                                object
datetime, date, time                              string, RFC 3339
UUID                                              string
Enum, dataclass                                   its value; object
================================================  =======================

Anything else raises ``PackError``, NaN and the infinities too: JSON has no word for them.
"""

import math
from collections.abc import Sequence
from typing import Any

import orjson

from sente.errors import PackError, UnpackError
from sente.interfaces import Wire


class JsonPacker:
    """The packer every browser has.

    >>> JsonPacker().pack(["chat/say", {"text": "hi"}])
    '["chat/say",{"text":"hi"}]'
    >>> JsonPacker().pack({"photo": b"..."})
    Traceback (most recent call last):
    sente.errors.PackError: value.photo: bytes cannot be written as JSON
    """

    name = "json"

    def pack(self, value: Any, /) -> str:
        """Write a value.

        Raises:
            PackError: it holds something JSON has no word for; says what and where.
        """
        try:
            packed = orjson.dumps(value)
        except (TypeError, RecursionError) as error:
            path, offender = _find_offender(value, "value")
            raise PackError(f"{type(offender).__name__} cannot be written as JSON", path=path) from error
        if b"null" in packed and (nan := _find_nan(value, "value")):  # orjson writes NaN as null, without a word
            raise PackError("NaN and the infinities cannot be written as JSON", path=nan)
        return packed.decode()

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value.

        Raises:
            UnpackError: it is not JSON.
        """
        try:
            return orjson.loads(wire)
        except ValueError as error:
            raise UnpackError(f"not JSON: {error}") from error

    def join(self, parts: Sequence[str], /) -> str:
        """The JSON of a list whose items were packed one by one."""
        return f"[{','.join(parts)}]"


def _find_offender(value: Any, path: str, depth: int = 0) -> tuple[str, Any]:
    """The innermost part of a value that orjson refuses, and where it sits."""
    if depth < 100:
        for where, inner in _items(value, path):
            try:
                orjson.dumps(inner)
            except (TypeError, RecursionError):
                return _find_offender(inner, where, depth + 1)
    return path, value


def _find_nan(value: Any, path: str) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    return next((found for where, inner in _items(value, path) if (found := _find_nan(inner, where))), None)


def _items(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{path}.{key}", inner) for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
    return []
