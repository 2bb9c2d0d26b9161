"""JSON text on orjson, with what orjson leaves open: what ``json`` and ``transit`` share.

Writing is fast where that is surely right, and exact elsewhere. Reading, orjson turns whole numbers beyond 64 bit into
floats and takes the last of two equal keys, without a word. That it did not, the compiled part can mostly tell at a
look. Else what was read is written again, which takes a quarter of the time: the same bytes prove that nothing was
turned or dropped, and that it is no deeper than can be written. Other bytes prove nothing (``1.50``, a space); then the
slow and exact reader of the standard library decides.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from sente.errors import PackError, UnpackError
from sente.interfaces import Wire
from sente.packers.blame import packed
from sente.packers.handlers import TypeHandler, Types
from sente.packers.limits import DEPTH, HALF_CHARACTER, UnpackLimits
from sente.packers.walks import compiled

ASK = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
ASK_INTEGERS = ASK | orjson.OPT_STRICT_INTEGER


STATUS_WORDS = {word: f'"{word}"' for word in ("request", "reply", "error")}
"""What each packet has, beside numbers, needs no look."""


class TextPacker(ABC):
    """A packer that writes JSON text."""

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        self._types = Types(types)
        self._limits = limits or UnpackLimits()

    def pack(self, value: Any, /) -> str:
        """Write a value.

        Raises:
            PackError: something in it cannot be written; says what and where.
        """
        packed = self._pack_fast(value)
        return self._pack_exactly(value) if packed is None else packed.decode()

    def part(self, value: Any, /) -> str:
        """A value to be joined with others: packed."""
        if type(value) is int and 0 <= value < 2**53:
            return str(value)
        if type(value) is str and value in STATUS_WORDS:
            return STATUS_WORDS[value]
        return self._part(value)

    def _part(self, value: Any) -> str:
        return self.pack(value)

    def join(self, parts: Sequence[str], /) -> str:
        """The text of a list whose items were packed one by one."""
        return f"[{','.join(parts)}]"

    def frame(self, part: str, /) -> str:
        """What travels: the part as it is."""
        return part

    @abstractmethod
    def _pack_fast(self, value: Any) -> bytes | None:
        """The same as ``_pack_exactly`` would write, or ``None``: it may not be."""

    def _pack_exactly(self, value: Any) -> str:
        """The slow and complete way, and the reference for the fast one."""
        return packed(value, self._exact, self._types.lower).decode()

    def _exact(self, value: Any) -> bytes:
        plain = self._plain(value, DEPTH)
        try:
            return write_text(plain)
        except TypeError:  # all else that orjson refuses is not plain
            raise PackError(HALF_CHARACTER) from None

    @abstractmethod
    def _plain(self, value: Any, depth: int) -> Any:
        """What stands for a value in JSON, of nothing but JSON's own types."""


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
    if compiled and compiled.proves(raw, value):
        return value
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
