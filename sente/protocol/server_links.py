"""The links of one session at the server: its WebSocket, or the HTTP exchanges that wait for something to say."""

from dataclasses import dataclass

from sente.protocol.actions import Answer, Close, Dropped, Link, ServerAction, Transmit, TransmitVolatile
from sente.protocol.conversation import Conversation
from sente.protocol.greeting import Head
from sente.protocol.messages import Ack, Event, Events, Packet, Ping, Pong
from sente.protocol.requests import NEVER
from sente.protocol.settings import ServerSettings

REPLACED = (4409, "replaced by a newer link of this client")


@dataclass(slots=True)
class _Held:
    """An HTTP exchange that waits for something to say; a poll if it came for nothing else."""

    link: Link
    until: float
    poll: bool


class Links:
    """What is said leaves on the WebSocket, or else on the newest exchange that waits (§7)."""

    def __init__(self, settings: ServerSettings, talk: Conversation, actions: list[ServerAction], now: float) -> None:
        self._settings = settings
        self._talk = talk
        self._actions = actions
        self._held: list[_Held] = []  # the newest last
        self._silent_since = now  # nothing heard on the WebSocket since
        self._pinged = False
        self.websocket: Link | None = None
        self.away_since = now
        """When the last link was gone; only to be asked while there is none."""

    @property
    def attached(self) -> bool:
        """Whether something said now would leave."""
        return self.websocket is not None or bool(self._held)

    def open(self, link: Link, now: float) -> None:
        """A WebSocket is attached."""
        self.websocket = link
        self.heard(now)

    def heard(self, now: float) -> None:
        """Something came on the WebSocket."""
        self._silent_since, self._pinged = now, False

    def hold(self, link: Link, head: Head, *, asks: bool, now: float) -> None:
        """Let the exchange wait if it is a poll or asks for a reply; an older one of its kind is let go."""
        for held in self._held:
            if not held.poll:
                self.answer(held.link)
            elif head.wait:
                self._actions.append(Close(held.link, *REPLACED))
        self._held = [held for held in self._held if held.poll and not head.wait]
        if head.wait:
            self._held.append(_Held(link, now + min(head.wait / 1000, self._settings.poll), poll=True))
        elif asks:
            self._held.append(_Held(link, now + self._settings.poll, poll=False))
        else:
            self.answer(link)

    def lost(self, link: Link, now: float) -> None:
        """The link is gone."""
        if link == self.websocket:
            self.websocket, self.away_since = None, now
        elif any(held.link == link for held in self._held):
            self._held = [held for held in self._held if held.link != link]
            self.away_since = now
        if not self.attached:
            self._drop(self._talk.pass_on())

    def drop(self, code: int, reason: str, now: float) -> None:
        """Close them all."""
        links = [held.link for held in self._held]
        if self.websocket is not None:
            links.append(self.websocket)
        self.websocket, self._held, self.away_since = None, [], now
        self._actions += [Close(link, code, reason) for link in links]
        self._drop(self._talk.pass_on())

    # -- talking

    def let_pass(self, event: Event) -> None:
        """Say a volatile event with what is said next, if there is a line then and the client keeps up."""
        if not self.attached:
            self._drop((event,))
        elif dropped := self._talk.let_pass(event):
            self._actions.append(Dropped(dropped, "volatile dropped"))

    def say(self, now: float, *, hurry: bool) -> None:
        """Say what waits, as far as window and exchanges allow. ``hurry``: and have it acknowledged at once."""
        if self.websocket is not None:
            packets = self._talk.say()
            if hurry and len(self._talk.outbox):
                packets = (*packets, Ack(self._talk.ack(), please=True))
            if packets:
                self._actions.append(Transmit(self.websocket, packets))
            if self._talk.passing:
                self._actions += [TransmitVolatile(self.websocket, packet) for packet in self._volatile()]
            return
        while self._held:
            seq = self._talk.outbox.cursor
            packets = self._talk.say(max_bytes=self._talk.peer.window_bytes)
            if self._talk.passing:
                packets = (*packets, *self._volatile())
            if not packets:
                break
            self.answer(self._held.pop().link, seq, packets)
            self.away_since = now

    def acknowledge(self, now: float) -> None:
        """Say how far the client has been heard, and nothing else."""
        if self.websocket is not None:
            self._actions.append(Transmit(self.websocket, (Ack(self._talk.ack()),)))
        else:
            self.answer(self._held.pop().link, packets=self._volatile())
            self.away_since = now

    def answer(self, link: Link, seq: int | None = None, packets: tuple[Packet, ...] = ()) -> None:
        """End an exchange."""
        head = {"ack": self._talk.ack(), "seq": self._talk.outbox.cursor if seq is None else seq}
        self._actions.append(Answer(link, head, packets))

    def pong(self, link: Link) -> None:
        """Answer a ping."""
        self._actions.append(Transmit(link, (Pong(self._talk.news()),)))

    # -- time

    def next_timer(self) -> float:
        """When something is due; only to be asked while a link is attached."""
        silent = NEVER if self.websocket is None else self._silent_since + self._silence
        return min([silent, *(held.until for held in self._held)]) if self._held else silent

    def keep_alive(self, now: float) -> None:
        """Ping a silent WebSocket, and close one that stays silent."""
        if self.websocket is None or now < self._silent_since + self._silence:
            return
        if self._pinged:
            self.drop(1001, "no sign of life", now)
        else:
            self._pinged = True
            self._actions.append(Transmit(self.websocket, (Ping(self._talk.news()),)))

    def let_go(self, now: float) -> None:
        """End the exchanges that have waited long enough."""
        for held in [held for held in self._held if now >= held.until]:
            self._held.remove(held)
            self.away_since = now
            self.answer(held.link, packets=self._volatile())

    def _volatile(self) -> tuple[Events, ...]:
        """What waits that is volatile, unless numbered events wait too: then the client is behind."""
        events = self._talk.pass_on()
        if self._talk.outbox.unsent:
            self._drop(events)
        elif events:
            return (Events(events, 0),)
        return ()

    def _drop(self, events: tuple[Event, ...]) -> None:
        if events:
            self._actions.append(Dropped(len(events), "volatile dropped"))

    @property
    def _silence(self) -> float:
        return self._settings.ping + (self._settings.ping_timeout if self._pinged else 0)
