"""The session as a client sees it: connects, greets, says and hears, and comes back when the line is cut.

The driver calls ``connect``, carries out ``take_actions()`` after every call, reports what comes of them
(``first_frame``, ``receive``, ``exchanged``, ``link_lost``), and calls ``handle_timer`` at ``next_timer()``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Literal

from sente.errors import Disconnected, OutboxFull, PackError, ProtocolError
from sente.protocol.actions import (
    ClientAction,
    Close,
    Deliver,
    Exchange,
    Link,
    OpenLink,
    SayHello,
    Settle,
    StateChanged,
    Transmit,
    Unconfirmed,
)
from sente.protocol.backoff import backoff
from sente.protocol.client_state import ClientState, Closed, CloseReason
from sente.protocol.conversation import ENVELOPE, Conversation, Heard
from sente.protocol.greeting import VERSION, Info, PeerLimits, number, read_info
from sente.protocol.messages import BYE, Ack, Control, Event, Handshake, Packet, Ping, Pong, Reply
from sente.protocol.outbox import Asked, Item
from sente.protocol.settings import ClientSettings

NEVER = float("inf")
TERMINAL = {401, 403, 406}
"""HTTP statuses, and close codes less 4000, after which asking again would not help."""


class Phase(Enum):
    """Where a client stands between two attempts."""

    IDLE = auto()  # nothing wanted, or refused
    WAITING = auto()  # until the next attempt
    OPENING = auto()  # a link is opening; the server speaks first
    GREETING = auto()  # hello said
    OPEN = auto()


@dataclass(slots=True)
class _Way:
    """A link in use and until when it may stay silent."""

    use: Literal["ws", "welcome", "hello", "poll", "post"]
    until: float


class ClientSession:
    """See the module. Times are seconds of the driver's clock; ``epoch`` turns them into seconds since 1970."""

    def __init__(
        self,
        settings: ClientSettings,
        *,
        new_client_id: Callable[[], str],
        jitter: Callable[[], float],
        transport: Literal["auto", "ws", "poll"] = "auto",
        epoch: float = 0.0,
        renewable: bool = False,
    ) -> None:
        self._settings = settings
        self._new_client_id = new_client_id
        self._jitter = jitter
        self._wanted = transport
        self._epoch = epoch
        self._renewable = renewable  # csrf, auth or headers are asked anew: one refusal may be stale credentials
        self._actions: list[ClientAction] = []
        self._phase = Phase.IDLE
        self._next: Literal["ws", "poll"] = "poll" if transport == "poll" else "ws"
        self._links: dict[Link, _Way] = {}
        self._last_link = 0
        self._n = 0
        self._token: str | None = None
        self._talk = self._new_talk()
        self._info: Info | None = None
        self._open_requests: dict[int, float] = {}  # ref -> deadline
        self._last_ref = 0
        self._failures = 0
        self._opened_at = 0.0
        self._renewed = False
        self._taken_leave = 0  # the n of the first hello after the server's goodbye
        self._ws_worked = False
        self._ws_again = False
        self._attempt_at = NEVER
        self._flush = False
        self._pinged = False
        self._silent_since = 0.0
        self.state = ClientState(client_id=new_client_id())

    # -- the application's side

    def connect(self, now: float) -> None:
        """Connect, unless that is under way."""
        if self._phase is Phase.IDLE:
            self._set(refused=None)
            self._attempt(now)

    def disconnect(self, now: float) -> None:
        """Say goodbye: the session ends, and with it every open request."""
        if self._phase is Phase.OPEN:
            self._say(now)
            self._take_leave()
        self._close(Closed(self._epoch + now, "requested-disconnect"))
        self._phase, self._attempt_at = Phase.IDLE, NEVER
        self._token, self._talk = None, self._new_talk()
        for ref in list(self._open_requests):
            self._settle(ref, "disconnected")
        self._set(next_reconnect=None)

    def reconnect(self, now: float) -> None:
        """Open a new line at once and resume on it: after a login, so that the server sees the new cookie."""
        self._close(Closed(self._epoch + now, "requested-reconnect"))
        self._set(refused=None)
        self._failures = 0
        self._attempt(now)

    def prefer(self, transport: Literal["auto", "ws", "poll"], now: float) -> None:
        """Use another transport from now on."""
        self._wanted = transport
        self._next = "poll" if transport == "poll" else "ws"
        if self._phase is not Phase.IDLE:
            self.reconnect(now)

    def send(self, event: Event) -> bool:
        """Say an event; False if the line is closed: then nothing is kept. It leaves with the next ``handle_timer``.

        Raises:
            PackError: the server takes no packet that large.
            OutboxFull: too much waits for the server.
        """
        if self._phase is not Phase.OPEN:
            return False
        self._put(event)
        return True

    def request(self, event: Event, timeout: float, now: float) -> int:
        """Ask for a reply within ``timeout`` seconds; a ``Settle`` with the returned ref says what came of it.

        Raises:
            Disconnected: the line is closed.
            PackError: the server takes no packet that large.
            OutboxFull: too much waits for the server.
        """
        if self._phase is not Phase.OPEN:
            raise Disconnected("the client is not connected")
        self._put(Asked(event, self._last_ref + 1))
        self._last_ref += 1
        self._open_requests[self._last_ref] = now + timeout
        return self._last_ref

    def forget(self, ref: int) -> None:
        """The asker no longer waits for ``ref``."""
        self._open_requests.pop(ref, None)

    def delivered(self, now: float) -> None:
        """The application is done with one delivery."""
        self._talk.backlog = max(0, self._talk.backlog - 1)
        self._advance(now)

    # -- the driver's side

    def first_frame(self, link: Link, plain: Any, now: float) -> None:
        """The first frame of a new WebSocket, or the body of the GET: the server's welcome."""
        if link not in self._links or self._phase is not Phase.OPENING:
            return
        if not isinstance(plain, dict) or plain.get("sente") != VERSION or not isinstance(plain.get("packer"), str):
            return self._broken(link, now, "the server's first words are no welcome: is this a sente endpoint?")
        way = self._links[link]
        if way.use == "welcome":
            del self._links[link]
            if self._wanted == "auto" and self._ws_worked and not self._ws_again:
                self._ws_again = True  # the server is back, so perhaps its WebSocket is too
                self._next = "ws"
                return self._open(now)
            link = self._link("hello", now + self._settings.handshake_timeout)
        self._set(packer=plain["packer"])
        self._greet(link, now)

    def receive(self, link: Link, packet: Packet, size: int, now: float) -> None:
        """A packet of ``size`` bytes came on a WebSocket."""
        if link not in self._links:
            return
        self._silent_since, self._pinged = now, False
        try:
            if isinstance(packet, Handshake):
                self._handshake(packet, now)
            elif self._phase is Phase.OPEN:
                self._hear(packet, link, size, now)
                if isinstance(packet, Ping) and link in self._links:
                    self._actions.append(Transmit(link, (Pong(self._talk.news()),)))
        except ProtocolError as error:
            return self._broken(link, now, error.reason)
        self._advance(now)

    def exchanged(self, link: Link, head: Any, packets: Sequence[tuple[Packet, int]], now: float) -> None:
        """An HTTP exchange was answered with status 200."""
        way = self._links.pop(link, None)
        if way is None:
            return
        try:
            if not isinstance(head, dict):
                raise ProtocolError("a body begins with its head")
            handshake = packets[0][0] if packets else None
            if way.use == "hello":
                if not isinstance(handshake, Handshake):
                    raise ProtocolError("a hello is answered with a handshake")
                self._handshake(handshake, now)
                packets = packets[1:]
            self._talk.body(number(head, "seq", 1), number(head, "ack", 0))
            for packet, size in packets:
                self._hear(packet, link, size, now)
        except ProtocolError as error:
            return self._broken(link, now, error.reason)
        self._advance(now)

    def link_lost(self, link: Link, now: float, *, code: int | None = None, message: str = "") -> None:
        """A link ended: with a close code or an HTTP status, or just so."""
        way = self._links.pop(link, None)
        if way is not None:
            self._fall(way, now, code, message)

    def take_actions(self) -> list[ClientAction]:
        """The work that came up since the last call, to be done in order."""
        actions, self._actions = self._actions, []
        return actions

    def next_timer(self) -> float | None:
        """When ``handle_timer`` is to be called; ``None``: not before the next input."""
        times = [self._attempt_at, *(way.until for way in self._links.values()), *self._open_requests.values()]
        if self._phase is Phase.OPEN:
            if self._flush:
                return 0.0
            ack_due = self._talk.ack_due()
            if ack_due is not None:
                times.append(ack_due)
            if self.state.transport == "ws":
                times.append(self._silent_until)
        earliest = min(times)
        return None if earliest == NEVER else earliest

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        for ref in [ref for ref, deadline in self._open_requests.items() if now >= deadline]:
            self._settle(ref, "timeout")
        if now >= self._attempt_at:
            self._attempt(now)
        for link, way in list(self._links.items()):
            if now >= way.until and link in self._links:
                self._broken(link, now, f"no answer to {way.use}")
        if self._phase is Phase.OPEN and self.state.transport == "ws" and now >= self._silent_until:
            self._keep_alive(now)
        self._advance(now)

    # -- connecting

    def _attempt(self, now: float) -> None:
        self._attempt_at = NEVER
        self._set(next_reconnect=None)
        self._open(now)

    def _open(self, now: float) -> None:
        polled = self.state.transport == "poll" and self._token is not None
        self._set(transport=self._next)
        deadline = now + self._settings.handshake_timeout
        if self._next == "poll" and polled:
            return self._greet(self._link("hello", deadline), now)  # the server and its packer are known
        self._phase = Phase.OPENING
        link = self._link("ws" if self._next == "ws" else "welcome", deadline)
        self._actions.append(OpenLink(link, self._next))

    def _greet(self, link: Link, now: float) -> None:
        self._phase = Phase.GREETING
        self._links[link].until = now + self._settings.handshake_timeout
        limits = self._settings.limits
        hello = {
            "hello": VERSION,
            "session": self._token,
            "n": self._count(),
            "ack": self._talk.greet(),
            "limits": {"packet": limits.packet, "window": limits.window, "bytes": limits.window_bytes},
        }
        self._actions.append(SayHello(link, self._next, hello))

    def _handshake(self, handshake: Handshake, now: float) -> None:
        if self._phase is not Phase.GREETING:
            raise ProtocolError("a handshake nobody asked for")
        info = read_info(handshake.info)
        if info.resumed:
            self._talk.outbox.rewind(info.ack)
            lost: int | None = 0
        else:
            lost = self._lost(info)
            self._forget_session(info.prev)
        self._info, self._token = info, info.session
        self._talk.peer = info.limits
        self._talk.acks = info.acks
        self._phase = Phase.OPEN
        self._renewed, self._ws_again = False, False
        self._opened_at = now
        self._silent_since, self._pinged = now, False
        for way in self._links.values():
            way.until = NEVER
        self._ws_worked |= self._next == "ws"
        self._set(
            open=True,
            ever_opened=True,
            first_open=not self.state.ever_opened,
            uid=handshake.uid,
            handshake_data=handshake.data,
            resumed=info.resumed,
            lost=lost,
        )

    def _lost(self, info: Info) -> int | None:
        """What the application may have missed since it was last open."""
        if not self.state.ever_opened:
            return 0
        if info.lost is None and self._taken_leave == self._n:
            return 0  # the server's last word was that nothing is lost, and this was the first hello since
        return info.lost if self._token is not None else None

    def _forget_session(self, prev: int | None) -> None:
        """The server has no such session any more; it had received up to ``prev``, ``None``: nobody knows.

        What it had not received is carried over into the next one; what it may have received is given back.
        """
        outbox = self._talk.outbox
        carried: list[Item] = [] if prev is None else [item for _, item in outbox.sent_above(prev)]
        doubtful = [item for n, item in outbox.sent_above(0) if prev is None or n <= prev]
        carried += outbox.waiting()
        self._talk = self._new_talk()
        for item in carried:
            self._talk.outbox.put(item)
        kept = {item.ref for item in carried if isinstance(item, Asked)}
        for ref in [ref for ref in self._open_requests if ref not in kept]:
            self._settle(ref, "disconnected")
        events = tuple(item for item in doubtful if isinstance(item, Event))
        if prev is None and events:
            self._actions.append(Unconfirmed(events))

    # -- losing the line

    def _broken(self, link: Link, now: float, reason: str) -> None:
        """Give a link up that does not do what it should."""
        self._actions.append(Close(link, 4400, reason))
        self.link_lost(link, now, message=reason)

    def _fall(self, way: _Way, now: float, code: int | None, message: str) -> None:
        status = code - 4000 if code is not None and code >= 4000 else code
        greeted = self._phase is Phase.OPEN
        closed = Closed(self._epoch + now, self._why(greeted, status), code, message)
        if way.use == "ws":
            self._set(**{"last_ws_close" if greeted else "last_ws_error": closed})
        self._close(closed)
        if status in TERMINAL and (self._renewed or not self._renewable):
            self._phase = Phase.IDLE
            return self._set(refused=closed)
        self._renewed = status in TERMINAL
        if status == 409:  # a twin has this client's name and session: leave both to it
            self._set(client_id=self._new_client_id())
            self._token = None
            self._forget_session(None)
        elif not greeted and self._wanted == "auto":
            self._next = "poll" if self._next == "ws" else "ws"
        self._failures = 1 if greeted and now - self._opened_at >= self._settings.stable else self._failures + 1
        self._wait(now, _retry_after(message))

    def _why(self, greeted: bool, status: int | None) -> CloseReason:
        if status in TERMINAL:
            return "refused"
        if status == 409:
            return "replaced"
        if not greeted and self._wanted == "auto" and self._next == "ws":
            return "downgrading-ws-to-poll"
        return "unexpected"

    def _wait(self, now: float, at_least: float) -> None:
        settings = self._settings
        delay = backoff(self._failures, base=settings.backoff_base, cap=settings.backoff_cap, jitter=self._jitter())
        self._phase = Phase.WAITING
        self._attempt_at = now + max(delay, at_least)
        self._set(next_reconnect=self._epoch + self._attempt_at)

    def _close(self, closed: Closed) -> None:
        self._actions += [Close(link, 4000, closed.reason) for link in self._links]
        self._links.clear()
        self._flush = False
        self._set(open=False, first_open=False, last_close=closed)

    def _take_leave(self) -> None:
        bye = Control(Event(BYE))
        for link, way in self._links.items():
            if way.use == "ws":
                self._actions += [Transmit(link, (bye,)), Close(link, 1000, "goodbye")]
                return
        seq = self._talk.outbox.cursor
        self._exchange("post", seq, (*self._talk.say(), bye), NEVER)
        self._links.popitem()  # nobody waits for the answer

    # -- talking

    def _hear(self, packet: Packet, link: Link, size: int, now: float) -> None:
        if self._phase is Phase.OPEN:  # not after a goodbye in the same body
            for heard in self._talk.hear(packet, link, size, now):
                self._take(heard, now)

    def _take(self, heard: Heard, now: float) -> None:
        match heard.what:
            case Reply(value, ref, failed=failed):
                self._settle(ref, "error" if failed else "reply", value)
            case Event(id, dict(word)) if id == BYE:
                self._bye(word, now)
            case Event(id) as event if not id.startswith("chsk/"):
                self._talk.backlog += 1
                self._actions.append(Deliver(event))
            case _:
                pass  # a dropped number, or a word of a later version: counted, that is all

    def _bye(self, word: dict[str, Any], now: float) -> None:
        """The server restarts and says how far it had received: nothing is lost, come back later."""
        self._close(Closed(self._epoch + now, "bye"))
        self._forget_session(number(word, "ack", 0))
        self._taken_leave = self._n + 1
        self._failures = 1
        self._wait(now, number(word, "retry_after", 0, 0) / 1000 * (0.5 + self._jitter() / 2))

    def _put(self, item: Item) -> None:
        if item.size > self._talk.peer.packet - ENVELOPE:
            raise PackError(f"{item.size} bytes packed; the server takes {self._talk.peer.packet} at most")
        if self._talk.full:
            raise OutboxFull(
                "too many events wait for the server: slow down, or wait for a request's reply now and then"
            )
        self._talk.outbox.put(item)
        self._flush = True

    def _advance(self, now: float) -> None:
        """Say what waits, acknowledge what is due, and keep a poll under way."""
        if self._phase is not Phase.OPEN:
            return
        self._say(now)
        ack_due = self._talk.ack_due()
        if self.state.transport == "ws":
            if ack_due is not None and now >= ack_due:
                self._actions += [Transmit(link, (Ack(self._talk.ack()),)) for link in self._links]
            return
        assert self._info is not None, "an open session has had its handshake"
        if not self._busy("poll"):
            wait = round(self._info.poll * 1000)
            self._exchange(
                "poll", self._talk.outbox.cursor, (), now + self._info.poll + self._settings.poll_margin, wait
            )
        elif ack_due is not None and now >= ack_due and self._busy("post") < self._settings.posts:
            self._exchange("post", self._talk.outbox.cursor, (), now + self._post_patience)

    def _say(self, now: float) -> None:
        self._flush = False
        if not self._talk.outbox.unsent:
            return
        if self.state.transport == "ws":
            packets = self._talk.say()
            if packets:
                self._actions += [Transmit(link, packets) for link in self._links]
            return
        assert self._info is not None, "an open session has had its handshake"
        while self._busy("post") < self._settings.posts:
            seq = self._talk.outbox.cursor
            packets = self._talk.say(max_bytes=self._info.body // 2)
            if not packets:
                return
            self._exchange("post", seq, packets, now + self._post_patience)

    def _exchange(
        self, use: Literal["poll", "post"], seq: int, packets: tuple[Packet, ...], until: float, wait: int = 0
    ) -> None:
        head = {"session": self._token, "n": self._count(), "ack": self._talk.ack(), "seq": seq, "wait": wait}
        self._actions.append(Exchange(self._link(use, until), head, packets))

    def _settle(
        self, ref: int, outcome: Literal["reply", "error", "timeout", "disconnected"], value: Any = None
    ) -> None:
        if self._open_requests.pop(ref, None) is not None:  # else it is late: the asker has had its outcome
            self._actions.append(Settle(ref, outcome, value))

    def _keep_alive(self, now: float) -> None:
        for link in list(self._links):
            if self._pinged:
                self._broken(link, now, "no sign of life")
            else:
                self._pinged = True
                self._actions.append(Transmit(link, (Ping(self._talk.news()),)))

    # -- small things

    @property
    def _silent_until(self) -> float:
        return self._silent_since + self._settings.ping + (self._settings.ping_timeout if self._pinged else 0)

    @property
    def _post_patience(self) -> float:
        """A POST that asks is held as long as a poll."""
        return (self._info.poll if self._info else 0) + self._settings.poll_margin

    def _busy(self, use: Literal["poll", "post"]) -> int:
        return sum(way.use == use for way in self._links.values())

    def _link(self, use: Literal["ws", "welcome", "hello", "poll", "post"], until: float) -> Link:
        self._last_link += 1
        self._links[self._last_link] = _Way(use, until)
        return self._last_link

    def _count(self) -> int:
        self._n += 1
        return self._n

    def _new_talk(self) -> Conversation:
        limits = self._settings.limits
        peer = PeerLimits(limits.packet, limits.window, limits.window_bytes)
        return Conversation(limits, acks=limits.ack, peer=peer, implied=False)

    def _set(self, **changes: Any) -> None:
        old, self.state = self.state, replace(self.state, **changes)
        if self.state != old:
            self._actions.append(StateChanged(old, self.state))


def _retry_after(message: str) -> float:
    """Seconds from a close reason ``retry_after=<ms>``."""
    word, _, digits = message.partition("=")
    return int(digits) / 1000 if word == "retry_after" and digits.isdecimal() and len(digits) < 8 else 0.0
