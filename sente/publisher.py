"""Events to users from outside: scripts, task queues, other web frameworks."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

from sente.channel_socket import ChannelSocket
from sente.errors import BrokerError, ConfigError
from sente.interfaces import Broker, Registry
from sente.outgoing import Outgoing
from sente.packers.handlers import TypeHandler
from sente.packers.negotiation import Packers

T = TypeVar("T")


class Publisher(Outgoing):
    """Says events to the users of a running application, from a process that serves nobody: a task of Celery, a view of
    Django, a script. It takes part as the other processes do, so ``send``, ``broadcast``, ``request``, ``disconnect``
    and ``online`` are those of ``ChannelSocket``::

        async with Publisher(RedisBroker("redis://127.0.0.1")) as publisher:
            publisher.send("ada", "job/done", {"id": 7})

        with Publisher(RedisBroker("redis://127.0.0.1")) as publisher:  # without asyncio, from any thread
            receipt = publisher.send("ada", "job/done", {"id": 7})
            print(publisher.wait(receipt.delivered()))

    Keep it open if you say more than one thing: to begin takes a connection. Both forms wait for the broker, and at the
    end until all has left.

    Args:
        broker: The broker of the application, with the same prefix.
        packers: As those of the application's ``ChannelSocket``.
        types: Likewise.
        events: Likewise: an ``EventRegistry`` checks what is said.
        durable: Likewise: what is said is stored for sessions also while no process serves them.
        timeout: Seconds that the broker has to be there.

    >>> Publisher.__name__
    'Publisher'

    Raises:
        BrokerError: on entering, the broker is not there; on leaving, it has not been given all.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        packers: Packers = "auto,json",
        types: Iterable[TypeHandler[Any]] = (),
        events: Registry | None = None,
        durable: bool = False,
        timeout: float = 5.0,
    ) -> None:
        chsk = ChannelSocket(broker=broker, packers=packers, types=types, events=events, durable=durable)
        self._begin(chsk, timeout)

    @classmethod
    def of(cls, chsk: ChannelSocket, *, timeout: float = 5.0) -> Self:
        """One with the settings of a ``ChannelSocket`` that does not run in this process: that of the application, as
        it can be imported. Raises ``ConfigError`` if that has no broker."""
        publisher = cls.__new__(cls)
        publisher._begin(chsk, timeout)
        return publisher

    def _begin(self, chsk: ChannelSocket, timeout: float) -> None:
        if chsk._cluster is None:
            raise ConfigError("a Publisher needs a broker: the ChannelSocket has none")
        self._hub, self._sending, self._cluster = chsk._hub, chsk._sending, chsk._cluster
        self._cluster.announces = False
        self._timeout = timeout
        self._running: AbstractAsyncContextManager[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def __aenter__(self) -> Self:
        assert self._cluster is not None, "it was asked for"
        self._running = self._cluster.running()
        await self._running.__aenter__()
        if not await self._all_said():
            await self._running.__aexit__(None, None, None)
            raise BrokerError(f"the broker is not there within {self._timeout:g} s: the log says why")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._running is not None and self._cluster is not None, "it has been entered"
        left = await self._all_said()
        unsaid = self._cluster.unsaid
        await self._running.__aexit__(kind, error, trace)
        if not left and error is None:
            raise BrokerError(f"the broker is away: {unsaid} events were not given to it")

    async def _all_said(self) -> bool:
        assert self._cluster is not None
        try:
            async with asyncio.timeout(self._timeout):
                while self._cluster.unsaid is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return False
        return True

    # -- without asyncio

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sente-publisher", daemon=True)
        self._thread.start()
        try:
            return self.wait(self.__aenter__())
        except BaseException:
            self._end_thread()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.wait(self.__aexit__(kind, error, trace))
        finally:
            self._end_thread()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something that is awaited elsewhere: ``publisher.wait(publisher.online("ada"))``. Only within
        ``with``; not within ``async with``, where it is awaited."""
        if self._loop is None:
            work.close()
            raise ConfigError("publisher.wait(...) is for `with Publisher(...)`; elsewhere, await it")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_thread(self) -> None:
        assert self._loop is not None and self._thread is not None, "it has been entered"
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = None
