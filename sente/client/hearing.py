"""How an application hears what the server says to its client: by handlers, and in loops."""

from collections.abc import Callable
from typing import Any, TypeVar, overload

from sente.client.streams import Handler, Inbox, Stream
from sente.errors import ConfigError
from sente.events import EventContract
from sente.interfaces import Request
from sente.protocol.messages import BAD_EVENT, RATE_LIMITED, Event, is_event_id
from sente.signatures import ClientHandles, ClientReplies
from sente.typed import Typed

H = TypeVar("H", bound=Handler)
D = TypeVar("D")
Q = TypeVar("Q", bound=Request[Any])


class Hearing:
    """The half of a client that listens."""

    def __init__(self, typed: Typed, inbox: Inbox) -> None:
        self._typed = typed
        self._inbox = inbox

    @overload
    def on(self, event: str) -> Callable[[H], H]: ...
    @overload
    def on(self, event: type[Q]) -> ClientReplies[Q]: ...
    @overload
    def on(self, event: type[D] | EventContract[D]) -> ClientHandles[D]: ...
    @overload
    def on(self, event: str, handler: Handler) -> Callable[[], None]: ...
    @overload
    def on(self, event: type[D] | EventContract[D], handler: Callable[[D], Any]) -> Callable[[], None]: ...
    def on(self, event: Any, handler: Handler | None = None) -> Any:
        """Call a function, sync or async, with the data of each such event; with each ``Event`` for ``"*"``.

        ``event`` is an id, or with ``events`` a class or contract of the registry: ``@client.on(Said)`` gets a
        ``Said``. What does not fit is logged and comes as ``chsk/bad-event``.

        Returns what unregisters it again; without ``handler`` it is a decorator. Handlers run in order, one at a time;
        what one raises is logged. A handler may ``await client.request(...)``.

        A request of the server goes to the handler registered first for its id. What that returns is the reply,
        ``RequestFailed`` and other errors go back as such; it starts in its turn, runs beside the others, and is
        cancelled when nobody waits for it any more (an async one; a sync one runs to its end).

        Raises:
            ConfigError: ``event`` is not ``namespace/name``, or not in the registry.
        """
        event_id = event if event == "*" else self._typed.identify(event)
        if event_id not in ("*", BAD_EVENT, RATE_LIMITED):
            check_event_id(event_id)
        if handler is not None:
            return self._inbox.on(event_id, handler)

        def register(function: H) -> H:
            self._inbox.on(event_id, function)
            return function

        return register

    @overload
    def events(self, event: type[D] | EventContract[D], /) -> Stream[Event[D]]: ...
    @overload
    def events(self, *events: str | type[Any] | EventContract[Any]) -> Stream[Event]: ...
    def events(self, *events: str | type[Any] | EventContract[Any]) -> Stream[Event]:
        """These events, or all, from now on: ``async for event in client.events("chat/said")``.

        With ``events`` a class or contract of the registry does as well, and the data of each is one.

        It ends when the client disconnects, and raises ``Rejected`` if the server refuses it. A loop 1024 events
        behind makes everything else wait, in the end the server: close a stream that is no longer read (``aclose``).

        Raises:
            ConfigError: an id is not ``namespace/name``, or an event is not in the registry.
        """
        event_ids = frozenset(map(self._typed.identify, events))
        for event_id in event_ids:
            check_event_id(event_id)
        return self._inbox.stream(event_ids)


def check_event_id(event_id: str) -> None:
    """An id that the application may use. Raises ``ConfigError``."""
    if not is_event_id(event_id) or event_id.startswith("chsk/"):
        raise ConfigError(f"{event_id!r}: an event id is 'namespace/name', for example 'chat/say', and not 'chsk/...'")
