"""Transit as Sente and other libraries write it: JSON with a cache, and maps as lists.

It saves a third of a list of equal maps, and next to nothing once that is compressed, for several times the work; and
what is packed apart cannot be joined. So among clients of ours ``transit`` is the better one. This is for others.
"""

from collections.abc import Iterable
from typing import Any

from sente.errors import PackError
from sente.interfaces import Wire
from sente.packers.blame import packed
from sente.packers.handlers import TypeHandler, Types
from sente.packers.limits import DEPTH, HALF_CHARACTER, UnpackLimits
from sente.packers.text import write_text
from sente.packers.transit import TransitPacker
from sente.packers.transit_cache import CachingWriter
from sente.packers.transit_scalars import texts_of


class TransitJsonPacker:
    """Every type, in JSON for machines.

    >>> TransitJsonPacker().pack([{"name": "ada"}, {"name": "bob"}])
    '[["^ ","name","ada"],["^ ","^0","bob"]]'
    """

    name = "transit-json"

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        types = tuple(types)
        self._types = Types(types)
        self._texts = texts_of(self._types, verbose=False)
        self._reader = TransitPacker(types=types, limits=limits)

    def pack(self, value: Any, /) -> str:
        """Write a value.

        Raises:
            PackError: something in it cannot be written; says what and where.
        """
        return packed(value, self._write, self._types.lower)

    def _write(self, value: Any) -> str:
        plain = CachingWriter(self._types, self._texts).top(value, DEPTH)
        try:
            return write_text(plain).decode()
        except TypeError:  # all else that orjson refuses is not plain
            raise PackError(HALF_CHARACTER) from None

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value, in this form or the verbose one.

        Raises:
            UnpackError: it is not Transit, says a thing twice, or is more than the limits allow.
        """
        return self._reader.unpack(wire)
