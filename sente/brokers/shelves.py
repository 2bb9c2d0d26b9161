"""What a store keeps, and what it does with it: the same that ``store.lua`` does in Redis, without time or lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sente.brokers.store import Bounds, Entry, Moved, Taken


@dataclass(slots=True)
class _Kept:
    owner: str
    uid: str
    client_id: str
    until: float
    epoch: int = 1
    next: int = 1
    acked: int = 0
    heard: int = 0
    size: int = 0
    """Bytes ever put."""
    freed: int = 0
    """Of them, those acknowledged."""
    entries: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """By number: a body, and ``size`` with it."""


class Shelves:
    """Sessions by id, for the processes that share them. ``now`` is in seconds. See ``Store`` for what each does.

    >>> shelves = Shelves(Bounds(items=100, size=10_000, age=150))
    >>> shelves.create("n1", "s1", '"ada"', "c1", now=0.0)
    1
    >>> shelves.say('"ada"', b"hello", now=1.0), shelves.take("n2", "s1", '"ada"', "c1", "n1", now=2.0).entries
    ({'s1': 1}, [(1, b'hello')])
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._kept: dict[str, _Kept] = {}

    def create(self, me: str, session: str, uid: str, client_id: str, now: float) -> int:
        """A new session of a process; its epoch."""
        self._kept[session] = _Kept(me, uid, client_id, now + self._bounds.age)
        return 1

    def take(self, me: str, session: str, uid: str, client_id: str, owner: str, now: float) -> Taken | str | None:
        """Have a session whose owner is gone."""
        kept = self._find(session, now)
        if kept is None or (kept.uid, kept.client_id) != (uid, client_id):
            return None
        if kept.owner != owner:
            return kept.owner
        kept.owner, kept.epoch, kept.until = me, kept.epoch + 1, now + self._bounds.age
        return Taken(kept.epoch, kept.heard, kept.acked, self.fetch(session, kept.acked, now))

    def say(self, uid: str | None, body: bytes, now: float) -> Mapping[str, int]:
        """Put a body into the outboxes of a user's sessions, or all."""
        return {
            session: self._add(session, kept, body)
            for session, kept in list(self._kept.items())
            if self._find(session, now) and uid in (None, kept.uid)
        }

    def forget(self, uid: str | None) -> None:
        """A user's sessions, or all, are gone."""
        self._kept = {session: kept for session, kept in self._kept.items() if uid not in (None, kept.uid)}

    def put(self, me: str, session: str, epoch: int, body: bytes, now: float) -> int:
        """The same for one session; the number. Raises ``Moved``."""
        return self._add(session, self._mine(me, session, epoch, now), body)

    def note(self, me: str, session: str, epoch: int, acked: int, heard: int, now: float) -> None:
        """How far its client has acknowledged, and has been heard. Raises ``Moved``."""
        kept = self._mine(me, session, epoch, now)
        if acked in kept.entries:
            kept.acked, kept.freed = acked, kept.entries[acked][1]
            kept.entries = {number: entry for number, entry in kept.entries.items() if number > acked}
        kept.heard = heard

    def fetch(self, session: str, after: int, now: float) -> Sequence[Entry]:
        """What is kept with larger numbers."""
        kept = self._find(session, now)
        return [(number, entry[0]) for number, entry in kept.entries.items() if number > after] if kept else []

    def end(self, me: str, session: str, epoch: int, now: float) -> None:
        """The session has ended."""
        kept = self._find(session, now)
        if kept is not None and (kept.owner, kept.epoch) == (me, epoch):
            del self._kept[session]

    def touch(self, me: str, sessions: Sequence[str], now: float) -> Sequence[str]:
        """These go on, but for those that it returns."""
        gone = []
        for session in sessions:
            if (kept := self._find(session, now)) is not None and kept.owner == me:
                kept.until = now + self._bounds.age
            else:
                gone.append(session)
        return gone

    def _find(self, session: str, now: float) -> _Kept | None:
        kept = self._kept.get(session)
        if kept is not None and kept.until <= now:
            del self._kept[session]
            return None
        return kept

    def _mine(self, me: str, session: str, epoch: int, now: float) -> _Kept:
        kept = self._find(session, now)
        if kept is None or (kept.owner, kept.epoch) != (me, epoch):
            raise Moved("another process has the session, or nobody has it any more")
        return kept

    def _add(self, session: str, kept: _Kept, body: bytes) -> int:
        size = kept.size + len(body)
        if kept.next - kept.acked > self._bounds.items or size - kept.freed > self._bounds.size:
            del self._kept[session]
            return 0
        number = kept.next
        kept.entries[number] = body, size
        kept.next, kept.size = number + 1, size
        return number
