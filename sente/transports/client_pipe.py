"""Items in order from one task to another, with room for only so many."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Pipe(Generic[T]):
    """Whoever puts waits for room, whoever gets waits for items; after its end a pipe still gives what it holds."""

    __slots__ = ("_changed", "_ended", "_items", "_room", "error")

    def __init__(self, room: int) -> None:
        self._items: deque[T] = deque()
        self._room = room
        self._ended = False
        self.error: Exception | None = None
        """Why it ended, if not as it should."""
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing more goes in."""
        return self._ended

    async def put(self, item: T) -> bool:
        """Add an item, once there is room; False if the pipe has ended, which also ends the wait."""
        while len(self._items) >= self._room and not self._ended:
            await self._wait()
        if self._ended:
            return False
        self._items.append(item)
        self._changed.set()
        return True

    async def get(self) -> T | None:
        """The next item, or ``None`` at the end."""
        while not self._items and not self._ended:
            await self._wait()
        if not self._items:
            return None
        self._changed.set()
        return self._items.popleft()

    def put_or_merge(self, item: T, merge: Callable[[T, T], T]) -> None:
        """Add an item, or where there is no room, make one of it and the last."""
        if len(self._items) < self._room:
            self._items.append(item)
        else:
            self._items[-1] = merge(self._items[-1], item)
        self._changed.set()

    def end(self, error: Exception | None = None) -> None:
        """Take no more."""
        if not self._ended:
            self._ended, self.error = True, error
        self._changed.set()

    def clear(self) -> None:
        """End, and drop what nobody will get."""
        self._items.clear()
        self.end()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()
