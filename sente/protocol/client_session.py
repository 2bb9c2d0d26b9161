"""The session as a client sees it: connects, greets, says and hears, and comes back when the line is cut.

The driver calls ``connect``, carries out ``take_actions()`` after every call, reports what comes of them
(``first_frame``, ``receive``, ``exchanged``, ``link_lost``), and calls ``handle_timer`` at ``next_timer()``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sente.errors import Disconnected, ProtocolError
from sente.protocol.actions import ClientAction, Close, Link, OpenLink, SayHello, StateChanged
from sente.protocol.classic import no_welcome
from sente.protocol.client_dialogue import UNREADABLE, Dialogue
from sente.protocol.client_lines import Lines, Way
from sente.protocol.client_state import ClientState, Closed, Phase
from sente.protocol.contract import Contract
from sente.protocol.greeting import VERSION, number, read_info, write_hello
from sente.protocol.losses import Losses
from sente.protocol.messages import BYE, VOLATILE, Event, Handshake, Packet, Ping, Pong
from sente.protocol.requests import NEVER
from sente.protocol.route import TERMINAL, Route, Wanted, retry_after
from sente.protocol.settings import ClientSettings


class ClientSession:
    """See the module. Times are seconds of the driver's clock; ``epoch`` turns them into seconds since 1970."""

    def __init__(
        self,
        settings: ClientSettings,
        *,
        new_client_id: Callable[[], str],
        jitter: Callable[[], float],
        transport: Wanted = "auto",
        epoch: float = 0.0,
        renewable: bool = False,
    ) -> None:
        self._settings = settings
        self._new_client_id = new_client_id
        self._jitter = jitter
        self._epoch = epoch
        self._route = Route(settings, transport, renewable=renewable)
        self._actions: list[ClientAction] = []
        self._dialogue = Dialogue(settings.limits, self._actions)
        self._lines = Lines(settings, self._dialogue, self._actions)
        self._phase = Phase.IDLE
        self._token: str | None = None
        self._opened_at = 0.0
        self._losses = Losses(settings.restart)
        self._attempt_at = NEVER
        self._not_before = 0.0  # the server asked for so much patience
        self._climb_at = NEVER
        self.contract: Contract | None = None
        """What the application calls its events, if they are typed: set before ``connect``."""
        self.state = ClientState(client_id=new_client_id())

    # -- the application's side

    def connect(self, now: float) -> None:
        """Connect, unless that is under way."""
        if self._phase is Phase.IDLE:
            self._set(refused=None)
            self._route.reset()
            self._attempt(now)

    def disconnect(self, now: float) -> None:
        """Say goodbye: the session ends, and with it every open request."""
        if self.state.open:
            self._lines.take_leave(now)
        self._close(Closed(self._epoch + now, "requested-disconnect"))
        self._phase, self._attempt_at, self._climb_at = Phase.IDLE, NEVER, NEVER
        self._token = None
        self._dialogue.end()
        self._set(next_reconnect=None)

    def reconnect(self, now: float) -> None:
        """Open a new line at once and resume on it: after a login, so that the server sees the new cookie."""
        self._close(Closed(self._epoch + now, "requested-reconnect"))
        self._set(refused=None)
        self._route.reset()
        self._attempt(now)

    def wake(self, now: float) -> None:
        """Something slept, or the network changed: make sure of the line, or of having one, at once."""
        self._lines.wake(now)
        if self._phase is Phase.WAITING:
            self._wait(max(now, min(self._attempt_at, self._not_before)))
        self._advance(now)

    def prefer(self, transport: Wanted, now: float) -> None:
        """Use another transport from now on."""
        self._route.prefer(transport)
        self._climb_at = NEVER
        if self._phase is not Phase.IDLE:
            self.reconnect(now)

    def send(self, event: Event) -> bool:
        """Say an event; False if the line is closed: then nothing is kept. It leaves with the next ``handle_timer``.

        Raises:
            PackError: the server takes no packet that large.
            OutboxFull: too much waits for the server.
        """
        if not self.state.open or (event.key is VOLATILE and self._phase is not Phase.OPEN):
            return False
        self._dialogue.put(event)
        self._lines.flush_soon()
        return True

    def request(self, event: Event, timeout: float, now: float, *, idempotent: bool = False) -> int:
        """Ask for a reply within ``timeout`` seconds; a ``Settle`` with the returned ref says what came of it.

        Raises:
            Disconnected: the line is closed.
            PackError: the server takes no packet that large.
            OutboxFull: too much waits for the server.
        """
        if not self.state.open:
            raise Disconnected("the client is not connected")
        ref = self._dialogue.ask(event, now + timeout, idempotent=idempotent)
        self._lines.flush_soon()
        return ref

    def cancel(self, ref: int) -> None:
        """The asker no longer waits for ``ref``."""
        self._dialogue.cancel(ref)
        self._lines.flush_soon()

    def renewed(self) -> None:
        """The server has taken new credentials."""
        self._set(auth_expires=None)

    def reply(self, ref: int, value: Any, *, failed: bool = False, size: int = 0) -> None:
        """Answer the server's request ``ref``. A second answer is dropped; there must be none after ``Cancelled``."""
        self._dialogue.talk.reply(ref, value, failed=failed, size=size)
        self._lines.flush_soon()

    def delivered(self, now: float) -> None:
        """The application is done with one delivery."""
        self._dialogue.talk.backlog = max(0, self._dialogue.talk.backlog - 1)
        self._advance(now)

    # -- the driver's side

    def first_frame(self, link: Link, plain: Any, now: float) -> None:
        """The first frame of a new WebSocket, or the body of the GET: the server's welcome."""
        way = self._lines.get(link)
        if way is None or (way.use != "probe" and self._phase is not Phase.OPENING):
            return
        if not isinstance(plain, dict) or plain.get("sente") != VERSION or not isinstance(plain.get("packer"), str):
            return self.broken(link, no_welcome(plain), now)
        if way.use == "probe":
            if plain["packer"] != self.state.packer:
                return self.broken(link, "the WebSocket would be spoken to with another packer", now)
            return self._lines.probe(link, now + self._settings.handshake_timeout)
        if way.use == "welcome":
            self._lines.pop(link)
            if self._route.server_is_there():
                return self._open(now)
            link = self._lines.add("hello", NEVER)
        self._set(packer=plain["packer"])
        self._greet(link, now)

    def receive(self, link: Link, packet: Packet, size: int, now: float) -> None:
        """A packet of ``size`` bytes came on a WebSocket."""
        way = self._lines.get(link)
        if way is None:
            return
        if way.use == "probe":
            return self._climb(link, now) if isinstance(packet, Pong) else None
        self._lines.alive(now)
        try:
            if isinstance(packet, Handshake):
                self._handshake(packet, now)
            elif self._phase is Phase.OPEN:
                self._hear(packet, link, size, now)
                if isinstance(packet, Ping):
                    self._lines.pong(link)
        except ProtocolError as error:
            return self.broken(link, error.reason, now)
        self._advance(now)

    def exchanged(self, link: Link, head: Any, packets: Sequence[tuple[Packet, int]], now: float) -> None:
        """An HTTP exchange was answered with status 200."""
        way = self._lines.pop(link)
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
            self._dialogue.talk.body(number(head, "seq", 1), number(head, "ack", 0))
            for packet, size in packets:
                self._hear(packet, link, size, now)
        except ProtocolError as error:
            return self._fall(way, now, None, error.reason)
        self._advance(now)

    def link_lost(self, link: Link, now: float, *, code: int | None = None, message: str = "") -> None:
        """A link ended: with a close code or an HTTP status, or just so."""
        way = self._lines.pop(link)
        if way is not None and way.use in ("probe", "climb"):
            self._climb_failed(way, now, code, message)
        elif way is not None:
            self._fall(way, now, code, message)

    def broken(self, link: Link, reason: str, now: float, *, unread: bool = False) -> None:
        """Give a link up that does not do what it should; ``unread``: what came on it cannot be read."""
        self._dialogue.unread |= unread
        self._actions.append(Close(link, 4400, reason))
        self.link_lost(link, now, message=reason)

    def take_actions(self) -> list[ClientAction]:
        """The work that came up since the last call, to be done in order."""
        actions, self._actions[:] = self._actions.copy(), []
        return actions

    def next_timer(self) -> float | None:
        """When ``handle_timer`` is to be called; ``None``: not before the next input."""
        climb_at = self._climb_at if self._phase is Phase.OPEN else NEVER
        earliest = min(self._attempt_at, climb_at, self._lines.next_timer(), self._dialogue.requests.next_timer())
        return None if earliest == NEVER else earliest

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._dialogue.handle_timer(now)
        if now >= self._attempt_at:
            self._attempt(now)
        if now >= self._climb_at and self._phase is Phase.OPEN:
            self._climb_at = NEVER
            self._actions.append(OpenLink(self._lines.add("probe", now + self._settings.handshake_timeout), "ws"))
        if overdue := self._lines.overdue(now):
            self.broken(*overdue, now)
        self._advance(now)

    # -- connecting

    def _attempt(self, now: float) -> None:
        self._attempt_at = NEVER
        self._set(next_reconnect=None)
        self._open(now)

    def _open(self, now: float) -> None:
        polled = self.state.transport == "poll" and self._token is not None and self.state.packer is not None
        transport = self._route.next
        self._set(transport=transport)
        if transport == "poll" and polled:
            return self._greet(self._lines.add("hello", NEVER), now)  # the server and its packer are known
        self._phase = Phase.OPENING
        link = self._lines.add("ws" if transport == "ws" else "welcome", now + self._settings.handshake_timeout)
        self._actions.append(OpenLink(link, transport))

    def _greet(self, link: Link, now: float) -> None:
        self._phase = Phase.GREETING
        self._lines.wait_until(link, now + self._settings.handshake_timeout)
        n, ack, got = self._lines.count(), self._dialogue.talk.greet(), self._dialogue.talk.inbox.top
        hello = write_hello(self._token, n, ack, got, self._settings.limits, self.contract, self._dialogue.hello(n))
        self._actions.append(SayHello(link, self._route.next, hello))

    def _handshake(self, handshake: Handshake, now: float) -> None:
        if self._phase is not Phase.GREETING:
            raise ProtocolError("a handshake nobody asked for")
        info, uid = read_info(handshake.info), handshake.uid
        differs = self.contract and self.contract.differs(handshake.info)
        if info.resumed:
            self._dialogue.resume(info.ack, info.got)
            lost: int | None = self._losses.resumed(info)
        else:
            known = self._token is not None
            lost = self._losses.begun(info, now, after=self.state.ever_opened, known=known)
            same_user = not self.state.ever_opened or uid == self.state.uid
            self._dialogue.start_anew(info.prev, same_user=same_user, packet=info.limits.packet)
        self._losses.server_left = -NEVER
        self._token = info.session
        self._phase = Phase.OPEN
        self._lines.opened(info, now)
        self._route.opened()
        self._opened_at = now
        self._plan_climb(now)
        self._set(
            open=True,
            transport=self._route.next,
            ever_opened=True,
            first_open=not self.state.ever_opened,
            uid=uid,
            auth_expires=None,
            handshake_data=handshake.data,
            contract=differs,
            resumed=info.resumed,
            lost=lost,
        )

    # -- up again from polling

    def _plan_climb(self, now: float) -> None:
        # one that is planned stays so: polls that break now and then do not put it off for ever
        if self._climb_at == NEVER or self._route.next == "ws":
            self._climb_at = now + self._route.climb_delay(self._jitter())

    def _climb(self, link: Link, now: float) -> None:
        """The probe was answered: say hello on it, and from here on take nothing from the polls."""
        self._lines.pause("climbing", link)
        self._route.climb()
        self._greet(link, now)

    def _climb_failed(self, way: Way, now: float, code: int | None, message: str) -> None:
        """The polls go on, or take over again."""
        self._route.fell()
        self._set(last_ws_error=Closed(self._epoch + now, "downgrading-ws-to-poll", code, message))
        self._climb_at = NEVER
        self._plan_climb(now)
        if way.use == "climb":
            self._lines.pause("falling back")
            self._greet(self._lines.add("hello", NEVER), now)

    # -- losing the line

    def _fall(self, way: Way, now: float, code: int | None, message: str) -> None:
        status = code if way.use != "ws" else None  # an upgrade refused by status is a proxy's work, not the server's
        if code is not None and code >= 4000:
            status = code - 4000
        was_open = self.state.open
        closed = Closed(self._epoch + now, self._route.why(was_open, status), code, message)
        changes: dict[str, Any] = {}
        if way.use == "ws":
            changes["last_ws_close" if was_open else "last_ws_error"] = closed
        elif way.use == "hello":
            changes["packer"] = None  # perhaps this is a server that speaks another: let it say so
        self._dialogue.refused |= was_open and code in UNREADABLE
        self._close(closed, **changes)
        wait = retry_after(message)
        answered = status in TERMINAL or status == 409 or wait > 0 or (code is not None and code >= 4000)
        again = self._route.lost(now - self._opened_at if was_open else None, status, answered=answered)
        if not again:
            self._phase = Phase.IDLE
            return self._set(refused=closed)
        if status == 409:  # a twin has this client's name and session: leave both to it
            self._set(client_id=self._new_client_id())
            self._token = None
            self._dialogue.start_anew(None)
        self._come_back(now, wait)

    def _come_back(self, now: float, at_least: float) -> None:
        self._not_before = now + at_least
        self._wait(now + max(self._route.delay(self._jitter()), at_least))

    def _wait(self, until: float) -> None:
        self._phase = Phase.WAITING
        self._attempt_at = until
        self._set(next_reconnect=self._epoch + until)

    def _close(self, closed: Closed, **changes: Any) -> None:
        self._lines.close(closed.reason)
        self._set(open=False, first_open=False, auth_expires=None, last_close=closed, **changes)

    # -- talking

    def _hear(self, packet: Packet, link: Link, size: int, now: float) -> None:
        if self._phase is Phase.OPEN:  # not after a goodbye in the same body
            for word in self._dialogue.hear(packet, link, size, now):
                if word.id == BYE:
                    self._bye(word.data, now)
                else:
                    self._set(auth_expires=self._epoch + now + number(word.data, "in", 0) / 1000)

    def _bye(self, word: dict[str, Any], now: float) -> None:
        """The server restarts and says how far it had received: nothing is lost, come back later."""
        ack, retry_after = number(word, "ack", 0), number(word, "retry_after", 0, 0) / 1000
        self._close(Closed(self._epoch + now, "bye"))
        self._dialogue.start_anew(ack)
        self._losses.server_left = now
        self._route.took_leave()
        self._come_back(now, retry_after * (0.5 + self._jitter() / 2))

    def _advance(self, now: float) -> None:
        if self._phase is Phase.OPEN:
            self._lines.advance(now)

    def _set(self, **changes: Any) -> None:
        """Change the state; what changes at once is told as one change."""
        old, self.state = self.state, replace(self.state, **changes)
        if self._actions and isinstance(last := self._actions[-1], StateChanged):
            self._actions.pop()
            old = last.old
        if self.state != old:
            self._actions.append(StateChanged(old, self.state))
