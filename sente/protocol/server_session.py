"""One client as the server sees it.

The driver gives every WebSocket and every HTTP exchange a number (``Link``) and calls, in this order: ``attach`` with
a hello that passed the checks, then ``receive`` for each frame of the WebSocket, or ``exchange`` for each POST; and
``link_lost`` when the link is gone. After every call it carries out ``take_actions()`` and plans a call of
``handle_timer`` at ``next_timer()``. Deliveries are handled one after the other; ``handled`` is called after each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sente.errors import ProtocolError
from sente.protocol.actions import (
    Answer,
    Close,
    Deliver,
    Ended,
    Link,
    PresenceChanged,
    ServerAction,
    Transmit,
    TransportName,
)
from sente.protocol.conversation import ENVELOPE, Conversation
from sente.protocol.greeting import Greeting, Head, Hello, PeerLimits, write_info
from sente.protocol.messages import BAD_EVENT, BYE, Ack, Control, Event, Handshake, Packet, Ping, Pong, Request
from sente.protocol.outbox import Answered
from sente.protocol.settings import ServerSettings

NEVER = float("inf")
REPLACED = (4409, "replaced by a newer link of this client")


@dataclass(slots=True)
class _Held:
    """An HTTP exchange that waits for something to say; a poll if it came for nothing else."""

    link: Link
    until: float
    poll: bool


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is known of a session that ended: enough to say what its client lost (§4)."""

    unacknowledged: tuple[int, ...]
    """Numbers of events not known to have arrived."""
    received: int
    """How far the session had received."""

    def lost(self, ack: int) -> int:
        """How many events a client missed that had received up to ``ack``."""
        return sum(n > ack for n in self.unacknowledged)


