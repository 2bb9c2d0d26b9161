"""What is read of a body, and how often it is looked at."""

from typing import Any

import pytest

from sente.errors import Rejected
from sente.transports.body import read_body


class Parts:
    """The parts of a body, as a server hands them over."""

    def __init__(self, *parts: bytes) -> None:
        self.left = list(parts)

    async def __call__(self) -> Any:
        return {"type": "http.request", "body": self.left.pop(0), "more_body": bool(self.left)}


async def test_the_beginning_is_looked_at_once() -> None:
    """Whatever comes after it in however many parts: each look takes a copy."""
    seen: list[bytes] = []
    assert await read_body(Parts(b"abc", b"de", b"fg", b"h"), 100, 5, seen.append, 3) == b"abcdefgh"
    assert seen == [b"abcde"]


async def test_what_is_short_is_not_looked_at() -> None:
    seen: list[bytes] = []
    assert await read_body(Parts(b"abc"), 100, 5, seen.append, 3) == b"abc"
    assert seen == []


async def test_what_a_look_raises_ends_the_reading() -> None:
    def look(begun: bytes) -> None:
        raise Rejected(410, begun.decode())

    parts = Parts(b"abc", b"de", b"fg")
    with pytest.raises(Rejected, match="abc"):
        await read_body(parts, 100, 5, look)
    assert parts.left == [b"de", b"fg"]
