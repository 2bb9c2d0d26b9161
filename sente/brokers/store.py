"""What sessions that outlive their process need of a store. Implemented by ``RedisStore`` and ``MemoryStore``."""

from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from sente.errors import BrokerError

Entry: TypeAlias = tuple[int, bytes]
"""A number, and what was said with it."""


class StoreError(BrokerError):
    """The store did not do it, or it is not known whether it did.

    >>> raise StoreError("out of memory")
    Traceback (most recent call last):
    sente.brokers.store.StoreError: out of memory
    """


class Moved(StoreError):
    """The session belongs to another process by now, or to nobody.

    >>> issubclass(Moved, StoreError)
    True
    """


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept of one session at most.

    >>> Bounds(items=4096, size=4 * 1024 * 1024, age=150).items
    4096
    """

    items: int
    size: int
    """Bytes."""
    age: int
    """Seconds after the last ``touch``."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A session that belongs to this process now, as it was left.

    >>> Taken(epoch=2, heard=7, acked=40, entries=[(41, b"")]).acked
    40
    """

    epoch: int
    heard: int
    acked: int
    entries: Sequence[Entry] = field(repr=False)


class Store(Protocol):
    """Sessions by id, each with its numbered outbox. What one process asks for is done in the order in which it asks,
    and what it asks for in one turn of its loop is done together or not at all.

    The futures raise ``StoreError``. They wait while the store is away; ``up`` of ``open`` says when it comes and goes,
    and after it has come back nothing is known of what was being asked for.
    """

    @property
    def waiting(self) -> int:
        """How much of what it was asked for is not known to be done."""
        ...

    async def aclose(self) -> None:
        """Do what waits, for a second at most, and let go."""
        ...

    def create(self, session: str, uid: str, client_id: str) -> Awaitable[int]:
        """A new session of this process; its epoch."""
        ...

    def take(self, session: str, uid: str, client_id: str, owner: str) -> Awaitable[Taken | str | None]:
        """Have a session whose owner is gone; it is named by who believes so. If another has been faster, that one's
        name; ``None``: there is no such session of this user and client."""
        ...

    def say(self, uid: str | None, channel: str, body: bytes) -> "Future[Mapping[str, int]]":
        """Put a body into the outboxes of a user's sessions, or all, and publish it on a channel, with a frame behind
        it that says which number it has in each. 0: there was no room, or no memory, and the session is gone."""
        ...

    def forget(self, uid: str | None, channel: str, body: bytes) -> "Future[None]":
        """Something could not be put into the outboxes of a user's sessions, or all: they are gone. The body is
        published."""
        ...

    def put(self, session: str, epoch: int, body: bytes) -> "Future[int]":
        """The same for one session; the number. Raises ``Moved``."""
        ...

    def note(self, session: str, epoch: int, acked: int, heard: int) -> "Future[None]":
        """How far its client has acknowledged, and has been heard. Raises ``Moved``."""
        ...

    def fetch(self, session: str, after: int) -> "Future[Sequence[Entry]]":
        """What is kept with larger numbers."""
        ...

    def end(self, session: str, epoch: int) -> "Future[None]":
        """The session has ended."""
        ...

    def touch(self, sessions: Sequence[str]) -> "Future[Sequence[str]]":
        """These go on, but for those that it returns: they belong to another process, or to nobody."""
        ...


@runtime_checkable
class Keeper(Protocol):
    """A broker that can keep sessions too."""

    def store(self, me: str, bounds: Bounds, back: Callable[[], None], /) -> Store:
        """A store for the process ``me``, on the running loop. ``back`` is called when it is there again after it was
        away."""
        ...
