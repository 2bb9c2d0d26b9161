"""One client of Sente's own as the server sees it (§10): no numbers, no resuming, pushes at most once.

Driven like ``server_session``. A client that has a WebSocket and polls too is two of these, as in Sente: the driver
keeps one for each user, client-id and transport. It calls ``open`` for a WebSocket that passed the checks and
``receive`` for what comes on it; ``poll`` and ``post`` for HTTP exchanges; and ``link_lost`` when a link is gone.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sente.protocol.actions import (
    Answer,
    Close,
    Deliver,
    Dropped,
    Ended,
    Link,
    PresenceChanged,
    ServerAction,
    Transmit,
    TransmitVolatile,
    TransportName,
)
from sente.protocol.classic import DUMMY, FAILED, PING, PONG, SERVER_PING, TIMEOUT, Said
from sente.protocol.messages import BAD_EVENT, VOLATILE, Classic, Event, Events
from sente.protocol.settings import ServerSettings

NEVER = float("inf")

LINES = 4
"""WebSockets or polls of one client-id that are kept open. The newest gets the pushes; Sente leaves any number of older
ones open and goes on answering them."""


@dataclass(slots=True)
class _Line:
    """A WebSocket, pinged when ``due`` and closed if it is still silent the next time; or a poll, held until then."""

    due: float
    pinged: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request without reply: what it came on, its callback, and how long its POST is held."""

    link: Link
    ref: Any
    until: float


ClassicKey: TypeAlias = tuple[TransportName, Any, str]
"""Transport, user and client-id: what Sente knows a connection by."""


@dataclass(slots=True, eq=False)
class ClassicClient:
    """A classic session and who it belongs to."""

    transport: TransportName
    uid: Any
    client_id: str
    session: "ClassicSession"

    @property
    def key(self) -> ClassicKey:
        """What it is found by."""
        return self.transport, self.uid, self.client_id


