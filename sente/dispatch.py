"""From an event to its handler and back to the reply; the events of one client in order, one at a time."""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Concatenate, Generic, TypeAlias, TypeVar

from sente.asking import Ask
from sente.binding import PlainBinder
from sente.errors import ConfigError, Disconnected, EventError, RequestFailed, SenteError
from sente.interfaces import HandlerBinder, UserId
from sente.protocol.messages import BAD_EVENT, DataT, is_event_id
from sente.transports.asgi import Connection
from sente.workers import Worker, Workers

log = logging.getLogger("sente")

STREAM_SIZE = 1024
"""Messages that a loop over ``messages()`` may be behind before the clients are made to wait."""


async def _nobody(*args: Any, **options: Any) -> Any:
    raise Disconnected("no client sent this message")


@dataclass(slots=True, eq=False)
class Message(Generic[DataT]):
    """An event from a client, as a handler gets it.

    ``reply`` is ``None`` unless the client asked for a reply; a handler that returns a value need not call it.
    ``send`` is ``ChannelSocket.send``. ``connection`` is the handshake of a WebSocket, or the poll or POST at hand.
    ``Message[Say]`` is one whose ``data`` is a ``Say``, as handlers of ``@chsk.on(Say)`` get it.

    >>> Message(id="chat/say", data={"text": "hi"}, uid="ada", client_id="c1", connection=None, send=None).event
    ('chat/say', {'text': 'hi'})
    """

    id: str
    data: DataT
    uid: UserId
    client_id: str
    connection: Connection | None = field(repr=False)
    """``None`` only for ``chsk/uidport-open`` and ``-close``, which no request brought."""
    send: Callable[..., Any] = field(repr=False)
    reply: Callable[[Any], None] | None = field(default=None, repr=False)
    """Answer the request. Only the first answer counts. Raises ``PackError``."""
    fail: Callable[[RequestFailed], None] | None = field(default=None, repr=False)
    """Answer it with an error; raising ``RequestFailed`` in a handler does the same."""
    request: Ask = field(default=_nobody, repr=False)
    """Ask the client that sent this message: ``await msg.request("chat/confirm", {...}, timeout=30)``. Arguments and
    errors are those of ``ChannelSocket.request``; if the message's session has ended, it raises ``Disconnected``."""
    plain: bool = field(default=False, repr=False)
    """Whether it came as plain JSON, which has strings for dates and the like."""

    @property
    def event(self) -> tuple[str, DataT]:
        """``(id, data)``."""
        return self.id, self.data


def about(message: Message) -> dict[str, object]:
    """Whose message it is, for the ``extra`` of a log record: never what is in it.

    >>> about(Message(id="chat/say", data="a secret", uid="ada", client_id="c1", connection=None, send=None))
    {'event_id': 'chat/say', 'uid': 'ada', 'client_id': 'c1'}
    """
    return {"event_id": message.id[:100], "uid": message.uid, "client_id": message.client_id}


