"""The links a client has in use, and what travels on them: frames of a WebSocket, or polls and POSTs."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sente.protocol.actions import ClientAction, Close, Exchange, Link, Transmit, TransmitVolatile
from sente.protocol.client_dialogue import Dialogue
from sente.protocol.conversation import Conversation
from sente.protocol.greeting import Info
from sente.protocol.messages import BYE, Ack, Control, Event, Events, Packet, Ping, Pong
from sente.protocol.requests import NEVER
from sente.protocol.settings import ClientSettings

Use: TypeAlias = Literal["ws", "welcome", "hello", "poll", "post", "probe", "climb"]
"""``probe``: a WebSocket that is tried beside the polls. ``climb``: the same, once it has taken their place."""


@dataclass(slots=True)
class Way:
    """A link in use, and until when the server may take to answer on it."""

    use: Use
    until: float


class Lines:
    """What the client says and hears, once it has been greeted; and how long each link may stay silent."""

    def __init__(self, settings: ClientSettings, dialogue: Dialogue, actions: list[ClientAction]) -> None:
        self._settings = settings
        self._dialogue = dialogue
        self._actions = actions
        self._ways: dict[Link, Way] = {}
        self._last_link = 0
        self._info: Info | None = None  # of the session that is open
        self._pinged = False
        self._silent_until = NEVER  # when a WebSocket is pinged, or given up if it was
        self._flush = False
        self._paused = False  # open, but on its way from one line to another
        self.n = 0
        """Hellos, polls and POSTs so far (§4)."""

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
        self._talk.peer = info.limits
        self._talk.agree(info.acks)
        self._paused = False
        self.alive(now)
        for way in self._ways.values():
            way.until = NEVER
            way.use = "ws" if way.use == "climb" else way.use

    def alive(self, now: float) -> None:
        """Something came on the WebSocket."""
        self._silent_until, self._pinged = now + self._settings.ping, False

    def wake(self, now: float) -> None:
        """Time has passed unnoticed, or the network is another one. Answers that have come may still wait to be read:
        each link gets a moment more. A WebSocket is pinged, unless that moment runs already; a poll is replaced."""
        until = now + self._settings.wake_timeout
        for way in self._ways.values():
            way.until = max(way.until, until)
        if self._info is None or self._paused:
            return
        link = self._websocket
        if link is None:
            for poll in [link for link, way in self._ways.items() if way.use == "poll"]:
                self._give_up(poll, "woken up")
        elif not (self._pinged and now < self._silent_until <= until):
            self._ping(link, until)

    def close(self, reason: str) -> None:
        """Give every link up, in a way that the session survives."""
        self.pause(reason)
        self._info = None
        self._flush = False

    def pause(self, reason: str, link: Link | None = None) -> None:
        """Give every link up but this one, and say nothing until the next handshake; a goodbye can still be said."""
        for other in [other for other in self._ways if other != link]:
            self._give_up(other, reason)
        self._ways = {link: Way("climb", NEVER)} if link is not None else {}
        self._paused = True
        self._talk.pass_on()  # to nobody

    def take_leave(self, now: float) -> None:
        """Say what waits, and goodbye."""
        link = self._websocket
        if link is None:
            self._talk.outbox.rewind(
                self._talk.outbox.acked
            )  # POSTs under way are given up: what they carry goes along
            seq = self._talk.outbox.cursor
            link = self._exchange("post", NEVER, seq, (*self._talk.say(), Control(Event(BYE))))
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
        self._actions.append(Transmit(link, (Pong(self._talk.news()),)))

    def probe(self, link: Link, until: float) -> None:
        """See whether frames come through, before anything depends on it."""
        self.wait_until(link, until)
        self._actions.append(Transmit(link, (Ping(),)))

    def advance(self, now: float) -> None:
        """Say what waits, acknowledge what is due, and keep a poll under way."""
        assert self._info is not None, "only an open session talks"
        self.say(now)
        ack_due = self._talk.ack_due()
        owes = ack_due is not None and now >= ack_due
        if self._websocket is not None:
            if owes:
                self._actions.append(Transmit(self._websocket, (Ack(self._talk.ack()),)))
        elif not self._busy("poll"):
            wait = round(self._info.poll * 1000)
            self._exchange("poll", now + self._patience, self._talk.outbox.cursor, wait=wait)
        elif owes and self._busy("post") < self._settings.posts:
            self._exchange("post", now + self._patience, self._talk.outbox.cursor)

    def say(self, now: float) -> None:
        """Say what waits, as far as window and free POSTs allow."""
        self._flush = False
        outbox, passing = self._talk.outbox, self._talk.pass_on()
        if self._info is None or not (outbox.unsent or passing):
            return
        if self._websocket is not None:
            packets = self._talk.say()
            if packets:
                self._actions.append(Transmit(self._websocket, packets))
            if passing and not outbox.unsent:  # else the server is behind
                self._actions.append(TransmitVolatile(self._websocket, Events(passing, 0)))
            return
        while self._busy("post") < self._settings.posts:
            seq = self._talk.outbox.cursor
            packets = self._talk.say(max_bytes=self._info.body // 2)
            if passing and not outbox.unsent:
                packets, passing = (*packets, Events(passing, 0)), ()
            if not packets:
                return
            self._exchange("post", now + self._patience, seq, packets)

    # -- time

    def next_timer(self) -> float:
        """When something is due."""
        times = [way.until for way in self._ways.values()]
        if self._info is not None and not self._paused:
            if self._flush:
                return 0.0
            ack_due = self._talk.ack_due()
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
        self._ping(websocket, now + self._settings.ping_timeout)
        return None

    # -- inside

    @property
    def _talk(self) -> Conversation:
        return self._dialogue.talk

    @property
    def _websocket(self) -> Link | None:
        return next((link for link, way in self._ways.items() if way.use == "ws"), None)

    @property
    def _patience(self) -> float:
        """How long an exchange may take: a POST that asks is held as long as a poll."""
        return (self._info.poll if self._info else 0) + self._settings.poll_margin

    def _ping(self, link: Link, until: float) -> None:
        self._pinged, self._silent_until = True, until
        self._actions.append(Transmit(link, (Ping(self._talk.news()),)))

    def _give_up(self, link: Link, reason: str) -> None:
        """In a way that the session survives."""
        del self._ways[link]
        self._actions.append(Close(link, 4000, reason))

    def _busy(self, use: Use) -> int:
        return sum(way.use == use for way in self._ways.values())

    def _exchange(self, use: Use, until: float, seq: int, packets: tuple[Packet, ...] = (), *, wait: int = 0) -> Link:
        assert self._info is not None, "only an open session exchanges"
        ack, got = self._talk.ack(), self._talk.inbox.top
        head = {"session": self._info.session, "n": self.count(), "ack": ack, "seq": seq, "wait": wait}
        if wait and got > ack:
            head["got"] = got
        link = self.add(use, until)
        self._actions.append(Exchange(link, head, packets))
        return link
