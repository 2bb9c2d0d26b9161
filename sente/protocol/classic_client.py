"""A client of a Sente server, as one of Sente's own (§10): no numbers, no acknowledgements, nothing is resumed.

Driven like ``client_session``, of which it is one: connecting, coming back and the state are the same, what is said is
Sente's. Packets are ``Classic``: those that the driver reads as they came, those it writes with an ``Event`` as message
where the application speaks. An ``Exchange`` without packets is a poll, one with a packet a POST.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sente.errors import Disconnected, OutboxFull, PackError
from sente.protocol.actions import Close, Deliver, Exchange, Link, Outcome, Settle, Transmit
from sente.protocol.classic import AJAX, FAILED, PING, PONG, TIMEOUT, read_handshake, read_named
from sente.protocol.client_session import ClientSession
from sente.protocol.client_state import Closed, Phase
from sente.protocol.conversation import ENVELOPE
from sente.protocol.messages import Classic, Event, Packet
from sente.protocol.requests import NEVER
from sente.protocol.route import TERMINAL, Wanted
from sente.protocol.settings import ClientSettings

HOLD = 60.0
"""Seconds that a poll or POST may take: Sente's own clients wait as long, its servers answer after 20 s."""

OUTCOMES: dict[str, Outcome] = {TIMEOUT.message: "timeout", "chsk/closed": "disconnected", FAILED: "error"}
"""What Sente says in the place of a reply."""


@dataclass(slots=True)
class _Asked:
    """A request without outcome, and the POST that waits for it."""

    deadline: float
    link: Link | None = None


