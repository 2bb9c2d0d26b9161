"""What was said to the other side and is not yet known to have arrived."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from sente.errors import ProtocolError
from sente.protocol.messages import Event


@dataclass(slots=True)
class Asked:
    """A request on its way; ``reference`` is the asker's."""

    event: Event
    ref: int

    @property
    def size(self) -> int:
        """What it costs packed, in bytes."""
        return self.event.size


@dataclass(slots=True)
class Answered:
    """A reply on its way."""

    value: Any
    ref: int
    failed: bool
    size: int = 0


@dataclass(slots=True)
class Withdrawn:
    """Word on its way that the request ``ref``, which has left, is no longer wanted."""

    ref: int
    size: int = 32


@dataclass(slots=True)
class Nothing:
    """In the place of something that the other side cannot read: its number leaves as null."""

    size: int = 0


Item: TypeAlias = Event | Asked | Answered | Withdrawn | Nothing
UNREADABLE = {"code": "internal", "message": "the reply cannot be read by its asker", "data": None}
UNLIMITED = float("inf")
SHORTEST = 1024
"""Bytes: about what greeting on a new link takes. A line that breaks within less carries nothing anyway."""

_HELD = (Event, Asked)
"""What a full window holds back. The rest passes: someone waits for it, and each request allows for one only."""


