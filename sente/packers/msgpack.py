"""MessagePack on ormsgpack: compact, binary, every type.

=====  ======================================================================
ext    holds
=====  ======================================================================
-1     datetime with time zone: the timestamp of the MessagePack specification
1      ``[tag, rep]``, packed: every type that has no code of its own
2      UUID, 16 bytes
3      Decimal, ASCII
4      whole number beyond 64 bit: two's complement, big-endian
5      set: its members as a packed array
7      keyword, UTF-8
=====  ======================================================================

ormsgpack takes the last of two equal keys and ignores what follows the value. So what was read is written again, as in
``text``; if other bytes come out, the exact reader decides.
"""

import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import ormsgpack

from sente.errors import PackError, UnpackError
from sente.interfaces import Wire
from sente.packers.blame import packed
from sente.packers.builtin import EPOCH, LOWER, read_decimal, read_utc, read_uuid, uuid_of
from sente.packers.handlers import TypeHandler, Types
from sente.packers.limits import BITS, DEPTH, NESTED_EXTENSIONS, UnpackLimits, checked, too_deep
from sente.packers.msgpack_exact import read_exactly
from sente.values import Keyword, TaggedValue

ASK = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
ANY_KEY = ASK | ormsgpack.OPT_NON_STR_KEYS
PLAIN = {float, bool, bytes, type(None)}
KEYS = {str, int, float, bool, bytes, type(None)}
"""Keys that are written as they are; a map with others is a tagged list of keys and values."""

TIMESTAMP, TAGGED, UUIDS, DECIMAL, BIG, SET, KEYWORD = -1, 1, 2, 3, 4, 5, 7
HEADS = bytes([*range(0x80, 0xA0), *range(0xC7, 0xCA), *range(0xD4, 0xD9), *range(0xDC, 0xE0)])
"""What lists, maps and extensions begin with, and much else holds too."""

NOT_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")


Packed: TypeAlias = ormsgpack.Ext | ormsgpack.Fragment
"""An extension, ready to be written."""


