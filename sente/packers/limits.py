"""What a packer takes from strangers."""

from dataclasses import dataclass

from sente.errors import PackError, UnpackError
from sente.interfaces import Wire

DEPTH = 250
"""Lists and maps within each other, in either direction: orjson and ormsgpack write 254."""

DIGITS = 1_000
"""Of one number: to read and write numbers takes time by the square of their length."""

BITS = 3_000
"""The same for those written in binary, and for all that are written: surely no more digits."""

EXPONENT = 10_000
"""Of a decimal number, by powers of ten: more than IEEE 754 knows, and few enough that whoever makes a whole number of
it is not busy for hours."""

NESTED_EXTENSIONS = 16
"""msgpack extensions within each other: each is a copy of what is in it."""

TWICE = "a key is given twice; a keyword is the same key as the string of its name"

SAME_KEY = "two keys would be written as the same: a value and what stands for it, as an enum and its value"

COLLISIONS = 100
"""Members of a set, or keys of a map, whose hash others have too: each is compared with all of those. By chance there
are a few; strangers can choose UUIDs, large integers and tuples so that all are the same, and 100 KB take seconds."""

HALF_CHARACTER = "str with half a character cannot be packed: a lone surrogate"


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """The largest packet that is unpacked. A value takes at most about 30 times the memory of its packet (inflated,
    if it was compressed), of edn 45 times, so that is what these bound.

    >>> UnpackLimits(size=64 * 1024).size
    65536
    """

    size: int = 8 * 1024 * 1024
    """Bytes, after inflating: eight times ``Limits.packet``, at which the server looks before; text shrinks so far."""

    containers: int = 100_000
    """Lists and maps: an empty one takes 3 bytes on the wire and 90 in memory."""

    def check_size(self, wire: Wire) -> None:
        """Refuse what is too long; a cheap look, before anything else.

        Raises:
            UnpackError: it is.
        """
        if len(wire) > self.size:
            raise UnpackError(f"longer than the {self.size} bytes that are unpacked")


def checked(text: str) -> str:
    """Text that can be written as UTF-8.

    Raises:
        PackError: it holds half a character, a lone surrogate.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PackError(HALF_CHARACTER) from error
    return text


def too_deep() -> PackError:
    """The error for a value that holds itself, or nearly."""
    return PackError(f"nested more than {DEPTH} deep")
