"""Sessions that outlive their channel socket, in the memory of the process that all of them live in."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from sente.brokers.shelves import Shelves
from sente.brokers.store import Entry, StoreError, Taken
from sente.protocol.framing import write_row

T = TypeVar("T")


class MemoryStore:
    """Implements ``Store`` for one of them. What is asked for in a turn of the loop is done at its end."""

    def __init__(self, me: str, shelves: Shelves, publish: Callable[[str, bytes], object]) -> None:
        self._me = me
        self._shelves = shelves
        self._publish = publish
        self._waiting: list[Callable[[], None]] = []

    @property
    def waiting(self) -> int:
        """How much of what it was asked for is not done."""
        return len(self._waiting)

    async def aclose(self) -> None:
        """Do what waits."""
        self._do()

    def create(self, session: str, uid: str, client_id: str) -> Awaitable[int]:
        """A new session; its epoch."""
        return self._ask(lambda now: self._shelves.create(self._me, session, uid, client_id, now))

    def take(self, session: str, uid: str, client_id: str, owner: str) -> Awaitable[Taken | str | None]:
        """Have a session whose owner is gone."""
        return self._ask(lambda now: self._shelves.take(self._me, session, uid, client_id, owner, now))

    def say(self, uid: str | None, channel: str, body: bytes) -> asyncio.Future[Mapping[str, int]]:
        """Put a body into many outboxes, and publish it."""

        def work(now: float) -> Mapping[str, int]:
            numbers = self._shelves.say(uid, body, now)
            self._publish(channel, body + write_row([json.dumps(numbers)]))
            return numbers

        return self._ask(work)

    def forget(self, uid: str | None, channel: str, body: bytes) -> asyncio.Future[None]:
        """Have a user's sessions, or all, gone, and publish something."""

        def work(now: float) -> None:
            self._shelves.forget(uid)
            self._publish(channel, body)

        return self._ask(work)

    def put(self, session: str, epoch: int, body: bytes) -> asyncio.Future[int]:
        """Put a body into one outbox."""
        return self._ask(lambda now: self._shelves.put(self._me, session, epoch, body, now))

    def note(self, session: str, epoch: int, acked: int, heard: int) -> asyncio.Future[None]:
        """How far its client has acknowledged, and has been heard."""
        return self._ask(lambda now: self._shelves.note(self._me, session, epoch, acked, heard, now))

    def fetch(self, session: str, after: int) -> asyncio.Future[Sequence[Entry]]:
        """What is kept with larger numbers."""
        return self._ask(lambda now: self._shelves.fetch(session, after, now))

    def end(self, session: str, epoch: int) -> asyncio.Future[None]:
        """The session has ended."""
        return self._ask(lambda now: self._shelves.end(self._me, session, epoch, now))

    def touch(self, sessions: Sequence[str]) -> asyncio.Future[Sequence[str]]:
        """These go on, but for those that it returns."""
        return self._ask(lambda now: self._shelves.touch(self._me, sessions, now))

    def _ask(self, work: Callable[[float], T]) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def do() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(work(loop.time()))
            except StoreError as error:
                future.set_exception(error)

        if not self._waiting:
            loop.call_soon(self._do)
        self._waiting.append(do)
        return future

    def _do(self) -> None:
        waiting, self._waiting = self._waiting, []
        for do in waiting:
            do()
