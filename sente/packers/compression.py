"""Compression for any packer, negotiated: only what the other side can inflate is compressed, and only so.

A frame that is compressed is binary and begins with the byte ``c1``, which begins no packet in MessagePack, CBOR or
UTF-8. The byte behind it says how: 1 gzip, 2 deflate, 3 zstd, and 16 more if it is text, in UTF-8, that was compressed.
All other frames are the packer's own, but that one of its own that begins with ``c1`` gets ``c1 00`` in front.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sente.errors import ConfigError, UnpackError
from sente.interfaces import JoinablePacker, Packer, VariedPacker, Wire, joinable
from sente.packers.codings import CODINGS, gunzip, shrunk, unzstd
from sente.packers.limits import UnpackLimits
from sente.packers.sente_gzip import SenteGzip

MARK = b"\xc1"
NUMBERS = {"gzip": 1, "deflate": 2, "zstd": 3}
AS_IT_IS, TEXT = 0, 16

BEST_FIRST = tuple(coding for coding in ("zstd", "gzip", "deflate") if coding in (*CODINGS, "deflate"))
"""What is written where several are read: zstd is the smallest, in the least time; deflate is gzip without its mark."""

THRESHOLD = 1024
"""Bytes. A shorter frame fits into one segment of TCP anyway, and to compress it costs more than it saves."""


class Compressed:
    """What ``compressed`` makes of a packer: one of the same name, with the codings as its capabilities."""

    def __init__(self, packer: Packer, codings: Sequence[str], threshold: int, limits: UnpackLimits) -> None:
        self.name = packer.name
        self.accepts = tuple(codings)
        """What this side inflates."""
        self.plain = getattr(packer, "plain", False)
        """Whether types arrive as plain JSON (``PlainPacker``)."""
        self._packer = packer
        self._threshold = threshold
        self._limits = limits
        self._coding: str | None = codings[0]
        self._variants: dict[str | None, Compressed] = {self._coding: self}

    def for_peer(self, accepts: Collection[str]) -> "Compressed":
        """The packer that writes only what a peer inflates that accepts these; unknown ones mean nothing."""
        coding = next((coding for coding in self.accepts if coding in accepts), None)
        if coding not in self._variants:
            variant = object.__new__(type(self))
            variant.__dict__.update(self.__dict__)
            variant._coding = coding
            self._variants[coding] = variant
        return self._variants[coding]

    def pack(self, value: Any, /) -> Wire:
        """Write a value.

        Raises:
            PackError: the packer cannot.
        """
        return self._shrink(self._packer.pack(value))

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value, compressed or not.

        Raises:
            UnpackError: it is compressed in another way than was offered, is broken, or longer than the limit when
                inflated; or the packer raised it.
        """
        if isinstance(wire, str) or wire[:1] != MARK:
            return self._packer.unpack(wire)
        self._limits.check_size(wire)
        return self._packer.unpack(self._inflated(wire[1:2], wire[2:]))

    def _shrink(self, frame: Wire) -> Wire:
        if self._coding is None:
            return frame
        if len(frame) >= self._threshold:
            text = isinstance(frame, str)
            compressed = shrunk(frame.encode() if isinstance(frame, str) else frame, self._coding)
            if compressed is not None:
                return MARK + bytes([NUMBERS[self._coding] + TEXT * text]) + compressed
        if isinstance(frame, bytes) and frame[:1] == MARK:
            return MARK + bytes([AS_IT_IS]) + frame
        return frame

    def _inflated(self, how: bytes, data: bytes) -> Wire:
        number = how[0] if how else -1
        if number == AS_IT_IS:
            return data
        coding = next((coding for coding in self.accepts if NUMBERS[coding] == number & ~TEXT), None)
        if coding is None:
            raise UnpackError(f"compressed in another way than {', '.join(self.accepts)}")
        limit = self._limits.size
        raw = unzstd(data, limit) if coding == "zstd" else gunzip(data, limit, coding)
        try:
            return raw.decode() if number & TEXT else raw
        except UnicodeDecodeError as error:
            raise UnpackError("what was compressed is not UTF-8") from error


class _Joined(Compressed):
    _packer: JoinablePacker

    def part(self, value: Any, /) -> Wire:
        """A value to be joined with others; compression comes last."""
        return self._packer.part(value)

    def join(self, parts: Sequence[Wire], /) -> Wire:
        """The list of values that were packed one by one."""
        return self._packer.join(parts)

    def frame(self, part: Wire, /) -> Wire:
        """What travels: compressed from the threshold, if the other side inflates and it shrinks."""
        return self._shrink(self._packer.frame(part))


def compressed(
    packer: Packer,
    *,
    codings: Sequence[str] = BEST_FIRST,
    threshold: int = THRESHOLD,
    limits: UnpackLimits | None = None,
) -> Compressed:
    """A packer whose frames are compressed for peers that can inflate them, and as they are for all others.

    A push is compressed once for all clients that inflate alike, if the parts of ``packer`` may be joined.

    >>> from sente.interfaces import offer
    >>> from sente.packers import get
    >>> packer = compressed(get("json"), codings=["gzip"])
    >>> offer(packer), packer.pack([1, 2]), packer.pack(["x" * 2000])[:4]
    ('json+gzip', '[1,2]', b'\\xc1\\x11\\x1f\\x8b')
    >>> packer.for_peer(()).pack(["x" * 2000])[:4]
    '["xx'

    Args:
        packer: What is wrapped; ``auto`` compresses by itself.
        codings: What is inflated, and written if the other side inflates it, the best first: ``zstd`` if it is
            installed, ``gzip``, ``deflate``.
        threshold: Bytes from which a frame is compressed: 1 KiB, as less fits into one segment of TCP anyway.
        limits: What is taken from the other side; ``size`` is that of what is inflated.

    Raises:
        ConfigError: ``packer`` has capabilities of its own or is compressed already; a coding is unknown, given twice
            or not installed, or there is none.
    """
    if isinstance(packer, VariedPacker | SenteGzip):
        raise ConfigError(f"compressed: {packer.name!r} compresses already, or has capabilities; give another packer")
    if isinstance(codings, str) or not codings or len({*codings}) < len(codings) or not {*codings} <= {*NUMBERS}:
        raise ConfigError(f"codings={codings!r}: a list of some of {', '.join(NUMBERS)}, each once")
    if "zstd" in codings and "zstd" not in BEST_FIRST:
        raise ConfigError('codings: zstd is not installed: pip install "sente-channels[zstd]"')
    if threshold < 0:
        raise ConfigError(f"threshold={threshold}: give a number of bytes")
    kind = _Joined if joinable(packer) else Compressed
    return kind(packer, codings, threshold, limits or UnpackLimits())
