"""What compresses whole frames, and inflates them up to a limit: gzip and deflate by the standard library, zstd where
it is installed.

``auto`` tells gzip and zstd by their first byte. Deflate, which is what gzip wraps, has no mark to tell it by.
"""

import threading
import zlib
from importlib.util import find_spec

from sente.errors import UnpackError

CODINGS = ("gzip", "zstd") if find_spec("zstandard") else ("gzip",)
"""What can be inflated here; ``zstd`` with ``pip install "sente-channels[zstd]"``."""

WINDOWS = {"gzip": 31, "deflate": 15}
"""What zlib calls the formats of RFC 1952 and RFC 1950."""

GZIP, ZSTD = 0x1F, 0x28
"""The first bytes. Alone they are whole numbers of msgpack; no msgpack of more than one byte begins with them."""

_kept = threading.local()  # a compressor takes longer to make than to use, and serves one thread at a time


def is_compressed(frame: bytes) -> bool:
    """Whether a frame is compressed.

    >>> is_compressed(compress(b"x" * 2000, "gzip")), is_compressed(bytes([0x1f]))
    (True, False)
    """
    return len(frame) > 1 and frame[0] in (GZIP, ZSTD)


def shrunk(frame: bytes, coding: str) -> bytes | None:
    """The frame compressed, or ``None`` if that is not worth inflating it: it saves less than a tenth.

    A long one that surely does not shrink, photos and the like, is told by its middle.
    """
    size = len(frame)
    if size >= 8192:
        middle = frame[size // 2 :][:1024]
        if len(compress(middle, coding)) > 0.95 * len(middle):
            return None
    compressed = compress(frame, coding)
    return compressed if len(compressed) < 0.9 * size else None


def compress(frame: bytes, coding: str) -> bytes:
    """Compress at the fastest level: the next ones take longer than they save."""
    if coding == "zstd":
        import zstandard

        compressor = getattr(_kept, "zstd", None)
        if compressor is None:
            compressor = _kept.zstd = zstandard.ZstdCompressor(level=1)
        return bytes(compressor.compress(frame))
    deflater = zlib.compressobj(1, wbits=WINDOWS[coding])
    return deflater.compress(frame) + deflater.flush()


def inflate(frame: bytes, limit: int) -> bytes:
    """Inflate, and stop at ``limit`` bytes.

    Raises:
        UnpackError: it is broken, goes on behind its end, is longer than ``limit``, or zstd is not installed.
    """
    return gunzip(frame, limit) if frame[0] == GZIP else unzstd(frame, limit)


def gunzip(frame: bytes, limit: int, coding: str = "gzip") -> bytes:
    """Inflate gzip or deflate: one member, whole, and nothing behind it.

    Raises:
        UnpackError: it is something else, or longer than ``limit`` when inflated.
    """
    inflater = zlib.decompressobj(wbits=WINDOWS[coding])
    try:
        raw = inflater.decompress(frame, limit + 1)
    except zlib.error as error:
        raise UnpackError(f"not {coding}: {error}") from error
    if len(raw) > limit:
        raise UnpackError(f"longer than {limit} bytes when inflated")
    if not inflater.eof or inflater.unused_data:
        raise UnpackError(f"not {coding}: it ends too early or too late")
    return raw


def unzstd(frame: bytes, limit: int) -> bytes:
    """Inflate zstd: one frame, which says its size, and nothing behind it.

    Raises:
        UnpackError: it is something else, longer than ``limit`` when inflated, or zstd is not installed.
    """
    if "zstd" not in CODINGS:
        raise UnpackError('zstd was not offered: pip install "sente-channels[zstd]"')
    import zstandard

    try:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= limit:
            raise UnpackError(f"longer than {limit} bytes when inflated, or it does not say")
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise UnpackError(f"not zstd: {error}") from error
