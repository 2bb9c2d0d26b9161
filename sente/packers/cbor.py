"""CBOR (RFC 8949) on cbor2: every type, under the standard tags where there is one.

=====  ==================================================================
tag    holds
=====  ==================================================================
0      datetime with time zone: RFC 3339 in UTC. 1, seconds, is read too
2, 3   whole number beyond 64 bit
4      Decimal: ``[exponent, digits]``; NaN, the infinities and -0 are in 27
27     ``[tag, rep]``: every type that has no tag of its own
30     Fraction: ``[numerator, denominator]``
32     Uri
37     UUID, 16 bytes
258    set
1004   date: RFC 3339
=====  ==================================================================

cbor2 writes and reads; what it leaves open is looked at here. It writes more types than these, lists so deep that the
stack ends, and has tags that make cycles and compile patterns. So it gets nothing but what was surely plain, or was
made so here, and reads no tags but these. It stops where a value ends, so that is read as the first of two. What it
cannot be left alone with goes the exact way, where ``survey`` replaces it beforehand: keys that are no strings, and
``undefined``, which is a simple value.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from functools import partial
from typing import Any
from uuid import UUID

from sente.errors import PackError, UnpackError
from sente.interfaces import Wire
from sente.packers.blame import packed
from sente.packers.builtin import (
    EPOCH,
    LOWER,
    read_decimal,
    read_pairs,
    read_set,
    read_utc,
    read_uuid,
    utc_text,
    uuid_of,
)
from sente.packers.cbor_survey import ARRAY, MAP, PAIRS, PAIRS_HEAD, head_of, may_be_simple, survey, too_many
from sente.packers.handlers import TypeHandler, Types
from sente.packers.limits import BITS, DEPTH, EXPONENT, HALF_CHARACTER, UnpackLimits, too_deep
from sente.packers.msgpack import plain_form
from sente.packers.text import write_text
from sente.values import TaggedValue

try:
    import cbor2
except ImportError as error:
    raise ImportError('the packer "cbor" needs cbor2 6.3: pip install "sente-channels[cbor]"') from error

SET = 258
SELF_DESCRIBED = bytes.fromhex("d9d9f7")
"""Tag 55799: this is CBOR. Means nothing, and may stand at the beginning."""

END = os.urandom(16)
"""What is read behind each value: nobody outside knows it, or what is too much could end with it."""

END_WRITTEN = bytes([0x50]) + END

READ_DEPTH = DEPTH + 10
"""Arrays, maps and tags within each other: what was written, wrapped in a packet, and that in two."""

SHORT = BITS * 3 // 10
"""Digits of a number that surely fits in as many bits."""

EXACT = Context(prec=SHORT, Emax=MAX_EMAX, Emin=MIN_EMIN)

PLAIN = {str, float, bool, bytes, type(None)}


class CborPacker:
    """Every type, by the book: what other CBOR libraries read, without knowing of this one.

    >>> CborPacker().pack(["chat/said", {"n": 1}]).hex(" ")
    '82 69 63 68 61 74 2f 73 61 69 64 a1 61 6e 01'

    Args:
        types: Handlers for custom types.
        deterministic: Equal values become equal bytes (RFC 8949, 4.2.1: sorted keys, shortest floats), to be signed or
            compared. Takes longer: off.
        limits: What is taken from the other side.
    """

    name = "cbor"

    def __init__(
        self,
        *,
        types: Iterable[TypeHandler[Any]] = (),
        deterministic: bool = False,
        limits: UnpackLimits | None = None,
    ) -> None:
        self._types = Types(types)
        self._limits = limits or UnpackLimits()
        self._deterministic = deterministic
        self._codes = {kind: code for kind, code in CODES.items() if not self._types.handles(kind)}
        self._sets = {kind for kind in (set, frozenset) if not self._types.handles(kind)}
        self._tags = _Tags({tag: partial(read, self._types) for tag, read in READ.items()})

    # -- writing

    def pack(self, value: Any, /) -> bytes:
        """Write a value.

        Raises:
            PackError: there is no handler for something in it; says what and where.
        """
        if is_as_written(value):
            return self._written(value)
        return packed(value, self._exact, self._types.lower)

    def part(self, value: Any, /) -> bytes:
        """A value to be joined with others: packed."""
        return self.pack(value)

    def join(self, parts: Sequence[bytes], /) -> bytes:
        """The packed list of values that were packed one by one."""
        return head_of(ARRAY, len(parts)) + b"".join(parts)

    def frame(self, part: bytes, /) -> bytes:
        """What travels: the part as it is."""
        return part

    def _written(self, plain: Any) -> bytes:
        if self._deterministic:
            return cbor2.dumps(plain, canonical=True, encoders=WRITTEN)
        return cbor2.dumps(plain)

    def _exact(self, value: Any) -> bytes:
        """The slow and complete way, and the reference for the fast one."""
        try:
            return self._written(self._plain(value, DEPTH))
        except RecursionError:
            raise too_deep() from None
        except UnicodeEncodeError as error:
            raise PackError(HALF_CHARACTER) from error

    def _plain(self, value: Any, depth: int) -> Any:
        """What stands for a value: of what cbor2 writes as it should be, and hashable but for maps; ``depth`` more
        arrays, maps and tags may be within each other."""
        kind = type(value)
        if depth < 0:
            raise too_deep()
        if kind in PLAIN:
            return value
        if kind is list or kind is tuple:
            return tuple([self._plain(inner, depth - 1) for inner in value])
        if kind is dict:
            return self._map(value, depth - 1)
        if kind in self._sets:
            return self._listed(SET, value, depth - 2)
        if (code := self._codes.get(kind)) and (written := code(value)) is not None:
            return written
        lowered = value if kind is TaggedValue else self._types.lower(value)
        return self._plain(lowered, depth - 1) if type(lowered) is not TaggedValue else self._tagged(lowered, depth - 2)

    def _map(self, value: Mapping[Any, Any], depth: int) -> Any:
        try:
            plain = {
                key if type(key) is str else self._plain(key, depth): self._plain(inner, depth)
                for key, inner in value.items()
            }
        except TypeError as error:
            raise PackError("a key cannot be packed: it is written as a map") from error
        if len(plain) < len(value):
            raise PackError("two keys cannot be packed: they are written alike")
        if not self._deterministic or all(type(key) is str for key in plain):
            return plain  # cbor2 sorts by length first, which for strings is the same
        pairs = sorted((self._written(key), self._written(inner)) for key, inner in plain.items())
        return _Written(head_of(MAP, len(pairs)) + b"".join([half for pair in pairs for half in pair]))

    def _tagged(self, value: TaggedValue, depth: int) -> Any:
        tag, rep = value.tag, value.rep
        if tag in SCALARS and type(rep) is str:
            try:
                return SCALARS[tag](rep)
            except (UnpackError, ValueError) as error:
                raise PackError(f"{rep[:40]!r} cannot be packed under the tag {tag!r}") from error
        if tag in LISTS and type(rep) is list:
            return self._listed(LISTS[tag], rep, depth)
        return cbor2.CBORTag(27, (tag, self._plain(rep, depth)))

    def _listed(self, number: int, rep: Iterable[Any], depth: int) -> cbor2.CBORTag:
        parts = [self._plain(part, depth) for part in rep]
        if number == SET and self._deterministic:
            parts.sort(key=self._written)
        return cbor2.CBORTag(number, tuple(parts))

    # -- reading

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value.

        Raises:
            UnpackError: it is not CBOR, says a thing twice, has a tag that means nothing here, or is more than the
                limits allow.
        """
        if isinstance(wire, str):
            raise UnpackError("not CBOR: a text frame")
        self._limits.check_size(wire)
        raw, most = wire.removeprefix(SELF_DESCRIBED), self._limits.containers
        read = False
        value: Any = None
        if not too_many(raw, most):
            try:
                value = self._read(raw, READ_DEPTH)
                read = True
            except Exception:  # of cbor2, or of what it called: the exact way says why, or reads it
                pass
            if read and (plain_form(value) is not None or not may_be_simple(raw)):
                return value
        seen, undefined = survey(raw, most)
        return value if read and not undefined else self._exactly(seen)

    def _exactly(self, seen: bytes) -> Any:
        try:
            return self._read(seen, READ_DEPTH + min(READ_DEPTH, seen.count(PAIRS_HEAD)))  # a map is two there
        except UnpackError:
            raise
        except Exception as error:  # cbor2 wraps the errors of what it calls, and lets some through
            ours = error.__cause__ if isinstance(error.__cause__, UnpackError) else None
            raise ours or UnpackError(f"not CBOR: {error}") from error

    def _read(self, raw: bytes, depth: int) -> Any:
        """What cbor2 reads, if keys are strings; the others can be chosen to collide."""
        value, end = cbor2.loads(
            b"\x82" + raw + END_WRITTEN,
            semantic_decoders=self._tags,
            max_depth=depth,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
        if end != END:
            raise UnpackError("not CBOR: something follows the value")
        return value


def is_as_written(value: Any) -> bool:
    """Whether cbor2 surely writes a value as it should be: it takes a memoryview for a list.

    >>> is_as_written([None, b"a"]), is_as_written([memoryview(b"a")]), is_as_written([{1}])
    (True, False, False)
    """
    packed = plain_form(value)
    if packed is None or not (b"\xc4" in packed or b"\xc5" in packed or b"\xc6" in packed):
        return packed is not None
    try:  # there may be bytes, about each of which orjson asks
        write_text(value, _only_bytes)
    except TypeError:
        return False
    return True


def _only_bytes(value: Any) -> None:
    if type(value) is not bytes:
        raise TypeError


class _Written(bytes):
    """CBOR that is ready, as a part of a value."""


WRITTEN: Mapping[type, Callable[[cbor2.CBOREncoder, Any], Any]] = {
    _Written: lambda encoder, written: encoder.write(written)
}


class _Tags(dict[int, Callable[[Any, bool], Any]]):
    """How tags are read; of those that are not known, cbor2 learns that they are errors, instead of using its own."""

    def __missing__(self, tag: int) -> Callable[[Any, bool], Any]:
        raise UnpackError(f"CBOR tag {tag} means nothing here")


def _write_integer(value: int) -> int:
    if value.bit_length() > BITS:
        raise PackError(f"a whole number of more than {BITS} bit cannot be packed")
    return value


def _write_datetime(value: datetime) -> Any:
    return None if value.tzinfo is None else cbor2.CBORTag(0, utc_text(value))


def _write_decimal(value: Decimal) -> Any:
    sign, digits, exponent = value.as_tuple()
    short = len(digits) <= SHORT and abs(value.adjusted()) <= EXPONENT
    if type(exponent) is int and short and not (sign and not value):
        return cbor2.CBORTag(4, (exponent, int(value.scaleb(-exponent, EXACT))))
    return cbor2.CBORTag(27, ("f", LOWER[Decimal](value).rep))


CODES: Mapping[type, Callable[[Any], Any]] = {
    int: _write_integer,
    datetime: _write_datetime,
    date: lambda value: value,  # cbor2 writes these two as they should be
    UUID: lambda value: value,
    Decimal: _write_decimal,
}

SCALARS: Mapping[str, Callable[[str], Any]] = {
    "t": lambda rep: _write_datetime(read_utc(rep)),
    "u": read_uuid,
    "f": lambda rep: _write_decimal(read_decimal(rep)),
    "r": lambda rep: cbor2.CBORTag(32, rep),
    "time/date": date.fromisoformat,
}
"""The same by tag: for subclasses, and for what handlers lower to these."""

LISTS = {"ratio": 30, "set": SET}


def _read_seconds(rep: Any) -> datetime:
    if type(rep) not in (int, float):
        raise UnpackError("CBOR tag 1 holds a number")
    return EPOCH + timedelta(seconds=rep)


def _read_big(rep: Any) -> int:
    if type(rep) is not bytes or len(rep) > BITS // 8 + 1:
        raise UnpackError(f"CBOR tags 2 and 3 hold bytes, for at most {BITS} bit")
    return int.from_bytes(rep)


def _read_fraction(rep: Any) -> Decimal:
    exponent, whole = rep
    if type(exponent) is not int or type(whole) is not int:
        raise UnpackError("CBOR tag 4 holds two whole numbers")
    return read_decimal(f"{whole}E{exponent}")


def _read_text(rep: Any) -> str:
    if type(rep) is not str:
        raise UnpackError("CBOR tags 0, 32 and 1004 hold text")
    return rep


def _read_uuid(rep: Any) -> UUID:
    if type(rep) is not bytes or len(rep) != 16:
        raise UnpackError("CBOR tag 37 holds 16 bytes")
    return uuid_of(int.from_bytes(rep))


def _read_tagged(types: Types, rep: Any, immutable: bool) -> Any:
    if type(rep) not in (list, tuple) or len(rep) != 2 or type(rep[0]) is not str:
        raise UnpackError("CBOR tag 27 holds an array of tag and value")
    return types.raise_(rep[0], rep[1])


def _read_set(types: Types, rep: Any, immutable: bool) -> Any:
    members = types.adopt("set", lambda rep: read_set(list(rep)), rep)
    return frozenset(members) if immutable and type(members) is set else members


def _built_in(tag: str, read: Callable[[Any], Any]) -> Callable[[Types, Any, bool], Any]:
    return lambda types, rep, immutable: types.adopt(tag, read, rep)


READ: Mapping[int, Callable[[Types, Any, bool], Any]] = {
    0: _built_in("t", lambda rep: read_utc(_read_text(rep))),
    1: _built_in("t", _read_seconds),
    2: _built_in("n", _read_big),
    3: _built_in("n", lambda rep: -1 - _read_big(rep)),
    4: _built_in("f", _read_fraction),
    27: _read_tagged,
    30: lambda types, rep, immutable: types.raise_("ratio", list(rep)),
    32: lambda types, rep, immutable: types.raise_("r", _read_text(rep)),
    37: _built_in("u", _read_uuid),
    SET: _read_set,
    PAIRS: lambda types, rep, immutable: read_pairs(rep),
    1004: lambda types, rep, immutable: types.raise_("time/date", _read_text(rep)),
}
