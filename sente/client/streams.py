"""What comes from the server on its way to the application: handlers and loops, one event at a time."""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from sente.protocol.client_state import ClientState
from sente.protocol.messages import Event
from sente.transports.client_pipe import Pipe

log = logging.getLogger("sente.client")

T = TypeVar("T")
Handler: TypeAlias = Callable[[Any], Any]

STREAM_ROOM = 1024
"""Events that a loop over ``events()`` may be behind before everything else waits for it."""

CHANGES_ROOM = 64
"""Changes that a loop over ``state_changes()`` may be behind before the latest are told as one."""


class Change(NamedTuple):
    """A connection's state before and after.

    >>> Change(ClientState("c1"), ClientState("c1", open=True)).new.open
    True
    """

    old: ClientState
    new: ClientState


class Stream(AsyncIterator[T], Generic[T]):
    """What one ``async for`` loop goes over. It takes part from its creation on, until it is closed or forgotten.

    >>> hasattr(Stream, "aclose")
    True
    """

    def __init__(self, pipe: Pipe[T]) -> None:
        self._pipe = pipe

    async def __anext__(self) -> T:
        item = await self._pipe.get()
        if item is not None:
            return item
        raise self._pipe.error or StopAsyncIteration

    async def aclose(self) -> None:
        """Take no more part."""
        self._pipe.clear()

    def __del__(self) -> None:
        self._pipe.clear()  # whoever waits for room in it need not any more


class Inbox:
    """Hands events to handlers and streams in order: the next one when all are done with the one before it.

    A stream without room makes everything wait; as nothing is reported as ``delivered`` meanwhile, the core holds its
    acknowledgements back and in time the server waits, too.
    """

    def __init__(self, delivered: Callable[[], None]) -> None:
        self._delivered = delivered
        self._handlers: dict[str, list[Handler]] = {}
        self._streams: dict[Pipe[Event], frozenset[str]] = {}
        self._queue: deque[Event | Callable[[], Any]] = deque()
        self._task: asyncio.Task[None] | None = None

    def on(self, event_id: str, handler: Handler) -> Callable[[], None]:
        """Call ``handler`` with the data of each such event; with each whole event for ``"*"``."""
        handlers = self._handlers.setdefault(event_id, [])
        handlers.append(handler)

        def off() -> None:
            if handler in handlers:
                handlers.remove(handler)

        return off

    def handler(self, event_id: str) -> Handler | None:
        """The one that answers requests: the first that was registered for this very id."""
        return next(iter(self._handlers.get(event_id, ())), None)

    def stream(self, ids: frozenset[str]) -> Stream[Event]:
        """A stream of the events with these ids, or of all."""
        pipe: Pipe[Event] = Pipe(STREAM_ROOM)
        self._streams = {other: wanted for other, wanted in self._streams.items() if not other.ended} | {pipe: ids}
        return Stream(pipe)

    def put(self, item: Event | Callable[[], Any]) -> None:
        """Hand an event over, or call a function, sync or async, after what came before."""
        self._queue.append(item)
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    def end(self, error: Exception | None) -> None:
        """There is nothing more to come: end the streams, with ``error`` if it was refused."""
        self.put(lambda: self._end(error))

    async def aclose(self) -> None:
        """Stop the handler that runs, unless it is the one that asks for this, and end the streams."""
        self._queue.clear()
        self._end(None)
        task = self._task
        if task is not None and task is not asyncio.current_task():
            self._task = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _end(self, error: Exception | None) -> None:
        for pipe in self._streams:
            pipe.end(error)
        self._streams.clear()

    async def _work(self) -> None:
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, Event):
                await self._deliver(item)
                self._delivered()
            else:
                await _call(item)
        self._task = None

    async def _deliver(self, event: Event) -> None:
        for handler in list(self._handlers.get(event.id, ())):
            await _call(handler, event.data)
        for handler in list(self._handlers.get("*", ())):
            await _call(handler, event)
        for pipe, ids in list(self._streams.items()):
            if (not ids or event.id in ids) and not await pipe.put(event):
                self._streams.pop(pipe, None)


class Changes:
    """Tells the changes of state to every stream that wants to know; none of them is waited for."""

    def __init__(self) -> None:
        self._pipes: set[Pipe[Change]] = set()

    def stream(self) -> Stream[Change]:
        """A stream of the changes from now on."""
        pipe: Pipe[Change] = Pipe(CHANGES_ROOM)
        self._pipes.add(pipe)
        return Stream(pipe)

    def tell(self, change: Change) -> None:
        """The state changed."""
        self._pipes = {pipe for pipe in self._pipes if not pipe.ended}
        for pipe in self._pipes:
            pipe.put_or_merge(change, lambda last, new: Change(last.old, new.new))

    def end(self) -> None:
        """End the streams."""
        for pipe in self._pipes:
            pipe.end()
        self._pipes.clear()


async def _call(handler: Callable[..., Any], *arguments: Any) -> None:
    try:
        outcome = handler(*arguments)
        if inspect.isawaitable(outcome):
            await outcome
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        log.warning("a handler was cancelled")  # what it waited for was, not the handler
    except Exception:
        log.exception("a handler raised")
