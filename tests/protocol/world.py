"""One client core, the server's sessions, and a line between them that a test may break in every way a line breaks.

Everything crosses the line as JSON text. Nothing moves by itself: a test moves messages and time, and ``settle`` lets
the world run on a good line until nothing is left to do.
"""

import itertools
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from sente.errors import Disconnected
from sente.protocol import actions as act
from sente.protocol.client_session import ClientSession
from sente.protocol.greeting import read_head, read_hello
from sente.protocol.messages import VOLATILE, Event, Packet, Ping, Pong, read_packet, write_packet
from sente.protocol.server_session import ServerSession
from sente.protocol.sessions import Client, Sessions
from sente.protocol.settings import ClientSettings, ServerSettings

SIZE = 20  # what every event is said to cost
POISON = "app/poison"  # what cannot be read: it arrives, and costs its link


def frames(packets: tuple[Packet, ...], side: Literal["client", "server"]) -> list[str]:
    return [json.dumps(write_packet(packet, side)) for packet in packets]


def packets(texts: list[str]) -> list[tuple[Packet, int]]:
    return [(read_packet(json.loads(text), len(text)), len(text)) for text in texts]


@dataclass(eq=False)
class Wire:
    """A WebSocket, or one HTTP exchange, seen from both ends."""

    link: int
    ws: bool
    up: deque[Any] = field(default_factory=deque)
    down: deque[Any] = field(default_factory=deque)
    client: Client | None = None
    server_link: int = 0
    cut: bool = False
    client_gone: bool = False
    server_gone: bool = False


