"""Compression as Sente's own clients know it: always a binary frame, whose first byte says what follows.

====  ==========================================
byte  what follows
====  ==========================================
0     the frame as it was, of a text packer UTF-8
1     the same, as gzip
====  ==========================================
"""

from collections.abc import Sequence
from typing import Any

from sente.errors import ConfigError, UnpackError
from sente.interfaces import JoinablePacker, Packer, VariedPacker, Wire, joinable
from sente.packers.codings import compress, gunzip
from sente.packers.limits import UnpackLimits

RAW, GZIP = 0, 1

SMALL = 1024
"""Bytes. Sente compresses from here on."""


class SenteGzip:
    r"""A packer as Sente wraps it in its gzip packer: for classic clients; ours negotiate ``compressed``.

    Its parts may be joined if those of ``packer`` may: then a push is compressed once for all its clients.

    >>> from sente.packers import get
    >>> SenteGzip(get("json")).pack([1, 2])
    b'\x00[1,2]'
    >>> SenteGzip(get("json")).pack(["x" * 2000])[:2]
    b'\x01\x1f'

    Args:
        packer: What is wrapped.
        limits: What is taken from the other side; ``size`` is that of what is inflated.

    Raises:
        ConfigError: ``packer`` compresses already.
    """

    name: str

    def __new__(cls, packer: Packer, *, limits: UnpackLimits | None = None) -> "SenteGzip":
        """One whose parts may be joined, if the packer's may."""
        return object.__new__(_JoinedSenteGzip if joinable(packer) else SenteGzip)

    def __init__(self, packer: Packer, *, limits: UnpackLimits | None = None) -> None:
        if isinstance(packer, VariedPacker | SenteGzip):
            raise ConfigError(f"SenteGzip: {packer.name!r} compresses already; give another packer")
        self.name = f"{packer.name}-gzip"
        self._packer = packer
        self._limits = limits or UnpackLimits()
        self._writes_text = isinstance(packer.pack(None), str)

    def pack(self, value: Any, /) -> bytes:
        """Write a value.

        Raises:
            PackError: the packer cannot.
        """
        return _flagged(self._packer.pack(value))

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value.

        Raises:
            UnpackError: it is a text frame, has another first byte, is no gzip where it should be, or longer than the
                limit when inflated; or the packer raised it.
        """
        if isinstance(wire, str):
            raise UnpackError(f"not {self.name}: a text frame")
        self._limits.check_size(wire)
        head, raw = wire[:1], wire[1:]
        if head == bytes([GZIP]):
            raw = gunzip(raw, self._limits.size)
        elif head != bytes([RAW]):
            raise UnpackError(f"not {self.name}: the first byte is 0 or 1")
        try:
            return self._packer.unpack(raw.decode() if self._writes_text else raw)
        except UnicodeDecodeError as error:
            raise UnpackError(f"not {self.name}: not UTF-8") from error


class _JoinedSenteGzip(SenteGzip):
    _packer: JoinablePacker

    def part(self, value: Any, /) -> Wire:
        """A value to be joined with others; compression comes last."""
        return self._packer.part(value)

    def join(self, parts: Sequence[Wire], /) -> Wire:
        """The list of values that were packed one by one."""
        return self._packer.join(parts)

    def frame(self, part: Wire, /) -> bytes:
        """What travels: with its first byte, compressed from 1 KB if it shrinks."""
        return _flagged(self._packer.frame(part))


def _flagged(frame: Wire) -> bytes:
    raw = frame.encode() if isinstance(frame, str) else frame
    if len(raw) >= SMALL:
        compressed = compress(raw, "gzip")
        if len(compressed) < len(raw):
            return bytes([GZIP]) + compressed
    return bytes([RAW]) + raw
