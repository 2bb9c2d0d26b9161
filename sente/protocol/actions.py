"""What a session asks its driver to do. Collected with ``take_actions()`` after each input, carried out in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from sente.protocol.messages import Event, Events, Packet
from sente.protocol.outbox import Item

TransportName: TypeAlias = Literal["ws", "poll"]
Outcome: TypeAlias = Literal["reply", "error", "timeout", "disconnected", "refused"]
Link: TypeAlias = int
"""A name the driver gives to a WebSocket or to one HTTP exchange; never used twice."""


@dataclass(slots=True)
class Transmit:
    """Send packets on a WebSocket, each as one frame."""

    link: Link
    packets: tuple[Packet, ...]


@dataclass(slots=True)
class TransmitVolatile:
    """Send events on a WebSocket, unless what is sent has to wait there already: then drop them, and count them."""

    link: Link
    packet: Events


@dataclass(slots=True)
class Answer:
    """End an HTTP exchange with status 200: the head, then the packets. Server only."""

    link: Link
    head: dict[str, Any]
    packets: tuple[Packet, ...] = ()


@dataclass(frozen=True, slots=True)
class Close:
    """Close a WebSocket with ``code``; end an HTTP exchange with status ``code - 4000`` (503 for codes below 4400).

    A client gives the exchange up instead.
    """

    link: Link
    code: int
    reason: str


@dataclass(slots=True)
class Store:
    """Have the store keep an item, and call ``stored`` once it has given it a number. Stored sessions only."""

    item: Item


@dataclass(slots=True)
class Note:
    """Have the store note what the client has acknowledged, and what of its own has been handled; then call
    ``secured``. Stored sessions only."""

    acked: int
    heard: int


@dataclass(slots=True)
class Deliver:
    """Hand an event to the application; ``ref`` if it asks for a reply. ``link`` is what it came on (server only)."""

    event: Event
    ref: int | None = None
    link: Link = 0
    number: int = field(default=0, compare=False)
    """To be told to ``handled`` (server only)."""


@dataclass(frozen=True, slots=True)
class Renew:
    """The client shows new credentials in ``data``: check them, and answer request ``ref``. Server only."""

    data: Any = field(repr=False)
    ref: int
    link: Link


@dataclass(frozen=True, slots=True)
class Expired:
    """The client's credentials have expired, and its links were closed: to be counted. Server only."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The delivered request ``ref`` is no longer wanted: stop what handles it. No reply of it is taken any more."""

    ref: int


@dataclass(frozen=True, slots=True)
class Settle:
    """A request has its outcome: a value, an error from the other side, a timeout, the session's end; ``refused``: the
    other side cannot read it."""

    ref: int
    outcome: Outcome
    value: Any = None


@dataclass(frozen=True, slots=True)
class LateReply:
    """A reply came for a request that has had its outcome: dropped, and to be counted. Server only."""

    ref: int


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """The client is now present over ``transport``, or absent."""

    transport: TransportName | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over: ``reason`` is one word for counters and logs. Nothing may be put into it any more."""

    reason: str
    lost: Sequence[Item] = field(default=(), compare=False, repr=False)
    """What its client has not acknowledged. Server only."""


@dataclass(slots=True)
class Arrived:
    """The client has acknowledged an event that is watched. Server only."""

    event: Event


@dataclass(frozen=True, slots=True)
class Refused:
    """The client cannot read this event, and will not get it. Server only."""

    event: Event


@dataclass(frozen=True, slots=True)
class Dropped:
    """So many events will not reach a client, which is not told: they are counted, as ``what``. Server only."""

    events: int
    what: Literal["dropped", "latest dropped", "volatile dropped"] = "dropped"


@dataclass(frozen=True, slots=True)
class Replaced:
    """An event that had not left gave way to a newer one with its key: to be counted. Server only."""


@dataclass(frozen=True, slots=True)
class OpenLink:
    """Open a new link. Client only.

    On ``ws``: open a WebSocket and call ``first_frame`` with the first frame. On ``poll``: fetch the welcome with
    GET and call ``first_frame`` with it.
    """

    link: Link
    transport: TransportName


@dataclass(frozen=True, slots=True)
class SayHello:
    """Complete ``hello`` with the application's ``csrf`` and ``auth`` and send it as JSON text. Client only.

    On ``poll`` the answer goes to ``exchanged``.
    """

    link: Link
    transport: TransportName
    hello: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """POST ``head`` and ``packets``; give the answer to ``exchanged``, or its failure to ``link_lost``. Client only."""

    link: Link
    head: dict[str, Any]
    packets: tuple[Packet, ...]


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Events that left, and nobody can know whether they arrived: the server that took them is gone. Or that were said
    as a user who is no longer the client's, or are too large for the next server, and did not arrive. Client only."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The connection's state changed. Client only; the states are ``ClientState``."""

    old: Any
    new: Any


ServerAction: TypeAlias = (
    Transmit
    | TransmitVolatile
    | Answer
    | Close
    | Deliver
    | Renew
    | Expired
    | Cancelled
    | Settle
    | LateReply
    | PresenceChanged
    | Ended
    | Arrived
    | Refused
    | Dropped
    | Replaced
    | Store
    | Note
)
ClientAction: TypeAlias = (
    OpenLink
    | SayHello
    | Transmit
    | TransmitVolatile
    | Exchange
    | Close
    | Deliver
    | Cancelled
    | Settle
    | Unconfirmed
    | StateChanged
)
