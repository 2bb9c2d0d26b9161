"""The links a client has in use, and what travels on them: frames of a WebSocket, or polls and POSTs."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sente.protocol.actions import ClientAction, Close, Exchange, Link, Transmit
from sente.protocol.conversation import Conversation
from sente.protocol.greeting import Info, PeerLimits
from sente.protocol.messages import BYE, Ack, Control, Event, Packet, Ping, Pong
from sente.protocol.outbox import Asked
from sente.protocol.settings import ClientSettings

NEVER = float("inf")
Use: TypeAlias = Literal["ws", "welcome", "hello", "poll", "post"]


@dataclass(slots=True)
class Way:
    """A link in use, and until when the server may take to answer on it."""

    use: Use
    until: float


class Lines:
    """What the client says and hears, once it has been greeted; and how long each link may stay silent."""

    def __init__(self, settings: ClientSettings, actions: list[ClientAction]) -> None:
        self._settings = settings
        self._actions = actions
        self._ways: dict[Link, Way] = {}
        self._last_link = 0
        self._info: Info | None = None  # of the session that is open
        self._pinged = False
        self._silent_since = 0.0
        self._flush = False
        self.n = 0
        """Hellos, polls and POSTs so far (§4)."""
        self.talk = self.new_talk()

    def new_talk(self) -> Conversation:
        """A conversation in which nothing has been said yet."""
        limits = self._settings.limits
        peer = PeerLimits(limits.packet, limits.window, limits.window_bytes)
        return Conversation(limits, acks=limits.ack, peer=peer, server=False)

    def start_anew(self, prev: int | None) -> tuple[set[int], tuple[Event, ...]]:
        """The session is gone: carry over what the server had not received, above ``prev``; ``None``: nobody knows.

        Returns the requests carried over, and the events of which nobody knows whether they arrived.
        """
        old = self.talk
        sent = old.outbox.sent_above(0 if prev is None else prev)
        carried = [*(() if prev is None else (item for _, item in sent)), *old.outbox.waiting()]
        doubtful = tuple(item for _, item in sent if isinstance(item, Event)) if prev is None else ()
        self.talk = self.new_talk()
        self.talk.backlog = old.backlog  # what was delivered is still to be handled
        for item in carried:
            self.talk.outbox.put(item)
        return {item.ref for item in carried if isinstance(item, Asked)}, doubtful

    # -- links

    def add(self, use: Use, until: float) -> Link:
        """A new link."""
        self._last_link += 1
        self._ways[self._last_link] = Way(use, until)
        return self._last_link

    def get(self, link: Link) -> Way | None:
        """The link, if it is still in use."""
        return self._ways.get(link)

    def pop(self, link: Link) -> Way | None:
        """The link, if it is still in use, which it is no more."""
        return self._ways.pop(link, None)

    def wait_until(self, link: Link, until: float) -> None:
        """Give the server so long to answer on this link."""
        self._ways[link].until = until

    def count(self) -> int:
        """The number of the next hello, poll or POST."""
        self.n += 1
        return self.n

    def opened(self, info: Info, now: float) -> None:
        """The handshake came: talk as it says."""
        self._info = info
        self.talk.peer, self.talk.acks = info.limits, info.acks
        self.alive(now)
        for way in self._ways.values():
            way.until = NEVER

    def alive(self, now: float) -> None:
        """Something came on the WebSocket."""
        self._silent_since, self._pinged = now, False

    def close(self, reason: str) -> None:
        """Give every link up, in a way that the session survives."""
        self._actions += [Close(link, 4000, reason) for link in self._ways]
        self._ways.clear()
        self._info = None
        self._flush = False

    def take_leave(self, now: float) -> None:
        """Say what waits, and goodbye."""
        link = self._websocket
        if link is None:
            self.talk.outbox.rewind(self.talk.outbox.acked)  # POSTs under way are given up: what they carry goes along
            seq = self.talk.outbox.cursor
            link = self._exchange("post", NEVER, seq, (*self.talk.say(), Control(Event(BYE))))
        else:
            self.say(now)
            # In words too, as hypercorn reports every close of a client as 1006.
            self._actions += [Transmit(link, (Control(Event(BYE)),)), Close(link, 1000, "goodbye")]
        self.pop(link)  # nobody waits for its answer

    # -- talking

    def flush_soon(self) -> None:
        """Something was put into the outbox: it leaves with the next ``advance``."""
        self._flush = True

    def pong(self, link: Link) -> None:
        """Answer a ping."""
        self._actions.append(Transmit(link, (Pong(self.talk.news()),)))

    def advance(self, now: float) -> None:
        """Say what waits, acknowledge what is due, and keep a poll under way."""
        assert self._info is not None, "only an open session talks"
        self.say(now)
        ack_due = self.talk.ack_due()
        owes = ack_due is not None and now >= ack_due
        if self._websocket is not None:
            if owes:
                self._actions.append(Transmit(self._websocket, (Ack(self.talk.ack()),)))
        elif not self._busy("poll"):
            wait = round(self._info.poll * 1000)
            self._exchange("poll", now + self._patience, self.talk.outbox.cursor, wait=wait)
        elif owes and self._busy("post") < self._settings.posts:
            self._exchange("post", now + self._patience, self.talk.outbox.cursor)

    def say(self, now: float) -> None:
        """Say what waits, as far as window and free POSTs allow."""
        self._flush = False
        if self._info is None or not self.talk.outbox.unsent:
            return
        if self._websocket is not None:
            packets = self.talk.say()
            if packets:
                self._actions.append(Transmit(self._websocket, packets))
            return
        while self._busy("post") < self._settings.posts:
            seq = self.talk.outbox.cursor
            packets = self.talk.say(max_bytes=self._info.body // 2)
            if not packets:
                return
            self._exchange("post", now + self._patience, seq, packets)

    # -- time

    def next_timer(self) -> float:
        """When something is due."""
        times = [way.until for way in self._ways.values()]
        if self._info is not None:
            if self._flush:
                return 0.0
            ack_due = self.talk.ack_due()
            if ack_due is not None and (self._websocket is not None or self._busy("post") < self._settings.posts):
                times.append(ack_due)
            if self._websocket is not None:
                times.append(self._silent_until)
        return min(times, default=NEVER)

    def overdue(self, now: float) -> tuple[Link, str] | None:
        """A link that does not do what it should, and what that is. A silent WebSocket is pinged first."""
        for link, way in self._ways.items():
            if now >= way.until:
                return link, f"no answer to {way.use}"
        websocket = self._websocket
        if self._info is None or websocket is None or now < self._silent_until:
            return None
        if self._pinged:
            return websocket, "no sign of life"
        self._pinged = True
        self._actions.append(Transmit(websocket, (Ping(self.talk.news()),)))
        return None

    # -- inside

    @property
    def _websocket(self) -> Link | None:
        return next((link for link, way in self._ways.items() if way.use == "ws"), None)

    @property
    def _silent_until(self) -> float:
        return self._silent_since + self._settings.ping + (self._settings.ping_timeout if self._pinged else 0)

    @property
    def _patience(self) -> float:
        """How long an exchange may take: a POST that asks is held as long as a poll."""
        return (self._info.poll if self._info else 0) + self._settings.poll_margin

    def _busy(self, use: Use) -> int:
        return sum(way.use == use for way in self._ways.values())

    def _exchange(self, use: Use, until: float, seq: int, packets: tuple[Packet, ...] = (), *, wait: int = 0) -> Link:
        assert self._info is not None, "only an open session exchanges"
        ack, got = self.talk.ack(), self.talk.inbox.top
        head = {"session": self._info.session, "n": self.count(), "ack": ack, "seq": seq, "wait": wait}
        if wait and got > ack:
            head["got"] = got
        link = self.add(use, until)
        self._actions.append(Exchange(link, head, packets))
        return link
