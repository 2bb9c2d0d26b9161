"""What is kept for all clients together, and who goes when that is too much."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec, TypeVar

from sente.peers import AnyClient
from sente.protocol.messages import Event
from sente.protocol.outbox import Asked, Item

P = ParamSpec("P")
E = TypeVar("E", bound=Event)

FREE = 8
"""Once there is too much, one part in so many is made free: so the next look is that far away."""


class Memory:
    """Holds what the outboxes keep, packed, below ``limit`` bytes. An event that is kept for many is there once.

    To know which outbox keeps what costs a look at all of them. So what is said is only added up, and the look taken
    when it might have become too much: its cost is shared by what was said since, so many bytes at least.
    """

    def __init__(
        self, limit: int, clients: Callable[[], Sequence[AnyClient]], end: Callable[[AnyClient], None]
    ) -> None:
        self._limit = limit
        self._clients = clients
        self._end = end  # called with those who keep most
        self._room = limit  # what may be said until the next look

    def add(self, size: int) -> None:
        """So many bytes were put into outboxes, however many those are."""
        self._room -= size
        if self._room < 0:
            self._look()

    def counted(self, pack: Callable[P, E]) -> Callable[P, E]:
        """``pack``, with what it packs added up."""

        def packed(*args: P.args, **options: P.kwargs) -> E:
            event = pack(*args, **options)
            self.add(event.size)
            return event

        return packed

    def _look(self) -> None:
        clients = self._clients()
        holders = Counter(id(value) for client in clients for value in _kept(client))
        sizes = {id(value): value.size for client in clients for value in _kept(client)}
        total = sum(sizes.values())
        enough = self._limit - self._limit // FREE

        def share(client: AnyClient) -> float:
            return sum(value.size / holders[id(value)] for value in _kept(client))

        if total > enough:
            for client in sorted(clients, key=share, reverse=True):
                values = list(_kept(client))
                self._end(client)
                for value in values:
                    holders[id(value)] -= 1
                    total -= 0 if holders[id(value)] else value.size
                if total <= enough:
                    break
        self._room = self._limit - total


def _kept(client: AnyClient) -> Iterable[Item]:
    """What is kept for a client, an event as itself: that is what many have in common."""
    for item in client.session.items():
        yield item.event if isinstance(item, Asked) else item
