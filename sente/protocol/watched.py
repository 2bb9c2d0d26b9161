"""Events of which somebody wants to know when their client has acknowledged them."""

from sente.protocol.actions import Arrived, ServerAction
from sente.protocol.messages import Event
from sente.protocol.outbox import Outbox


class Watched:
    """Puts an ``Arrived`` into ``actions`` for each of them. Looks at the outbox only when its client acknowledges."""

    __slots__ = ("_acked", "_actions", "events")

    def __init__(self, actions: list[ServerAction]) -> None:
        self._actions = actions
        self.events: list[Event] = []
        """Those not acknowledged yet: asked of each packet, so no function."""
        self._acked = 0  # what was acknowledged when they were looked at

    def add(self, event: Event, outbox: Outbox) -> bool:
        """Watch this very event. False: it is not on its way to this client, or has been acknowledged."""
        kept = any(item is event for item in outbox.items())
        if kept:
            self.events.append(event)
            self._acked = outbox.acked
        return kept

    def remove(self, event: Event) -> None:
        """Whoever waited for it does so no more."""
        self.events = [other for other in self.events if other is not event]

    def look(self, outbox: Outbox) -> None:
        """See which of them have been acknowledged."""
        if outbox.acked > self._acked:
            self._acked = outbox.acked
            kept = {id(item) for item in outbox.items()}
            self._actions += [Arrived(event) for event in self.events if id(event) not in kept]
            self.events = [event for event in self.events if id(event) in kept]
