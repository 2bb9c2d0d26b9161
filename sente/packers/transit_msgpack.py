"""Transit as MessagePack: its tags, cache and strings as in JSON, its maps and numbers those of MessagePack."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sente.errors import UnpackError
from sente.interfaces import Wire
from sente.packers.blame import packed
from sente.packers.handlers import TypeHandler, Types
from sente.packers.limits import DEPTH, UnpackLimits
from sente.packers.msgpack import MsgpackPacker
from sente.packers.transit_cache import CachingReader, CachingWriter
from sente.packers.transit_scalars import texts_of

NUMBERS = (UUID, datetime)
"""What is no string in MessagePack."""


class TransitMsgpackPacker:
    """Every type, in bytes that every library reads that has Transit's MessagePack.

    >>> TransitMsgpackPacker().pack([{"name": "ada"}, {"name": "bob"}]).hex(" ")
    '92 81 a4 6e 61 6d 65 a3 61 64 61 81 a2 5e 30 a3 62 6f 62'
    """

    name = "transit-msgpack"

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        self._types = Types(types)
        texts = texts_of(self._types, verbose=False)
        self._texts = {kind: text for kind, text in texts.items() if kind not in NUMBERS}
        self._bytes = MsgpackPacker(limits=limits)

    def pack(self, value: Any, /) -> bytes:
        """Write a value.

        Raises:
            PackError: something in it cannot be written; says what and where.
        """
        return packed(value, self._write, self._types.lower)

    def _write(self, value: Any) -> bytes:
        return self._bytes.pack(CachingWriter(self._types, self._texts, native=True).top(value, DEPTH))

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value.

        Raises:
            UnpackError: it is not Transit, says a thing twice, or is more than the limits allow.
        """
        plain = self._bytes.unpack(wire)
        try:
            return CachingReader(self._types).value(plain)
        except RecursionError as error:
            raise UnpackError("nested too deeply") from error