class ClassicSession:
    """See the module. Times are seconds of the driver's clock."""

    def __init__(self, settings: ServerSettings, transport: TransportName, now: float) -> None:
        self._settings = settings
        self._transport: TransportName = transport
        self.actions: list[ServerAction] = []
        self._registered = False
        self._present = False
        self._ended = False
        self._lines: dict[Link, _Line] = {}  # the newest last
        self._asked: dict[int, _Asked] = {}
        self._last_ref = 0
        self._waiting: deque[Event] = deque()
        self._waiting_bytes = 0
        self._flush_at = NEVER
        self._away_since = now
        self._unhandled = self._unhandled_bytes = 0

    # -- links

    def open(self, link: Link, greeting: Classic, now: float) -> None:
        """A WebSocket passed the checks: greet it; from now on it gets the pushes."""
        self._registered = True
        self.actions.append(Transmit(link, (greeting,)))
        self._add(link, now + self._settings.ping, now)

    def receive(self, link: Link, said: Said, now: float) -> None:
        """Something came on the WebSocket ``link``, be it an older one."""
        if line := self._lines.get(link):
            line.due, line.pinged = now + self._settings.ping, False
            self._take(link, said, NEVER)

    @property
    def known(self) -> bool:
        """Whether the client was greeted, and has not been gone since: its polls are held, pushes are for it."""
        return self._registered

    def poll(self, link: Link, greeting: Classic | None, now: float) -> None:
        """A poll came: greet a client that asks for it or is not ``known``, hold the polls of others."""
        if greeting is None:
            return self._add(link, now + self._settings.poll, now)
        self._registered = True
        if not self._lines:
            self._away_since = now
        self._answer(link, greeting)

    def post(self, link: Link, said: Said, now: float) -> None:
        """A POST came: hold it for its reply, if it asks for one. Sente wants no poll before it."""
        if not self._lines and not self._registered:
            self._away_since = now
        self._take(link, said, now + self._settings.poll)
        if not said.asks or said.event.id == PONG:
            self._answer(link, DUMMY)

    def link_lost(self, link: Link, now: float) -> None:
        """The link is gone: replies to what came on it go nowhere, pushes wait a little for another one."""
        self._asked = {ref: asked for ref, asked in self._asked.items() if asked.link != link}
        if self._lines.pop(link, None) and not self._lines:
            self._away_since = now

    # -- the application's side

    def send(self, event: Event, now: float, *, flush: bool = False) -> None:
        """Say an event; with others of the next few milliseconds unless ``flush``."""
        limits = self._settings.limits
        if not self._registered:
            return
        if event.key is VOLATILE and not self._lines:
            return self.actions.append(Dropped(1, "volatile dropped"))
        if event.key is VOLATILE and self._transport == "ws":
            return self.actions.append(TransmitVolatile(next(reversed(self._lines)), Events((event,))))
        if len(self._waiting) >= limits.outbox or self._waiting_bytes + event.size > limits.outbox_bytes:
            self.actions.append(Dropped(1))
            return
        self._waiting.append(event)
        self._waiting_bytes += event.size
        window = self._settings.batch_ws if self._transport == "ws" else self._settings.batch_poll
        self._flush_at = min(self._flush_at, now if flush else now + window)
        self._advance(now)

    def reply(self, ref: int, value: Any, now: float, *, failed: bool = False, size: int = 0) -> None:
        """Answer the request ``ref`` at once: as in Sente, a reply overtakes what was said before it."""
        if asked := self._asked.pop(ref, None):
            self._respond(asked.link, Classic(FAILED if failed else value, asked.ref))

    def handled(self, now: float, size: int, number: int = 0) -> None:
        """The application is done with a delivery, which came in ``size`` bytes."""
        self._unhandled -= 1
        self._unhandled_bytes -= size

    @property
    def full(self) -> bool:
        """Whether so much waits for handlers that nothing more should be read: the client knows no window."""
        limits = self._settings.limits
        return self._unhandled >= limits.backlog or self._unhandled_bytes >= limits.backlog_bytes

    def drain(self, retry_after: float, now: float) -> None:
        """The server goes down: say what waits and close. The client comes back by its own rules."""
        self._flush_at = now
        self._advance(now)
        self.close(1001, "the server restarts", now, word="drained")

    def close(self, code: int, reason: str, now: float, *, word: str) -> None:
        """End the session. Its WebSockets are closed with 1000, as Sente does, unless the server goes down."""
        if self._ended:
            return
        if self._lines:
            self._away_since = now
        code_here = 1000 if self._transport == "ws" and code >= 4000 else code
        for link in dict.fromkeys([*self._lines, *(asked.link for asked in self._asked.values())]):
            self.actions.append(Close(link, code_here, reason))
        self._lines.clear()
        self._asked.clear()
        self._end(word)

    @property
    def attached(self) -> bool:
        """Whether the client has a line, or waits for a reply to a POST."""
        return bool(self._lines or self._asked)

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._ended

    @property
    def kept(self) -> tuple[int, int]:
        """Items, and bytes of them, that wait for the client."""
        return len(self._waiting), self._waiting_bytes

    def items(self) -> Sequence[Event]:
        """What waits for the client."""
        return self._waiting

    # -- the driver's side

    def take_actions(self) -> list[ServerAction]:
        """The work that came up since the last call, to be done in order."""
        actions = self.actions.copy()
        self.actions.clear()
        return actions

    def speak(self, now: float) -> None:
        """Say what is due; what ``handle_timer`` would do as well."""
        self._advance(now)

    def next_timer(self) -> float | None:
        """When ``handle_timer`` is to be called; ``None``: not before the next input."""
        times = [line.due for line in self._lines.values()] + [asked.until for asked in self._asked.values()]
        if self._lines:
            times.append(self._flush_at)
        elif self._present if self._ended else self._registered or not self._asked:
            times.append(self._away_since + self._grace)
        earliest = min(times, default=NEVER)
        return None if earliest == NEVER else earliest

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if not self._lines and now >= self._away_since + self._grace:
            self._leave()
        for ref in [ref for ref, asked in self._asked.items() if now >= asked.until]:
            self._answer(self._asked.pop(ref).link, TIMEOUT)
        for link in [link for link, line in self._lines.items() if now >= line.due]:
            self._overdue(link, now)
        self._advance(now)

    # -- inside

    @property
    def _grace(self) -> float:
        return self._settings.grace_ws if self._transport == "ws" else self._settings.grace_poll

    def _add(self, link: Link, due: float, now: float) -> None:
        self._lines[link] = _Line(due)
        if len(self._lines) > LINES:
            oldest = next(iter(self._lines))
            self.actions.append(Close(oldest, 1000 if self._transport == "ws" else 4409, "replaced by newer ones"))
            self.link_lost(oldest, now)
        if not self._present:
            self._present = True
            self.actions.append(PresenceChanged(self._transport))
        self._advance(now)

    def _overdue(self, link: Link, now: float) -> None:
        line = self._lines[link]
        if self._transport == "poll":
            self.link_lost(link, now)
            self._answer(link, TIMEOUT)
        elif line.pinged and not self.full:
            self.link_lost(link, now)
            self.actions.append(Close(link, 1000, "no sign of life"))
        else:
            line.due, line.pinged = now + self._settings.ping_timeout, True
            self.actions.append(Transmit(link, (SERVER_PING,)))

    def _take(self, link: Link, said: Said, until: float) -> None:
        event, ref = said.event, None
        if event.id == PING:
            if said.asks:
                self._respond(link, Classic("pong", said.ref))
            return
        if event.id == PONG:
            return
        if event.id.startswith("chsk/") and event.id != BAD_EVENT:
            event = Event(
                BAD_EVENT, [event.id, event.data], event.size
            )  # Sente routes them; here no client can pretend to be it
        if said.asks:
            if len(self._asked) >= self._settings.limits.requests:
                self._respond(link, Classic(FAILED, said.ref))
                return
            ref = self._last_ref = self._last_ref + 1
            self._asked[ref] = _Asked(link, said.ref, until)
        self._unhandled += 1
        self._unhandled_bytes += event.size
        self.actions.append(Deliver(event, ref, link))

    def _respond(self, link: Link, packet: Classic) -> None:
        if self._transport == "ws":
            self.actions.append(Transmit(link, (packet,)))
        else:
            self._answer(link, Classic(packet.message))  # the callback is the exchange itself

    def _answer(self, link: Link, packet: Classic | Events) -> None:
        self.actions.append(Answer(link, {}, (packet,)))

    def _advance(self, now: float) -> None:
        """Send what waits on the newest line, if it is time."""
        while self._lines and self._waiting and now >= self._flush_at:
            link = next(reversed(self._lines))
            batch = self._batch()
            if self._transport == "ws":
                self.actions.append(Transmit(link, (batch,)))
            else:
                self.link_lost(link, now)
                self._answer(link, batch)
        if not self._waiting:
            self._flush_at = NEVER

    def _batch(self) -> Events:
        """What waits, as far as it fits into one packet."""
        events: list[Event] = []
        room = self._settings.limits.packet
        while self._waiting and (not events or self._waiting[0].size < room):
            events.append(self._waiting.popleft())
            self._waiting_bytes -= events[-1].size
            room -= events[-1].size + 1
        return Events(tuple(events))

    def _leave(self) -> None:
        """The client did not come back: what waits is for nobody."""
        self._drop()
        if self._present:
            self._present = False
            self.actions.append(PresenceChanged(None))
        if not self._asked:
            self._end("gone")

    def _drop(self) -> None:
        self._registered = False
        if self._waiting:
            self.actions.append(Dropped(len(self._waiting)))
        self._waiting.clear()
        self._waiting_bytes, self._flush_at = 0, NEVER

    def _end(self, word: str) -> None:
        if not self._ended:
            self._ended = True
            self._drop()
            self.actions.append(Ended(word))
