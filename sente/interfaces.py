"""Every plug-in point, and the plain types they share.

A plug-in is an object with the methods of one of these protocols; it is handed over, never registered anywhere.
"""

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final, Generic, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from sente.protocol.messages import Side

R_co = TypeVar("R_co", covariant=True)

Wire: TypeAlias = str | bytes
"""What a packer writes: ``str`` travels as a text frame, ``bytes`` as a binary one."""

UserId: TypeAlias = str | int | None
"""Who a client is: what ``user_id`` returns. ``None`` is a client without user."""


class Anonymous:
    """The type of ``ANONYMOUS``.

    >>> ANONYMOUS
    ANONYMOUS
    """

    def __repr__(self) -> str:
        return "ANONYMOUS"


ANONYMOUS: Final = Anonymous()
"""Every client without a user: ``chsk.send(ANONYMOUS, "news/headline", {...})``."""

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
"""ASGI 3, without a framework."""


@runtime_checkable
class Packer(Protocol):
    """How values become frames. Pure, synchronous, stateless between calls.

    >>> from sente.packers.json import JsonPacker
    >>> isinstance(JsonPacker(), Packer)
    True
    """

    @property
    def name(self) -> str:
        """What the handshake negotiates: ``json``, ``msgpack``, ..."""
        ...

    def pack(self, value: Any, /) -> Wire:
        """Write a value. Raises ``PackError``, nothing else."""
        ...

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value. Raises ``UnpackError``, nothing else."""
        ...


@runtime_checkable
class JoinablePacker(Packer, Protocol):
    """A packer whose parts, packed apart, may be joined into one list: an event is packed once for all its clients."""

    def part(self, value: Any, /) -> Wire:
        """Write a value that will be joined with others. Raises ``PackError``."""
        ...

    def join(self, parts: Sequence[Any], /) -> Wire:
        """The part that is the list of these parts."""
        ...

    def frame(self, part: Any, /) -> Wire:
        """What travels of a part that is whole now: what ``pack`` would have written, compressed, say."""
        ...


def joinable(packer: Packer) -> JoinablePacker | None:
    """The packer, if its parts may be joined. Asked of each packet, so it looks once at each class: to look at the
    members of a protocol takes longer than to pack a small event.

    >>> from sente.packers import get
    >>> joinable(get("json")).join(["1", "2"])
    '[1,2]'
    """
    found: Any = packer
    return found if _has_parts(type(packer)) else None


@lru_cache(maxsize=256)
def _has_parts(kind: type[Packer]) -> bool:
    return all(hasattr(kind, method) for method in ("part", "join", "frame"))


@runtime_checkable
class NamingPacker(Packer, Protocol):
    """A packer in which the id of an event is something else than a string: in Sente's own it is a keyword."""

    def event_id(self, name: str, /) -> Any:
        """What an id is written as; equal to ``name`` when it is read again."""
        ...


def event_form(packer: Packer, event_id: str, data: Any) -> list[Any]:
    """What is packed of an event.

    >>> from sente.packers import get
    >>> event_form(get("json"), "chat/say", 1)
    ['chat/say', 1]
    """
    named = getattr(packer, "event_id", None)  # asked of each event
    return [event_id if named is None else named(event_id), data]


@runtime_checkable
class VariedPacker(Packer, Protocol):
    """A packer with capabilities: forms that not everyone who knows its name can read. What a side reads it says with
    the name, ``auto+gzip+msgpack``; what the other side does not read it is never sent."""

    @property
    def accepts(self) -> tuple[str, ...]:
        """What this side reads."""
        ...

    def for_peer(self, accepts: Collection[str]) -> Packer:
        """The packer of the same name that writes only what a peer reads that accepts these, all from ``accepts``; the
        same object for the same peer."""
        ...


@runtime_checkable
class FormPacker(Packer, Protocol):
    """A packer that can be told which form to write: ``chsk.send(..., form="msgpack")``."""

    def in_form(self, form: str) -> Packer:
        """The packer that writes this form where it is read. Raises ``ConfigError``."""
        ...


