"""MessagePack as Sente's own clients speak it: keywords, symbols and sets are extensions, keys of maps are cached.

=====  ===========================================================================
ext    holds
=====  ===========================================================================
-1     datetime with time zone: 4 bytes of nanoseconds, 8 of seconds; all three
       forms of the specification are read
0      keyword, UTF-8
1      symbol, UTF-8
2      char, UTF-8
3      Fraction: two packed whole numbers
4      set: its members as a packed array
5      array of int32, big-endian as on the JVM; read as a list
6, 7   the same of floats, and of doubles
8      the key of a map that was written before: its number in this message
9      UUID, 36 characters
else   ``Extension``
=====  ===========================================================================

What Sente has no word for has none here, and raises ``PackError``: dates and times alone, durations, addresses, types
with a tag of their own, whole numbers beyond 64 bit. A Decimal is written as a double, which is what Sente does.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from sente.errors import PackError, UnpackError
from sente.interfaces import Wire
from sente.packers.blame import packed
from sente.packers.builtin import EPOCH, read_decimal, read_integer, read_utc, read_uuid
from sente.packers.handlers import TypeHandler, Types
from sente.packers.limits import DEPTH, UnpackLimits, checked, too_deep
from sente.packers.msgpack import read_timestamp
from sente.packers.msgpack_exact import Reader
from sente.values import Char, Extension, Keyword, Symbol, TaggedValue

TIMESTAMP, KEYWORD, SYMBOL, CHAR, RATIO, SET, INTS, FLOATS, DOUBLES, CACHED, UUIDS = -1, *range(10)

KEYS = 256
"""So many keys of a message are numbered; further ones are written in full."""


class SenteMsgpackPacker:
    """The binary packer of Sente.

    >>> SenteMsgpackPacker().pack([{Keyword("n"): 1}, {Keyword("n"): 2}]).hex(" ")
    '92 81 d4 00 6e 01 81 d4 08 00 02'
    """

    name = "sente-msgpack"

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        self._types = Types(types)
        self._limits = limits or UnpackLimits()

    def pack(self, value: Any, /) -> bytes:
        """Write a value.

        Raises:
            PackError: Sente has no word for something in it; says what and where.
        """
        return packed(value, self._written, self._types.lower)

    def _written(self, value: Any) -> bytes:
        writer = _Writer(self._types)
        try:
            writer.write(value, DEPTH)
        except RecursionError:
            raise too_deep() from None
        return bytes(writer.out)

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value. Zero bytes behind it are ignored: the ClojureScript client sends its whole buffer.

        Raises:
            UnpackError: it is not Sente's msgpack, says a thing twice, or is more than the limits allow.
        """
        if isinstance(wire, str):
            raise UnpackError("not msgpack: a text frame")
        self._limits.check_size(wire)
        reader = _SenteReader(wire, self._types, self._limits)
        try:
            value = reader.value(DEPTH)
        except RecursionError as error:
            raise UnpackError("nested too deeply") from error
        if wire[reader.at :].strip(b"\0"):
            raise UnpackError(f"{len(wire) - reader.at} bytes too many, and not all of them zero")
        return value


