"""From an event to its handler and back to the reply; the events of one client in order, one at a time."""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

from sente.errors import ConfigError, Disconnected, RequestFailed, SenteError
from sente.interfaces import UserId
from sente.protocol.messages import BAD_EVENT, is_event_id
from sente.transports.asgi import Connection

log = logging.getLogger("sente")

STREAM_SIZE = 1024
"""Messages that a loop over ``messages()`` may be behind before the clients are made to wait."""


async def _nobody(*args: Any, **options: Any) -> Any:
    raise Disconnected("no client sent this message")


@dataclass(slots=True, eq=False)
class Message:
    """An event from a client, as a handler gets it.

    ``reply`` is ``None`` unless the client asked for a reply; a handler that returns a value need not call it.
    ``send`` is ``ChannelSocket.send``. ``connection`` is the handshake of a WebSocket, or the poll or POST at hand.

    >>> Message(id="chat/say", data={"text": "hi"}, uid="ada", client_id="c1", connection=None, send=None).event
    ('chat/say', {'text': 'hi'})
    """

    id: str
    data: Any
    uid: UserId
    client_id: str
    connection: Connection | None = field(repr=False)
    """``None`` only for ``chsk/uidport-open`` and ``-close``, which no request brought."""
    send: Callable[..., Any] = field(repr=False)
    reply: Callable[[Any], None] | None = field(default=None, repr=False)
    """Answer the request. Only the first answer counts. Raises ``PackError``."""
    fail: Callable[[RequestFailed], None] | None = field(default=None, repr=False)
    """Answer it with an error; raising ``RequestFailed`` in a handler does the same."""
    request: Callable[..., Awaitable[Any]] = field(default=_nobody, repr=False)
    """Ask the client that sent this message: ``await msg.request("chat/confirm", {...}, timeout=30)``. Arguments and
    errors are those of ``ChannelSocket.request``; if the message's session has ended, it raises ``Disconnected``."""

    @property
    def event(self) -> tuple[str, Any]:
        """``(id, data)``."""
        return self.id, self.data


