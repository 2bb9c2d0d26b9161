"""A broker without a process of its own: it joins channel sockets that live in one event loop."""

import asyncio
from collections.abc import Callable, Collection

from sente.brokers.memory_store import MemoryStore
from sente.brokers.shelves import Shelves
from sente.brokers.store import Bounds, Store
from sente.interfaces import BrokerLine


class MemoryBroker:
    """Joins the channel sockets of one process, in one event loop: for tests of what many processes do, mostly.

    >>> MemoryBroker().name
    'memory'
    """

    name = "memory"

    def __init__(self) -> None:
        self._lines: dict[str, dict[_MemoryLine, None]] = {}  # by channel
        self._shelves: Shelves | None = None

    async def connect(self, heard: Callable[[str, bytes], None], state: Callable[[bool], None]) -> BrokerLine:
        """Open a line; it is never cut."""
        state(True)
        return _MemoryLine(self._lines, heard)

    def store(self, me: str, bounds: Bounds, back: Callable[[], None]) -> Store:
        """What keeps sessions that outlive their channel socket; it is never away."""
        self._shelves = self._shelves or Shelves(bounds)
        line = _MemoryLine(self._lines, lambda *_: None)
        return MemoryStore(me, self._shelves, line.publish)


class _MemoryLine:
    def __init__(self, lines: "dict[str, dict[_MemoryLine, None]]", heard: Callable[[str, bytes], None]) -> None:
        self._lines = lines
        self._heard = heard
        self._open = True

    async def subscribe(self, channels: Collection[str]) -> None:
        for channel in channels:
            self._lines.setdefault(channel, {})[self] = None

    def unsubscribe(self, channels: Collection[str]) -> None:
        for channel in channels:
            if (lines := self._lines.get(channel)) is not None:
                lines.pop(self, None)
                if not lines:
                    del self._lines[channel]

    def publish(self, channel: str, body: bytes, unheard: Callable[[], None] | None = None) -> bool:
        asyncio.get_running_loop().call_soon(self._carry, channel, body, unheard)
        return True

    def _carry(self, channel: str, body: bytes, unheard: Callable[[], None] | None) -> None:
        lines = list(self._lines.get(channel, ()))
        for line in lines:
            if line._open:
                line._heard(channel, body)
        if not lines and unheard is not None:
            unheard()

    async def aclose(self) -> None:
        await asyncio.sleep(0)  # what was published in this turn still leaves
        self._open = False
        self.unsubscribe(list(self._lines))
