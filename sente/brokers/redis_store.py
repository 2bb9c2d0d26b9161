"""Sessions in Redis: an outbox is a stream, and each batch of what a process asks for is one script."""

import asyncio
import json
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain
from typing import Any

from redis.asyncio import Connection, ConnectionPool
from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

from sente.brokers.line import RETRY_BASE, RETRY_CAP, WAITING, log
from sente.brokers.redis_connection import ask, connection_of, let_go, open_connection
from sente.brokers.store import Bounds, Entry, Moved, StoreError, Taken
from sente.protocol.backoff import backoff

SCRIPT = files("sente.brokers").joinpath("store.lua").read_text()

BATCH = 512
"""Operations in one script, about: Redis does nothing else meanwhile, for a millisecond or two."""


class RedisStore:
    """Implements ``Store`` on one connection. A batch whose answer is lost with it is asked for again by its number:
    Redis has done it and says the answer again, or does it now."""

    def __init__(self, pool: ConnectionPool, prefix: str, me: str, bounds: Bounds, back: Callable[[], None]) -> None:
        self._pool = pool
        self._prefix = prefix
        self._head = [f"{prefix}durable:", me]
        self._bounds = [bounds.age, bounds.items, bounds.size]
        self._back = back
        self._turn: list[_Asked] = []  # what is asked for in this turn of the loop
        self._turns: list[list[_Asked]] = []  # what waits, together what was asked for in one turn
        self._batch: list[_Asked] = []
        self._size = 0
        self._number = 0
        self._life: bytes | str = ""
        self._due = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    # -- Store

    @property
    def waiting(self) -> int:
        """How much of what it was asked for is not known to be done."""
        return sum(map(len, (self._batch, *self._turns, self._turn)))

    async def aclose(self) -> None:
        """Do what waits, for a second at most, and let go."""
        until = time.monotonic() + 1
        while self.waiting and time.monotonic() < until and not self._task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self._task.cancel()
        await asyncio.wait([self._task])
        for one in chain(self._batch, *self._turns, self._turn):
            one.future.cancel()

    def create(self, session: str, uid: str, client_id: str) -> Awaitable[int]:
        """A new session of this process; its epoch."""
        return self._ask("create", session, uid, client_id, read=_owned)

    async def take(self, session: str, uid: str, client_id: str, owner: str) -> Taken | str | None:
        """Have a session whose owner is gone."""
        answer = await self._ask("take", session, uid, client_id, owner)
        if isinstance(answer, bytes):
            return answer.decode()
        if answer == 0:
            return None
        if answer == -1:
            raise StoreError("there is no memory for another owner")
        epoch, heard, acked, entries = answer
        return Taken(epoch, heard, acked, _entries(entries))

    def say(self, uid: str | None, channel: str, body: bytes) -> asyncio.Future[Mapping[str, int]]:
        """Put a body into many outboxes, and publish it."""
        return self._ask("say", uid or "", self._prefix + channel, body, read=json.loads, size=len(body))

    def forget(self, uid: str | None, channel: str, body: bytes) -> asyncio.Future[None]:
        """Have a user's sessions, or all, gone, and publish something."""
        return self._ask("forget", uid or "", self._prefix + channel, body, read=_nothing)

    def put(self, session: str, epoch: int, body: bytes) -> asyncio.Future[int]:
        """Put a body into one outbox."""
        return self._ask("put", session, epoch, body, read=_owned, size=len(body))

    def note(self, session: str, epoch: int, acked: int, heard: int) -> asyncio.Future[None]:
        """How far its client has acknowledged, and has been heard."""
        return self._ask("note", session, epoch, acked, heard, read=lambda answer: _nothing(_owned(answer)))

    def fetch(self, session: str, after: int) -> asyncio.Future[Sequence[Entry]]:
        """What is kept with larger numbers."""
        return self._ask("fetch", session, after, read=_entries)

    def end(self, session: str, epoch: int) -> asyncio.Future[None]:
        """The session has ended."""
        return self._ask("done", session, epoch, read=_nothing)

    def touch(self, sessions: Sequence[str]) -> asyncio.Future[Sequence[str]]:
        """These go on, but for those that it returns."""
        return self._ask("touch", json.dumps(list(sessions)), read=lambda gone: [name.decode() for name in gone])

    # -- inside

    def _ask(
        self, *asked: Any, read: Callable[[Any], Any] = lambda answer: answer, size: int = 0
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if size and self._size + size > WAITING:
            future.set_exception(StoreError(f"{self._size} bytes wait to be stored"))
            return future
        self._size += size
        if not self._turn:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._turn.append(_Asked(asked, size, future, read))
        return future

    def _end_turn(self) -> None:
        self._turns.append(self._turn)
        self._turn = []
        self._due.set()

    async def _run(self) -> None:
        failures, said = 0, ""
        while True:
            connection = connection_of(self._pool)
            try:
                await open_connection(connection)
                script = await ask(connection, "SCRIPT", "LOAD", SCRIPT)
                self._life = await _life_of(connection)
                if failures:
                    log.warning("sessions are stored again")
                    self._back()
                failures, said = 0, ""
                await self._carry(connection, script)
            except Exception as error:
                failures += 1
                if (why := f"{type(error).__name__}: {error}") != said:
                    said = why
                    log.warning("sessions are not stored, what is said to them waits: %s", why)
            finally:
                await let_go(connection)
            await asyncio.sleep(backoff(failures + 1, base=RETRY_BASE, cap=RETRY_CAP, jitter=random.random()))

    async def _carry(self, connection: Connection, script: bytes) -> None:
        while True:
            if not self._batch:
                await self._due.wait()
                self._number += 1
                while self._turns and len(self._batch) < BATCH:
                    self._batch += self._turns.pop(0)
                if not self._turns:
                    self._due.clear()
            asked = chain.from_iterable((one.asked[0], len(one.asked) - 1, *one.asked[1:]) for one in self._batch)
            try:
                answers = await ask(
                    connection, "EVALSHA", script, 0, *self._head, self._number, *self._bounds, self._life, *asked
                )
            except (NoScriptError, ReadOnlyError):  # it was started anew, or is a replica now: try again
                raise
            except ResponseError as error:
                log.warning("sessions are not stored: %s", error)
                self._settle(StoreError(str(error)))
            else:
                self._settle(answers)

    def _settle(self, answers: Sequence[Any] | StoreError) -> None:
        batch, self._batch = self._batch, []
        self._size -= sum(one.size for one in batch)
        for at, one in enumerate(batch):
            if one.future.done():
                continue
            try:
                if isinstance(answers, StoreError):
                    raise answers
                one.future.set_result(one.read(answers[at]))
            except StoreError as error:
                one.future.set_exception(error)
            except (ValueError, TypeError, IndexError, AttributeError) as error:  # it is no answer of our script
                one.future.set_exception(StoreError(f"an answer that cannot be read: {error}"))


@dataclass(frozen=True, slots=True)
class _Asked:
    asked: Sequence[Any]
    size: int
    future: asyncio.Future[Any]
    read: Callable[[Any], Any]


async def _life_of(connection: Connection) -> bytes | str:
    """The name of this life of Redis: sessions of another are not trusted. All lives are one if it has on disk what it
    confirms, and has not been a replica, which lacks what had not come to it when it took over."""
    try:
        settings = await ask(connection, "CONFIG", "GET", "append*")
    except ResponseError:  # it may not be asked
        settings = []
    kept = dict(zip(settings[::2], settings[1::2], strict=True))
    found = dict(re.findall(rb"(run_id|master_replid2):(\w+)", await ask(connection, "INFO", "server", "replication")))
    never_a_replica = not found[b"master_replid2"].strip(b"0")
    if never_a_replica and kept.get(b"appendonly") == b"yes" and kept.get(b"appendfsync") == b"always":
        return "always"
    run_id: bytes = found[b"run_id"]
    return run_id


def _owned(answer: int) -> int:
    if answer == -1:
        raise Moved("another process has the session, or nobody has it any more")
    return answer


def _nothing(answer: Any) -> None:
    """It was done."""


def _entries(answer: Sequence[tuple[int, bytes]]) -> list[Entry]:
    return [(number, body) for number, body in answer]