AnyHandler: TypeAlias = Callable[[Message], Any]
H = TypeVar("H", bound=AnyHandler)
ErrorHook: TypeAlias = Callable[[Exception, Message], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Handler:
    """A function for one event id; a sync one runs in a thread, so that it may block."""

    function: AnyHandler
    concurrent: bool

    @property
    def cancellable(self) -> bool:
        """Whether it can be stopped: a thread cannot."""
        return inspect.iscoroutinefunction(self.function)

    async def __call__(self, message: Message) -> Any:
        """Call the function and wait for what it returns."""
        if self.cancellable:
            return await self.function(message)
        result = await asyncio.to_thread(self.function, message)
        return await result if inspect.isawaitable(result) else result


class Dispatcher:
    """Finds handlers, calls them, and turns what they return or raise into replies."""

    def __init__(self) -> None:
        self.on_error: ErrorHook | None = None
        self._handlers: dict[str, Handler] = {}
        self._streams: list[Stream] = []
        self._tasks: dict[Message, asyncio.Task[None]] = {}
        self._closing = False

    def on(self, event_id: str, *, concurrent: bool = False) -> Callable[[H], H]:
        """Register the decorated function for ``event_id``."""
        if not is_event_id(event_id):
            raise ConfigError(f"on({event_id!r}): an event id is 'namespace/name', for example 'chat/say'")
        if event_id in self._handlers:
            raise ConfigError(f"on({event_id!r}): this event has a handler already")

        def register(function: H) -> H:
            self._handlers[event_id] = Handler(function, concurrent)
            return function

        return register

    async def messages(self) -> AsyncIterator[Message]:
        """Every message that has no handler, in the order of arrival, from the first iteration on."""
        stream = Stream()
        self._streams.append(stream)
        try:
            while True:
                yield await stream.get()
        finally:
            self._streams.remove(stream)
            stream.close()

    @property
    def busy(self) -> bool:
        """Whether a handler runs."""
        return bool(self._tasks)

    def wants(self, event_id: str) -> bool:
        """Whether anything would become of such an event."""
        return event_id in self._handlers or bool(self._streams)

    def is_concurrent(self, message: Message) -> bool:
        """Whether the message's handler opted out of the client's order."""
        handler = self._handlers.get(message.id)
        return handler is not None and handler.concurrent

    async def handle(self, message: Message) -> None:
        """Handle one message. Nothing is raised: errors go to the asker, the log and the error hook."""
        try:
            await self._handle(message)
        except RequestFailed as failed:
            if message.fail is not None:
                message.fail(failed)
            else:
                await self._report(failed, message)
        except Exception as error:  # whatever a handler raises: no detail crosses the wire
            if message.fail is not None:
                message.fail(RequestFailed("internal", "the server could not handle this"))
            await self._report(error, message)

    async def _handle(self, message: Message) -> None:
        handler = self._handlers.get(message.id)
        if handler is not None:
            result = await handler(message)
            if message.reply is not None:
                if message.id == BAD_EVENT:
                    raise _invalid_event()
                message.reply(result)
        elif self._streams:
            for stream in list(self._streams):
                await stream.put(message)
        elif message.fail is None:
            log.warning("no handler for %.100r", message.id)  # a stranger wrote it: no line breaks, and not too long
        elif message.id == BAD_EVENT:
            raise _invalid_event()
        else:
            raise RequestFailed("no_handler", f"nobody handles {message.id}")

    async def _report(self, error: Exception, message: Message) -> None:
        log.error("handler of %s: %s", message.id, error, exc_info=None if isinstance(error, SenteError) else error)
        if self.on_error is not None:
            try:
                outcome = self.on_error(error, message)
                if inspect.isawaitable(outcome):
                    await outcome
            except Exception:
                log.exception("on_error raised")

    def spawn(self, message: Message, done: Callable[[], None]) -> None:
        """Handle a message beside the others; ``done`` is called afterwards."""
        if self._closing:  # what waited for a handler that is being stopped
            return

        async def run() -> None:
            try:
                await self.handle(message)
            finally:
                done()

        task = self._tasks[message] = asyncio.create_task(run())
        task.add_done_callback(lambda _: self._tasks.pop(message))

    def cancel(self, message: Message) -> bool:
        """Stop what handles the message, unless it is a sync function; False if nothing handles it."""
        task = self._tasks.get(message)
        handler = self._handlers.get(message.id)
        if task is not None and (handler is None or handler.cancellable):
            task.cancel()
        return task is not None

    async def aclose(self) -> None:
        """Stop the handlers that still run."""
        self._closing = True
        for task in (tasks := list(self._tasks.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._closing = False


def _invalid_event() -> RequestFailed:
    return RequestFailed("invalid_event", "an event is [id, data] with an id like 'chat/say'")


class Stream:
    """Messages on their way to a loop; who brings one waits while there are too many."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False

    async def put(self, message: Message) -> None:
        """Add a message as soon as there is room."""
        while len(self._messages) >= STREAM_SIZE and not self._closed:
            self._room.clear()
            await self._room.wait()
        self._messages.append(message)
        self._arrived.set()

    async def get(self) -> Message:
        """The next message."""
        while not self._messages:
            self._arrived.clear()
            await self._arrived.wait()
        message = self._messages.popleft()
        if len(self._messages) <= STREAM_SIZE // 2:
            self._room.set()
        return message

    def close(self) -> None:
        """Let go of all who wait for room."""
        self._closed = True
        self._room.set()


class Lane:
    """The messages of one client, handled one after the other by a task that runs only while there are some."""

    __slots__ = ("_asked", "_dispatcher", "_queue", "_running")

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._queue: deque[tuple[Message, Callable[[], None]]] = deque()
        self._running = False
        self._asked: dict[int, Message] = {}

    def put(self, message: Message, done: Callable[[], None], ref: int | None = None) -> None:
        """Handle ``message`` after those before it, or beside them if its handler opted out; then call ``done``.

        ``ref`` names a request for ``cancel``.
        """
        if ref is not None:
            self._asked[ref] = message
            done = partial(self._answered, ref, done)
        if self._dispatcher.is_concurrent(message):
            return self._dispatcher.spawn(message, done)
        self._queue.append((message, done))
        if not self._running:
            self._next()

    def cancel(self, ref: int) -> None:
        """Nobody waits for the reply to this request any more. One that is done is done."""
        message = self._asked.get(ref)
        if message is None or self._dispatcher.cancel(message):
            return
        for waiting in [waiting for waiting in self._queue if waiting[0] is message]:
            self._queue.remove(waiting)
            waiting[1]()

    def _answered(self, ref: int, done: Callable[[], None]) -> None:
        del self._asked[ref]
        done()

    def _next(self) -> None:
        self._running = bool(self._queue)
        if self._queue:
            message, done = self._queue.popleft()
            self._dispatcher.spawn(message, partial(self._finish, done))

    def _finish(self, done: Callable[[], None]) -> None:
        done()
        self._next()
