"""One client as the server sees it.

The driver gives every WebSocket and every HTTP exchange a number (``Link``) and calls, in this order: ``attach`` with
a hello that passed the checks, then ``receive`` for each frame of the WebSocket, or ``exchange`` for each POST; and
``link_lost`` when the link is gone. After every call it carries out ``take_actions()`` and plans a call of
``handle_timer`` at ``next_timer()``. Deliveries are handled one after the other; ``handled`` is called after each.
"""

from collections.abc import Sequence
from typing import Any

from sente.errors import Disconnected, PackError, ProtocolError
from sente.protocol.actions import (
    Cancelled,
    Close,
    Deliver,
    Dropped,
    Ended,
    Expired,
    LateReply,
    Link,
    PresenceChanged,
    Refused,
    Renew,
    Replaced,
    ServerAction,
    Transmit,
    TransportName,
)
from sente.protocol.conversation import ENVELOPE, Conversation
from sente.protocol.credentials import EXPIRED, Credentials
from sente.protocol.greeting import Greeting, Head, Hello, PeerLimits, write_info
from sente.protocol.messages import (
    AUTH,
    BAD_EVENT,
    BYE,
    CANCEL,
    VOLATILE,
    Control,
    Event,
    Handshake,
    Packet,
    Ping,
    Reply,
    Request,
)
from sente.protocol.outbox import Asked, Item, Outbox
from sente.protocol.requests import NEVER, Requests
from sente.protocol.server_links import REPLACED, Links
from sente.protocol.settings import ServerSettings
from sente.protocol.tombstone import Tombstone, tombstone
from sente.protocol.watched import Watched


