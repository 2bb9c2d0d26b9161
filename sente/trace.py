"""Tells what travels: a gate in front of the hub's. Nothing else knows of it, and without it nothing is paid."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sente.errors import ProtocolError, Rejected, UnpackError
from sente.interfaces import Packer, UserId, Wire
from sente.protocol.actions import TransportName
from sente.protocol.greeting import Head, Hello
from sente.protocol.messages import (
    Ack,
    Classic,
    Control,
    Event,
    Events,
    Handshake,
    Packet,
    Ping,
    Pong,
    Reply,
    Request,
    read_packet,
)
from sente.protocol.sessions import Client
from sente.protocol.settings import ServerSettings
from sente.transports.asgi import Connection, wire_size
from sente.transports.gate import Gate, Refusal, ServerLink

log = logging.getLogger("sente.trace")

What: TypeAlias = Literal["hello", "in", "out", "close", "lost", "refused"]


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that happened on a line. It tells which events travelled, never their data or a secret.

    >>> Note(at=0.0, what="in", client_id="c1", uid="ada", transport="ws", text="chat/say").text
    'chat/say'
    """

    at: float
    """Seconds since the epoch."""
    what: What
    """A client says hello; a packet comes in or goes out; a line is closed, or lost; somebody is refused."""
    client_id: str
    uid: UserId
    transport: TransportName
    packer: str = ""
    size: int = 0
    """Bytes on the line, for packets."""
    text: str = ""
    """The events of a packet, or why a line ended."""


Tracer: TypeAlias = Callable[[Note], None]


def log_note(note: Note) -> None:
    """Write a note to the logger ``sente.trace``: what ``ChannelSocket(trace=True)`` does."""
    size = f" {note.size} B {note.packer}" if note.size else ""
    log.info("%-7s %s %r/%s%s: %s", note.what, note.transport, note.uid, note.client_id[:8], size, note.text)


class TracingGate:
    """Passes everything on to ``gate``, and tells ``tracer`` of it."""

    def __init__(self, gate: Gate, tracer: Tracer) -> None:
        self._gate = gate
        self._tracer = tracer
        self._open: set[int] = set()
        self.settings: ServerSettings = gate.settings

    def check(self, connection: Connection) -> Packer:
        """What can be said before a hello."""
        return self._gate.check(connection)

    def headers(self, connection: Connection) -> list[tuple[str, str]]:
        """The headers of every HTTP answer."""
        return self._gate.headers(connection)

    async def refusal(self, connection: Connection, rejected: Rejected) -> Refusal:
        """Somebody is refused."""
        transport: TransportName = "ws" if connection.scope["type"] == "websocket" else "poll"
        self._tell("refused", connection, transport, text=str(rejected))
        return await self._gate.refusal(connection, rejected)

    async def admit(self, link: ServerLink, hello: Hello, *, websocket: bool) -> None:
        """A hello came."""
        transport: TransportName = "ws" if websocket else "poll"

        def accepted() -> None:
            self._tell("hello", link.connection, transport, text="to resume its session" if hello.session else "")
            if websocket:
                self._open.add(link.number)

        await self._gate.admit(
            TracedLink(link, transport, self._tell, accepted, self._closed), hello, websocket=websocket
        )

    def owner(self, connection: Connection, head: Head) -> Client:
        """Whose poll or POST this is."""
        return self._gate.owner(connection, head)

    async def exchange(self, link: ServerLink, head: Head, frames: Sequence[Wire]) -> None:
        """A poll or POST came."""

        def accepted() -> None:  # not before: until the checks have passed nobody knows whose frames they are
            for frame in frames:
                self._tell("in", link.connection, "poll", link.packer, frame)
            if not frames:
                self._tell("in", link.connection, "poll", text="poll" if head.wait else "acknowledgement")

        await self._gate.exchange(TracedLink(link, "poll", self._tell, accepted, self._closed), head, frames)

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket."""
        self._tell("in", link.connection, "ws", link.packer, frame)
        self._gate.receive(link, frame)

    def said_goodbye(self, link: ServerLink) -> None:
        """A WebSocket was closed with 1000."""
        self._gate.said_goodbye(link)

    def lost(self, link: ServerLink, *, cut: bool = False) -> None:
        """The link is gone."""
        if link.number in self._open:
            self._open.discard(link.number)
            self._tell("lost", link.connection, "ws", text="the line is gone")
        self._gate.lost(link, cut=cut)

    def _closed(self, link: ServerLink, transport: TransportName, code: int, reason: str) -> None:
        self._open.discard(link.number)
        self._tell("close", link.connection, transport, text=f"{code} {reason}")

    def _tell(
        self,
        what: What,
        connection: Connection,
        transport: TransportName,
        packer: Packer | None = None,
        frame: Wire | None = None,
        *,
        text: str = "",
    ) -> None:
        name, size = (packer.name if packer else ""), 0
        if packer is not None and frame is not None:
            text, size = _summary(frame, packer), wire_size(frame)
        note = Note(time.time(), what, connection.client_id, connection.uid, transport, name, size, text)
        try:
            self._tracer(note)
        except Exception:
            log.exception("the tracer raised")  # it is there to look, not to break anything


class TracedLink:
    """A link whose frames are told of."""

    def __init__(
        self,
        link: ServerLink,
        transport: TransportName,
        tell: Callable[..., None],
        accepted: Callable[[], None],
        closed: Callable[[ServerLink, TransportName, int, str], None],
    ) -> None:
        self._link = link
        self._tell = tell
        self._accepted = accepted
        self._closed = closed
        self.transport: TransportName = transport
        self.packer = link.packer

    @property
    def number(self) -> int:
        """The hub's name for the link, which its transport must know too; the hub gives it once the checks passed."""
        return self._link.number

    @number.setter
    def number(self, number: int) -> None:
        self._link.number = number
        self._accepted()

    @property
    def connection(self) -> Connection:
        """The link's connection."""
        return self._link.connection

    @connection.setter
    def connection(self, connection: Connection) -> None:
        self._link.connection = connection

    def transmit(self, wires: Sequence[Wire]) -> None:
        """Send frames on a WebSocket."""
        self._tell_of(wires)
        self._link.transmit(wires)

    def answer(self, head: dict[str, Any], wires: Sequence[Wire]) -> None:
        """End an HTTP exchange with 200."""
        self._tell_of(wires)
        self._link.answer(head, wires)

    def close(self, code: int, reason: str) -> None:
        """Close a WebSocket, or end an HTTP exchange with the status that ``code`` stands for."""
        self._closed(self._link, self.transport, code, reason)
        self._link.close(code, reason)

    def _tell_of(self, wires: Sequence[Wire]) -> None:
        for wire in wires:
            self._tell("out", self.connection, self.transport, self.packer, wire)


def _summary(frame: Wire, packer: Packer) -> str:
    try:
        return _text(read_packet(packer.unpack(frame)))
    except (ProtocolError, UnpackError) as error:
        return f"unreadable: {error}"


def _text(packet: Packet) -> str:
    match packet:
        case Events(events):
            return ", ".join("dropped" if event is None else _name(event) for event in events)
        case Request(event, ref):
            return f"{_name(event)}, request {ref}"
        case Reply(ref=ref, failed=failed):
            return f"{'error' if failed else 'reply'} to request {ref}"
        case Ack(ack):
            return f"acknowledges {ack}"
        case Ping():
            return "ping"
        case Pong():
            return "pong"
        case Handshake():
            return "handshake"
        case Control(event):
            return _name(event)
        case Classic(message):
            return str(message)[:100]


def _name(event: Event) -> str:
    return event.id[:100]
