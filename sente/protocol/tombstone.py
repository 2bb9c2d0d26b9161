"""What is remembered of a session that ended (§4)."""

from dataclasses import dataclass
from typing import Any

from sente.protocol.messages import AUTH_DUE, BYE, Event, Events
from sente.protocol.outbox import Outbox

_OWN = (BYE, AUTH_DUE)
"""Events of the protocol: what else is an event is the application's, and counts as lost if its key is None."""


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
    given_up: int = 0
    """Events that the client could not read, whether it was told of them or not."""
    farewell: tuple[dict[str, Any], Events] | None = None
    """The server's last word, where it took leave (§5): head and packet of an exchange that crossed it, and would
    otherwise learn no more than that its session is gone."""

    def lost(self, ack: int) -> int:
        """How many events a client missed that had received up to ``ack``, those given up included."""
        return self.given_up + (self.said >> max(0, ack - self.acknowledged)).bit_count()


def tombstone(outbox: Outbox, received: int) -> Tombstone:
    """The tombstone of a session that keeps this, and has received so far."""
    items = outbox.items()
    said = (1 << len(items)) - 1
    # Thousands of items, and of sessions at once when a crowd is too slow: what is not said is rare, and looked for.
    for place in [
        place
        for place, item in enumerate(items)
        if not isinstance(item, Event) or item.key is not None or item.id in _OWN
    ]:
        said ^= 1 << place
    last = items[-1] if items else None
    if not (isinstance(last, Event) and last.id == BYE):
        return Tombstone(outbox.acked, said, received, outbox.given_up)
    head = {"ack": received, "seq": outbox.acked + len(items)}
    return Tombstone(outbox.acked, said, received, outbox.given_up, (head, Events((last,))))
