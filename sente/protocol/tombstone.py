"""What is remembered of a session that ended (§4)."""

from dataclasses import dataclass

from sente.protocol.messages import AUTH_DUE, BYE, Event
from sente.protocol.outbox import Item, Outbox


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is known of a session that ended: enough to say what its client lost."""

    acknowledged: int
    """How far the client had acknowledged."""
    said: int
    """What waited for it then, a bit for each number from there on: 1 if it is an event of the application. Thousands
    of sessions may be remembered, each with thousands of numbers."""
    received: int
    """How far the session had received."""

    def lost(self, ack: int) -> int:
        """How many events a client missed that had received up to ``ack``."""
        return (self.said >> max(0, ack - self.acknowledged)).bit_count()


def tombstone(outbox: Outbox, received: int) -> Tombstone:
    """The tombstone of a session that keeps this, and has received so far."""
    said = sum(1 << place for place, item in enumerate(outbox.items()) if _is_said(item))
    return Tombstone(outbox.acked, said, received)


def _is_said(item: Item) -> bool:
    """Whether it is an event of the application, which a client may lose: not one of which only the latest counts."""
    return isinstance(item, Event) and item.key is None and item.id not in (BYE, AUTH_DUE)