class _Writer:
    """Writes one message."""

    def __init__(self, types: Types) -> None:
        self.out = bytearray()
        self._types = types
        self._keys: dict[tuple[bool, str], int] = {}
        """Numbers of keys: a keyword and the string of its name are two."""

    def write(self, value: Any, depth: int) -> None:
        """Add a value."""
        if not depth:
            raise too_deep()
        kind = type(value)
        if kind is TaggedValue:
            self._tagged(value, depth)
        elif kind in WRITERS and not self._types.handles(kind):
            WRITERS[kind](self, value, depth)
        else:
            self.write(self._types.lower(value), depth - 1)

    def _none(self, value: None, depth: int) -> None:
        self.out.append(0xC0)

    def _boolean(self, value: bool, depth: int) -> None:
        self.out.append(0xC3 if value else 0xC2)

    def _integer(self, value: int, depth: int) -> None:
        """Beyond 32 bit always signed: ClojureScript reads no other."""
        if -32 <= value < 0x80:
            self.out += value.to_bytes(1, signed=value < 0)
            return
        forms = UNSIGNED if value > 0 else SIGNED
        for bits, head, form in forms:
            if (value if value > 0 else ~value).bit_length() <= bits:
                self.out += struct.pack(form, head, value)
                return
        raise PackError("a whole number beyond 64 bit, signed, cannot be packed for Sente")

    def _double(self, value: float, depth: int) -> None:
        self.out += struct.pack(">Bd", 0xCB, value)

    def _text(self, value: str, depth: int) -> None:
        raw = _utf8(value)
        self._head(len(raw), (0xA0, 32), (0xD9, 0xDA, 0xDB))
        self.out += raw

    def _blob(self, value: bytes, depth: int) -> None:
        self._head(len(value), (0, 0), (0xC4, 0xC5, 0xC6))
        self.out += value

    def _items(self, value: list[Any] | tuple[Any, ...], depth: int) -> None:
        self._head(len(value), (0x90, 16), (None, 0xDC, 0xDD))
        for inner in value:
            self.write(inner, depth - 1)

    def _map(self, value: dict[Any, Any], depth: int) -> None:
        self._head(len(value), (0x80, 16), (None, 0xDE, 0xDF))
        for key, inner in value.items():
            self._key(key, depth - 1)
            self.write(inner, depth - 1)

    def _keyword(self, value: Keyword, depth: int) -> None:
        self._extended(KEYWORD, _utf8(value.name))

    def _extension(self, value: Extension, depth: int) -> None:
        self._extended(value.code, value.content)

    def _key(self, key: Any, depth: int) -> None:
        """A key, or its number if it was written before."""
        if isinstance(key, str):
            known = type(key) is Keyword, str(key)
            if (number := self._keys.get(known)) is not None:
                self.out += bytes((0xD4, CACHED, number))
                return
            if len(self._keys) < KEYS:
                self._keys[known] = len(self._keys)
        self.write(key, depth)

    def _tagged(self, value: TaggedValue, depth: int) -> None:
        tag, rep = value.tag, value.rep
        try:
            match tag, rep:
                case ("set", list()):
                    self._nested(SET, lambda: self._items(rep, depth - 1))
                case ("ratio", [int(numerator), int(denominator)]):
                    self._nested(RATIO, lambda: self._pair(numerator, denominator))
                case ("cmap", list()):
                    self._map(dict(zip(rep[::2], rep[1::2], strict=True)), depth)
                case ("f", str()):
                    self._double(float(read_decimal(rep)), depth)
                case ("n", str()):
                    self._integer(read_integer(rep), depth)
                case (_, str()) if tag in EXTENSIONS:
                    code, encode = EXTENSIONS[tag]
                    self._extended(code, encode(rep))
                case _:
                    raise PackError(f"Sente's msgpack has no word for the tag {tag!r}")
        except PackError:
            raise
        except (UnpackError, ValueError) as error:
            raise PackError(f"{rep!r:.40} cannot be packed under the tag {tag!r}") from error

    def _pair(self, one: int, other: int) -> None:
        self._integer(one, 1)
        self._integer(other, 1)

    def _nested(self, code: int, write: Callable[[], None]) -> None:
        """An extension that holds packed values. They are written where they belong, as keys in them count too."""
        outer, self.out = self.out, bytearray()
        try:
            write()
        finally:
            outer, self.out = self.out, outer
        self._extended(code, bytes(outer))

    def _extended(self, code: int, content: bytes) -> None:
        size = len(content)
        if size in FIXED:
            self.out.append(FIXED[size])
        else:
            self._head(size, (0, 0), (0xC7, 0xC8, 0xC9))
        self.out += code.to_bytes(1, signed=True) + content

    def _head(self, size: int, short: tuple[int, int], heads: tuple[int | None, int, int]) -> None:
        base, end = short
        if size < end:
            self.out.append(base | size)
        elif size < 0x100 and heads[0] is not None:
            self.out += struct.pack(">BB", heads[0], size)
        elif size < 0x10000:
            self.out += struct.pack(">BH", heads[1], size)
        else:
            self.out += struct.pack(">BI", heads[2], size)