class ServerSession:
    """See the module. Times are seconds of the driver's clock."""

    def __init__(self, settings: ServerSettings, limits: PeerLimits, now: float) -> None:
        self._settings = settings
        self._talk = Conversation(settings.limits, acks=settings.limits.ack, peer=limits, server=True)
        self._actions: list[ServerAction] = []
        self._transport: TransportName = "ws"
        self._present: TransportName | None = None
        self._ended = False
        self._hello_n = self._poll_n = 0
        self._websocket: Link | None = None
        self._held: list[_Held] = []  # HTTP exchanges, the newest last
        self._asked: set[int] = set()  # requests of the client without reply
        self._retry_after: float | None = None  # draining, and what to tell the client
        self._flush_at = NEVER
        self._silent_since = now  # nothing heard on the WebSocket since
        self._pinged = False
        self._away_since = now

    # -- links

    def attach(
        self, link: Link, transport: TransportName, hello: Hello, greeting: Greeting, now: float, *, ack: int
    ) -> None:
        """A hello passed the checks: greet it, say again what it has not, and take nothing from older links.

        ``ack`` is how far the client has received in *this* session: the hello's, or 0 in a new one. A hello older
        than one already answered only gets its own link closed.
        """
        if hello.n <= self._hello_n or self._ended:
            self._actions.append(Close(link, *REPLACED))
            return
        try:
            self._talk.outbox.rewind(ack)
        except ProtocolError as error:
            self._actions.append(Close(link, error.close_code, error.reason))
            self.close(error.close_code, error.reason, now, word="broken")
            return
        self._hello_n = self._poll_n = hello.n
        self._drop_links(*REPLACED)
        self._talk.peer = hello.limits
        told = self._talk.greet()
        self._transport = transport
        handshake = Handshake(greeting.uid, greeting.data, write_info(self._settings, told, greeting.session))
        if transport == "ws":
            self._websocket = link
            self._silent_since, self._pinged = now, False
            self._actions.append(Transmit(link, (handshake,)))
        else:
            self._answer(link, packets=(handshake,))
        self._appear(now)
        self._flush_at = now if self._talk.outbox.unsent else NEVER
        self._advance(now)

    def receive(self, link: Link, packet: Packet, size: int, now: float) -> None:
        """A packet of ``size`` bytes came on the WebSocket ``link``. Numbers that cannot be end the session."""
        if link != self._websocket:
            return  # an older link: what it brings comes again on the newer one
        self._silent_since, self._pinged = now, False
        try:
            self._hear(packet, link, size, now)
        except ProtocolError as error:
            self.close(error.close_code, error.reason, now, word="broken")
        if isinstance(packet, Ping) and self._websocket is not None:
            self._actions.append(Transmit(link, (Pong(self._talk.news()),)))
        self._advance(now)

    def exchange(self, link: Link, head: Head, packets: Sequence[tuple[Packet, int]], now: float) -> None:
        """A POST came, with its packets and their sizes: a poll if ``head.wait`` is above 0.

        Numbers that cannot be end the session.
        """
        if self._ended:
            self._actions.append(Close(link, 4410, "this session is gone: say hello again"))
            return
        if head.n <= (self._poll_n if head.wait else self._hello_n):
            self._actions.append(Close(link, *REPLACED))
            return
        try:
            self._talk.body(head.seq, head.ack)
            if head.wait:  # what went to an exchange that somebody repeated never reached the client
                self._talk.outbox.repeat(head.got)
            for packet, size in packets:
                self._hear(packet, link, size, now)
        except ProtocolError as error:
            self._actions.append(Close(link, error.close_code, error.reason))
            self.close(error.close_code, error.reason, now, word="broken")
            return
        asks = any(isinstance(packet, Request) and packet.ref in self._asked for packet, _ in packets)
        self._hold(link, head, asks=asks, now=now)
        if not self._ended:
            self._appear(now)
        self._advance(now)

    def _hold(self, link: Link, head: Head, *, asks: bool, now: float) -> None:
        """Let the exchange wait if it is a poll or asks for a reply; an older one of its kind is let go."""
        for held in self._held:
            if not held.poll:
                self._answer(held.link)
            elif head.wait:
                self._actions.append(Close(held.link, *REPLACED))
        self._held = [held for held in self._held if held.poll and not head.wait]
        if head.wait:
            self._poll_n = head.n
            self._held.append(_Held(link, now + min(head.wait / 1000, self._settings.poll), poll=True))
        elif asks and not self._ended:
            self._held.append(_Held(link, now + self._settings.poll, poll=False))
        else:
            self._answer(link)

    def link_lost(self, link: Link, now: float) -> None:
        """The link is gone, without a goodbye: the session can be resumed."""
        if link == self._websocket:
            self._websocket = None
            self._away_since = now
        elif any(held.link == link for held in self._held):
            self._held = [held for held in self._held if held.link != link]
            self._away_since = now

    # -- the application's side

    def send(self, event: Event, now: float, *, flush: bool = False) -> None:
        """Say an event; with others of the next few milliseconds unless ``flush``."""
        self._put(event, now, now if flush else now + self._batch_window)

    def reply(self, ref: int, value: Any, now: float, *, failed: bool = False, size: int = 0) -> None:
        """Answer the request ``ref``; what was said before leaves with it. A second answer is dropped."""
        if ref in self._asked:
            self._asked.discard(ref)
            if size > self._talk.peer.packet - ENVELOPE:
                value = {"code": "too_large", "message": "the reply is larger than this client takes", "data": None}
                failed, size = True, 0
            self._put(Answered(value, ref, failed, size), now, now)

    def handled(self, now: float) -> None:
        """The application is done with a delivery."""
        self._talk.backlog -= 1
        self._advance(now)

    def drain(self, retry_after: float, now: float) -> None:
        """End the session with a last word as soon as nothing is open: the client comes back after ``retry_after``."""
        self._retry_after = retry_after
        self._flush_at = now
        self._advance(now)

    def close(self, code: int, reason: str, now: float, *, word: str) -> None:
        """End the session: its links are closed with ``code`` and ``reason``; ``word`` is for counters and logs."""
        if not self._ended:
            self._ended = True
            self._drop_links(code, reason)
            self._away_since = now
            self._actions.append(Ended(word))

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._ended

    def tombstone(self) -> Tombstone:
        """What to remember of the session once it has ended."""
        outbox = self._talk.outbox
        sent = [n for n, item in outbox.sent_above(0) if isinstance(item, Event) and item.id != BYE]
        waiting = [n for n, item in enumerate(outbox.waiting(), outbox.next) if isinstance(item, Event)]
        return Tombstone((*sent, *waiting), self._talk.inbox.top)

    # -- the driver's side

    @property
    def kept(self) -> tuple[int, int]:
        """Items, and bytes of them, that are kept for the client until it acknowledges them."""
        return len(self._talk.outbox), self._talk.outbox.bytes

    def take_actions(self) -> list[ServerAction]:
        """The work that came up since the last call, to be done in order."""
        actions, self._actions = self._actions, []
        return actions

    def next_timer(self) -> float | None:
        """When ``handle_timer`` is to be called; ``None``: not before the next input."""
        times = [NEVER]
        if self._present and not self._attached:
            times.append(self._away_since + self._grace)
        if not self._ended:
            if self._websocket is not None:
                times.append(self._silent_since + self._silence)
            if self._websocket is not None or self._held:
                times += [self._flush_at, self._ack_due, *(held.until for held in self._held)]
            else:
                times.append(self._away_since + self._settings.resume)
        earliest = min(times)
        return None if earliest == NEVER else earliest

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self._present and not self._attached and now >= self._away_since + self._grace:
            self._present = None
            self._actions.append(PresenceChanged(None))
        if self._ended:
            return
        if not self._attached and now >= self._away_since + self._settings.resume:
            return self.close(4410, "the session expired", now, word="expired")
        self._keep_alive(now)
        self._advance(now)
        for held in [held for held in self._held if now >= held.until]:
            self._held.remove(held)
            self._away_since = now
            self._answer(held.link)

    # -- inside

    @property
    def _attached(self) -> bool:
        return self._websocket is not None or bool(self._held)

    @property
    def _batch_window(self) -> float:
        return self._settings.batch_ws if self._transport == "ws" else self._settings.batch_poll

    @property
    def _grace(self) -> float:
        return self._settings.grace_ws if self._transport == "ws" else self._settings.grace_poll

    @property
    def _silence(self) -> float:
        return self._settings.ping + (self._settings.ping_timeout if self._pinged else 0)

    @property
    def _ack_due(self) -> float:
        due = self._talk.ack_due()
        return NEVER if due is None else due

    def _hear(self, packet: Packet, link: Link, size: int, now: float) -> None:
        if isinstance(packet, Control):
            if packet.event.id == BYE:
                self.close(1000, "goodbye", now, word="goodbye")
            return
        for heard in self._talk.hear(packet, link, size, now):
            if isinstance(heard.what, Request):
                self._take_request(heard.what, heard.link, now)
            elif isinstance(heard.what, Event):
                self._deliver(heard.what, None, heard.link)

    def _take_request(self, request: Request, link: Link, now: float) -> None:
        ref = request.ref
        if ref in self._asked:
            raise ProtocolError(f"ref {ref} is still open")
        self._asked.add(ref)
        if len(self._asked) > self._settings.limits.requests:
            error = {"code": "rate_limited", "message": "too many requests are open at once", "data": None}
            self.reply(ref, error, now, failed=True)
        else:
            self._deliver(request.event, ref, link)

    def _deliver(self, event: Event, ref: int | None, link: Link) -> None:
        if event.id.startswith("chsk/") and event.id != BAD_EVENT:
            event = Event(BAD_EVENT, [event.id, event.data])  # these ids are the protocol's own
        self._talk.backlog += 1
        self._actions.append(Deliver(event, ref, link))

    def _put(self, item: Event | Answered, now: float, flush_at: float) -> None:
        if self._ended:
            return
        self._talk.outbox.put(item)
        self._flush_at = min(self._flush_at, flush_at)
        if item.size > self._talk.peer.packet - ENVELOPE:  # counted as lost, so that its client is told
            self.close(4413, "an event is larger than the packets this client takes", now, word="too large")
        elif self._talk.full:
            self.close(4420, "the client does not keep up with what is sent to it", now, word="slow")

    def _advance(self, now: float) -> None:
        """Say what is due, acknowledge what is due, and take leave if draining."""
        if self._ended or not self._attached:
            return
        leaving = self._take_leave(now)
        if self._talk.outbox.unsent and self._flush_at == NEVER:
            self._flush_at = now  # the window was full, or the last body: there may be room now
        if now >= self._flush_at:
            self._flush(now, hurry=self._retry_after is not None and not leaving)
        if now >= self._ack_due:
            self._acknowledge(now)
        if leaving:
            self.close(1001, "the server restarts", now, word="drained")

    def _flush(self, now: float, *, hurry: bool) -> None:
        self._flush_at = NEVER
        if self._websocket is not None:
            packets = self._talk.say()
            if hurry and len(self._talk.outbox):  # draining: nobody should have to wait for an acknowledgement
                packets = (*packets, Ack(self._talk.ack(), please=True))
            if packets:
                self._actions.append(Transmit(self._websocket, packets))
            return
        while self._held:
            seq = self._talk.outbox.cursor
            packets = self._talk.say(max_bytes=self._talk.peer.window_bytes)
            if not packets:
                break
            self._answer(self._held.pop().link, seq, packets)
            self._away_since = now

    def _acknowledge(self, now: float) -> None:
        if self._websocket is not None:
            self._actions.append(Transmit(self._websocket, (Ack(self._talk.ack()),)))
        else:
            self._answer(self._held.pop().link)
            self._away_since = now

    def _take_leave(self, now: float) -> bool:
        """When draining and nothing is open, put the last word; whether it is put."""
        if self._retry_after is None or self._asked or self._talk.backlog or len(self._talk.outbox):
            return False
        word = {"ack": self._talk.inbox.top, "lost": 0, "retry_after": round(self._retry_after * 1000)}
        self._put(Event(BYE, word), now, now)
        return True

    def _appear(self, now: float) -> None:
        """The client is there, be it after a silence longer than the grace."""
        self._away_since = now
        if self._present != self._transport:
            self._present = self._transport
            self._actions.append(PresenceChanged(self._transport))

    def _answer(self, link: Link, seq: int | None = None, packets: tuple[Packet, ...] = ()) -> None:
        head = {"ack": self._talk.ack(), "seq": self._talk.outbox.cursor if seq is None else seq}
        self._actions.append(Answer(link, head, packets))

    def _keep_alive(self, now: float) -> None:
        if self._websocket is None or now < self._silent_since + self._silence:
            return
        if self._pinged:
            self._drop_links(1001, "no sign of life")
            self._away_since = now
        else:
            self._pinged = True
            self._actions.append(Transmit(self._websocket, (Ping(self._talk.news()),)))

    def _drop_links(self, code: int, reason: str) -> None:
        links = [held.link for held in self._held]
        if self._websocket is not None:
            links.append(self._websocket)
        self._websocket, self._held = None, []
        self._actions += [Close(link, code, reason) for link in links]
