"""Tells what travels: a gate in front of the hub's. Nothing else knows of it, and without it nothing is paid."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from sente.errors import ConfigError, Rejected
from sente.interfaces import Packer, UserId, Wire
from sente.protocol.actions import TransportName
from sente.protocol.greeting import Head, Hello
from sente.protocol.settings import ServerSettings
from sente.trace_words import Words, of_answer, of_packet, of_said, of_told
from sente.transports.asgi import Connection, wire_size
from sente.transports.gate import ClassicGate, Gate, Refusal, ServerLink

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
    code: int = 0
    """The status of a refusal, or the code that a line was closed with."""
    check: str = ""
    """Which check refused, see ``Rejected``."""


Tracer: TypeAlias = Callable[[Note], None]


def log_note(note: Note) -> None:
    """Write a note to the logger ``sente.trace``: what ``ChannelSocket(trace=True)`` does."""
    size = f" {note.size} B {note.packer}" if note.size else ""
    text = note.text if note.text.isprintable() else ascii(note.text)  # a stranger wrote some of it: no line breaks
    who = {"uid": note.uid, "client_id": note.client_id, "transport": note.transport}
    line = note.what, note.transport, note.uid, note.client_id[:8], size, text
    log.info("%-7s %s %r/%s%s: %s", *line, extra=who)


AnyGate = TypeVar("AnyGate", bound=Gate | ClassicGate)


class _Tracing(Generic[AnyGate]):
    """What both gates have: it passes on and tells."""

    _heard: Words
    """What the clients of this gate say."""

    def __init__(self, gate: AnyGate, tracer: Tracer, *, named: bool = True) -> None:
        self._gate = gate
        self._tracer = tracer
        self._named = named
        self._open: set[int] = set()
        self.settings: ServerSettings = gate.settings

    def headers(self, connection: Connection) -> list[tuple[str, str]]:
        """The headers of every HTTP answer."""
        return self._gate.headers(connection)

    async def refusal(self, connection: Connection, rejected: Rejected) -> Refusal:
        """Somebody is refused."""
        transport: TransportName = "ws" if connection.scope["type"] == "websocket" else "poll"
        self._tell("refused", connection, transport, text=str(rejected), code=rejected.status, check=rejected.check)
        return await self._gate.refusal(connection, rejected)

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket."""
        self._tell_frame("in", link, "ws", frame, type(self)._heard)
        self._gate.receive(link, frame)

    def lost(self, link: ServerLink, *, cut: bool = False) -> None:
        """The link is gone."""
        if link.number in self._open:
            self._open.discard(link.number)
            self._tell("lost", link.connection, "ws", text="the line is gone")
        self._gate.lost(link, cut=cut)

    def _traced(
        self, link: ServerLink, transport: TransportName, words: Words, accepted: Callable[[], None]
    ) -> "TracedLink":
        """``link`` with its frames told in ``words``, and ``accepted`` called when the hub has admitted it."""

        def admitted() -> None:
            accepted()
            if transport == "ws":
                self._open.add(link.number)

        def told(wire: Wire) -> None:
            self._tell_frame("out", link, transport, wire, words)

        def closed(code: int, reason: str) -> None:
            self._open.discard(link.number)
            self._tell("close", link.connection, transport, text=f"{code} {reason}", code=code)

        return TracedLink(link, admitted, told, closed)

    def _tell_frame(self, what: What, link: ServerLink, transport: TransportName, frame: Wire, words: Words) -> None:
        text = words(frame, link.packer) if self._named else ""
        self._tell(what, link.connection, transport, link.packer.name, wire_size(frame), text=text)

    def _tell(
        self,
        what: What,
        connection: Connection,
        transport: TransportName,
        packer: str = "",
        size: int = 0,
        *,
        text: str,
        code: int = 0,
        check: str = "",
    ) -> None:
        who = connection.client_id, connection.uid
        note = Note(time.time(), what, *who, transport, packer, size, text, code, check)
        try:
            self._tracer(note)
        except Exception:
            log.exception("the tracer raised")  # it is there to look, not to break anything