class ServerSession:
    """See the module. Times are seconds of the driver's clock."""

    _conversation = Conversation

    def __init__(self, settings: ServerSettings, limits: PeerLimits, now: float) -> None:
        self._settings = settings
        self._talk = self._conversation(settings.limits, acks=settings.limits.ack, peer=limits, server=True)
        self.actions: list[ServerAction] = []
        """The work that came up, to be done in order: the driver takes it off, from the left."""
        self._requests = Requests(self.actions)
        self._transport: TransportName = "ws"
        self._present: TransportName | None = None
        self.ended = ""
        """By what the session has ended; empty while it goes on."""
        self._hello_n = self._poll_n = 0
        self.links = Links(settings, self._talk, self.actions, now)  # the ways to the client
        self._retry_after: float | None = None  # draining, and what to tell the client
        self._flush_at = NEVER
        self.watched = Watched(self.actions)
        """What ``watch`` was asked for; to be removed if nobody waits any more."""
        self._stone: Tombstone | None = None
        self.credentials = Credentials(settings.auth_warning)
        """For the driver to renew after each hello, and each ``Renew`` that passed the checks."""

    # -- links

    def attach(
        self, link: Link, transport: TransportName, hello: Hello, greeting: Greeting, now: float, *, ack: int
    ) -> None:
        """A hello passed the checks: greet it, say again what it has not, and take nothing from older links.

        ``ack`` is how far the client has received in *this* session: the hello's, or 0 in a new one. A hello older
        than one already answered only gets its own link closed.
        """
        if hello.n <= self._hello_n or self.ended:
            self.actions.append(Close(link, *REPLACED))
            return
        refused = self._talk.outbox.refused(hello.got) if hello.refused == self._hello_n else None
        try:
            self._talk.outbox.rewind(ack)
        except ProtocolError as error:
            self.actions.append(Close(link, error.close_code, error.reason))
            self.close(error.close_code, error.reason, now, word="broken")
            return
        self._hello_n = self._poll_n = hello.n
        self.links.drop(*REPLACED, now)
        self._talk.peer, self._transport = hello.limits, transport
        told, self._talk.slow_at = self._talk.greet(), NEVER  # a new line, a new chance
        session = {**greeting.session, **({"got": self._talk.inbox.top} if told < self._talk.inbox.top else {})}
        if refused is not None:
            self._give_up(refused)
        if given_up := self._talk.outbox.given_up:
            session["lost"] = given_up  # all of them, as the handshake that told of the last may not have arrived
        handshake = Handshake(greeting.uid, greeting.data, write_info(self._settings, told, session))
        if transport == "ws":
            self.links.open(link, now)
            self.actions.append(Transmit(link, (handshake,)))
        else:
            self.links.answer(link, packets=(handshake,))
        self._appear(now)
        self._flush_at = now if self._talk.outbox.unsent else NEVER
        self._advance(now)

    def receive(self, link: Link, packet: Packet, size: int, now: float) -> None:
        """A packet of ``size`` bytes came on the WebSocket ``link``. Numbers that cannot be end the session."""
        if link != self.links.websocket:
            return  # an older link: what it brings comes again on the newer one
        self.links.heard(now)
        try:
            self._hear(packet, link, size, now)
        except ProtocolError as error:
            self.close(error.close_code, error.reason, now, word="broken")
        if isinstance(packet, Ping) and not self.ended:
            self.links.pong(link)
        self._advance(now)

    def exchange(self, link: Link, head: Head, packets: Sequence[tuple[Packet, int]], now: float) -> None:
        """A POST came, with its packets and their sizes: a poll if ``head.wait`` is above 0.

        Numbers that cannot be end the session.
        """
        if self.ended:
            self.actions.append(Close(link, 4410, "this session is gone: say hello again"))
            return
        if head.n <= (self._poll_n if head.wait else self._hello_n):
            self.actions.append(Close(link, *REPLACED))
            return
        if self.credentials.expired(now):
            self.actions += [Close(link, *EXPIRED), Expired()]
            return
        try:
            self._talk.body(head.seq, head.ack)
            if head.wait:  # what went to an exchange that somebody repeated never reached the client
                self._talk.outbox.repeat(head.got)
            for packet, size in packets:
                self._hear(packet, link, size, now)
        except ProtocolError as error:
            self.actions.append(Close(link, error.close_code, error.reason))
            self.close(error.close_code, error.reason, now, word="broken")
            return
        if self.ended:  # a goodbye was among them: there is nothing more to wait for
            return self.links.answer(link)
        asks = any(isinstance(packet, Request) and packet.ref in self._talk.asked for packet, _ in packets)
        if head.wait:
            self._poll_n = head.n
        self.links.hold(link, head, asks=asks, now=now)
        self._appear(now)
        self._advance(now)

    def link_lost(self, link: Link, now: float) -> None:
        """The link is gone, without a goodbye: the session can be resumed."""
        self.links.lost(link, now)

    # -- the application's side

    def send(self, event: Event, now: float, *, flush: bool = False) -> None:
        """Say an event; with others of the next few milliseconds unless ``flush``."""
        if self.ended:
            return
        if event.key is None:
            self._talk.outbox.put(event)
        elif event.key is VOLATILE:
            self.links.let_pass(event)
            return self._leave_by(now if flush else now + self._batch_window, now)
        elif self._talk.outbox.put_latest(event):
            self.actions.append(Replaced())
        if event.size > self._talk.peer.packet - ENVELOPE:  # counted as lost, so that its client is told
            self.close(4413, "an event is larger than the packets this client takes", now, word="too large")
        self._leave_by(now if flush else now + self._batch_window, now)

    def request(self, event: Event, timeout: float, now: float) -> int:
        """Ask for a reply within ``timeout`` seconds; a ``Settle`` with the returned ref says what came of it.

        Raises:
            Disconnected: the session has ended.
            PackError: the client takes no packet that large.
        """
        if self.ended:
            raise Disconnected("the session has ended")
        if event.size > self._talk.peer.packet - ENVELOPE:
            raise PackError(f"{event.size} bytes packed; the client takes {self._talk.peer.packet} at most")
        self._talk.outbox.put(Asked(event, self._requests.next))
        ref = self._requests.add(now + timeout)
        self._leave_by(now, now)
        return ref

    def cancel(self, ref: int, now: float) -> None:
        """The asker no longer waits for ``ref``."""
        self._requests.cancel(ref, self._talk.outbox)
        self._leave_by(now, now)

    def reply(self, ref: int, value: Any, now: float, *, failed: bool = False, size: int = 0) -> None:
        """Answer the request ``ref``; what was said before leaves with it. A second answer is dropped."""
        if not self.ended and self._talk.reply(ref, value, failed=failed, size=size):
            self._leave_by(now, now)

    def watch(self, event: Event, now: float) -> bool:
        """Say with ``Arrived`` when the client has acknowledged this event, and ask it to at once. False: the event is
        not on its way to this client, or has been acknowledged."""
        if watched := self.watched.add(event, self._talk.outbox):
            self._leave_by(now, now)
        return watched

    def handled(self, now: float, size: int, number: int = 0) -> None:
        """The application is done with the delivery ``number``, which came in ``size`` bytes."""
        self._talk.backlog -= 1
        self._talk.backlog_bytes -= size
        self._advance(now)

    def drain(self, retry_after: float, now: float) -> None:
        """End the session with a last word as soon as nothing is open: the client comes back after ``retry_after``."""
        self._retry_after = retry_after
        self._talk.leaving = True
        self._flush_at = now
        self._advance(now)

    def close(self, code: int, reason: str, now: float, *, word: str) -> None:
        """End the session: its links are closed with ``code`` and ``reason``; ``word`` is for counters and logs."""
        if not self.ended:
            self.ended = word
            self.links.drop(code, reason, now)
            self._requests.disconnected()
            self.actions.append(Ended(word, self.items()))
            self._stone, self._talk.outbox = self.tombstone(), Outbox()  # which nobody needs any more

    def tombstone(self) -> Tombstone:
        """What to remember of the session once it has ended."""
        return self._stone or tombstone(self._talk.outbox, self._talk.inbox.top)

    # -- the driver's side

    @property
    def kept(self) -> tuple[int, int]:
        """Items, and bytes of them, that are kept for the client until it acknowledges them."""
        return len(self._talk.outbox), self._talk.outbox.bytes

    @property
    def acknowledged(self) -> int:
        """How much of what was said to the client it has taken charge of."""
        return self._stone.acknowledged if self._stone else self._talk.outbox.acked

    def items(self) -> Sequence[Item]:
        """What is kept for the client."""
        return self._talk.outbox.items()

    def take_actions(self) -> list[ServerAction]:
        """The work that came up since the last call, to be done in order."""
        actions, self.actions[:] = self.actions[:], []
        return actions

    def speak(self, now: float) -> None:
        """Say what is due; what ``handle_timer`` would do as well."""
        if now >= self._flush_at:
            self._advance(now)

    def next_timer(self) -> float | None:
        """When ``handle_timer`` is to be called; ``None``: not before the next input."""
        earliest = self._requests.next_timer()
        if self.links.attached:
            due = self._talk.ack_due()
            earliest = min(earliest, self._flush_at, self.links.next_timer(), NEVER if due is None else due)
            earliest = min(earliest, self.credentials.due, self._talk.slow_at)
        else:
            if self._present:
                earliest = min(earliest, self.links.away_since + self._grace)
            if not self.ended:
                earliest = min(earliest, self.links.away_since + self._settings.resume)
        return None if earliest == NEVER else earliest

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self._present and not self.links.attached and now >= self.links.away_since + self._grace:
            self._present = None
            self.actions.append(PresenceChanged(None))
        if self.ended:
            return
        if not self.links.attached and now >= self.links.away_since + self._settings.resume:
            return self.close(4410, "the session expired", now, word="expired")
        if now >= self._talk.slow_at and self.links.attached and self._talk.is_slow(now, self._settings.outbox_age):
            return self.close(4420, "the client acknowledges nothing", now, word="slow age")
        self._requests.handle_timer(now, self._talk.outbox)
        if now >= self.credentials.due and self.links.attached:
            self._mind_credentials(now)
        self.links.keep_alive(now)
        self._advance(now)
        self.links.let_go(now)

    # -- inside

    @property
    def _batch_window(self) -> float:
        return self._settings.batch_ws if self._transport == "ws" else self._settings.batch_poll

    @property
    def _grace(self) -> float:
        return self._settings.grace_ws if self._transport == "ws" else self._settings.grace_poll

    def _hear(self, packet: Packet, link: Link, size: int, now: float) -> None:
        if isinstance(packet, Control):
            return self.close(1000, "goodbye", now, word="goodbye") if packet.event.id == BYE else None
        heard = self._talk.hear(packet, link, size, now)
        for number, (said, came_on) in enumerate(heard, self._talk.inbox.top + 1 - len(heard)):
            match said:
                case Request(event, ref):
                    if self._talk.take_request(ref):
                        self._deliver(event, ref, came_on, number)
                case Reply(value, ref, failed=failed):
                    if not self._requests.settle(ref, "error" if failed else "reply", value):
                        self.actions.append(LateReply(ref))
                case Event(id, ref) if id == CANCEL:
                    if self._talk.take_cancel(ref):
                        self.actions.append(Cancelled(ref))
                case Event() as event:
                    self._deliver(event, None, came_on, number)
                case _:
                    pass  # a dropped number: counted, that is all

    def _deliver(self, event: Event, ref: int | None, link: Link, number: int) -> None:
        self._talk.backlog += 1
        if event.id == AUTH and ref is not None:
            return self.actions.append(Renew(event.data, ref, link))
        if event.id.startswith("chsk/") and event.id != BAD_EVENT:
            event = Event(BAD_EVENT, [event.id, event.data], event.size)  # these ids are the protocol's own
        self._talk.backlog_bytes += event.size
        self.actions.append(Deliver(event, ref, link, number))

    def _mind_credentials(self, now: float) -> None:
        """Warn the client, or close its links: the session can be resumed with new credentials."""
        if self.credentials.expired(now):
            self.links.drop(*EXPIRED, now)
            self.actions.append(Expired())
        else:
            self.send(self.credentials.warning(now), now, flush=True)

    def _leave_by(self, flush_at: float, now: float) -> None:
        self._flush_at = min(self._flush_at, flush_at)
        if self._talk.full:
            if shed := self._talk.outbox.shed():
                self.actions.append(Dropped(shed, "latest dropped"))
            if self._talk.full:
                self.close(4420, "the client does not keep up with what is sent to it", now, word="slow")

    def _advance(self, now: float) -> None:
        """Say what is due, acknowledge what is due, and take leave if draining."""
        if self.watched.events:
            self.watched.look(self._talk.outbox)
        if self.ended or not self.links.attached:
            return
        leaving = self._retry_after is not None and self._take_leave(self._retry_after, now)
        if self._flush_at == NEVER and self._talk.outbox.unsent:
            self._flush_at = now  # the window was full, or the last body: there may be room now
        if now >= self._flush_at:
            self._flush_at = NEVER
            draining = self._retry_after is not None and not leaving
            self.links.say(now, hurry=draining or bool(self.watched.events))  # nobody is to wait
            if self._talk.slow_at == NEVER:
                self._talk.await_ack(now + self._settings.outbox_age)
        if (due := self._talk.ack_due()) is not None and now >= due:
            self.links.acknowledge(now)
        if leaving:
            self.close(1001, "the server restarts", now, word="drained")

    def _give_up(self, item: Item) -> None:
        """The client cannot read it."""
        if isinstance(item, Event):
            self.actions.append(Refused(item))
        elif isinstance(item, Asked):
            self._requests.settle(item.ref, "refused")

    def _take_leave(self, retry_after: float, now: float) -> bool:
        """When draining and nothing is open, put the last word; whether it is put."""
        talk = self._talk
        if talk.asked or talk.backlog or len(talk.outbox) or len(self._requests):
            return False
        word = {"ack": talk.inbox.top, "lost": 0, "retry_after": round(retry_after * 1000)}
        self.send(Event(BYE, word), now, flush=True)
        return True

    def _appear(self, now: float) -> None:
        """The client is there, be it after a silence longer than the grace."""
        self.links.away_since = now
        if self._present != self._transport:
            self._present = self._transport
            self.actions.append(PresenceChanged(self._transport))
