"""What travels: packets as dataclasses, and their plain form ``[message, ref, seq, ack, status]`` (§3).

``read_packet`` takes what a packer unpacked, ``write_packet`` gives what a packer packs; trailing nulls are left out.
``seq`` is the number of the first event, request or reply in the packet: ``0`` says not numbered, ``None`` says "goes
on from the packet before it on this link", which keeps a push the same bytes for every client.

Packets are never changed. They are not frozen, because that takes longer than to read one.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeAlias, assert_never

import typing_extensions

from sente.errors import ProtocolError

MAX_NUMBER = 2**53 - 1
"""Largest number on the wire: what JavaScript counts exactly."""

BAD_EVENT = "chsk/bad-event"
"""The id under which something that is no event is handed to the application (Sente's name)."""

BYE = "chsk/bye"
"""The last event of a session, from either side."""

AUTH = "chsk/auth"
"""The request with which a client shows new credentials."""

AUTH_DUE = "chsk/auth-due"
"""The event that tells a client that its credentials are about to expire."""

RATE_LIMITED = "chsk/rate-limited"
"""The event that tells a client how many of its events were dropped, as they came too often."""

CANCEL = "chsk/cancel"
"""The event that says a request is no longer wanted; its data is the request's ``ref``."""


DataT = typing_extensions.TypeVar("DataT", default=Any, covariant=True)
"""What an event carries: anything, unless it is said."""


class Volatile:
    """The type of ``VOLATILE``."""


VOLATILE: Final = Volatile()
"""The key of an event that leaves on the line there is, unnumbered, or not at all (§5)."""


@dataclass(slots=True)
class Event(Generic[DataT]):
    """``[id, data]``; ``size`` is what it costs packed, in bytes, and counts against limits.

    >>> Event("chat/said", {"text": "hi"}).id
    'chat/said'
    """

    id: str
    data: DataT = None  # type: ignore[assignment]
    size: int = field(default=0, compare=False)
    key: Hashable | None = field(default=None, compare=False, repr=False)
    """How it is delivered (§5). ``None``: reliable. ``VOLATILE``. Anything else: of events with the same key only the
    newest is kept while they have not left."""


@dataclass(slots=True)
class Events:
    """One or more events; ``None`` in the place of one is a number whose event was dropped."""

    events: tuple[Event | None, ...]
    seq: int | None = None


@dataclass(slots=True)
class Request:
    """An event that asks for a reply; ``ref`` is unique among the asker's open requests."""

    event: Event
    ref: int
    seq: int
    ack: int | None = None


@dataclass(slots=True)
class Reply:
    """The outcome of request ``ref``: a value, or an error ``{code, message, data}`` when ``failed``."""

    value: Any
    ref: int
    seq: int
    ack: int | None = None
    failed: bool = False


@dataclass(slots=True)
class Ack:
    """An acknowledgement alone: everything up to ``ack`` is taken charge of. ``please``: answer with yours now."""

    ack: int
    please: bool = False


@dataclass(slots=True)
class Ping:
    """Are you there? Carries an acknowledgement if there is news."""

    ack: int | None = None


@dataclass(slots=True)
class Pong:
    """I am here."""

    ack: int | None = None


@dataclass(frozen=True, slots=True)
class Handshake:
    """The server's answer to a hello (§4)."""

    uid: Any
    data: Any
    info: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Control:
    """An unnumbered event of the protocol itself, like ``chsk/bye`` from a client."""

    event: Event


@dataclass(frozen=True, slots=True)
class Classic:
    """``[message, ref]``: all there is between Sente and its own clients, except for pushes, which are ``Events``.

    ``ref`` is whatever the asker chose, echoed unchanged (§10).
    """

    message: Any
    ref: Any = None


Packet: TypeAlias = Events | Request | Reply | Ack | Ping | Pong | Handshake | Control | Classic
Side: TypeAlias = Literal["client", "server"]


def carried(packet: Packet) -> int:
    """How much the packet says: events, requests and replies, not what only keeps the line going.

    >>> carried(Events((Event("chat/said"), Event("chat/said")))), carried(Ping())
    (2, 0)
    """
    if isinstance(packet, Events):
        return len(packet.events)
    return int(isinstance(packet, Request | Reply | Classic))


def is_event_id(value: object) -> bool:
    """Whether ``value`` names an event: ``namespace/name``, as in Sente, so that classic clients can read it too.

    >>> is_event_id("chat/say"), is_event_id("say"), is_event_id("chat/")
    (True, False, False)
    """
    if not isinstance(value, str):
        return False
    namespace, _, name = value.partition("/")
    return bool(namespace and name)


def write_packet(packet: Packet, side: Side) -> list[Any]:
    """The plain form of a packet; ``side`` is the sender's, because Sente writes pings differently on either side."""
    match packet:
        case Events(events, seq):
            batch = [None if e is None else [e.id, e.data] for e in events]
            return [batch, None] if seq is None else [batch, None, seq]  # Sente's form: nulls are not left out
        case Request(event, ref, seq, ack):
            return [[event.id, event.data], ref, seq, ack, "request"]
        case Reply(value, ref, seq, ack, failed):
            return [value, ref, seq, ack, "error" if failed else "reply"]
        case Ack(ack, please):
            return _trim([None, None, 0, ack, "ack" if please else None])
        case Ping(ack):
            return _trim(["chsk/ws-ping", None, 0, ack] if side == "server" else [["chsk/ws-ping"], "ping", 0, ack])
        case Pong(ack):
            return _trim(["pong", "ping", 0, ack] if side == "server" else [["chsk/ws-pong"], None, 0, ack])
        case Handshake(uid, data, info):
            return [["chsk/handshake", [uid, None, data, dict(info)]], None, 0]
        case Control(event):
            return [[event.id, event.data], None, 0]
        case Classic(message, ref):
            return [message, ref]
        case _:
            assert_never(packet)


def read_packet(plain: Any, size: int = 0) -> Packet:
    """The packet that ``plain`` is the form of; ``size`` is the length of the frame it came in.

    Raises:
        ProtocolError: the framing is broken. What is merely no valid event becomes ``chsk/bad-event`` instead, so
            that its number counts.
    """
    if not isinstance(plain, list) or not 1 <= (length := len(plain)) <= 5:
        raise ProtocolError("a packet is a list [message, ref, seq, ack, status]")
    message, ref, seq, ack, status = plain if length == 5 else plain + [None] * (5 - length)
    if ack is not None:
        _check_number(ack, "ack", least=0)
    if status == "request":
        _check_number(ref, "ref", least=1)
        _check_number(seq, "seq", least=1)
        return Request(read_event(message, size), ref, seq, ack)
    if status in ("reply", "error"):
        _check_number(ref, "ref", least=1)
        _check_number(seq, "seq", least=1)
        return Reply(message, ref, seq, ack, status == "error")
    if seq is not None:
        _check_number(seq, "seq", least=0)
    if message is None:
        if ack is None:
            raise ProtocolError("an acknowledgement alone needs its number")
        return Ack(ack, status == "ack")
    if isinstance(message, list) and message and not isinstance(message[0], str):
        share = size // len(message)
        return Events(tuple(None if e is None else read_event(e, share) for e in message), seq)
    return _read_control(message, ref, seq, ack)


def _read_control(message: Any, ref: Any, seq: int | None, ack: int | None) -> Packet:
    match message, ref:
        case ("chsk/ws-ping", None) | (["chsk/ws-ping"], "ping"):
            return Ping(ack)
        case ("pong", "ping") | (["chsk/ws-pong"], None):
            return Pong(ack)
        case ["chsk/handshake", [uid, _, data, dict(info)]], None:
            return Handshake(uid, data, info)
        case [str(), *_], None if seq == 0:
            return Control(read_event(message, 0))
    raise ProtocolError("a packet of this form has no meaning")


def read_event(plain: Any, size: int) -> Event:
    """The event that ``plain`` is the form of; ``chsk/bad-event`` with ``plain`` as its data if it is of none."""
    if type(plain) is list and 1 <= len(plain) <= 2 and is_event_id(plain[0]):
        return Event(plain[0], plain[1] if len(plain) == 2 else None, size)
    return Event(BAD_EVENT, plain, size)


def _check_number(value: object, name: str, *, least: int) -> None:
    if type(value) is not int or not least <= value <= MAX_NUMBER:  # bool is no number here, nor is 1.0
        raise ProtocolError(f"{name} must be a whole number from {least} to 2^53-1")


def _trim(plain: list[Any]) -> list[Any]:
    while plain[-1] is None:
        plain.pop()
    return plain