class MsgpackPacker:
    """Every type, in few bytes.

    >>> MsgpackPacker().pack(["chat/said", {"n": 1}]).hex(" ")
    '92 a9 63 68 61 74 2f 73 61 69 64 81 a1 6e 01'
    """

    name = "msgpack"

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        self._types = Types(types)
        self._limits = limits or UnpackLimits()
        self._codes = {kind: code for kind, code in CODES.items() if not self._types.handles(kind)}
        self._hooks = [partial(self._extended, level, self._fast) for level in range(NESTED_EXTENSIONS + 1)]

    # -- writing

    def pack(self, value: Any, /) -> bytes:
        """Write a value.

        Raises:
            PackError: there is no handler for something in it; says what and where.
        """
        try:
            return self._fast(value, 0)
        except (TypeError, RecursionError):
            pass
        return packed(value, lambda part: self._exact(part, 0), self._types.lower)

    def pack_plain(self, value: Any) -> bytes | None:
        """The value, if it has bytes and what JSON has words for, and nothing else; else ``None``."""
        return plain_form(value)

    def part(self, value: Any, /) -> bytes:
        """A value to be joined with others: packed."""
        return self.pack(value)

    def join(self, parts: Sequence[bytes], /) -> bytes:
        """The packed list of values that were packed one by one."""
        size = len(parts)
        if size < 16:
            head = bytes([0x90 | size])
        else:
            head = struct.pack(">BH", 0xDC, size) if size < 0x10000 else struct.pack(">BI", 0xDD, size)
        return head + b"".join(parts)

    def frame(self, part: bytes, /) -> bytes:
        """What travels: the part as it is."""
        return part

    def _fast(self, value: Any, level: int) -> bytes:
        return ormsgpack.packb(value, self._hooks[level], ASK)

    def _exact(self, value: Any, level: int) -> bytes:
        """The slow and complete way, and the reference for the fast one."""
        try:
            return ormsgpack.packb(self._plain(value, DEPTH, level), None, ANY_KEY)
        except RecursionError:
            raise too_deep() from None

    def _extended(self, level: int, pack: Callable[[Any, int], bytes], value: Any) -> Any:
        """One step down: a plainer value, or an extension; ``pack`` writes what is in it."""
        if (code := self._codes.get(type(value))) and (extension := code(value)):
            return extension
        lowered = value if type(value) is TaggedValue else self._types.lower(value)
        if type(lowered) is not TaggedValue:
            return lowered
        tag, rep = lowered.tag, lowered.rep
        if tag in SCALARS and type(rep) is str:
            try:
                return SCALARS[tag](rep)
            except (UnpackError, ValueError) as error:
                raise PackError(f"{rep[:40]!r} cannot be packed under the tag {tag!r}") from error
        if level == NESTED_EXTENSIONS:
            raise PackError(f"msgpack extensions nested more than {NESTED_EXTENSIONS} deep")
        if tag == "set" and type(rep) is list:
            return ormsgpack.Ext(SET, pack(rep, level + 1))
        return ormsgpack.Ext(TAGGED, pack([tag, rep], level + 1))

    def _plain(self, value: Any, depth: int, level: int) -> Any:
        kind = type(value)
        if not depth:
            raise too_deep()
        if kind is str:
            return checked(value)
        if kind is list or kind is tuple:
            return [self._plain(inner, depth - 1, level) for inner in value]
        if kind is dict and all(type(key) in KEYS and _fits(key) for key in value):
            return {checked(k) if type(k) is str else k: self._plain(v, depth - 1, level) for k, v in value.items()}
        if kind is dict:
            value = TaggedValue("cmap", [inner for pair in value.items() for inner in pair])
        elif (kind is int and _fits(value)) or kind in PLAIN:
            return value
        lowered = self._extended(level, self._exact, value)
        return lowered if isinstance(lowered, Packed) else self._plain(lowered, depth - 1, level)

    # -- reading

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value.

        Raises:
            UnpackError: it is not msgpack, says a thing twice, or is more than the limits allow.
        """
        if isinstance(wire, str):
            raise UnpackError("not msgpack: a text frame")
        self._limits.check_size(wire)
        most = self._limits.containers
        many = len(wire) > most and len(wire) - len(wire.translate(None, HEADS)) > most
        try:
            return self._read(wire, 0, [most] if many else None)
        except RecursionError as error:
            raise UnpackError("nested too deeply") from error

    def _read(self, raw: bytes, level: int, room: list[int] | None) -> Any:
        """The value of ``raw``; ``room`` is given when there may be too many lists and maps in it."""
        if level > NESTED_EXTENSIONS:
            raise UnpackError("nested too deeply")
        if room is None:
            try:  # without extensions, which most packets do not have
                value = ormsgpack.unpackb(raw, option=ormsgpack.OPT_NON_STR_KEYS)
                if ormsgpack.packb(value, None, ANY_KEY) == raw:
                    return value
            except (ValueError, TypeError):
                pass
        seen: list[tuple[Packed, Any]] = []
        failed: list[UnpackError] = []

        def extension(code: int, data: bytes) -> Any:
            try:
                value = self._raised(code, data, level, room)
            except UnpackError as error:
                failed.append(error)
                raise
            seen.append((_extension(code, data), value))
            return value

        if room is not None:
            return read_exactly(raw, extension, room)
        try:
            value = ormsgpack.unpackb(raw, ext_hook=extension, option=ormsgpack.OPT_NON_STR_KEYS)
            again = iter(seen)
            if ormsgpack.packb(value, lambda _: next(again)[0], ANY_KEY) == raw:
                return value
        except (ValueError, TypeError):
            if failed:
                raise failed[0] from None
        known = iter(seen)  # what is read once is not read again, or the time would double with each level

        def remembered(code: int, data: bytes) -> Any:
            found = next(known, None)
            return self._raised(code, data, level, None) if found is None else found[1]

        return read_exactly(raw, remembered, [len(raw)])

    def _raised(self, code: int, data: bytes, level: int, room: list[int] | None) -> Any:
        """What an extension stands for."""
        if code == TAGGED:
            rep = self._read(data, level + 1, room)
            if type(rep) is not list or len(rep) != 2 or type(rep[0]) is not str:
                raise UnpackError("extension 1 holds a list of tag and value")
            return self._types.raise_(rep[0], rep[1])
        if code == SET:
            return self._types.raise_("set", self._read(data, level + 1, room))
        if code not in READ:
            raise UnpackError(f"msgpack extension {code} means nothing here")
        tag, read = READ[code]
        return self._types.adopt(tag, read, data)


def is_finite(packed: bytes) -> bool:
    """Whether msgpack surely holds neither NaN nor an infinity.

    >>> is_finite(MsgpackPacker().pack([1.5])), is_finite(MsgpackPacker().pack([float("inf")]))
    (True, False)
    """
    if 0xCB not in packed:
        return True
    for head in (0x7F, 0xFF):  # where these are rare, they are found sooner than a pattern
        at = 0
        for _ in range(len(packed) >> 7):
            at = packed.find(head, at + 1)
            if at < 0:
                break
            if packed[at - 1] == 0xCB and NOT_FINITE.match(packed, at - 1):
                return False
        else:
            return not NOT_FINITE.search(packed)
    return True


def plain_form(value: Any) -> bytes | None:
    r"""The msgpack of a value that has what JSON has words for, bytes, NaN and the infinities, and nothing else; else
    ``None``. Keys are str; a bytearray or a memoryview is as good as bytes.

    >>> plain_form([None, b"a"]), plain_form([{1}]), plain_form({1: 2})
    (b'\x92\xc0\xc4\x01a', None, None)
    """
    try:
        return ormsgpack.packb(value, None, ASK)
    except (TypeError, RecursionError):
        return None


def is_plain(value: Any, default: Callable[[Any], Any] | None = None) -> bool:
    """Whether a value surely holds nothing but what JSON has words for: no UUID, no enum, no NaN; or what ``default``
    makes of such. A false "no" is possible, a false "yes" is not; ormsgpack knows in about the time that orjson takes.

    >>> is_plain([None, "a"]), is_plain([float("nan")])
    (True, False)
    """
    try:
        return is_finite(ormsgpack.packb(value, default, ASK))
    except (TypeError, RecursionError):
        return False


def _extension(code: int, data: bytes) -> Packed:
    if code >= 0:
        return ormsgpack.Ext(code, data)
    size = len(data)  # ormsgpack leaves the codes below zero to itself
    head = {4: b"\xd6", 8: b"\xd7"}.get(size) or struct.pack(">BB", 0xC7, size)
    return ormsgpack.Fragment(head + code.to_bytes(1, signed=True) + data)


def _fits(value: Any) -> bool:
    return type(value) is not int or -(2**63) <= value < 2**64


def _timestamp(value: datetime) -> bytes:
    """The smallest of the three forms: 32 bit, 64 bit with nanoseconds, 96 bit."""
    since = value - EPOCH
    seconds, nanoseconds = since.days * 86_400 + since.seconds, since.microseconds * 1000
    if not 0 <= seconds < 2**34:
        return struct.pack(">Iq", nanoseconds, seconds)
    return (
        struct.pack(">Q", nanoseconds << 34 | seconds) if nanoseconds or seconds >> 32 else struct.pack(">I", seconds)
    )


def read_timestamp(data: bytes) -> datetime:
    """A moment in any of the three forms of the MessagePack specification.

    Raises:
        UnpackError: it is none of them.
    """
    match len(data):
        case 4:
            nanoseconds, seconds = 0, int.from_bytes(data)
        case 8:
            nanoseconds, seconds = divmod(int.from_bytes(data), 2**34)
        case 12:
            nanoseconds, seconds = struct.unpack(">Iq", data)
        case size:
            raise UnpackError(f"a timestamp has 4, 8 or 12 bytes, not {size}")
    if nanoseconds >= 1_000_000_000:
        raise UnpackError("a timestamp of more than a second within a second")
    return EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


def _write_datetime(value: datetime) -> Packed | None:
    return None if value.tzinfo is None else _extension(TIMESTAMP, _timestamp(value))


def _write_big(value: int) -> Packed:
    if value.bit_length() > BITS:
        raise PackError(f"a whole number of more than {BITS} bit cannot be packed")
    return ormsgpack.Ext(BIG, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def _read_big(data: bytes) -> int:
    if len(data) > BITS // 8 + 1:
        raise UnpackError(f"a whole number of more than {BITS} bit")
    return int.from_bytes(data, signed=True)


def _read_uuid(data: bytes) -> UUID:
    if len(data) != 16:
        raise UnpackError(f"tag 'u': a UUID has 16 bytes, not {len(data)}")
    return uuid_of(int.from_bytes(data))


CODES: Mapping[type, Callable[[Any], Packed | None]] = {
    datetime: _write_datetime,
    int: _write_big,
    UUID: lambda value: ormsgpack.Ext(UUIDS, value.bytes),
    Decimal: lambda value: ormsgpack.Ext(DECIMAL, LOWER[Decimal](value).rep.encode()),
    Keyword: lambda value: ormsgpack.Ext(KEYWORD, checked(value.name).encode()),
}

SCALARS: Mapping[str, Callable[[str], Packed | None]] = {
    "t": lambda rep: _write_datetime(read_utc(rep)),
    "u": lambda rep: CODES[UUID](read_uuid(rep)),
    "f": lambda rep: CODES[Decimal](read_decimal(rep)),
    ":": lambda rep: CODES[Keyword](Keyword(rep)),
}
"""The same by tag: for subclasses, and for what handlers lower to these."""

READ: Mapping[int, tuple[str, Callable[[bytes], Any]]] = {
    TIMESTAMP: ("t", read_timestamp),
    UUIDS: ("u", _read_uuid),
    DECIMAL: ("f", lambda data: read_decimal(data.decode("ascii"))),
    BIG: ("n", _read_big),
    KEYWORD: (":", lambda data: Keyword(data.decode())),
}
