"""Redis as a broker: its channels, on two connections of redis-py."""

import asyncio
import time
from collections.abc import Callable

from redis.asyncio import Connection, ConnectionPool

from sente.brokers.line import PING, SILENCE, BrokerCut, Line
from sente.brokers.redis_connection import answer, connection_of, let_go, open_connection, tell
from sente.brokers.redis_store import RedisStore
from sente.brokers.store import Bounds, Store
from sente.errors import ConfigError
from sente.interfaces import BrokerLine

CHUNK = 1_000
"""Channels that are subscribed in one command."""


class RedisBroker:
    """Joins processes through Redis 7 or newer: ``ChannelSocket(broker=RedisBroker("redis://127.0.0.1:6379"))``. It
    needs ``pip install "sente-channels[redis]"``.

    Nothing is stored in Redis: it carries. ``rediss://`` is TLS; user, password and database are those of the URL.

    Args:
        url: As ``redis.from_url`` takes it.
        prefix: Before the name of each channel, so that several applications may share one Redis.

    >>> RedisBroker("redis://127.0.0.1:6379/0").name
    'redis'

    Raises:
        ConfigError: the URL is none.
    """

    name = "redis"

    def __init__(self, url: str = "redis://127.0.0.1:6379/0", *, prefix: str = "sente:") -> None:
        try:
            self._pool = ConnectionPool.from_url(
                url, protocol=2, socket_connect_timeout=SILENCE, socket_timeout=SILENCE, health_check_interval=0
            )
        except ValueError as error:
            raise ConfigError(f"RedisBroker: this is no URL of a Redis: {error}") from None
        self._prefix = prefix

    async def connect(self, heard: Callable[[str, bytes], None], state: Callable[[bool], None]) -> BrokerLine:
        """Open a line."""
        line = _RedisLine(self._pool, self._prefix, heard, state)
        await line.start()
        return line

    def store(self, me: str, bounds: Bounds, back: Callable[[], None]) -> Store:
        """What keeps sessions that outlive their process, ``me``; ``back`` as of ``RedisStore``."""
        return RedisStore(self._pool, self._prefix, me, bounds, back)


class _RedisLine(Line):
    def __init__(
        self, pool: ConnectionPool, prefix: str, heard: Callable[[str, bytes], None], state: Callable[[bool], None]
    ) -> None:
        super().__init__("redis", heard, state)
        self._pool = pool
        self._prefix = prefix
        self._heard_at = 0.0

    async def _carry(self) -> None:
        hears, says = connection_of(self._pool), connection_of(self._pool)
        try:
            await open_connection(hears)
            await open_connection(says)
            subscribed: set[str] = set()
            while new := [channel for channel in self._channels if channel not in subscribed][:CHUNK]:
                await tell(hears, ("SUBSCRIBE", *map(self._named, new)))
                for _ in new:
                    await answer(hears)
                subscribed.update(new)
            self._heard_at = time.monotonic()
            self._up()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hear(hears))
                tasks.create_task(self._say(hears, says))
        finally:
            for connection in (hears, says):
                await let_go(connection)

    def _named(self, channel: str) -> str:
        return self._prefix + channel

    async def _hear(self, hears: Connection) -> None:
        prefix = len(self._prefix.encode())
        while True:
            kind, *rest = await answer(hears, timeout=float("inf"))
            self._heard_at = time.monotonic()
            if kind == b"message":
                self._heard(rest[0][prefix:].decode(), rest[1])
            elif kind == b"subscribe":
                self._confirm(rest[0][prefix:].decode())

    async def _say(self, hears: Connection, says: Connection) -> None:
        while True:
            try:
                async with asyncio.timeout(PING):
                    await self._due.wait()
            except TimeoutError:
                await tell(hears, ("PING",))
                await tell(says, ("PING",))
                await answer(says)
                if time.monotonic() - self._heard_at > SILENCE:
                    raise BrokerCut(f"silent for {SILENCE:g} s") from None
                continue
            changes, messages = self._take()
            self._busy = True
            for verb, channels in _runs(changes):
                await tell(hears, (verb, *map(self._named, channels)))
            if messages:
                await tell(says, *(("PUBLISH", self._named(channel), body) for channel, body, _ in messages))
                for _, _, unheard in messages:
                    if await answer(says) == 0 and unheard is not None:
                        unheard()
            self._busy = False


def _runs(changes: list[tuple[bool, str]]) -> list[tuple[str, list[str]]]:
    """Commands for these changes, in their order, as few as may be."""
    runs: list[tuple[str, list[str]]] = []
    for wanted, channel in changes:
        verb = "SUBSCRIBE" if wanted else "UNSUBSCRIBE"
        if not runs or runs[-1][0] != verb or len(runs[-1][1]) == CHUNK:
            runs.append((verb, []))
        runs[-1][1].append(channel)
    return runs
