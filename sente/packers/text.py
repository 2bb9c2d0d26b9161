"""JSON text on orjson, with what orjson leaves open: the seam that ``json`` and ``transit`` share.

orjson turns whole numbers beyond 64 bit into floats and takes the last of two equal keys, without a word. So what was
read is written again, which takes it a quarter of the time: the same bytes prove that nothing was turned or dropped,
and that it is no deeper than can be written. Other bytes prove nothing (``1.50``, a space); then the slow and exact
reader of the standard library decides.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from sente.errors import UnpackError
from sente.interfaces import Wire
from sente.packers.limits import UnpackLimits

ASK = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
ASK_INTEGERS = ASK | orjson.OPT_STRICT_INTEGER


def write_text(value: Any, default: Callable[[Any], Any] | None = None, *, big: bool = True) -> bytes:
    """The JSON of a value; ``default`` is asked about everything that JSON has no word for, except that UUIDs become
    strings, enums their value, and NaN null. ``big``: whole numbers beyond 2^53 are allowed.

    Raises:
        TypeError: it cannot be written; the slow way says why.
    """
    return orjson.dumps(value, default, ASK if big else ASK_INTEGERS)


def as_utf8(wire: Wire, limits: UnpackLimits) -> bytes:
    """A frame's bytes.

    Raises:
        UnpackError: it is too long, or holds half a character.
    """
    limits.check_size(wire)
    try:
        raw = wire.encode() if isinstance(wire, str) else wire
    except UnicodeEncodeError as error:
        raise UnpackError("not JSON: half a character") from error
    limits.check_size(raw)
    return raw


def read_text(raw: bytes, limits: UnpackLimits) -> Any:
    """What JSON text says, exactly.

    Raises:
        UnpackError: it is not JSON, or says a thing twice, or is more than is taken.
    """
    if len(raw) > 2 * limits.containers and raw.count(b"[") + raw.count(b"{") > limits.containers:
        raise UnpackError(f"more than the {limits.containers} lists and maps that are taken")
    try:
        value = orjson.loads(raw)
    except ValueError as error:
        raise UnpackError(f"not JSON: {error}") from error
    try:
        again = orjson.dumps(value)
    except TypeError as error:
        raise UnpackError("nested too deeply") from error
    # What is read again has passed orjson: no number is larger than a float, so int() takes no time to speak of.
    return value if again == raw else json.loads(raw.decode(), object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise UnpackError("a key is given twice")
    return value


def join_text(parts: Sequence[str]) -> str:
    """The JSON of a list whose items were packed one by one."""
    return f"[{','.join(parts)}]"