class Outbox:
    """Items wait unnumbered, get their number when they first leave, and are kept until acknowledged (§5).

    A number given only on leaving is what lets replies pass events that the window holds back, and lets an event that
    has not left be dropped without a hole in the numbers.

    Its lists are short, and most of the time empty: two empty deques would be a tenth of what a connection takes.

    Invariants: ``sent`` holds the numbers ``acked + 1 ..`` without a hole; ``acked < cursor <= next``.
    """

    __slots__ = (
        "_held_bytes",
        "_held_items",
        "_keyed",
        "_mark",
        "_passing",
        "_queue",
        "_sent",
        "_suspect",
        "acked",
        "alone",
        "bytes",
        "cursor",
        "given_up",
        "stretch",
    )

    def __init__(self) -> None:
        self._queue: list[Item] = []
        self._sent: list[Item] = []
        self._passing = 0  # of _queue, what passes a full window: it is only looked for if there is some
        self._held_items = 0  # events and requests among _sent, what the window counts
        self._held_bytes = 0
        self._keyed = False  # whether _queue may hold events with a key: else nobody need look
        self._suspect = 0  # what was refused last
        self._mark = 0  # what was acknowledged when the last link began
        self.stretch = UNLIMITED
        """Bytes that leave in one packet or body at most: what a line that breaks all the time may carry to its end."""
        self.alone = 0
        """What has a number up to here leaves in a packet of its own."""
        self.acked = 0
        """The other side has taken charge of everything up to here."""
        self.cursor = 1
        """The number that leaves next on the current link."""
        self.bytes = 0
        """Size of everything kept."""
        self.given_up = 0
        """Events that the other side could not read and will never get; not those of which only the latest counts."""

    def __len__(self) -> int:
        return len(self._queue) + len(self._sent)

    @property
    def next(self) -> int:
        """The number the next new item will get."""
        return self.acked + 1 + len(self._sent)

    @property
    def unsent(self) -> bool:
        """Whether something waits that has never left, or must leave again on this link."""
        return bool(self._queue) or self.cursor < self.next

    def put(self, item: Item) -> None:
        """Add what is to be said next."""
        self._queue.append(item)
        if not isinstance(item, _HELD):
            self._passing += 1
        self.bytes += item.size

    def put_latest(self, event: Event) -> bool:
        """Add an event, and take back the one with its key that has not left; whether there was one.

        It goes to the end and not in the other's place, so that what leaves leaves in the order in which it was said.
        """
        old = next((item for item in self._queue if isinstance(item, Event) and item.key == event.key), None)
        if old is not None:
            self._queue = [item for item in self._queue if item is not old]  # not remove: an equal one may come first
            self.bytes -= old.size
        self.put(event)
        self._keyed = True
        return old is not None

    def shed(self) -> int:
        """There is no room: drop the events that have not left and of which only the latest counts; how many."""
        if not self._keyed:
            return 0
        kept = [item for item in self._queue if not isinstance(item, Event) or item.key is None]
        dropped = len(self._queue) - len(kept)
        self._queue, self._keyed = kept, False
        self.bytes = sum(item.size for item in self.items())
        return dropped

    def withdraw(self, ref: int) -> None:
        """A request is no longer wanted: say so if it has left, and see to it that it does not leave otherwise."""
        asked = next((item for item in self._queue if isinstance(item, Asked) and item.ref == ref), None)
        if asked is None:
            self.put(Withdrawn(ref))
        else:
            self._queue.remove(asked)
            self.bytes -= asked.size

    def acknowledge(self, ack: int) -> None:
        """Forget what the other side has.

        Raises:
            ProtocolError: ``ack`` is a number that never left.
        """
        new = ack - self.acked
        if new > len(self._sent):
            raise ProtocolError(f"ack {ack} was never sent")
        if new <= 0:
            return
        for item in self._sent[:new]:
            self.bytes -= item.size
            if isinstance(item, _HELD):
                self._held_items -= 1
                self._held_bytes -= item.size
        del self._sent[:new]
        self.acked = ack
        self.cursor = max(self.cursor, self.acked + 1)

    def rewind(self, ack: int) -> None:
        """A new link: what lies above the other side's ``ack`` leaves again.

        In stretches half as long if nothing of it arrived on the last one, or no line that breaks before a whole batch
        is through would ever carry anything; else in twice as long ones. So TCP does with its window (RFC 5681 §3.1).
        """
        self.acknowledge(ack)
        if self.acked > self._mark:
            self.stretch *= 2
        elif self.cursor > self.acked + 1:
            self.stretch = max(SHORTEST, min(self.stretch, self.bytes) / 2)
        self._mark, self.cursor = self.acked, self.acked + 1

    def refused(self, received: int) -> Item | None:
        """The other side, which has received up to ``received``, could not read what came next, and ended the link.

        To be called before ``rewind``. What has left leaves again one by one. What is refused a second time, alone, is
        given up, so that the rest goes on, and returned.
        """
        at = received - self.acked
        if not (0 <= at < len(self._sent) and received + 1 < self.cursor) or isinstance(self._sent[at], Nothing):
            return None  # nothing of ours was on that link
        if received + 1 != self._suspect:
            self._suspect, self.alone = received + 1, self.next - 1
            return None
        item = self._sent[at]
        self.bytes -= item.size
        if isinstance(item, _HELD):
            self._held_items -= 1
            self._held_bytes -= item.size
        self._sent[at] = Answered(UNREADABLE, item.ref, True) if isinstance(item, Answered) else Nothing()
        self.given_up += isinstance(item, Event) and item.key is None
        return item

    def repeat(self, above: int) -> None:
        """Say again what lies above ``above`` and is not acknowledged: it may have gone to nobody.

        Raises:
            ProtocolError: ``above`` is a number that never left.
        """
        if above >= self.next:
            raise ProtocolError(f"number {above} was never sent")
        self.cursor = min(self.cursor, max(above, self.acked) + 1)

    def take(self, *, window: int, window_bytes: int, max_bytes: float = UNLIMITED) -> list[tuple[int, Item]]:
        """Number and return what may leave now, in order, up to ``max_bytes`` (but at least one item).

        Events and requests wait while ``window`` items or ``window_bytes`` of them are unacknowledged; the rest passes.
        """
        taken: list[tuple[int, Item]] = []
        room = max_bytes
        for again in range(self.cursor - self.acked - 1, len(self._sent)):  # none, mostly
            item = self._sent[again]
            if taken and item.size > room:
                return taken
            taken.append((self.cursor, item))
            self.cursor += 1
            room -= item.size
        kept: list[Item] = []
        while self._queue and (self._passing or not kept):
            item = self._queue.pop(0)
            passes = not isinstance(item, _HELD)
            if not passes and (kept or self._window_full(item, window, window_bytes)):
                kept.append(item)
                continue
            if taken and item.size > room:
                self._queue.insert(0, item)
                break
            self._sent.append(item)
            if passes:
                self._passing -= 1
            else:
                self._held_items += 1
                self._held_bytes += item.size
            taken.append((self.cursor, item))
            self.cursor += 1
            room -= item.size
        self._queue[:0] = kept
        return taken

    def sent_above(self, number: int) -> list[tuple[int, Item]]:
        """What left with a number above ``number`` and is not acknowledged."""
        return [(n, item) for n, item in enumerate(self._sent, self.acked + 1) if n > number]

    def items(self) -> list[Item]:
        """Everything kept."""
        return self._sent + self._queue

    def waiting(self) -> list[Item]:
        """What never left."""
        return list(self._queue)

    def _window_full(self, item: Item, window: int, window_bytes: int) -> bool:
        # one item larger than the window still passes alone
        return self._held_items >= window or (self._held_items > 0 and self._held_bytes + item.size > window_bytes)
