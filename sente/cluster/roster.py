"""Who is there, and at which process: what each says of its own users, put together.

A process says at once which of its users came and went, and now and then, in a beat, that it is alive and how often it
has said so. Who has missed something sees that from the count, and asks for all of it. A process that is silent for
``EXPIRY`` seconds is gone, and its users with it.

That a user came or went everywhere is announced by one process: the one that a hash of the user picks of those that
are settled, so that nobody has to be asked. It tells the others, and what is not told in time the next one announces:
the one that was picked may have died, or not know.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from zlib import crc32

from sente.cluster.notices import check_uid
from sente.errors import ProtocolError
from sente.interfaces import UserId
from sente.presence import Presence
from sente.protocol.actions import TransportName
from sente.protocol.greeting import number

BEAT = 2.0
"""Seconds from one beat to the next."""

EXPIRY = 6.0
"""Seconds of silence after which a process is gone: two beats may be late."""

CHUNK = 2_000
"""Users that are named in one notice: some 60 KB, of the 1 MB that NATS takes by default."""

TRANSPORTS: tuple[tuple[int, TransportName], ...] = ((1, "ws"), (2, "poll"))
"""The bits that say how a user is there."""

TOLD = 4
"""The bit that says that it was announced, where all users are named: who is new does not announce them again."""

What = Literal["open", "close"]
Say = Callable[[str | None, str, Mapping[str, Any]], None]
"""Called with a process, ``None`` for all, with an op, and with what it says."""


@dataclass(slots=True)
class Process:
    """What is known of one process."""

    heard: float
    """When it was heard last."""
    version: int | None = None
    """How often it had said who came and went when this was true; ``None``: it has not said who is there."""
    settled: bool | None = False
    """Whether it announces; ``None``: it will not."""
    users: dict[UserId, int] = field(default_factory=dict)
    """How each user is there, by the bits of ``TRANSPORTS``."""
    told: dict[UserId, int] | None = None
    """The same, while it is being told."""


class Roster:
    """The roster of the process ``node``. Times are seconds, on any clock that goes on."""

    def __init__(self, node: str, announce: Callable[[What, UserId], None], say: Say) -> None:
        self.node = node
        self.everywhere = Presence(self._turned)
        """Who is there, at any process."""
        self.others: dict[str, Process] = {}
        self._announce = announce
        self._say = say
        self._me = Process(0.0, version=0)
        self._changed: dict[UserId, None] = {}
        self._told: set[UserId] = set()  # whose coming was announced, and not their going
        self._untold: dict[UserId, float] = {}  # of whom something is to be announced, and since when
        self._now = 0.0

    # -- this process

    def here(self, uid: UserId, how: int, now: float) -> None:
        """A user of this process came, went, or goes on otherwise."""
        self._now = now
        if self._me.users.get(uid, 0) != how:
            self._put(self._me, uid, how)
            self._changed[uid] = None

    def flush(self) -> None:
        """Say what has changed here since the last time."""
        users = [(uid, self._me.users.get(uid, 0)) for uid in self._changed]
        self._changed.clear()
        for part in _parts(users):
            self._say(None, "delta", {"v": self._next_version(), "users": part})

    def _next_version(self) -> int:
        self._me.version = (self._me.version or 0) + 1
        return self._me.version

    def beat(self) -> dict[str, Any]:
        """What this process says now and then."""
        self.flush()
        return {"v": self._me.version, "settled": self._me.settled}

    @property
    def may_settle(self) -> bool:
        """Whether it is this process's turn to announce from now on: of several new ones each waits for those before
        it, by name, so that what happened before anybody was settled is announced once."""
        return self._me.settled is False and all(
            process.settled is not False or node > self.node for node, process in self.others.items()
        )

    def settle(self, now: float) -> None:
        """Announce from now on."""
        self._me.settled = True
        self.announce_late(now)

    @property
    def settled(self) -> bool:
        """Whether this process announces."""
        return self._me.settled is True

    @property
    def users(self) -> Mapping[UserId, int]:
        """The users of this process, and how each is there."""
        return self._me.users

    def leave(self) -> None:
        """Announce no more: this process is about to stop, or serves nobody."""
        self._me.settled = None

    # -- the others

    def heard(self, node: str, now: float) -> Process:
        """Another process has said something."""
        self._now = now
        process = self.others.setdefault(node, Process(now))
        process.heard = now
        return process

    def on_beat(self, node: str, plain: Mapping[str, Any], now: float) -> None:
        """It is alive; who knows less of it than it has said asks. Raises ``ProtocolError``."""
        version, process = number(plain, "v", 0), self.heard(node, now)
        settled = plain.get("settled")
        process.settled = settled if isinstance(settled, bool) else None
        if process.version != version:
            self._say(node, "who", {})

    def on_who(self, node: str) -> None:
        """It asks who is here."""
        self.flush()
        users = [(uid, how | (TOLD if uid in self._told else 0)) for uid, how in self._me.users.items()]
        parts = list(_parts(users)) or [[]]
        for at, part in enumerate(parts):
            last = at == len(parts) - 1
            self._say(node, "state", {"first": at == 0, "last": last, "v": self._me.version, "users": part})

    def on_state(self, node: str, plain: Mapping[str, Any], now: float) -> None:
        """Who is there, or a part of them. Raises ``ProtocolError``."""
        users, version, process = _users(plain), number(plain, "v", 0), self.heard(node, now)
        if plain.get("first") is True:
            process.told = {}
        if process.told is None:
            return  # the first part was lost; its next beat has it asked again
        process.told.update(users)
        if plain.get("last") is True:
            told, process.told = process.told, None
            if not self.settled:  # who is settled knows better than one that was cut off
                self._told.update(uid for uid, how in told.items() if how & TOLD)
            for uid in process.users.keys() | told.keys():
                self._put(process, uid, told.get(uid, 0) & ~TOLD)
            process.version = version

    def on_delta(self, node: str, plain: Mapping[str, Any], now: float) -> None:
        """Who came and went. Raises ``ProtocolError``."""
        users, version, process = _users(plain), number(plain, "v", 1), self.heard(node, now)
        if process.version == version - 1:
            for uid, how in users:
                self._put(process, uid, how & ~TOLD)
            process.version = version
        elif process.version is None or process.version < version:
            self._say(node, "who", {})

    def on_told(self, node: str, plain: Mapping[str, Any], now: float) -> None:
        """It has announced that a user came, or went. Raises ``ProtocolError``."""
        self.heard(node, now)
        self._tell(check_uid(plain.get("uid")), "open" if plain.get("what") == "open" else "close")

    def gone(self, node: str, now: float) -> None:
        """It has said goodbye, or was silent for too long: its users are gone."""
        self._now = now
        process = self.others.pop(node, None)
        if process is not None:
            for uid in list(process.users):
                self._put(process, uid, 0)

    def expired(self, now: float) -> list[str]:
        """Those that were silent for too long."""
        return [node for node, process in self.others.items() if process.heard < now - EXPIRY]

    def excuse(self, now: float) -> None:
        """It was this process that could not hear them: they have as long again."""
        for process in self.others.values():
            process.heard = now

    # -- together

    def _put(self, process: Process, uid: UserId, how: int) -> None:
        before = process.users.pop(uid, 0)
        if how:
            process.users[uid] = how
        for bit, transport in TRANSPORTS:  # first what is new: who changes is not gone meanwhile
            if how & ~before & bit:
                self.everywhere.change(uid, None, transport)
        for bit, transport in TRANSPORTS:
            if before & ~how & bit:
                self.everywhere.change(uid, transport, None)

    def _turned(self, what: What, uid: UserId) -> None:
        self._look(uid)
        if uid in self._untold and self._ranked(repr(uid))[:1] == [self.node]:
            self._announce_now(uid)

    def _tell(self, uid: UserId, what: What) -> None:
        (self._told.add if what == "open" else self._told.discard)(uid)
        self._look(uid)

    def _look(self, uid: UserId) -> None:
        """Is there something to announce of this user?"""
        if self.everywhere.is_there(uid) == (uid in self._told):
            self._untold.pop(uid, None)
        else:
            self._untold.setdefault(uid, self._now)

    def _announce_now(self, uid: UserId) -> None:
        what: What = "open" if self.everywhere.is_there(uid) else "close"
        self._tell(uid, what)
        self._announce(what, uid)
        self._say(None, "told", {"uid": uid, "what": what})

    def announce_late(self, now: float) -> None:
        """Announce what nobody has told in time: the first whose turn it was has none, each after it two beats more."""
        self._now = now
        for uid, since in list(self._untold.items()):
            ranked = self._ranked(repr(uid))
            if self.node in ranked and now >= since + 2 * BEAT * ranked.index(self.node):
                self._announce_now(uid)

    def pick(self, what: str) -> str | None:
        """The process of those that are settled that a hash of ``what`` picks, the same at each of them. When one comes
        or goes, nothing is picked anew but what it picks up or leaves."""
        return next(iter(self._ranked(what)), None)

    def _ranked(self, what: str) -> list[str]:
        settled = [node for node, process in self.others.items() if process.settled]
        if self._me.settled:
            settled.append(self.node)
        key = crc32(what.encode())
        return sorted(settled, key=lambda node: (_mixed(key, node), node), reverse=True)


def _mixed(key: int, node: str) -> int:
    """A rank of a process for a user: each process is the highest for as many users as any other."""
    return ((key ^ crc32(node.encode())) * 0x9E3779B97F4A7C15 >> 16) & 0xFFFFFFFF


def _parts(users: Sequence[tuple[UserId, int]]) -> Iterator[list[tuple[UserId, int]]]:
    for at in range(0, len(users), CHUNK):
        yield list(users[at : at + CHUNK])


def _users(plain: Mapping[str, Any]) -> Collection[tuple[UserId, int]]:
    """Who is named. Raises ``ProtocolError``."""
    users = plain.get("users")
    if not isinstance(users, list):
        raise ProtocolError("users must be a list")
    found: list[tuple[UserId, int]] = []
    for entry in users:
        if not isinstance(entry, list) or len(entry) != 2 or type(entry[1]) is not int or not 0 <= entry[1] <= 7:
            raise ProtocolError("a user is [uid, 0 to 7]")
        found.append((check_uid(entry[0]), entry[1]))
    return found
