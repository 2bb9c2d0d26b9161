"""A look at CBOR without reading it: over the heads of its items, in the order in which they stand."""

import re

from sente.errors import UnpackError

STRINGS = (2, 3)
UNDEFINED, NULL = 0xF7, 0xF6

SIMPLE = bytes([*range(0xE0, 0xF4), UNDEFINED, 0xF8])
"""What simple values begin with, but for ``false``, ``true`` and ``null``; and much else holds too."""

FIRST_SIMPLE = re.compile(b"[%b]" % re.escape(SIMPLE))

HEADS = bytes(range(0x80, 0xDC)) + SIMPLE
"""What arrays, maps and tags begin with, and those: one byte of each takes many in memory."""


def _step(head: int) -> int:
    """Bytes to the next head, if this one alone says it and need not be looked at; else 0."""
    kind, info = head >> 5, head & 0x1F
    if head in HEADS:
        return 0
    if kind in STRINGS:
        return 1 + info if info < 24 else 0
    return 1 + (1 << info - 24 if 24 <= info < 28 else 0)


STEPS = [_step(head) for head in range(0x100)]


def too_many(raw: bytes, most: int) -> bool:
    """Whether there may be more than so many arrays, maps, tags and simple values.

    >>> too_many(bytes([0x82, 0x80, 0x80]), 3), too_many(b"bytes of text", 3)
    (False, False)
    """
    return len(raw) > most and len(raw) - len(raw.translate(None, HEADS)) > most


def may_be_simple(raw: bytes) -> bool:
    """Whether there may be a simple value.

    >>> may_be_simple(bytes([0x81, UNDEFINED])), may_be_simple(b"bytes of text")
    (True, False)
    """
    return FIRST_SIMPLE.search(raw) is not None


def survey(raw: bytes, most: int) -> bytes:
    """The same CBOR with ``null`` for ``undefined``.

    Raises:
        UnpackError: there are more than ``most`` arrays, maps and tags in it, or other simple values.
    """
    at, end, room = 0, len(raw), most
    undefined: list[int] = []
    while at < end:
        head = raw[at]
        if step := STEPS[head]:
            at += step
            continue
        if head == UNDEFINED:
            undefined.append(at)
        elif head >= 0xE0:
            raise UnpackError(f"a CBOR simple value means nothing here: {raw[at : at + 2].hex()}")
        elif head in HEADS:
            room -= 1
            if room < 0:
                raise UnpackError(f"more than the {most} arrays, maps and tags that are taken")
        size = 1 << (head & 0x1F) - 24 if 24 <= head & 0x1F < 28 else 0
        at += 1 + size
        if head >> 5 in STRINGS:
            at += int.from_bytes(raw[at - size : at])
    if not undefined:
        return raw
    cleared = bytearray(raw)
    for place in undefined:
        cleared[place] = NULL
    return bytes(cleared)