AnyHandler: TypeAlias = Callable[Concatenate[Message[Any], ...], Any]
"""What takes a message, and whatever else the binder in use can fill in."""
H = TypeVar("H", bound=AnyHandler)
Call: TypeAlias = Callable[[Message], Awaitable[Any]]
"""A handler as it is called: its binder fills in the rest."""
ErrorHook: TypeAlias = Callable[[Exception, Message], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Handler:
    """A function for one event id."""

    function: AnyHandler
    call: Call
    """The function as the binder calls it."""
    concurrent: bool


class Dispatcher:
    """Finds handlers, calls them, and turns what they return or raise into replies."""

    def __init__(self) -> None:
        self.on_error: ErrorHook | None = None
        self.open: Callable[[Message], EventError | None] | None = None
        """Makes of a message's plain data what the registry says; ``None``: there is no registry."""
        self._binder: HandlerBinder = PlainBinder()
        self._watched: Callable[[str | None, Call], Call] = lambda event_id, call: call
        self._otherwise: Call = self._handle_otherwise
        self._handlers: dict[str, Handler] = {}
        self._streams: list[Stream] = []
        self._workers = Workers()
        self._open = 0  # jobs that are not done
        self._closing = False

    def on(self, event_id: str, *, concurrent: bool = False) -> Callable[[H], H]:
        """Register the decorated function for ``event_id``."""
        if not is_event_id(event_id):
            raise ConfigError(f"on({event_id!r}): an event id is 'namespace/name', for example 'chat/say'")
        if event_id in self._handlers:
            raise ConfigError(f"on({event_id!r}): this event has a handler already")

        def register(function: H) -> H:
            self._handlers[event_id] = Handler(function, self._bound(event_id, function, self._binder), concurrent)
            return function

        return register

    def bind(self, binder: HandlerBinder) -> None:
        """Fill the parameters of all handlers by ``binder``, also of those that are registered already."""
        bound = {
            id: replace(handler, call=self._bound(id, handler.function, binder))
            for id, handler in self._handlers.items()
        }
        self._binder, self._handlers = binder, bound

    def _bound(self, event_id: str, function: AnyHandler, binder: HandlerBinder) -> Call:
        return self._watched(event_id, binder.bind(function))

    def watch(self, watched: Callable[[str | None, Call], Call]) -> None:
        """Call each handler, by its event id, through what ``watched`` makes of it; ``None`` is for all other events.

        To be said before there are handlers. Without it nothing is paid: a call goes where it went.
        """
        self._watched, self._otherwise = watched, watched(None, self._handle_otherwise)

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
        """Whether a handler runs, or is about to."""
        return self._open > 0

    def wants(self, event_id: str) -> bool:
        """Whether anything would become of such an event."""
        return event_id in self._handlers or bool(self._streams)

    def is_concurrent(self, message: Message) -> bool:
        """Whether the message's handler opted out of the client's order."""
        handler = self._handlers.get(message.id)
        return handler is not None and handler.concurrent

    async def _handle_otherwise(self, message: Message) -> None:
        if self._streams:
            for stream in list(self._streams):
                await stream.put(message)
        elif message.fail is None:
            # A stranger wrote it: no line breaks, and not too long.
            log.warning("no handler for %.100r", message.id, extra=about(message))
        elif message.id == BAD_EVENT:
            raise _invalid_event()
        else:
            raise RequestFailed("no_handler", f"nobody handles {message.id}")

    async def _fail(self, error: Exception, message: Message) -> None:
        if message.fail is not None:  # no detail crosses the wire
            message.fail(_internal())
        await self._report(error, message)

    def report(self, error: Exception, message: Message) -> None:
        """Tell log and error hook of what no handler has raised."""

        async def tell(worker: Worker) -> None:
            await self._report(error, message)

        self._workers.put(tell)

    async def _report(self, error: Exception, message: Message) -> None:
        exc_info = None if isinstance(error, SenteError) else error
        log.error("handler of %s: %s", message.id, error, exc_info=exc_info, extra=about(message))
        await self._tell(error, message)

    async def _load(self, open_: Callable[[Message], EventError | None], message: Message) -> None:
        misfit = open_(message)
        if misfit is not None:
            # A stranger wrote some of it: no line breaks.
            log.warning("not handled: %r", str(misfit), extra=about(message))
            await self._tell(misfit, message)

    async def _tell(self, error: Exception, message: Message) -> None:
        if self.on_error is not None:
            try:
                outcome = self.on_error(error, message)
                if inspect.isawaitable(outcome):
                    await outcome
            except Exception:
                log.exception("on_error raised", extra=about(message))

    def begin(self, job: "Job") -> None:
        """Handle a message beside the others; its lane is told afterwards."""
        if not self._closing:  # else it waited for a handler that is being stopped
            self._open += 1
            self._workers.put(partial(self._run, job))

    async def _run(self, job: "Job", worker: Worker) -> None:
        """Handle the job's message. Nothing is raised: errors go to the asker, the log and the error hook."""
        job.worker = worker
        message = job.message
        try:
            if self.open is not None and not job.cancelled:
                await self._load(self.open, message)
            handler = self._handlers.get(message.id)
            if job.cancelled:
                pass
            elif handler is None:
                await self._otherwise(message)
            else:
                result = await handler.call(message)
                if message.reply is not None:
                    if message.id == BAD_EVENT:
                        raise _invalid_event()
                    message.reply(result)
        except RequestFailed as failed:
            if message.fail is not None:
                message.fail(failed)
            else:
                await self._report(failed, message)
        except asyncio.CancelledError as cancelled:
            if worker.cancelling():
                raise
            error = RuntimeError("something that the handler waited for was cancelled")
            error.__cause__ = cancelled
            await self._fail(error, message)
        except Exception as error:
            await self._fail(error, message)
        except BaseException as stop:  # SystemExit, say: it goes on its way, and nobody waits for a reply any more
            if message.fail is not None and not isinstance(stop, GeneratorExit):
                message.fail(_internal())
            raise
        finally:
            job.worker = None
            self._open -= 1
            job.lane.finished(job)

    def cancel(self, job: "Job") -> None:
        """Stop what handles the job's message, unless it is a sync function."""
        handler = self._handlers.get(job.message.id)
        if job.worker is None:
            job.cancelled = True  # before it begins
        elif handler is None or inspect.iscoroutinefunction(handler.function):  # a thread cannot be stopped
            job.worker.cancel()

    async def aclose(self) -> None:
        """Stop the handlers that still run."""
        self._closing = True
        await self._workers.aclose()
        self._open = 0
        self._closing = False


def _internal() -> RequestFailed:
    return RequestFailed("internal", "the server could not handle this")


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


@dataclass(slots=True, eq=False)
class Job:
    """A message on its way through a lane."""

    message: Message
    ref: int | None
    lane: "Lane"
    concurrent: bool
    size: int = 0
    number: int = 0
    worker: Worker | None = None
    """What handles it."""
    cancelled: bool = False


class Lane:
    """The messages of one client, handled one after the other; ``done`` is called after each, with size and number."""

    __slots__ = ("_asked", "_dispatcher", "_done", "_queue", "_running")

    def __init__(self, dispatcher: Dispatcher, done: Callable[[int, int], None]) -> None:
        self._dispatcher = dispatcher
        self._done = done
        self._queue: list[Job] = []  # short, and mostly empty: a deque would take 0.8 KB of each client
        self._running = False
        self._asked: dict[int, Job] = {}

    def put(self, message: Message, ref: int | None = None, size: int = 0, number: int = 0) -> None:
        """Handle ``message`` after those before it, or beside them if its handler opted out.

        ``ref`` names a request for ``cancel``.
        """
        concurrent = self._dispatcher.is_concurrent(message)
        job = Job(message, ref, self, concurrent, size, number)
        if ref is not None:
            self._asked[ref] = job
        if not concurrent and self._running:
            return self._queue.append(job)
        self._running |= not concurrent
        self._dispatcher.begin(job)

    def cancel(self, ref: int) -> None:
        """Nobody waits for the reply to this request any more. One that is done is done."""
        job = self._asked.get(ref)
        if job is None:
            return
        if job in self._queue:
            self._queue.remove(job)
            del self._asked[ref]
            self._done(job.size, job.number)
        else:
            self._dispatcher.cancel(job)

    def finished(self, job: Job) -> None:
        """The job has been handled: it is the next one's turn."""
        if job.ref is not None:
            del self._asked[job.ref]
        self._done(job.size, job.number)
        if not job.concurrent:
            self._running = bool(self._queue)
            if self._queue:
                self._dispatcher.begin(self._queue.pop(0))
