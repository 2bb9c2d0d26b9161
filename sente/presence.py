"""Which users are connected, and over which transport."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal

from sente.interfaces import UserId
from sente.protocol.actions import TransportName


@dataclass(frozen=True, slots=True)
class ConnectedUids:
    """The users with at least one client on a WebSocket, at least one that polls, and either. Not the anonymous ones.

    >>> "ada" in ConnectedUids(ws=frozenset({"ada"}), poll=frozenset(), any=frozenset({"ada"})).any
    True
    """

    ws: frozenset[UserId]
    poll: frozenset[UserId]
    any: frozenset[UserId]


class Presence:
    """Counts the clients of each user. ``announce`` is told of each user's first and last one, once."""

    def __init__(self, announce: Callable[[Literal["open", "close"], UserId], None]) -> None:
        self.announce = announce
        self.told: Callable[[UserId, int], None] | None = None
        """Called with each user whose transports have changed, and how he is there: the sum of 1 for a WebSocket and 2
        for polling."""
        self._clients: Counter[tuple[UserId, TransportName]] = Counter()
        self._snapshot: ConnectedUids | None = None
        self._changed: asyncio.Future[None] | None = None

    def clear(self) -> None:
        """Begin anew, on another event loop perhaps."""
        self._clients.clear()
        self._snapshot = self._changed = None

    def change(self, uid: UserId, before: TransportName | None, after: TransportName | None) -> None:
        """A client of this user came, went, or changed its transport."""
        if uid is None or before == after:
            return
        was_there = self.is_there(uid)
        if after is not None:
            self._clients[uid, after] += 1
        if before is not None:
            self._clients[uid, before] -= 1
            if not self._clients[uid, before]:
                del self._clients[uid, before]
        self._snapshot = None
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        if was_there != self.is_there(uid):
            self.announce("close" if was_there else "open", uid)
        if self.told is not None:
            self.told(uid, ((uid, "ws") in self._clients) + 2 * ((uid, "poll") in self._clients))

    def is_there(self, uid: UserId) -> bool:
        """Whether this user is connected now."""
        return (uid, "ws") in self._clients or (uid, "poll") in self._clients

    @property
    def connected_uids(self) -> ConnectedUids:
        """Who is connected now."""
        if self._snapshot is None:
            ws = frozenset(uid for uid, transport in self._clients if transport == "ws")
            poll = frozenset(uid for uid, transport in self._clients if transport == "poll")
            self._snapshot = ConnectedUids(ws, poll, ws | poll)
        return self._snapshot

    async def changes(self) -> AsyncIterator[ConnectedUids]:
        """Who is connected, now and after each change; changes that come at once are seen as one."""
        last = None
        while True:
            if self.connected_uids != last:
                last = self.connected_uids
                yield last
            else:
                if self._changed is None or self._changed.done():
                    self._changed = asyncio.get_running_loop().create_future()
                await asyncio.shield(self._changed)
