"""The body of an HTTP exchange: frames in a row, each after 4 bytes: its length, the top bit set for text (§7)."""

import struct
from collections.abc import Iterable, Iterator

from sente.errors import ProtocolError

TEXT = 1 << 31

HEADER = 4
"""Bytes before each frame."""


def write_row(frames: Iterable[str | bytes]) -> bytes:
    """The body that holds these frames.

    >>> write_row(["hi"])
    b'\\x80\\x00\\x00\\x02hi'
    """
    parts = []
    for frame in frames:
        data = frame.encode() if isinstance(frame, str) else frame
        parts += [struct.pack(">I", len(data) | (TEXT if isinstance(frame, str) else 0)), data]
    return b"".join(parts)


def read_row(body: bytes) -> list[str | bytes]:
    """The frames of a body.

    >>> read_row(write_row(["hi", b"ho"]))
    ['hi', b'ho']

    Raises:
        ProtocolError: a length does not fit the body, or text is not UTF-8.
    """
    return list(each_frame(body))


def each_frame(body: bytes) -> Iterator[str | bytes]:
    """The frames of a body, each read when it is asked for. Raises as ``read_row`` does."""
    at = 0
    while at < len(body):
        if at + HEADER > len(body):
            raise ProtocolError("the body ends within a frame's length")
        (head,) = struct.unpack_from(">I", body, at)
        start, end = at + HEADER, at + HEADER + (head & ~TEXT)
        if end > len(body):
            raise ProtocolError("a frame is longer than the body that holds it")
        try:
            yield body[start:end].decode() if head & TEXT else body[start:end]
        except UnicodeDecodeError as error:
            raise ProtocolError("a text frame is not UTF-8") from error
        at = end
