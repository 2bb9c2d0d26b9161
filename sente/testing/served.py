"""An application and its clients in the process of the test: started as a server would, and what clients received."""

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

from sente.client import Client, Event
from sente.interfaces import ASGIApp, Receive, Scope, Send

PATIENCE = 5.0
"""Seconds that a test waits for anything: long on a busy machine, short for whoever waits for the red."""

ROOM = 10_000
"""Events that ``received`` remembers; of more it forgets the oldest."""

T = TypeVar("T")


class Received(list[Event]):
    """Every event that a client received, in order; and what waits for more::

    said = await client.received.next("chat/said")
    assert said.data["by"] == "ada"
    """

    def __init__(self, identify: Callable[[object], str], timeout: float) -> None:
        super().__init__()
        self._identify = identify
        self._timeout = timeout
        self._fresh: list[Event] = []  # those that next has not returned
        self._arrived = asyncio.Event()

    def take(self, event: Event) -> None:
        """One more has come."""
        for events in (self, self._fresh):
            events.append(event)
            del events[:-ROOM]
        self._arrived.set()

    async def next(self, *events: Any, timeout: float | None = None) -> Event:
        """The first of these events, ids or classes, of any without, that ``next`` has not returned yet.

        Raises:
            AssertionError: none came within ``timeout`` seconds, by default those of the client; says what came.
        """
        ids = {self._identify(event) for event in events}
        wanted = " or ".join(sorted(ids)) or "event"
        event = await self._wait(lambda: self._first(ids), f"no {wanted}", timeout)
        self._fresh.remove(event)
        return event

    async def at_least(self, count: int, *, timeout: float | None = None) -> list[Event]:
        """All that came, as soon as these are ``count`` events or more. Raises ``AssertionError`` as ``next`` does."""
        return await self._wait(lambda: list(self) if len(self) >= count else None, f"not {count} events", timeout)

    def _first(self, ids: set[str]) -> Event | None:
        return next((event for event in self._fresh if not ids or event.id in ids), None)

    async def _wait(self, found: Callable[[], T | None], complaint: str, timeout: float | None) -> T:
        seconds = self._timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                while (outcome := found()) is None:
                    self._arrived.clear()
                    await self._arrived.wait()
                return outcome
        except TimeoutError:
            raise AssertionError(f"{complaint} within {seconds:g} s; came: {_shown(self)}") from None


def _shown(events: Iterable[Event]) -> str:
    return ", ".join(f"{event.id} {event.data!r:.80}" for event in list(events)[-10:]) or "nothing"


class ServedClient(Client):
    """A ``Client`` that remembers what it received: what ``Served.client()`` makes::

    async with Served(app) as server, server.client() as client:
        assert (await client.received.next("chat/said")).data["by"] == "ada"
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.received = Received(self._typed.identify, self._timeout)
        """Every event that came, from the first on."""
        self.on("*", self.received.take)


class Served:
    """An application that runs while the ``async with`` does, without a server, and clients of it::

        async with Served(app, "/chsk") as server, server.client(params={"name": "ada"}) as ada:
            assert await ada.request("chat/say", {"text": "hi"}) == 1
            assert (await ada.received.next("chat/said")).data["by"] == "ada"

    Its lifespan runs, as under a server; with the state that it leaves for requests.

    Args:
        app: An ASGI application: yours, with the channel socket in it, or a ``ChannelSocket``.
        url: The path of the channel socket. A ``ChannelSocket`` itself answers at any.
        options: What every client gets, see ``Client``: ``transport="poll"``, ``events=``, ``headers=``. They wait 5 s
            at most for a connection, a reply and an event, where ``Client`` waits 10 s, 8 s and for ever.
    """

    def __init__(self, app: ASGIApp, url: str = "/chsk", **options: Any) -> None:
        self._app = app
        self._options = {"url": url, "timeout": PATIENCE, "connect_timeout": PATIENCE, **options}
        self._state: dict[str, Any] = {}
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._failure = ""
        self._lifespan: asyncio.Task[None] | None = None

    def client(self, **options: Any) -> ServedClient:
        """A client, for ``async with``; ``options`` of ``Client`` go before those of all."""
        return ServedClient(app=self._with_state, **{**self._options, **options})

    async def __aenter__(self) -> Self:
        """Start the application. Raises what its startup raises."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
        self._lifespan = asyncio.ensure_future(self._app(scope, self._receive, self._send))
        begun = asyncio.create_task(self._begun.wait())
        await asyncio.wait([begun, self._lifespan], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._failure or not self._begun.is_set():
            await self._end()
            raise RuntimeError(f"the application did not start: {self._failure or 'its lifespan does not say so'}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        self._over.set()
        assert self._lifespan is not None
        async with asyncio.timeout(PATIENCE):
            await self._lifespan

    async def _receive(self) -> dict[str, Any]:
        if not self._begun.is_set() and not self._over.is_set():
            return {"type": "lifespan.startup"}
        await self._over.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "lifespan.startup.failed":
            self._failure = message.get("message") or "it said no more"
        self._begun.set()

    async def _with_state(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": dict(self._state)}, receive, send)
