"""How what is said to other processes survives a broker that keeps nothing: it is numbered, kept for a while by who
said it, and said again to who was away.

A process that was cut off from the broker knows that it missed something, not what. So it asks each of the others for
what came after the last number that it heard of it, and until it has that it takes nothing else of it. If the other
does not keep it any more there is a gap, and those it may concern are told.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that was said."""

    n: int
    channel: str
    body: bytes
    at: float


class Ring:
    """What this process said last: as many notices as ``items``, as many bytes as ``size``, for ``age`` seconds.

    While it is cut off, what is new is not allowed to push out what never left: it is refused instead.
    """

    def __init__(self, *, items: int = 10_000, size: int = 16 * 1024 * 1024, age: float = 60.0) -> None:
        self._items = items
        self._limit = size
        self._age = age
        self._kept: deque[Kept] = deque()
        self._size = 0
        self._dropped: Kept | None = None  # the last one that is not kept any more
        self._cut: int | None = None  # the last number that may have left, while it is cut off
        self.n = 0
        """The number of the last one."""

    def cut(self) -> None:
        """From now on nothing leaves."""
        if self._cut is None:
            self._cut = self.n

    def whole(self) -> None:
        """From now on all leaves again; those who hear it are about to ask for what did not."""
        self._cut = None

    @property
    def unsaid(self) -> int:
        """How many have not left."""
        return 0 if self._cut is None else self.n - self._cut

    def take(self, channel: str, body: bytes, n: int, now: float) -> bool:
        """Keep what is number ``n``, the next; False: there is no room until the broker is back."""
        while self._kept and (len(self._kept) >= self._items or self._size + len(body) > self._limit):
            if self._cut is not None and self._kept[0].n > self._cut:
                return False
            self._drop()
        while self._cut is None and self._kept and self._kept[0].at < now - self._age:
            self._drop()
        self._kept.append(Kept(n, channel, body, now))
        self._size += len(body)
        self.n = n
        return True

    def _drop(self) -> None:
        self._dropped = self._kept.popleft()
        self._size -= len(self._dropped.body)

    def since(self, n: int, at: float = -math.inf) -> Iterator[Kept] | None:
        """All after that number that was not said before ``at``, in order; ``None``: some of it is not kept any
        more."""
        if self._dropped is not None and self._dropped.n > n and self._dropped.at >= at:
            return None
        return (kept for kept in list(self._kept) if kept.n > n and kept.at >= at)


@dataclass(slots=True)
class Heard:
    """How much of one other process was heard."""

    n: int
    """The last number."""
    behind: bool = False
    """Whether something may be missing, so that nothing is taken but what is said again."""
    asked: int = 0
    """The number of the question that the answer must be to: the rest of one to an older question has a gap."""

    def take(self, n: int) -> bool:
        """Whether what has this number is new, and its turn has come."""
        if self.behind or n <= self.n:
            return False
        self.n = n
        return True

    def told(self, n: int, *, back: bool = False) -> None:
        """The other says that it has come to this number: nothing up to it is still on its way to here, unless it was
        cut off itself and is ``back``."""
        if back and self.n < n:
            self.behind = True
        if not self.behind:
            self.n = max(self.n, n)

    def again(self, n: int) -> bool:
        """Whether what is said again, with this number, is new."""
        if not self.behind or n <= self.n:
            return False
        self.n = n
        return True

    def caught_up(self, n: int) -> None:
        """All up to this number was said again."""
        self.n = max(self.n, n)
        self.behind = False