class ClassicClientSession(ClientSession):
    """See the module. Times are seconds of the driver's clock."""

    def __init__(
        self,
        settings: ClientSettings,
        *,
        packer: str,
        new_client_id: Callable[[], str],
        jitter: Callable[[], float],
        transport: Wanted = "auto",
        epoch: float = 0.0,
        renewable: bool = False,
    ) -> None:
        super().__init__(
            settings,
            new_client_id=new_client_id,
            jitter=jitter,
            transport=transport,
            epoch=epoch,
            renewable=renewable,
        )
        self.state = replace(self.state, packer=packer)
        self._asked: dict[int, _Asked] = {}
        self._last_ref = 0
        self._waiting: deque[tuple[Event, int | None]] = deque()
        self._under_way: deque[int] = deque()  # sizes of what has left, and nobody knows whether it was read
        self._kept_bytes = 0
        self._websocket: Link | None = None
        self._polling: Link | None = None
        self._posting: Link | None = None  # the one POST whose event must arrive before the next
        self._pinged: int | None = None  # how much was under way before the ping that waits for its answer
        self._silent_since = 0.0
        self._unhandled = 0

    # -- the application's side

    def disconnect(self, now: float) -> None:
        """Say what waits, and leave; Sente knows no goodbye but the close of a WebSocket."""
        if self._phase is Phase.OPEN:
            self._leave()
        self._close(Closed(self._epoch + now, "requested-disconnect"))
        self._phase, self._attempt_at = Phase.IDLE, NEVER
        self._set(next_reconnect=None)

    def send(self, event: Event) -> bool:
        """Say an event; False if the line is closed. One that has left when the line breaks may be lost.

        Raises:
            PackError: it is longer than ``limits.packet``.
            OutboxFull: too much waits for the server to read it.
        """
        if self._phase is not Phase.OPEN:
            return False
        self._put_classic(event, None)
        return True

    def request(self, event: Event, timeout: float, now: float, *, idempotent: bool = False) -> int:
        """Ask for a reply within ``timeout`` seconds; a ``Settle`` with the returned ref says what came of it.
        There are no sessions, so an ``idempotent`` one is like any other.

        Raises:
            Disconnected: the line is closed.
            PackError: it is longer than ``limits.packet``.
            OutboxFull: too much waits for the server, or ``limits.requests`` are open.
        """
        if self._phase is not Phase.OPEN:
            raise Disconnected("the client is not connected")
        if len(self._asked) >= self._settings.limits.requests:
            raise OutboxFull(f"{len(self._asked)} requests wait for their reply: wait for some of them")
        self._put_classic(event, self._last_ref + 1)
        self._last_ref += 1
        self._asked[self._last_ref] = _Asked(now + timeout)
        return self._last_ref

    def cancel(self, ref: int) -> None:
        """The asker no longer waits for ``ref``: its POST is given up."""
        asked = self._asked.pop(ref, None)
        if asked is not None and asked.link is not None and self._lines.pop(asked.link):
            self._actions.append(Close(asked.link, 4000, "nobody waits"))
            self._read(1)

    def wake(self, now: float) -> None:
        """Something slept, or the network changed: ping at once. A poll goes on: what it has missed is gone."""
        self._silent_since = now - self._settings.ping
        super().wake(now)

    def delivered(self, now: float) -> None:
        """The application is done with one delivery."""
        was_full = self.full
        self._unhandled = max(0, self._unhandled - 1)
        if was_full and not self.full:
            self._silent_since = now
        self._advance(now)

    @property
    def full(self) -> bool:
        """Whether so much is unhandled that nothing more should be read: the server knows no window."""
        return self._unhandled >= self._settings.limits.backlog

    # -- the driver's side

    def first_frame(self, link: Link, plain: Any, now: float) -> None:
        """The first frame of a new WebSocket, or the answer to the first poll: the handshake."""
        way = self._lines.get(link)
        if way is None or self._phase is not Phase.OPENING:
            return
        if (greeted := read_handshake(plain)) is None:
            return self.broken(link, "the server's first words are no handshake of Sente's: is this its endpoint?", now)
        if way.use == "welcome":
            self._lines.pop(link)
            if self._route.server_is_there():
                return self._open(now)
        else:
            self._websocket = link
            self._lines.wait_until(link, NEVER)
        self._route.opened()
        self._phase, self._opened_at, self._silent_since = Phase.OPEN, now, now
        self._greeted(*greeted)
        self._advance(now)

    def receive(self, link: Link, packet: Packet, size: int, now: float) -> None:
        """A ``Classic`` of ``size`` bytes came on a WebSocket."""
        if self._lines.get(link) is None:
            return
        self._silent_since = now
        match packet:
            case Classic(message, None):
                if message == PING:
                    self._actions.append(Transmit(link, (Classic([PONG]),)))
                else:
                    self._hear_pushes(message, size)
            case Classic(_, ref) if ref == PING:
                self._read(self._pinged or 0)
                self._pinged = None
            case Classic(value, str(ref)) if ref.isdecimal():
                self._settle(int(ref), value)
        self._advance(now)

    def exchanged(self, link: Link, head: Any, packets: Sequence[tuple[Packet, int]], now: float) -> None:
        """A poll or POST was answered with status 200, and with one ``Classic``. ``head`` means nothing here."""
        way = self._lines.pop(link)
        if way is None:
            return
        ((packet, size),) = packets
        assert isinstance(packet, Classic), "the driver reads nothing else"
        self._polling = self._polling if way.use == "post" else None
        if way.use == "post":
            self._read(1)
            ref = next((ref for ref, asked in self._asked.items() if asked.link == link), 0)
            self._settle(ref, packet.message)
            self._posting = None if self._posting == link else self._posting
        elif greeted := read_handshake([packet.message, packet.ref]):
            self._greeted(*greeted)  # the server has forgotten this client, or is another one
        else:
            self._hear_pushes(packet.message, size)
        self._advance(now)

    def link_lost(self, link: Link, now: float, *, code: int | None = None, message: str = "") -> None:
        """A link ended. Sente refuses a WebSocket with a status, before the upgrade; where polls could be refused
        instead, they are asked."""
        if self._phase is Phase.OPENING and code in TERMINAL and not self._route.falls_back:
            code = code + 4000
        super().link_lost(link, now, code=code, message=message)

    def next_timer(self) -> float | None:
        """When ``handle_timer`` is to be called; ``None``: not before the next input."""
        times = [asked.deadline for asked in self._asked.values()]
        if self._phase is Phase.OPEN and self._may_say:
            times.append(0.0)
        times.append(self._silent_until)
        earliest = min(super().next_timer() or NEVER, *times)
        return None if earliest == NEVER else earliest

    # -- inside

    @property
    def _silent_until(self) -> float:
        if self._websocket is None or self.full:  # a server that is not read is not silent
            return NEVER
        patience = self._settings.ping + (0 if self._pinged is None else self._settings.ping_timeout)
        return self._silent_since + patience

    @property
    def _may_say(self) -> bool:
        return bool(self._waiting) and (self._websocket is not None or self._posting is None)

    def _greeted(self, uid: Any, data: Any) -> None:
        ever_opened = self.state.ever_opened
        self._set(
            open=True,
            ever_opened=True,
            first_open=not ever_opened,
            uid=uid,
            handshake_data=data,
            resumed=False,
            lost=None if ever_opened else 0,
        )

    def _put_classic(self, event: Event, ref: int | None) -> None:
        limits = self._settings.limits
        if event.size > limits.packet - ENVELOPE:
            raise PackError(f"{event.size} bytes packed; limits.packet allows {limits.packet}")
        kept = len(self._waiting) + len(self._under_way)
        if kept >= limits.outbox or self._kept_bytes + event.size > limits.outbox_bytes:
            raise OutboxFull("too much waits for the server: slow down, or wait for a request's reply now and then")
        self._waiting.append((event, ref))
        self._kept_bytes += event.size

    def _advance(self, now: float) -> None:
        """Settle what is overdue, say what waits, keep a poll under way, see whether the server is there."""
        if self._phase is not Phase.OPEN:
            return
        for ref in [ref for ref, asked in self._asked.items() if now >= asked.deadline]:
            self.cancel(ref)
            self._actions.append(Settle(ref, "timeout"))
        while self._may_say:
            self._say(now + HOLD)
        if self._websocket is None:
            if self._polling is None and not self.full:
                self._polling = self._lines.add("poll", now + HOLD)
                self._actions.append(Exchange(self._polling, {}, ()))
        elif now >= self._silent_until:
            if self._pinged is not None:
                return self.broken(self._websocket, "no sign of life", now)
            self._ping(self._websocket)
        elif self._pinged is None and len(self._under_way) > self._settings.limits.outbox // 2:
            self._ping(self._websocket)

    def _say(self, until: float) -> None:
        event, ref = self._waiting.popleft()
        self._under_way.append(event.size)
        if self._websocket is not None:
            self._actions.append(Transmit(self._websocket, (Classic(event, None if ref is None else str(ref)),)))
            return
        link = self._lines.add("post", until)
        self._actions.append(Exchange(link, {}, (Classic(event, None if ref is None else AJAX),)))
        if ref is None:
            self._posting = link
        else:
            self._asked[ref].link = link

    def _ping(self, link: Link) -> None:
        """Ask for a sign of life, which also says that everything before it was read."""
        self._pinged = len(self._under_way)
        self._actions.append(Transmit(link, (Classic([PING], PING),)))

    def _read(self, count: int) -> None:
        """The server has read so much of what was under way."""
        for _ in range(count):
            self._kept_bytes -= self._under_way.popleft()

    def _hear_pushes(self, message: Any, size: int) -> None:
        """Hand a batch over. Other words, ``chsk/timeout`` after a poll without news say, mean nothing."""
        if isinstance(message, list):
            for event in (read_named(plain, size // len(message)) for plain in message):
                if not event.id.startswith("chsk/"):
                    self._unhandled += 1
                    self._actions.append(Deliver(event))

    def _settle(self, ref: int, value: Any) -> None:
        if self._asked.pop(ref, None) is not None:  # else it is late: the asker has had its outcome
            outcome = OUTCOMES.get(value, "reply") if isinstance(value, str) else "reply"
            error = {"code": "error", "message": "the server says no more than that"}
            self._actions.append(Settle(ref, outcome, error if outcome == "error" else value))

    def _leave(self) -> None:
        self._let_go()
        while self._waiting:
            self._say(NEVER)  # there is no time left for one after the other
            self._let_go()
        if self._websocket is not None:
            self._lines.pop(self._websocket)
            self._actions.append(Close(self._websocket, 1000, "goodbye"))

    def _let_go(self) -> None:
        """The event that is being POSTed has to get there, but nobody waits for the answer."""
        if self._posting is not None:
            self._lines.pop(self._posting)
        self._posting = None

    def _close(self, closed: Closed, **changes: Any) -> None:
        super()._close(closed, **changes)
        self._actions += [Settle(ref, "disconnected") for ref in self._asked]
        self._asked.clear()
        self._waiting = deque(item for item in self._waiting if item[1] is None)  # these never left
        self._under_way.clear()
        self._kept_bytes = sum(event.size for event, _ in self._waiting)
        self._websocket = self._polling = self._posting = self._pinged = None
