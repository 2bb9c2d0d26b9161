"""What is remembered of a session that ended (§4)."""

from dataclasses import dataclass

from sente.protocol.messages import AUTH_DUE, BYE, Event
from sente.protocol.outbox import Item, Outbox


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is known of a session that ended: enough to say what its client lost."""

    unacknowledged: tuple[int, ...]
    """Numbers of events not known to have arrived."""
    received: int
    """How far the session had received."""

    def lost(self, ack: int) -> int:
        """How many events a client missed that had received up to ``ack``."""
        return sum(n > ack for n in self.unacknowledged)


def tombstone(outbox: Outbox, received: int) -> Tombstone:
    """The tombstone of a session that keeps this, and has received so far."""
    sent = [n for n, item in outbox.sent_above(0) if _is_said(item)]
    waiting = [n for n, item in enumerate(outbox.waiting(), outbox.next) if _is_said(item)]
    return Tombstone((*sent, *waiting), received)


def _is_said(item: Item) -> bool:
    """Whether it is an event of the application, which a client may lose: not one of which only the latest counts."""
    return isinstance(item, Event) and item.key is None and item.id not in (BYE, AUTH_DUE)
