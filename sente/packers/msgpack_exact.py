"""The exact reader of MessagePack: slow, and strict where libraries are lenient."""

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from sente.errors import UnpackError
from sente.packers.builtin import as_map, hashable
from sente.packers.limits import DEPTH

Extension: TypeAlias = Callable[[int, bytes], Any]
"""What an extension's code and content stand for."""

NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
LENGTHS = {1: ">B", 2: ">H", 4: ">I"}
CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def read_exactly(raw: bytes, extension: Extension, room: list[int]) -> Any:
    """The one value that ``raw`` is.

    Args:
        raw: MessagePack.
        extension: Reads extensions.
        room: How many lists, maps and extensions may still come, in its only place; counted down.

    Raises:
        UnpackError: it is not MessagePack, says a thing twice, is more than allowed, or something follows it.
    """
    reader = Reader(raw, extension, room)
    value = reader.value(DEPTH)
    if reader.at != len(raw):
        raise UnpackError(f"{len(raw) - reader.at} bytes too many")
    return value


class Reader:
    """Reads one value after the other; ``at`` is where the next begins."""

    def __init__(self, raw: bytes, extension: Extension, room: list[int]) -> None:
        self.at = 0
        self._raw = raw
        self._extension = extension
        self._room = room

    def value(self, depth: int) -> Any:
        """The next value; ``depth``: how many lists and maps within each other it may be."""
        head = self._take(1)[0]
        if head <= 0x7F:
            return head
        if head >= 0xE0:
            return head - 0x100
        if head <= 0x8F:
            return self._map(head & 0x0F, depth)
        if head <= 0x9F:
            return self._list(head & 0x0F, depth)
        if head <= 0xBF:
            return self._text(head & 0x1F)
        if head in CONSTANTS:
            return CONSTANTS[head]
        if head in NUMBERS:
            return self._number(NUMBERS[head])
        return self._long(head, depth)

    def _long(self, head: int, depth: int) -> Any:
        match head:
            case 0xC4 | 0xC5 | 0xC6:
                return self._take(self._length(1 << head - 0xC4))
            case 0xC7 | 0xC8 | 0xC9:
                return self._extended(self._length(1 << head - 0xC7), depth)
            case 0xD4 | 0xD5 | 0xD6 | 0xD7 | 0xD8:
                return self._extended(1 << head - 0xD4, depth)
            case 0xD9 | 0xDA | 0xDB:
                return self._text(self._length(1 << head - 0xD9))
            case 0xDC | 0xDD:
                return self._list(self._length(2 << head - 0xDC), depth)
            case 0xDE | 0xDF:
                return self._map(self._length(2 << head - 0xDE), depth)
        raise UnpackError(f"not msgpack: the byte {head:#x} means nothing")

    def _take(self, size: int) -> bytes:
        start, self.at = self.at, self.at + size
        if self.at > len(self._raw):
            raise UnpackError("not msgpack: it ends too early")
        return self._raw[start : self.at]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _length(self, size: int) -> int:
        return int(self._number(LENGTHS[size]))

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError as error:
            raise UnpackError("not msgpack: a string is not UTF-8") from error

    def _list(self, size: int, depth: int) -> list[Any]:
        self._enter(depth)
        return [self.value(depth - 1) for _ in range(size)]

    def _map(self, size: int, depth: int) -> dict[Any, Any]:
        self._enter(depth)
        keys, values = [], []
        for _ in range(size):
            keys.append(self._key(depth - 1))
            values.append(self.value(depth - 1))
        return as_map(keys, values)

    def _key(self, depth: int) -> Any:
        return hashable(self.value(depth))

    def _extended(self, size: int, depth: int) -> Any:
        self._enter(1)
        code = self._number(">b")
        return self._extension(code, self._take(size))

    def _enter(self, depth: int) -> None:
        self._room[0] -= 1
        if self._room[0] < 0:
            raise UnpackError("more lists, maps and extensions than are taken")
        if not depth:
            raise UnpackError("nested too deeply")