class _SenteReader(Reader):
    """Reads one message."""

    def __init__(self, raw: bytes, types: Types, limits: UnpackLimits) -> None:
        super().__init__(raw, lambda code, content: content, [limits.containers])
        self._types = types
        self._keys: list[str] = []
        self._repeated = limits.size
        """Characters that may still be meant by numbers of keys: small messages must not mean large ones."""

    def _key(self, depth: int) -> Any:
        number = self._cached()
        if number is not None:
            if number >= len(self._keys):
                raise UnpackError(f"there is no key of number {number}")
            key: Any = self._keys[number]
            self._repeated -= len(key)
            if self._repeated < 0:
                raise UnpackError("its keys, written out, are longer than what is unpacked")
            return key
        key = super()._key(depth)
        if isinstance(key, str) and len(self._keys) < KEYS:
            self._keys.append(key)
        return key

    def _cached(self) -> int | None:
        """The number that stands in place of a key."""
        head = self._raw[self.at : self.at + 2]
        if head != bytes((0xD4, CACHED)):
            return None
        return self._take(3)[2]

    def _extended(self, size: int, depth: int) -> Any:
        code = self._number(">b")
        if code in (SET, RATIO):
            self._enter(depth)
            end = self.at + size
            held = self.value(depth - 1) if code == SET else [self.value(1), self.value(1)]
            if self.at != end:
                raise UnpackError(f"msgpack extension {code} does not end where it says")
            return self._types.raise_("set" if code == SET else "ratio", held)
        content = self._take(size)
        if code in READ:
            tag, read = READ[code]
            return self._types.adopt(tag, read, content)
        if code == CACHED:
            raise UnpackError("the number of a key is no key")
        if code in ARRAYS:
            return self._array(*ARRAYS[code], content)
        return Extension(code, content)

    def _array(self, kind: str, width: int, content: bytes) -> list[Any]:
        count, rest = divmod(len(content), width)
        if rest:
            raise UnpackError(f"an array of {width} bytes for each number ends too early")
        return list(struct.unpack(f">{count}{kind}", content))


def _utf8(text: str) -> bytes:
    return checked(text).encode()


def _timestamp(text: str) -> bytes:
    since = read_utc(text) - EPOCH
    return struct.pack(">Iq", since.microseconds * 1000, since // timedelta(seconds=1))


UNSIGNED = [(8, 0xCC, ">BB"), (16, 0xCD, ">BH"), (32, 0xCE, ">BI"), (63, 0xD3, ">Bq")]
SIGNED = [(7, 0xD0, ">Bb"), (15, 0xD1, ">Bh"), (31, 0xD2, ">Bi"), (63, 0xD3, ">Bq")]
"""Bits, head and form of whole numbers."""

FIXED = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}
ARRAYS = {INTS: ("i", 4), FLOATS: ("f", 4), DOUBLES: ("d", 8)}

WRITERS: Mapping[type, Callable[[_Writer, Any, int], None]] = {
    type(None): _Writer._none,
    bool: _Writer._boolean,
    int: _Writer._integer,
    float: _Writer._double,
    str: _Writer._text,
    bytes: _Writer._blob,
    list: _Writer._items,
    tuple: _Writer._items,
    dict: _Writer._map,
    Keyword: _Writer._keyword,
    Extension: _Writer._extension,
}

EXTENSIONS: Mapping[str, tuple[int, Callable[[str], bytes]]] = {
    ":": (KEYWORD, _utf8),
    "$": (SYMBOL, _utf8),
    "c": (CHAR, _utf8),
    "u": (UUIDS, lambda rep: str(read_uuid(rep)).encode()),
    "t": (TIMESTAMP, _timestamp),
}
"""What tagged text is written as."""

READ: Mapping[int, tuple[str, Callable[[bytes], Any]]] = {
    TIMESTAMP: ("t", read_timestamp),
    KEYWORD: (":", lambda content: Keyword(content.decode())),
    SYMBOL: ("$", lambda content: Symbol(content.decode())),
    CHAR: ("c", lambda content: Char(content.decode())),
    UUIDS: ("u", lambda content: read_uuid(content.decode("ascii"))),
}