class TracingGate(_Tracing[Gate]):
    """Passes everything on to ``gate``, and tells ``tracer`` of it."""

    _heard = staticmethod(of_packet)

    def check(self, connection: Connection) -> Packer:
        """What can be said before a hello."""
        return self._gate.check(connection)

    async def admit(self, link: ServerLink, hello: Hello, *, websocket: bool) -> None:
        """A hello came."""
        transport: TransportName = "ws" if websocket else "poll"

        def accepted() -> None:
            self._tell("hello", link.connection, transport, text="to resume its session" if hello.session else "")

        await self._gate.admit(self._traced(link, transport, of_packet, accepted), hello, websocket=websocket)

    def know(self, connection: Connection, head: Head) -> None:
        """Whether a poll or POST is anybody's."""
        self._gate.know(connection, head)

    async def exchange(self, link: ServerLink, head: Head, frames: Sequence[Wire]) -> None:
        """A poll or POST came."""

        def accepted() -> None:  # not before: until the checks have passed nobody knows whose frames they are
            for frame in frames:
                self._tell_frame("in", link, "poll", frame, of_packet)
            if not frames:
                self._tell("in", link.connection, "poll", text="poll" if head.wait else "acknowledgement")

        await self._gate.exchange(self._traced(link, "poll", of_packet, accepted), head, frames)

    def said_goodbye(self, link: ServerLink) -> None:
        """A WebSocket was closed with 1000."""
        self._gate.said_goodbye(link)


class TracingClassicGate(_Tracing[ClassicGate]):
    """The same for Sente's own clients."""

    _heard = staticmethod(of_said)

    async def open(self, link: ServerLink, csrf: str | None) -> None:
        """A WebSocket wants to be opened."""

        def accepted() -> None:
            self._tell("hello", link.connection, "ws", text="as Sente's clients do")

        await self._gate.open(self._traced(link, "ws", of_told, accepted), csrf)

    async def poll(self, link: ServerLink, csrf: str | None, *, handshake: bool) -> None:
        """A poll came."""

        def accepted() -> None:
            what: What = "hello" if handshake else "in"
            self._tell(what, link.connection, "poll", text="as Sente's clients do" if handshake else "poll")

        await self._gate.poll(self._traced(link, "poll", of_told, accepted), csrf, handshake=handshake)

    async def post(self, link: ServerLink, csrf: str | None, frame: Wire) -> None:
        """A POST came with an event."""

        def accepted() -> None:
            self._tell_frame("in", link, "poll", frame, of_said)

        await self._gate.post(self._traced(link, "poll", of_answer, accepted), csrf, frame)

    async def ready(self, link: ServerLink) -> None:
        """Wait until the next frame may be read."""
        await self._gate.ready(link)


def traced(gate: Gate, classic: ClassicGate, tracer: Tracer, *, named: bool = True) -> tuple[Gate, ClassicGate]:
    """Both gates of a socket, with ``tracer`` told of what passes them.

    ``named``: of each packet the events too, for which it has to be unpacked once more.
    """
    return TracingGate(gate, tracer, named=named), TracingClassicGate(classic, tracer, named=named)


def tracer_of(trace: bool | Tracer) -> Tracer | None:
    """Who is told, of ``ChannelSocket(trace=)``. Raises ``ConfigError``.

    >>> tracer_of(True) is log_note
    True
    """
    if not isinstance(trace, bool) and not callable(trace):
        raise ConfigError(f"trace={trace!r}: give True, or a function that takes each Note")
    return trace if callable(trace) else log_note if trace else None


class TracedLink:
    """A link whose frames are told of."""

    def __init__(
        self,
        link: ServerLink,
        admitted: Callable[[], None],
        told: Callable[[Wire], None],
        closed: Callable[[int, str], None],
    ) -> None:
        self._link = link
        self._admitted = admitted
        self._told = told
        self._closed = closed
        self.packer = link.packer

    @property
    def number(self) -> int:
        """The hub's name for the link, which its transport must know too; the hub gives it once the checks passed."""
        return self._link.number

    @number.setter
    def number(self, number: int) -> None:
        self._link.number = number
        self._admitted()

    @property
    def connection(self) -> Connection:
        """The link's connection."""
        return self._link.connection

    @connection.setter
    def connection(self, connection: Connection) -> None:
        self._link.connection = connection

    @property
    def behind(self) -> bool:
        """Whether the client does not read what was sent before."""
        return self._link.behind

    def transmit(self, wires: Sequence[Wire]) -> None:
        """Send frames on a WebSocket."""
        for wire in wires:
            self._told(wire)
        self._link.transmit(wires)

    def answer(self, head: dict[str, Any], wires: Sequence[Wire]) -> None:
        """End an HTTP exchange with 200."""
        for wire in wires:
            self._told(wire)
        self._link.answer(head, wires)

    def close(self, code: int, reason: str) -> None:
        """Close a WebSocket, or end an HTTP exchange with the status that ``code`` stands for."""
        self._closed(code, reason)
        self._link.close(code, reason)
