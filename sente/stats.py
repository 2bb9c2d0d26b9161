"""What ``chsk.stats`` gives: what was counted, and how it is now."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from sente.hub import Hub
from sente.interfaces import UserId


@dataclass(frozen=True, slots=True)
class Gauges:
    """How it is now.

    >>> Gauges(ws=2, poll=1, away=1).sessions
    4
    """

    ws: int = 0
    """Clients that are present over a WebSocket."""
    poll: int = 0
    """Clients that are present by polling."""
    away: int = 0
    """Sessions whose client has no line for the moment, and may resume."""
    users: int = 0
    """Users who have a session; clients without a user are none of them."""
    lines: int = 0
    """WebSockets and polls that are open: two of a client while it changes from one to the other."""
    outbox_items: int = 0
    """What is kept for all clients until they acknowledge it: events, requests and replies."""
    outbox_bytes: int = 0
    """The same in bytes."""
    outbox_longest: int = 0
    """Bytes of them for one client, the one that is the furthest behind: the next that may end as ``slow``."""

    @property
    def sessions(self) -> int:
        """All sessions there are."""
        return self.ws + self.poll + self.away


class Stats(Counter[str]):
    """What was counted until now, by word, and in ``gauges`` how it is now. Counts stay as they are: ask again.

    ::

        chsk.stats["received"], chsk.stats.gauges.sessions
    """

    def __init__(self, counts: Mapping[str, int] | None = None, look: Callable[[], Gauges] = Gauges) -> None:
        super().__init__(counts)
        self._look = look

    @property
    def gauges(self) -> Gauges:
        """How it is when you ask; each client is looked at."""
        return self._look()


def gauges(hub: Hub) -> Gauges:
    """How it is at a hub. From any thread: each collection is copied in one step before it is walked through."""
    kept: list[tuple[int, int]] = []
    states: Counter[str] = Counter()
    users: set[UserId] = set()
    for client in list(hub.peers):
        peer = hub.peers.get(client)
        if peer is not None and not client.session.ended:
            states[peer.present or "away"] += 1
            users.add(client.uid)
            kept.append(client.session.kept)
    return Gauges(
        ws=states["ws"],
        poll=states["poll"],
        away=states["away"],
        users=len(users - {None}),
        lines=len(hub.links),
        outbox_items=sum(items for items, _ in kept),
        outbox_bytes=sum(size for _, size in kept),
        outbox_longest=max((size for _, size in kept), default=0),
    )


def stats(hub: Hub) -> Stats:
    """What was counted at a hub."""
    return Stats(hub.stats, partial(gauges, hub))
