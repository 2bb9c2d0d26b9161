"""What both sides of a session do alike: say each thing until it is acknowledged, hear each thing once (§5)."""

from typing import Any, TypeAlias

from sente.errors import ProtocolError
from sente.protocol.actions import Link
from sente.protocol.greeting import PeerLimits
from sente.protocol.inbox import Inbox
from sente.protocol.messages import CANCEL, Ack, Event, Events, Packet, Ping, Pong, Reply, Request
from sente.protocol.outbox import UNLIMITED, Answered, Asked, Nothing, Outbox, Withdrawn
from sente.protocol.settings import AckPolicy, Limits

REACH_PER_REQUEST = 16
"""Replies pass the window; so many per request that may be open can be under way before the sender is at fault."""

ENVELOPE = 32
"""What a batch adds around its events, at most: brackets, null and a number."""

LATE = 5.0
"""Seconds: a timer that comes so late says that the clock jumped, or that this side slept."""

Heard: TypeAlias = tuple[Event | Request | Reply | None, Link]
"""One thing that is in order now, and the link it came on; ``None`` is a dropped event."""

Frames: TypeAlias = tuple[Packet, ...]


class Conversation:
    """One side of a session. On a new link ``greet`` and rewind the outbox; then ``hear`` and ``say`` what is due."""

    def __init__(self, limits: Limits, *, acks: AckPolicy, peer: PeerLimits, server: bool) -> None:
        self.limits = limits
        self.agree(acks)
        self.peer = peer
        self.outbox = Outbox()
        self.inbox: Inbox[Heard] = Inbox(limits.window + REACH_PER_REQUEST * limits.requests)
        self._awaited = 0
        self.slow_at = float("inf")
        """When ``is_slow`` is to be asked."""
        self.backlog = 0
        """Events handed to the application and not yet handled: the driver's to keep."""
        self.backlog_bytes = 0
        """The same in bytes; a client keeps no account of it."""
        self._early_bytes = 0  # what came while there is a gap in the numbers
        self._most_bytes = limits.backlog_bytes + limits.window_bytes + limits.body
        self.asked: set[int] = set()
        """Requests of the other side without reply."""
        self.leaving = False
        """Whether this side may end before everything is handled: then what is not is not acknowledged either."""
        self._server = server  # whose batches do without seq, so that they are shared
        self._told = 0  # the last acknowledgement given
        self._owed_since: float | None = None
        self._owed_bytes = 0
        self._asked_for_ack = False
        self._expected = 1  # what an unnumbered batch on the current link begins with
        self.passing: list[Event] = []
        """Volatile, until the line is spoken to next."""
        self._passing_bytes = 0

    def agree(self, acks: AckPolicy) -> None:
        """Acknowledge like this from now on: at a quarter of the window at the latest, or its sender would wait."""
        self._ack_items = min(acks.items, self.limits.window // 4)
        self._ack_bytes = min(acks.bytes, self.limits.window_bytes // 4)
        self._ack_delay = acks.delay

    @property
    def full(self) -> bool:
        """Whether more is kept for the other side than allowed."""
        return len(self.outbox) > self.limits.outbox or self.outbox.bytes > self.limits.outbox_bytes

    def await_ack(self, until: float) -> None:
        """Ask ``is_slow`` then, if anything is unacknowledged now: of the newest number that has left. So there is one
        time for all, not one for each."""
        self._awaited = self.outbox.next - 1
        self.slow_at = until if self.outbox.acked < self._awaited else float("inf")

    def is_slow(self, now: float, age: float) -> bool:
        """Whether what was awaited is not acknowledged; to be asked at ``slow_at``. Else wait for the next.

        Asked much later, it proves nothing: the clock jumped, or the machine slept, and the other side had no time."""
        if self.outbox.acked < self._awaited and now - self.slow_at < LATE:
            return True
        self.await_ack(now + age)
        return False

    # -- hearing

    def greet(self) -> int:
        """A new link is being greeted: the ``ack`` to state, after which the other side's numbers go on."""
        self._tell()
        self._expected = self._told + 1
        return self._told

    def body(self, seq: int, ack: int) -> None:
        """An HTTP body begins: each is a small link of its own."""
        self.outbox.acknowledge(ack)
        self._expected = seq

    def hear(self, packet: Packet, link: Link, size: int, now: float) -> list[Heard]:
        """What the packet put in order. Acknowledgements in it are taken, one is owed for what it brought.

        Raises:
            ProtocolError: its numbers cannot be: the session cannot go on.
        """
        match packet:
            case Request(seq=seq, ack=ack) | Reply(seq=seq, ack=ack):
                self._acknowledged(ack)
                heard = self._number(seq, (packet, link), now)
            case Events(events, seq):
                if seq == 0 and self.backlog >= self.limits.backlog:
                    return []  # unnumbered ones may be dropped
                if seq == 0:
                    return [(event, link) for event in events if event is not None]
                heard = []
                for number, event in enumerate(events, self._expected if seq is None else seq):
                    heard += self._number(number, (event, link), now)
            case Ack(ack=ack) | Ping(ack=ack) | Pong(ack=ack):
                self._acknowledged(ack)
                self._asked_for_ack |= isinstance(packet, Ack) and packet.please
                return []
            case _:
                return []
        self._owed_bytes += size
        self._early_bytes = self._early_bytes + size if self.inbox.has_gap else 0
        if self._server and self.backlog_bytes + self._early_bytes > self._most_bytes:
            raise ProtocolError("more is under way than the window lets through")
        return heard

    def _number(self, seq: int, heard: Heard, now: float) -> list[Heard]:
        self._expected = seq + 1
        if self._owed_since is None:
            self._owed_since = now
        # a client may not run ahead of its acknowledgements; a server's replies may, while events are not handled
        return self.inbox.take(seq, heard, self._told if self._server else self.inbox.top)

    def _acknowledged(self, ack: int | None) -> None:
        if ack is not None:
            self.outbox.acknowledge(ack)

    # -- being asked

    def take_request(self, ref: int) -> bool:
        """The other side asks; False if too much is asked at once: then it has its answer.

        Raises:
            ProtocolError: ``ref`` is still open.
        """
        if ref in self.asked:
            raise ProtocolError(f"ref {ref} is still open")
        self.asked.add(ref)
        if len(self.asked) <= self.limits.requests:
            return True
        self._fail(ref, "rate_limited", "too many requests are open at once")
        return False

    def take_cancel(self, ref: Any) -> bool:
        """The other side no longer waits for ``ref``: that is its answer. False if it had one, or never asked."""
        if type(ref) is not int or ref not in self.asked:
            return False
        self._fail(ref, "cancelled", "nobody waits for the reply any more")
        return True

    def reply(self, ref: int, value: Any, *, failed: bool = False, size: int = 0) -> bool:
        """Answer request ``ref``; False if it has its answer."""
        if ref not in self.asked:
            return False
        if size > max(0, self.peer.packet - ENVELOPE):  # an error of ours has no size, and passes
            self._fail(ref, "too_large", "the reply is larger than the asker takes")
        else:
            self.asked.discard(ref)
            self.outbox.put(Answered(value, ref, failed, size))
        return True

    def _fail(self, ref: int, code: str, message: str) -> None:
        self.reply(ref, {"code": code, "message": message, "data": None}, failed=True)

    # -- acknowledging

    @property
    def _tellable(self) -> int:
        """How far this side has taken charge: held back while handlers lag, so that in time the sender waits."""
        if self.backlog_bytes > self.limits.backlog_bytes or (self.leaving and self.backlog):
            return self._told
        behind = self.backlog - self.limits.backlog
        return self.inbox.top if behind <= 0 else max(self._told, self.inbox.top - behind)

    def ack_due(self) -> float | None:
        """When an acknowledgement must go alone; ``None`` if nothing is owed."""
        if self._asked_for_ack:
            return 0.0
        if self._told == self.inbox.top or not (owed := self._tellable - self._told):
            return None
        if owed >= self._ack_items or self._owed_bytes >= self._ack_bytes or self._owed_since is None:
            return 0.0
        return self._owed_since + self._ack_delay

    def ack(self) -> int:
        """The acknowledgement, for a packet or head that always states it."""
        self._tell()
        return self._told

    def news(self) -> int | None:
        """The acknowledgement, for a packet that can take it along, or ``None`` if it says nothing new."""
        if self._told == self.inbox.top and not self._asked_for_ack:
            return None
        told = self._told
        self._tell()
        return self._told if self._told > told else None

    def _tell(self) -> None:
        self._told = self._tellable
        self._owed_since = None
        self._owed_bytes = 0
        self._asked_for_ack = False

    # -- saying

    def say(self, *, max_bytes: float = UNLIMITED) -> Frames:
        """The packets that may leave now: runs of events as batches no longer than the other side takes, and the line
        carries. ``max_bytes``: they make up one body."""
        longest = min(self.peer.packet - ENVELOPE, self.outbox.stretch)
        if max_bytes != UNLIMITED:
            max_bytes = 0 if self.outbox.cursor <= self.outbox.alone else min(max_bytes, self.outbox.stretch)
        items = self.outbox.take(window=self.peer.window, window_bytes=self.peer.window_bytes, max_bytes=max_bytes)
        if len(items) == 1:  # as mostly
            seq, item = items[0]
            if isinstance(item, Event):
                return (Events((item,), None if self._server else seq),)
            if isinstance(item, Answered):
                return (Reply(item.value, item.ref, seq, self.news(), item.failed),)
        packets: list[Packet] = []
        batch: list[Event] = []
        room = 0.0
        for seq, item in items:
            if isinstance(item, Withdrawn):
                item = Event(CANCEL, item.ref, item.size)
            if isinstance(item, Event) and batch and item.size + 1 <= room and seq > self.outbox.alone + 1:
                batch.append(item)
                room -= item.size + 1
                continue
            if batch:
                packets.append(self._batch(batch, seq))
                batch = []
            if isinstance(item, Event):
                batch = [item]
                room = longest - item.size
            else:
                packets.append(self._packet(item, seq))
        if batch:
            packets.append(self._batch(batch, self.outbox.cursor))
        return tuple(packets)

    def let_pass(self, event: Event) -> int:
        """Have a volatile event leave with the next ``pass_on``. They fill one packet at most, of no more events than
        the window: how many were dropped for that, the oldest first."""
        self.passing.append(event)
        self._passing_bytes += event.size + 1
        dropped = 0
        while self._passing_bytes > self.peer.packet - ENVELOPE or len(self.passing) > self.peer.window:
            self._passing_bytes -= self.passing.pop(0).size + 1
            dropped += 1
            if not self.passing:
                break
        return dropped

    def pass_on(self) -> tuple[Event, ...]:
        """The volatile events that leave now, or never."""
        events = tuple(self.passing)
        self.passing.clear()
        self._passing_bytes = 0
        return events

    def _batch(self, events: list[Event], after: int) -> Events:
        return Events(tuple(events), None if self._server else after - len(events))

    def _packet(self, item: Asked | Answered | Nothing, seq: int) -> Packet:
        if isinstance(item, Nothing):
            return Events((None,), None if self._server else seq)
        if isinstance(item, Asked):
            return Request(item.event, item.ref, seq, self.news())
        return Reply(item.value, item.ref, seq, self.news(), item.failed)
