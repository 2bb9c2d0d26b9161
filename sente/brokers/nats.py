"""NATS as a broker: core NATS, on one connection of nats-py."""

import asyncio
import itertools
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from sente.brokers.line import PING, SILENCE, WAITING, BrokerCut, Line
from sente.errors import ConfigError
from sente.interfaces import BrokerLine

WHOLE, MORE, LAST = b"w", b"m", b"l"
"""What a message is: all of what was published, or a part of it."""

NAME = 8
"""Bytes that name the line which publishes, in each message: parts of several lines may mix."""

ASKED = 10_000
"""Messages of which it is still remembered that somebody wants to know whether they were heard."""


class NatsBroker:
    """Joins processes through NATS: ``ChannelSocket(broker=NatsBroker("nats://127.0.0.1:4222"))``. It needs
    ``pip install "sente-channels[nats]"``.

    Args:
        url: The server's address, with user and password or a token if it wants them; ``tls://`` is TLS.
        prefix: The first word of each subject, so that several applications may share one server.

    >>> NatsBroker().name
    'nats'

    Raises:
        ConfigError: the prefix is no word of a subject, or the URL none.
    """

    name = "nats"

    def __init__(self, url: str = "nats://127.0.0.1:4222", *, prefix: str = "sente") -> None:
        if not prefix or any(sign in " \t\r\n.*>" or not sign.isprintable() for sign in prefix):
            raise ConfigError(f"NatsBroker: prefix={prefix!r}: a word without spaces, dots, stars and >")
        if "://" not in url:
            raise ConfigError("NatsBroker: the URL begins with nats:// or tls://")
        self._url = url
        self._prefix = prefix

    async def connect(self, heard: Callable[[str, bytes], None], state: Callable[[bool], None]) -> BrokerLine:
        """Open a line."""
        line = _NatsLine(self._url, self._prefix, heard, state)
        await line.start()
        return line


class _NatsLine(Line):
    def __init__(
        self, url: str, prefix: str, heard: Callable[[str, bytes], None], state: Callable[[bool], None]
    ) -> None:
        super().__init__("nats", heard, state)
        self._url = url
        self._prefix = f"{prefix}."
        self._me = secrets.token_bytes(NAME)
        self._parts: dict[bytes, bytearray] = {}  # by the line that says them
        self._asked: OrderedDict[str, Callable[[], None]] = OrderedDict()  # by the subject of the answer
        self._numbers = itertools.count(1)

    async def _carry(self) -> None:
        over, why = asyncio.Event(), "the server closed the connection"

        async def closed() -> None:
            over.set()

        async def failed(error: Exception) -> None:
            nonlocal why
            why = str(error) or type(error).__name__
            over.set()

        client = Client()
        try:
            async with asyncio.timeout(SILENCE):
                await client.connect(
                    self._url,
                    allow_reconnect=False,  # what is lost meanwhile has to be known
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=int(SILENCE),
                    ping_interval=int(PING),
                    max_outstanding_pings=int(SILENCE / PING),
                    closed_cb=closed,
                    error_cb=failed,
                    flush_timeout=SILENCE,
                )
            await self._talk(client, over)
        except nats.errors.Error as error:
            raise BrokerCut(why if over.is_set() else str(error)) from error
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await client.close()
        raise BrokerCut(why)

    async def _talk(self, client: Client, over: asyncio.Event) -> None:
        self._parts.clear()
        self._asked.clear()
        session = _Session(client)
        inbox = client.new_inbox() + "."
        await session.subscribe(inbox + "*")
        subscribed: set[str] = set()
        while new := [channel for channel in self._channels if channel not in subscribed]:
            for channel in new:
                await session.subscribe(self._subject(channel))
            subscribed.update(new)
            await session.settle()
        self._up()
        tasks = [
            asyncio.create_task(work) for work in (self._hear(session, inbox), self._say(session, inbox), over.wait())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _subject(self, channel: str) -> str:
        return self._prefix + urlsafe_b64encode(channel.encode()).decode()

    async def _hear(self, session: "_Session", inbox: str) -> None:
        while True:
            message = await session.arrived.get()
            if message.subject.startswith(inbox):
                unheard = self._asked.pop(message.subject, None)
                if unheard is not None and (message.headers or {}).get("Status") == "503":
                    unheard()
            else:
                self._put_together(message)

    def _put_together(self, message: Msg) -> None:
        kind, name, body = message.data[:1], message.data[1 : 1 + NAME], message.data[1 + NAME :]
        if kind != WHOLE:
            parts = self._parts.setdefault(name, bytearray())
            parts += body
            if len(parts) > WAITING:
                raise BrokerCut("somebody publishes more than can be taken")
            if kind == MORE:
                return
            body = bytes(self._parts.pop(name))
        self._heard(urlsafe_b64decode(message.subject.removeprefix(self._prefix)).decode(), body)

    async def _say(self, session: "_Session", inbox: str) -> None:
        client = session.client
        room = client.max_payload - 1 - NAME
        while True:
            await self._due.wait()
            changes, messages = self._take()
            self._busy = True
            for wanted, channel in changes:
                await (session.subscribe if wanted else session.unsubscribe)(self._subject(channel))
            for channel, body, unheard in messages:
                reply = ""
                if unheard is not None:
                    reply = f"{inbox}{next(self._numbers)}"
                    self._asked[reply] = unheard
                    if len(self._asked) > ASKED:
                        self._asked.popitem(last=False)
                subject = self._subject(channel)
                *more, last = [body[at : at + room] for at in range(0, len(body), room)] or [b""]
                for part in more:
                    await client.publish(subject, MORE + self._me + part)
                await client.publish(subject, (LAST if more else WHOLE) + self._me + last, reply)
            await session.settle()
            for wanted, channel in changes:
                if wanted:
                    self._confirm(channel)
            self._busy = False


class _Session:
    """A connection on which everything arrives in one queue: the library has one for each subscription, and what they
    hold would be read in another order than it came."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._subscriptions: dict[str, Subscription] = {}

    async def subscribe(self, subject: str) -> None:
        subscription = await self.client.subscribe(subject, pending_msgs_limit=0, pending_bytes_limit=0)
        subscription._pending_queue = self.arrived
        self._subscriptions[subject] = subscription

    async def settle(self) -> None:
        """Return when the server has done all that it was told. The library sends the ping of a flush ahead of what
        waits to leave: the second one comes after it."""
        for _ in range(2):
            await self.client.flush(int(SILENCE))

    async def unsubscribe(self, subject: str) -> None:
        if (subscription := self._subscriptions.pop(subject, None)) is not None:
            await subscription.unsubscribe()
