"""A broker that fails when it is told to: lines are cut and come back, and processes die without a word."""

import asyncio
from collections.abc import Callable, Collection

from sente.interfaces import BrokerLine


class ShakyLine:
    """The line of one process."""

    def __init__(
        self, broker: "ShakyBroker", heard: Callable[[str, bytes], None], state: Callable[[bool], None]
    ) -> None:
        self._broker = broker
        self.heard = heard
        self.state = state
        self.channels: set[str] = set()
        self.whole = True
        self.dead = False

    async def subscribe(self, channels: Collection[str]) -> None:
        self.channels.update(channels)

    def unsubscribe(self, channels: Collection[str]) -> None:
        self.channels.difference_update(channels)

    def publish(self, channel: str, body: bytes, unheard: Callable[[], None] | None = None) -> bool:
        if not self.whole:
            return False
        asyncio.get_running_loop().call_soon(self._broker.carry, self, channel, body, unheard)
        return True

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.whole, self.dead = False, True


class ShakyBroker:
    """In one loop. What is on its way from or to a line when that is cut is lost."""

    name = "shaky"

    def __init__(self) -> None:
        self.lines: list[ShakyLine] = []
        self.carried = 0
        self.there = True
        """Whether a new line is there at once."""
        self.held: list[tuple[ShakyLine, str, bytes, Callable[[], None] | None]] | None = None
        """What is on its way, if all is held back."""

    async def connect(self, heard: Callable[[str, bytes], None], state: Callable[[bool], None]) -> BrokerLine:
        line = ShakyLine(self, heard, state)
        self.lines.append(line)
        line.whole = self.there
        if self.there:
            state(True)
        return line

    def carry(self, sender: ShakyLine, channel: str, body: bytes, unheard: Callable[[], None] | None) -> None:
        if not sender.whole and not sender.dead:
            return
        if self.held is not None:
            return self.held.append((sender, channel, body, unheard))
        self.carried += 1
        heard = [line for line in self.lines if line.whole and channel in line.channels]
        for line in heard:
            line.heard(channel, body)
        if not heard and unheard is not None:
            unheard()

    def hold(self) -> None:
        """Hold back what is on its way from now on."""
        self.held = []

    def release(self, count: int) -> None:
        """Let so much of it arrive: the oldest."""
        assert self.held is not None
        held, self.held = self.held, None
        for each in held[:count]:
            self.carry(*each)
        self.held = held[count:]

    def let_go(self) -> None:
        """Let all of it arrive, and hold nothing back any more."""
        held, self.held = self.held or [], None
        for each in held:
            self.carry(*each)

    def cut(self, *numbers: int) -> None:
        """Cut these lines."""
        for number in numbers:
            self.lines[number].whole = False
            self.lines[number].state(False)

    def heal(self, *numbers: int) -> None:
        """Have them back."""
        for number in numbers:
            self.lines[number].whole = True
            self.lines[number].state(True)

    def kill(self, number: int) -> None:
        """A process dies: it neither hears nor says anything any more, and is not told."""
        self.lines[number].whole = False