def offer(packer: Packer) -> str:
    """A packer's name with all that this side reads of it, for the query and the welcome.

    >>> from sente.packers import get
    >>> offer(get("json"))
    'json'
    """
    accepts = getattr(packer, "accepts", ())  # each client is told: isinstance looks at all members
    return "+".join([packer.name, *accepts])


@runtime_checkable
class PlainPacker(Packer, Protocol):
    """A packer that has plain JSON only: what it reads has strings where the other side had a UUID or a date."""

    @property
    def plain(self) -> bool:
        """Whether that is so; a registry then takes the strings for what they say."""
        ...


def is_plain_json(packer: Packer) -> bool:
    """Whether types arrive as plain JSON from this packer.

    >>> from sente.packers import get
    >>> is_plain_json(get("json")), is_plain_json(get("msgpack"))
    (True, False)
    """
    return getattr(packer, "plain", False) is True  # asked of each event


class Request(Generic[R_co]):
    """Marks an event that is replied to, and with what: for type checkers, and for the registry.

    >>> from pydantic import BaseModel
    >>> class Say(BaseModel, Request[int]):
    ...     text: str

    So ``await client.request(Say(text="hi"))`` is an ``int``, and its handler returns one. It suits dataclasses too.
    """

    __slots__ = ()


class _Fields(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


class _Model(Protocol):
    __pydantic_fields__: ClassVar[dict[str, Any]]


EventObject: TypeAlias = _Fields | _Model | Request[Any]
"""An event as an object of its own class, which says its id: a pydantic model, a dataclass."""


@runtime_checkable
class Registry(Protocol):
    """The typed edge: which events there are, and what each carries. ``ChannelSocket`` and ``Client`` take it as
    ``events=``; ``EventRegistry`` is one, ``sente.testing.check_registry`` the proof for another.

    >>> from sente.events import EventRegistry
    >>> isinstance(EventRegistry(), Registry)
    True

    ``sender`` is the side that says the event, also where ``reply`` says that its reply is meant. A registry is called
    in the event loop and, by ``chsk.send``, in any thread.
    """

    def identify(self, event: object, /) -> str:
        """The id of an event: of an id itself, of an event's type, or of an object of that type.

        Raises ``UnknownEvent``.
        """
        ...

    def load(self, event_id: str, value: Any, /, *, sender: Side, reply: bool = False, plain: bool = False) -> Any:
        """What the application gets of a value that was unpacked. ``plain``: by a packer that has plain JSON only.

        Raises ``EventError``, nothing else: the value is a stranger's.
        """
        ...

    def dump(self, event_id: str, value: Any, /, *, sender: Side, reply: bool = False) -> Any:
        """What is packed of a value of the application's. Raises ``EventError``."""
        ...

    def deadline(self, event_id: str, /) -> float | None:
        """Seconds that a request waits for its reply, unless it says otherwise; ``None``: whatever is the default."""
        ...


@runtime_checkable
class HandlerBinder(Protocol):
    """How the parameters of a handler on the server are filled: ``chsk.bind(binder)``. Without one a handler takes the
    message alone; ``channel_router`` brings one that knows FastAPI's dependencies.
    ``sente.testing.check_binder`` is the proof for another.

    >>> class WithHour:
    ...     def bind(self, handler):
    ...         async def call(message):
    ...             return await handler(message, hour=12)
    ...         return call
    >>> isinstance(WithHour(), HandlerBinder)
    True
    """

    def bind(self, handler: Callable[..., Any], /) -> Callable[[Any], Awaitable[Any]]:
        """The handler as a function of a ``Message`` to await; a sync handler has to run in a thread.

        Called once for each handler. What the result raises, the handler has raised: ``RequestFailed`` refuses.

        Raises:
            ConfigError: a parameter cannot be filled.
        """
        ...


@runtime_checkable
class HashedRegistry(Registry, Protocol):
    """A registry that says which version of each event it has, so that the two sides find out when they differ."""

    def hashes(self) -> Mapping[str, str]:
        """A short hash of each event by its id, the same in each process."""
        ...


@runtime_checkable
class KeyedRegistry(Registry, Protocol):
    """A registry with events of which not each one has to arrive."""

    def key(self, event_id: str, value: Any, /) -> Hashable | None:
        """What a newer event must have too to replace this one while it has not left; ``None``: nothing replaces it;
        ``sente.protocol.messages.VOLATILE``: it leaves on the line there is, or not at all.

        Called with what ``dump`` took. Raises ``EventError``.
        """
        ...


@runtime_checkable
class RepeatableRegistry(Registry, Protocol):
    """A registry with requests that may be handled twice."""

    def idempotent(self, event_id: str, /) -> bool:
        """Whether that does no harm: then the request is asked again if a session ends before its reply came."""
        ...


class BrokerLine(Protocol):
    """The way of one process to the others. It comes back by itself after it was cut, with all that was subscribed.

    While it is whole, what one line publishes arrives once, in order over all channels, at every line that has
    subscribed by then. A message is lost only by a line whose ``state`` says False meanwhile.
    """

    async def subscribe(self, channels: Collection[str], /) -> None:
        """Hear these from now on: it returns when whatever is published then arrives; at once while the line is cut."""
        ...

    def unsubscribe(self, channels: Collection[str], /) -> None:
        """Hear these no longer, soon."""
        ...

    def publish(self, channel: str, body: bytes, unheard: Callable[[], None] | None = None, /) -> bool:
        """Tell whoever has subscribed, which may be this line too. Waits for nothing: what is published in one turn of
        the loop leaves together. False: it was not taken, as the line is cut.

        ``unheard`` is called, if that can be known, when nobody heard it.
        """
        ...

    async def aclose(self) -> None:
        """Send what waits, if that can be done soon, and let go of the line."""
        ...


@runtime_checkable
class Broker(Protocol):
    """What carries messages between processes: ``ChannelSocket(broker=...)``. It keeps nothing.
    ``sente.testing.check_broker`` is the proof for another.

    >>> from sente.brokers.memory import MemoryBroker
    >>> isinstance(MemoryBroker(), Broker)
    True
    """

    @property
    def name(self) -> str:
        """``redis``, ``nats``, ``memory``: for logs."""
        ...

    async def connect(self, heard: Callable[[str, bytes], None], state: Callable[[bool], None], /) -> BrokerLine:
        """Open a line, on the running loop. ``heard`` is called with channel and body of each message; ``state`` with
        True when the line is there, False when it is cut. One that cannot be opened now goes on trying: no error.

        Raises:
            ConfigError: it will never be: a setting is wrong.
        """
        ...


class ClientLink(Protocol):
    """An open WebSocket, as a client transport hands it over."""

    async def send(self, wire: Wire) -> None:
        """Send one frame. Raises ``LinkClosed``."""
        ...

    async def receive(self) -> Wire:
        """The next frame. Raises ``LinkClosed``."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close; never raises, and does not wait for the other side. 1006: cut the line without a close frame."""
        ...


class LinkClosed(Exception):
    """A client's link is closed, or could not be opened: with a close code or HTTP status, if there was one.

    >>> LinkClosed(4401, "log in first").code
    4401
    """

    def __init__(self, code: int | None = None, message: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class ClientTransport(Protocol):
    """How a client reaches the server: over the network, or an ASGI application in the same process."""

    async def open(self, url: str, headers: Mapping[str, str], limit: int) -> ClientLink:
        """Open a WebSocket that takes frames up to ``limit`` bytes. Raises ``LinkClosed``."""
        ...

    async def fetch(
        self, method: Literal["GET", "POST"], url: str, headers: Mapping[str, str], body: bytes, limit: int
    ) -> bytes:
        """The body of a 200 answer, up to ``limit`` bytes. Raises ``LinkClosed`` with the status of any other."""
        ...

    async def aclose(self) -> None:
        """Let go of what the transport holds."""
        ...
