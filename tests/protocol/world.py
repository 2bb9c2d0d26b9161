"""One client core, the server's sessions, and a line between them that a test may break in every way a line breaks.

Everything crosses the line as JSON text. Nothing moves by itself: a test moves messages and time, and ``settle`` lets
the world run on a good line until nothing is left to do.
"""

import itertools
from collections import deque
from typing import Any, Literal

from sente.errors import Disconnected
from sente.protocol import actions as act
from sente.protocol.messages import VOLATILE, Event
from sente.protocol.server_session import ServerSession
from sente.protocol.sessions import Client
from sente.protocol.settings import ClientSettings, ServerSettings
from sente.testing.cores import Cores, Wire

__all__ = ["Wire", "World"]

SIZE = 20  # what every event is said to cost
POISON = "app/poison"  # what cannot be read: it arrives, and costs its link


class World(Cores):
    """Both cores, and the applications' books."""

    def __init__(
        self,
        transport: Literal["auto", "ws", "poll"] = "auto",
        *,
        server: ServerSettings | None = None,
        client: ClientSettings | None = None,
    ) -> None:
        super().__init__(transport, server=server, client=client)
        self.push_numbers = itertools.count(1)
        self.pushed: list[int] = []
        self.since_start: list[int] = []  # while the client knew that the server was going down
        self.drained = False
        self.after_leave: list[int] = []
        self.early: list[int] = []  # pushed before the client was open for the first time: nobody promised them
        self.latest: dict[Client, int] = {}  # the newest push of those of which only the newest is to arrive
        self.latest_said: list[int] = []
        self.volatile: dict[str, list[int]] = {"said": [], "arrived": []}  # of both sides
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

    # -- the applications

    def push(self, *, flush: bool = False, id: str = "app/push") -> None:
        value = next(self.push_numbers)
        (self.pushed if self.core.state.ever_opened else self.early).append(value)
        if self.core._losses.server_left > 0:
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
        client.session.handled(self.now, delivery.event.size)
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

    # -- what the cores have for them

    def client_did(self, action: act.ClientAction) -> None:
        match action:
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

    def server_did(self, client: Client, action: act.ServerAction) -> None:
        match action:
            case act.Deliver(Event("app/volatile", value) as event):
                self.volatile["arrived"].append(value)
                client.session.handled(self.now, event.size)
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
            case act.Ended(word):
                self.ended.append(word)

    # -- what befalls the server

    def drain(self) -> None:
        """The server takes leave. What it says to this user afterwards, before it is gone, nobody can promise."""
        self.drained = True
        super().drain()

    def restart_server(self) -> None:
        if self.now - self.started <= ClientSettings().restart:  # two restarts in a row: the first one's word is lost
            self.after_leave += self.since_start
        self.early += self.after_leave
        self.pushed = [value for value in self.pushed if value not in self.after_leave]
        self.after_leave.clear()
        self.since_start.clear()
        self.drained = False
        for outcomes in self.answers.values():
            outcomes += [] if outcomes else [("crashed", None)]
        self.pending.clear()
        super().restart_server()

    # -- the line

    def move_up(self, wire: Wire) -> bool:
        if wire.cut or wire.server_gone or not wire.up or POISON not in str(wire.up[0]):
            return super().move_up(wire)
        wire.up.popleft()
        self.put_down(wire, ("close", 4400, "it cannot be read"))
        if wire.ws and wire.client is not None:
            wire.server_gone = True
            wire.client.session.link_lost(wire.server_link, self.now)
            self.run_server(wire.client)
        return True

    def move_down(self, wire: Wire) -> bool:
        if self.asleep or wire.cut or wire.client_gone or not wire.down or POISON not in str(wire.down[0]):
            return super().move_down(wire)
        wire.down.popleft()
        wire.client_gone = True
        self.core.broken(wire.link, "it cannot be read", self.now, unread=True)
        self.run_client()
        return True

    # -- time

    def move_all_down(self) -> None:
        for wire in list(self.wires):
            while self.move_down(wire):
                pass

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
            when = self.next_timer()
            self.advance(max(0.0, min(1.0, (when - self.now) if when is not None else 1.0)))

    def _move_all(self) -> bool:
        moved = self.handle_one()
        self.client_handle_one()
        for wire in list(self.wires):
            self.client_notices(wire)
            moved |= self.move_up(wire)
            moved |= self.move_down(wire)
            self.server_notices(wire)
        self.wires = [wire for wire in self.wires if not wire.over]
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