class World:
    client_core: ClassVar[type[ClientSession]] = ClientSession

    def __init__(
        self,
        transport: Literal["auto", "ws", "poll"] = "auto",
        *,
        server: ServerSettings | None = None,
        client: ClientSettings | None = None,
    ) -> None:
        self.now = 1000.0
        self.numbers = itertools.count(1)
        self.server_settings = server or ServerSettings()
        self.sessions = Sessions(self.server_settings, self._token, self.now)
        self.core = self.client_core(
            client or ClientSettings(),
            new_client_id=lambda: f"client-{next(self.numbers)}",
            jitter=lambda: 0.5,
            transport=transport,
        )
        self.uid: Any = "ada"
        self.good_for: float | None = None  # the credentials of a hello
        self.wires: list[Wire] = []
        self.server_wires: dict[int, Wire] = {}
        self.ws_blocked = False
        # the applications' books
        self.push_numbers = itertools.count(1)
        self.pushed: list[int] = []
        self.started = self.now
        self.since_start: list[int] = []  # while the client knew that the server was going down
        self.drained = False
        self.after_leave: list[int] = []
        self.early: list[int] = []  # pushed before the client was open for the first time: nobody promised them
        self.latest: dict[Client, int] = {}  # the newest push of those of which only the newest is to arrive
        self.latest_said: list[int] = []
        self.volatile: dict[str, list[int]] = {"said": [], "arrived": []}  # of both sides
        self.behind = False  # whether WebSockets take no volatile events
        self.got: list[int] = []
        self.taken: list[int] = []  # pushes and requests of the server, as the client's application got them
        self.sent: list[int] = []
        self.handled: list[int] = []
        self.unconfirmed: set[int] = set()
        self.losses: list[int | None] = []
        self.asked: dict[int, int] = {}  # ref -> value
        self.outcomes: dict[int, list[tuple[str, Any]]] = {}
        self.pending: deque[tuple[Client, act.Deliver]] = deque()  # delivered to the server's application
        self.presence: list[Any] = []
        self.present: dict[Client, Any] = {}
        self.ended: list[str] = []
        self.asked_client: dict[tuple[Client, int], int] = {}  # the server's requests by session and ref -> value
        self.answers: dict[tuple[Client, int], list[tuple[str, Any]]] = {}
        self.renewals: list[tuple[Client, act.Renew]] = []  # credentials that the server's application is to check
        self.late = 0  # replies of the client that nobody waited for
        self.poison: set[int] = set()  # what was said and cannot be read by this client, or its server
        self.given_up: list[Any] = []  # of the server's
        self.again: set[int] = set()  # values of requests that may be handled twice
        self.lazy_client = False
        self.client_pending: deque[list[Any]] = deque()  # delivered to the client's application: [value, ref]
        self.client_asked: dict[int, list[Any]] = {}  # of those, the requests that are still wanted
        self.client_told: list[int] = []  # values of requests that the client's application was told to stop
        self.server_told: list[int] = []  # refs of requests that the server's was

    def _token(self) -> str:
        return f"token-{next(self.numbers)}"

    # -- the applications

    def connect(self) -> None:
        self.core.connect(self.now)
        self.run_client()

    def push(self, *, flush: bool = False, id: str = "app/push") -> None:
        value = next(self.push_numbers)
        (self.pushed if self.core.state.ever_opened else self.early).append(value)
        if self.core._server_left > 0:
            self.since_start.append(value)
        if self.drained:
            self.after_leave.append(value)
        self.sessions.addressed(self.uid, self.now)
        for client in list(self.sessions):
            if client.uid == self.uid:
                client.session.send(Event(id, value, SIZE), self.now, flush=flush)
                self.run_server(client)

    def push_latest(self) -> None:
        value = next(self.push_numbers)
        for client in list(self.sessions):
            if client.uid == self.uid:
                self.latest[client] = value
                client.session.send(Event("app/push", value, SIZE, key="latest"), self.now)
                self.run_server(client)

    def push_volatile(self, *, flush: bool = False) -> None:
        event = Event("app/volatile", self._new_volatile(), SIZE, key=VOLATILE)
        for client in list(self.sessions):
            if client.uid == self.uid:
                client.session.send(event, self.now, flush=flush)
                self.run_server(client)

    def say_volatile(self) -> None:
        self.core.send(Event("app/volatile", self._new_volatile(), SIZE, key=VOLATILE))
        self.run_client()

    def _new_volatile(self) -> int:
        self.volatile["said"].append(len(self.volatile["said"]))
        return self.volatile["said"][-1]

    def say_latest(self) -> None:
        value = len(self.sent) + 1
        if self.core.send(Event("app/say", value, SIZE, key="latest")):
            self.sent.append(value)
            self.latest_said.append(value)
        self.run_client()

    def say(self, id: str = "app/say") -> bool:
        value = len(self.sent) + 1
        accepted = self.core.send(Event(id, value, SIZE))
        if accepted:
            self.sent.append(value)
            if id == POISON:
                self.poison.add(value)
        self.run_client()
        return accepted

    def ask(self, timeout: float = 8.0, *, idempotent: bool = False) -> int | None:
        value = len(self.sent) + 1
        try:
            ref = self.core.request(Event("app/ask", value, SIZE), timeout, self.now, idempotent=idempotent)
        except Disconnected:
            return None
        if idempotent:
            self.again.add(value)
        self.sent.append(value)
        self.asked[ref] = value
        self.outcomes[ref] = []
        self.run_client()
        return ref

    def give_up(self, ref: int) -> None:
        """The client's application no longer waits."""
        if not self.outcomes[ref]:
            self.outcomes[ref].append(("given up", None))
        self.core.cancel(ref)
        self.run_client()

    def ask_client(self, timeout: float = 8.0) -> tuple[Client, int] | None:
        """The server's application asks the client."""
        client = next(reversed(list(self.sessions)), None)
        if client is None:
            return None
        value = next(self.push_numbers)
        ref = client.session.request(Event("app/ask", value, SIZE), timeout, self.now)
        self.asked_client[client, ref] = value
        self.answers[client, ref] = []
        self.run_server(client)
        return client, ref

    def server_gives_up(self, client: Client, ref: int) -> None:
        """The server's application no longer waits."""
        if not self.answers[client, ref]:
            self.answers[client, ref].append(("given up", None))
        client.session.cancel(ref, self.now)
        self.run_server(client)

    def expire(self, seconds: float) -> None:
        """The client's credentials turn out to be good for so long only."""
        for client in self.sessions:
            client.session.credentials.renew(seconds, self.now)

    def handle_one(self) -> bool:
        """The server's application is done with one delivery, and replies if it was asked."""
        if not self.pending:
            return False
        client, delivery = self.pending.popleft()
        if delivery.ref is not None:
            client.session.reply(delivery.ref, delivery.event.data, self.now, size=SIZE)
        client.session.handled(self.now)
        self.run_server(client)
        return True

    def climb_now(self) -> None:
        self.core._climb_at = self.now

    def wake(self) -> None:
        self.core.wake(self.now)
        self.run_client()

    def prefer(self, transport: Literal["auto", "ws", "poll"]) -> None:
        self.core.prefer(transport, self.now)
        self.run_client()

    def client_handle_one(self) -> None:
        if self.client_pending:
            entry = self.client_pending.popleft()
            value, ref = entry
            if ref is not None and self.client_asked.get(ref) is entry:
                del self.client_asked[ref]
                self.core.reply(ref, value, size=SIZE)
            self.core.delivered(self.now)
            self.run_client()

    # -- the client's driver

    def run_client(self) -> None:
        for action in self.core.take_actions():
            match action:
                case act.OpenLink(link, transport):
                    wire = Wire(link, transport == "ws")
                    wire.cut = self.ws_blocked and wire.ws
                    wire.up.append(("open",))
                    self.wires.append(wire)
                case act.SayHello(link, transport, hello):
                    text = json.dumps(hello)
                    if transport == "ws":
                        self._wire(link).up.append(("hello", text))
                    else:
                        self.wires.append(Wire(link, ws=False, up=deque([("hello", text)])))
                case act.Transmit(link, sent):
                    self._wire(link).up.extend(("frame", text) for text in frames(sent, "client"))
                case act.TransmitVolatile(link, packet):
                    if not self.behind:
                        self._wire(link).up.extend(("frame", text) for text in frames((packet,), "client"))
                case act.Exchange(link, head, sent):
                    body = ("post", json.dumps(head), frames(sent, "client"))
                    self.wires.append(Wire(link, ws=False, up=deque([body])))
                case act.Close(link, code, _):
                    wire = self._wire(link)
                    wire.client_gone = True
                    if wire.ws:
                        wire.up.append(("close", code))
                case act.Deliver(Event("app/volatile", value)):
                    self.volatile["arrived"].append(value)
                    self.core.delivered(self.now)
                case act.Deliver(event, ref):
                    self.taken.append(event.data)
                    entry = [event.data, ref]
                    self.client_pending.append(entry)
                    if ref is None:
                        self.got.append(event.data)
                    else:
                        assert ref not in self.client_asked, "asked twice"
                        self.client_asked[ref] = entry
                    if not self.lazy_client:
                        self.client_handle_one()
                case act.Cancelled(ref):
                    if ref in self.client_asked:
                        self.client_told.append(self.client_asked.pop(ref)[0])
                case act.Settle(ref, outcome, value):
                    self.outcomes[ref].append((outcome, value))
                case act.Unconfirmed(events):
                    self.unconfirmed.update(event.data for event in events)
                case act.StateChanged(old, new):
                    if new.open and not old.open:
                        self.losses.append(new.lost)
                    if new.refused:  # the application logs in anew
                        self.core.reconnect(self.now)
        if self.core._actions:
            self.run_client()

    def _wire(self, link: int) -> Wire:
        return next((wire for wire in self.wires if wire.link == link), Wire(link, ws=True))

    # -- the server's driver

    def run_server(self, client: Client) -> None:
        while actions := client.session.take_actions():
            for action in actions:
                match action:
                    case act.Transmit(link, sent):
                        self._down(link, *(("frame", text) for text in frames(sent, "server")))
                    case act.TransmitVolatile(link, packet):
                        if not self.behind:
                            self._down(link, *(("frame", text) for text in frames((packet,), "server")))
                    case act.Answer(link, head, sent):
                        self._down(link, ("answer", json.dumps(head), frames(sent, "server")))
                        self.server_wires.pop(link, None)
                    case act.Close(link, code, reason):
                        self._down(link, ("close", code, reason))
                        self.server_wires.pop(link, None)
                    case act.Deliver(Event("app/volatile", value)):
                        self.volatile["arrived"].append(value)
                        client.session.handled(self.now)
                    case act.Deliver() as delivery:
                        if delivery.event.data not in self.again or delivery.event.data not in self.handled:
                            self.handled.append(delivery.event.data)
                        self.pending.append((client, delivery))
                    case act.Renew():
                        self.renewals.append((client, action))
                    case act.Cancelled(ref):
                        self.server_told.append(ref)
                    case act.Settle(ref, outcome, value):
                        self.answers[client, ref].append((outcome, value))
                    case act.Refused(event):
                        self.given_up.append(event.data)
                    case act.LateReply():
                        self.late += 1
                    case act.PresenceChanged(transport):
                        self.presence.append(transport)
                        self.present[client] = transport
                        if transport is None:
                            del self.present[client]
                    case act.Ended(word):
                        self.ended.append(word)
                        if self.sessions.find(client.token) is client:
                            self.sessions.bury(client, self.now)

    def _down(self, link: int, *messages: Any) -> None:
        if link in self.server_wires:
            self.server_wires[link].down.extend(messages)

    def _server_takes(self, wire: Wire, message: Any) -> None:
        match message:
            case ("open",):
                wire.server_link = next(self.numbers)
                wire.down.append(("welcome", json.dumps({"sente": 1, "packer": "json", "hello": 10000})))
            case ("hello", text):
                self._greet(wire, text)
            case ("post", head, body):
                parsed = read_head(json.loads(head))
                client = self.sessions.find(parsed.session)
                if client is None:
                    wire.down.append(("close", 4410, "session gone"))
                    return
                self._attach(wire, client)
                client.session.exchange(wire.server_link, parsed, packets(body), self.now)
                self.run_server(client)
            case ("frame", text) if wire.client is not None:
                wire.client.session.receive(
                    wire.server_link, read_packet(json.loads(text), len(text)), len(text), self.now
                )
                self.run_server(wire.client)
            case ("frame", text):
                assert isinstance(read_packet(json.loads(text)), Ping), "only pings come before the hello"
                wire.down.append(("frame", *frames((Pong(),), "server")))
            case ("close", code) if wire.client is not None:
                if code == 1000:
                    wire.client.session.close(1000, "goodbye", self.now, word="goodbye")
                wire.client.session.link_lost(wire.server_link, self.now)
                self.run_server(wire.client)

    def _greet(self, wire: Wire, text: str) -> None:
        wire.server_link = next(self.numbers)
        self.server_wires[wire.server_link] = wire
        hello = read_hello(json.loads(text))
        others = list(self.sessions)
        transport: Literal["ws", "poll"] = "ws" if wire.ws else "poll"
        wire.client = self.sessions.meet(
            wire.server_link, transport, hello, self.core.state.client_id, self.uid, {"hi": 1}, self.now
        )
        wire.client.session.credentials.renew(self.good_for, self.now)
        for client in {*others, wire.client}:
            self.run_server(client)

    def _attach(self, wire: Wire, client: Client) -> None:
        wire.client = client
        wire.server_link = next(self.numbers)
        self.server_wires[wire.server_link] = wire

    # -- the line

    def move_up(self, wire: Wire) -> bool:
        if wire.cut or wire.server_gone or not wire.up:
            return False
        message = wire.up.popleft()
        if POISON not in str(message):
            self._server_takes(wire, message)
        else:
            wire.down.append(("close", 4400, "it cannot be read"))
            if wire.ws and wire.client is not None:
                wire.server_gone = True
                wire.client.session.link_lost(wire.server_link, self.now)
                self.run_server(wire.client)
        return True

    def move_down(self, wire: Wire) -> bool:
        if wire.cut or wire.client_gone or not wire.down:
            return False
        message = wire.down.popleft()
        link = wire.link
        if POISON in str(message):
            wire.client_gone = True
            self.core.broken(link, "it cannot be read", self.now, unread=True)
            self.run_client()
            return True
        match message:
            case ("welcome", text):
                self.core.first_frame(link, json.loads(text), self.now)
            case ("frame", text):
                self.core.receive(link, read_packet(json.loads(text), len(text)), len(text), self.now)
            case ("answer", head, body):
                self.core.exchanged(link, json.loads(head), packets(body), self.now)
            case ("close", code, reason):
                status = code if wire.ws else code - 4000 if code >= 4400 else 503
                wire.client_gone = True
                self.core.link_lost(link, self.now, code=status, message=reason)
        self.run_client()
        return True

    def move_all_down(self) -> None:
        for wire in list(self.wires):
            while self.move_down(wire):
                pass

    def cut(self, wire: Wire) -> None:
        """What is under way is gone; neither side knows yet."""
        wire.cut = True

    def client_notices(self, wire: Wire) -> None:
        if wire.cut and not wire.client_gone:
            wire.client_gone = True
            self.core.link_lost(wire.link, self.now)
            self.run_client()

    def server_notices(self, wire: Wire) -> None:
        if (wire.cut or wire.client_gone) and not wire.server_gone:
            wire.server_gone = True
            if wire.client is not None:
                wire.client.session.link_lost(wire.server_link, self.now)
                self.run_server(wire.client)

    def duplicate(self, wire: Wire) -> None:
        """Something between the two sends an HTTP request again."""
        if not wire.ws and wire.up:
            copy = Wire(wire.link, ws=False, up=deque([wire.up[0]]), client_gone=True)
            self.wires.append(copy)

    def drain(self) -> None:
        """The server takes leave. What it says to this user afterwards, before it is gone, nobody can promise."""
        self.drained = True
        for client in list(self.sessions):
            client.session.drain(1.0, self.now)
            self.run_server(client)

    def restart_server(self) -> None:
        if self.now - self.started <= ClientSettings().restart:  # two restarts in a row: the first one's word is lost
            self.after_leave += self.since_start
        self.early += self.after_leave
        self.pushed = [value for value in self.pushed if value not in self.after_leave]
        self.after_leave.clear()
        self.since_start.clear()
        self.started = self.now
        self.drained = False
        for outcomes in self.answers.values():
            outcomes += [] if outcomes else [("crashed", None)]
        self.sessions = Sessions(self.server_settings, self._token, self.now)
        self.present.clear()
        self.server_wires.clear()
        self.pending.clear()
        for wire in self.wires:
            wire.cut = wire.server_gone = True
            wire.client = None

    def advance(self, seconds: float) -> None:
        """Let time pass, with every timer at its time."""
        until = self.now + seconds
        for _ in range(10_000):
            when = self._next_timer()
            if when is None or when > until:
                break
            self.now = max(self.now, when)
            self._timers()
        else:
            raise AssertionError("the timers never come to rest")
        self.now = until

    def _next_timer(self) -> float | None:
        times = [self.core.next_timer(), *(client.session.next_timer() for client in self._everyone())]
        return min((time for time in times if time is not None), default=None)

    def _timers(self) -> None:
        if (when := self.core.next_timer()) is not None and when <= self.now:
            self.core.handle_timer(self.now)
            self.run_client()
        for client in self._everyone():
            if (when := client.session.next_timer()) is not None and when <= self.now:
                client.session.handle_timer(self.now)
                self.run_server(client)

    def _everyone(self) -> list[Client]:
        return list({**dict.fromkeys(self.sessions), **self.present})  # an ended session still has its grace

    def settle(self, seconds: float = 400.0) -> None:
        """A good line from now on, until everything has been said, handled and acknowledged."""
        self.ws_blocked = False
        for wire in list(self.wires):
            self.client_notices(wire)
            self.server_notices(wire)
        until = self.now + seconds
        while self.now < until:
            while self._move_all():
                pass
            when = self._next_timer()
            self.advance(max(0.0, min(1.0, (when - self.now) if when is not None else 1.0)))

    def _move_all(self) -> bool:
        moved = self.handle_one()
        self.client_handle_one()
        for wire in list(self.wires):
            self.client_notices(wire)
            moved |= self.move_up(wire)
            moved |= self.move_down(wire)
            self.server_notices(wire)
        self.wires = [wire for wire in self.wires if wire.up or wire.down or not (wire.client_gone or wire.cut)]
        return moved

    @property
    def session(self) -> ServerSession:
        """The only running session."""
        (client,) = self.sessions
        return client.session

    # -- what must hold

    def check(self) -> None:
        """At any moment: nothing twice, nothing out of order."""
        assert self.got == sorted(set(self.got)), f"pushes out of order or twice: {self.got}"
        assert self.handled == sorted(set(self.handled)), f"events out of order or twice: {self.handled}"
        assert self.taken == sorted(set(self.taken)), f"events and requests out of order or twice: {self.taken}"
        for request, outcomes in [*self.outcomes.items(), *self.answers.items()]:
            assert len(outcomes) <= 1, f"request {request} has more than one outcome: {outcomes}"

    def check_settled(self) -> None:
        """At rest on a good line: nothing is missing that was not said to be."""
        self.check()
        assert self.core.state.open
        assert list(self.present.values()) == [self.core.state.transport]
        missing_up = set(self.sent) - set(self.handled) - self.unconfirmed - set(self.latest_said[:-1])
        for ref, value in self.asked.items():
            assert len(self.outcomes[ref]) == 1, f"request {ref} has no outcome"
            assert value not in self.again or self.outcomes[ref][0][0] != "disconnected", "it may be asked again"
            if self.outcomes[ref][0][0] == "reply":
                assert self.outcomes[ref][0][1] == value
                assert value in self.handled
            else:
                missing_up.discard(value)
        assert not missing_up, f"events lost without a word: {missing_up}"
        for request, value in self.asked_client.items():
            assert len(self.answers[request]) == 1, f"request {request} has no outcome"
            if self.answers[request][0][0] == "reply":
                assert self.answers[request][0][1] == value
                assert value in self.taken
        assert not self.client_asked, "the client's application was neither told to stop nor was its reply taken"
        missing_down = len(set(self.pushed) - set(self.got))
        if len(self.sessions) == 1 and (newest := self.latest.get(*self.sessions)):
            assert newest in self.got, "the latest did not arrive"
        if None not in self.losses:
            told = sum(lost or 0 for lost in self.losses)
            early = len(set(self.early) - set(self.got))
            assert missing_down <= told <= missing_down + early, f"{missing_down} missing, {told} said to be lost"
