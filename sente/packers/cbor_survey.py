"""CBOR made harmless before it is read: a look at the heads of its items, in the order in which they stand."""

import re

from sente.errors import UnpackError

BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = 2, 3, 4, 5, 6, 7
INDEFINITE = 31

UNDEFINED, NULL = 0xF7, 0xF6

SIMPLE_HEADS = bytes([*range(0xE0, 0xF4), UNDEFINED, 0xF8])
"""What simple values begin with, but for ``false``, ``true`` and ``null``; and much else holds too."""

FIRST_SIMPLE = re.compile(b"[%b]" % re.escape(SIMPLE_HEADS))

HEADS = bytes(range(0x80, 0xDC)) + SIMPLE_HEADS
"""What arrays, maps and tags begin with, and those: one byte of each takes many in memory."""

PAIRS = 2**64 - 1
"""The tag under which maps are read as lists of keys and values. From others no tag of 8 bytes is taken."""

PAIRS_HEAD = bytes([0xDB]) + PAIRS.to_bytes(8)


def _step(head: int) -> int:
    """Bytes to the next head, if this one alone says it and need not be looked at; else 0."""
    kind, info = head >> 5, head & 0x1F
    if head in HEADS:
        return 0
    if kind in (BYTES, TEXT):
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


def survey(raw: bytes, most: int) -> tuple[bytes, bool]:
    """The same CBOR with ``null`` for ``undefined``, and each map as a list of keys and values under the tag ``PAIRS``;
    and whether there was an ``undefined``.

    >>> seen, undefined = survey(bytes.fromhex("a1 01 f7"), 10)
    >>> seen.hex(" "), undefined
    ('db ff ff ff ff ff ff ff ff 82 01 f6', True)

    Raises:
        UnpackError: there are more than ``most`` arrays, maps and tags in it, or other simple values.
    """
    at, done, end, room = 0, 0, len(raw), most
    parts: list[bytes] = []
    undefined = False
    while at < end:
        head = raw[at]
        if step := STEPS[head]:
            at += step
            continue
        start, kind, info = at, head >> 5, head & 0x1F
        size = 1 << info - 24 if 24 <= info < 28 else 0
        at += 1 + size
        number = int.from_bytes(raw[start + 1 : at]) if size else info
        if kind in (BYTES, TEXT):
            at += number
        elif head == UNDEFINED:
            parts += raw[done:start], bytes([NULL])
            done, undefined = at, True
        elif kind == SIMPLE or (kind == TAG and size == 8):
            raise UnpackError(f"CBOR {'tag' if kind == TAG else 'simple value'} {number} means nothing here")
        else:
            room -= 1
            if room < 0:
                raise UnpackError(f"more than the {most} arrays, maps and tags that are taken")
            if kind == MAP:
                parts += raw[done:start], PAIRS_HEAD, head_of(ARRAY, min(2 * number, end)) if info < 28 else b"\x9f"
                done = at
    return b"".join([*parts, raw[done:]]), undefined


def head_of(kind: int, number: int) -> bytes:
    """What an item begins with: its kind, and how long it is.

    >>> head_of(ARRAY, 23).hex(), head_of(MAP, 500).hex()
    ('97', 'b901f4')
    """
    if number < 24:
        return bytes([kind << 5 | number])
    power = (number > 0xFF) + (number > 0xFFFF)
    return bytes([kind << 5 | 24 + power]) + number.to_bytes(1 << power)
