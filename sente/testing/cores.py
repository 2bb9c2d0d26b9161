"""The two cores of a session, and lines between them that are moved by hand: no loop, no socket, no clock but ``now``.

Everything crosses a line as JSON text. Nothing moves by itself: ``move_up`` and ``move_down`` carry one message,
``advance`` lets time pass.
"""

import itertools
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from sente.protocol import actions as act
from sente.protocol.client_session import ClientSession
from sente.protocol.greeting import read_head, read_hello
from sente.protocol.messages import Packet, Ping, Pong, read_packet, write_packet
from sente.protocol.route import Wanted
from sente.protocol.sessions import Client, Sessions
from sente.protocol.settings import ClientSettings, ServerSettings
from sente.testing.fate import Fate

STEPS = 10_000
"""Timers that may fire in one ``advance`` before they are held to be running wild."""


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
    """What is under way is gone; neither side needs to know yet."""
    client_gone: bool = False
    server_gone: bool = False
    fate: Fate = field(default_factory=Fate)
    """What is in store for it, where lines are not moved by hand."""
    up_at: float = 0.0
    """When the next message arrives; likewise the other way."""
    down_at: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing can come of it any more."""
        return not (self.up or self.down) and (self.client_gone or self.cut)


def size_of(message: Any) -> int:
    """How many bytes a message takes on its way, about."""
    return sum(len(part) if isinstance(part, str) else size_of(part) for part in message if not isinstance(part, int))


def _frames(packets: Iterable[Packet], side: Literal["client", "server"]) -> list[str]:
    return [json.dumps(write_packet(packet, side)) for packet in packets]


def _packets(texts: Iterable[str]) -> list[tuple[Packet, int]]:
    return [(read_packet(json.loads(text), len(text)), len(text)) for text in texts]


class Cores:
    """A ``ClientSession`` and a server's ``Sessions``. Override ``client_did``, ``server_did``: their applications."""

    client_core: ClassVar[type[ClientSession]] = ClientSession
    """Another client with the same inputs and actions may be put here."""

    def __init__(
        self,
        transport: Wanted = "auto",
        *,
        server: ServerSettings | None = None,
        client: ClientSettings | None = None,
    ) -> None:
        self.now = 1000.0
        self.started = self.now
        self.numbers = itertools.count(1)
        self.uid: Any = "ada"
        self.good_for: float | None = None
        """For how many seconds the credentials of a hello are good; ``None``: for ever."""
        self.server_settings = server or ServerSettings()
        self.sessions = self._new_sessions()
        self.core = self.client_core(
            client or ClientSettings(),
            new_client_id=lambda: f"client-{next(self.numbers)}",
            jitter=lambda: 0.5,
            transport=transport,
        )
        self.wires: list[Wire] = []
        self.server_wires: dict[int, Wire] = {}
        self.ws_blocked = False
        """Whether WebSockets get through to nobody."""
        self.behind = False
        """Whether WebSockets take no volatile events, as where the other end does not read."""
        self.asleep = False
        """Whether the client's computer sleeps: nothing reaches it, and none of its timers fires."""
        self.present: dict[Client, act.TransportName] = {}

    def _new_sessions(self) -> Sessions:
        return Sessions(self.server_settings, lambda: f"token-{next(self.numbers)}", self.now)

    # -- what comes of it, for the applications

    def client_did(self, action: act.ClientAction) -> None:
        """The client's core has something for its application."""

    def server_did(self, client: Client, action: act.ServerAction) -> None:
        """A session of the server has something for its application."""

    # -- the client's driver

    def connect(self) -> None:
        """The client begins to connect."""
        self.core.connect(self.now)
        self.run_client()

    def run_client(self) -> None:
        """Carry out what the client's core asks for."""
        while actions := self.core.take_actions():
            for action in actions:
                self._client_acts(action)

    def _client_acts(self, action: act.ClientAction) -> None:
        match action:
            case act.OpenLink(link, transport):
                wire = self.add_wire(link, ws=transport == "ws")
                wire.cut |= self.ws_blocked and wire.ws
                self.put_up(wire, ("open",))
            case act.SayHello(link, transport, hello):
                wire = self.wire_of(link) if transport == "ws" else self.add_wire(link, ws=False)
                self.put_up(wire, ("hello", json.dumps(hello)))
            case act.Transmit(link, sent):
                self.put_up(self.wire_of(link), *(("frame", text) for text in _frames(sent, "client")))
            case act.TransmitVolatile(link, packet):
                if not self.behind:
                    self.put_up(self.wire_of(link), ("frame", *_frames((packet,), "client")))
            case act.Exchange(link, head, sent):
                self.put_up(self.add_wire(link, ws=False), ("post", json.dumps(head), _frames(sent, "client")))
            case act.Close(link, code, _):
                wire = self.wire_of(link)
                wire.client_gone = True
                if wire.ws:
                    self.put_up(wire, ("close", code))
            case _:
                self.client_did(action)

    def add_wire(self, link: int, *, ws: bool) -> Wire:
        """A new line from the client to the server."""
        wire = Wire(link, ws)
        self.wires.append(wire)
        return wire

    def wire_of(self, link: int) -> Wire:
        """The client's line of this name; one that leads nowhere if it is over."""
        return next((wire for wire in self.wires if wire.link == link), Wire(link, ws=True))

    def put_up(self, wire: Wire, *messages: Any) -> None:
        """Put messages of the client on their way."""
        wire.up.extend(messages)

    def put_down(self, wire: Wire, *messages: Any) -> None:
        """Put messages of the server on their way."""
        wire.down.extend(messages)

    # -- the server's driver

    def run_server(self, client: Client) -> None:
        """Carry out what a session asks for."""
        while actions := client.session.take_actions():
            for action in actions:
                self._server_acts(client, action)

    def _server_acts(self, client: Client, action: act.ServerAction) -> None:
        match action:
            case act.Transmit(link, sent):
                self._say_down(link, *(("frame", text) for text in _frames(sent, "server")))
            case act.TransmitVolatile(link, packet):
                if not self.behind:
                    self._say_down(link, ("frame", *_frames((packet,), "server")))
            case act.Answer(link, head, sent):
                self._say_down(link, ("answer", json.dumps(head), _frames(sent, "server")))
                self.server_wires.pop(link, None)
            case act.Close(link, code, reason):
                self._say_down(link, ("close", code, reason))
                self.server_wires.pop(link, None)
            case act.PresenceChanged(None):
                del self.present[client]
            case act.PresenceChanged(transport):
                assert transport is not None
                self.present[client] = transport
            case act.Ended():
                self.sessions.bury(client, self.now)
        self.server_did(client, action)

    def _say_down(self, link: int, *messages: Any) -> None:
        if link in self.server_wires:
            self.put_down(self.server_wires[link], *messages)

    def _server_takes(self, wire: Wire, message: Any) -> None:
        match message:
            case ("open",):
                wire.server_link = next(self.numbers)
                self.put_down(wire, ("welcome", json.dumps({"sente": 1, "packer": "json", "hello": 10000})))
            case ("hello", text):
                self._greet(wire, text)
            case ("post", text, body):
                head = read_head(json.loads(text))
                client = self.sessions.find(head.session)
                if last := self.sessions.farewell(head.session, self.core.state.client_id):
                    return self.put_down(wire, ("answer", json.dumps(last[0]), _frames(last[1:], "server")))
                if client is None:
                    return self.put_down(wire, ("close", 4410, "session gone"))
                self._enter(wire).client = client
                client.session.exchange(wire.server_link, head, _packets(body), self.now)
                self.run_server(client)
            case ("frame", text) if wire.client is not None:
                packet = read_packet(json.loads(text), len(text))
                wire.client.session.receive(wire.server_link, packet, len(text), self.now)
                self.run_server(wire.client)
            case ("frame", text):
                assert isinstance(read_packet(json.loads(text)), Ping), "only pings come before the hello"
                self.put_down(wire, ("frame", *_frames((Pong(),), "server")))
            case ("close", code) if wire.client is not None:
                if code == 1000:
                    wire.client.session.close(1000, "goodbye", self.now, word="goodbye")
                wire.client.session.link_lost(wire.server_link, self.now)
                self.run_server(wire.client)

    def _greet(self, wire: Wire, text: str) -> None:
        link = self._enter(wire).server_link
        others = list(self.sessions)
        transport: act.TransportName = "ws" if wire.ws else "poll"
        hello, client_id = read_hello(json.loads(text)), self.core.state.client_id
        wire.client = self.sessions.meet(link, transport, hello, client_id, self.uid, {"hi": 1}, self.now)
        wire.client.session.credentials.renew(self.good_for, self.now)
        for client in {*others, wire.client}:
            self.run_server(client)

    def _enter(self, wire: Wire) -> Wire:
        wire.server_link = next(self.numbers)
        self.server_wires[wire.server_link] = wire
        return wire

    def drain(self) -> None:
        """The server takes leave of its clients (§5)."""
        for client in list(self.sessions):
            client.session.drain(1.0, self.now)
            self.run_server(client)

    def restart_server(self) -> None:
        """The server's process is gone, with all it knew, and another one is there."""
        self.started = self.now
        self.sessions = self._new_sessions()
        self.present.clear()
        self.server_wires.clear()
        for wire in self.wires:
            wire.cut = wire.server_gone = True
            wire.client = None

    # -- the line

    def move_up(self, wire: Wire) -> bool:
        """Carry one message to the server; whether there was one."""
        if wire.cut or wire.server_gone or not wire.up:
            return False
        self._server_takes(wire, wire.up.popleft())
        return True

    def move_down(self, wire: Wire) -> bool:
        """Carry one message to the client; whether there was one."""
        if self.asleep or wire.cut or wire.client_gone or not wire.down:
            return False
        match wire.down.popleft():
            case ("welcome", text):
                self.core.first_frame(wire.link, json.loads(text), self.now)
            case ("frame", text):
                self.core.receive(wire.link, read_packet(json.loads(text), len(text)), len(text), self.now)
            case ("answer", head, body):
                self.core.exchanged(wire.link, json.loads(head), _packets(body), self.now)
            case ("close", code, reason):
                status = code if wire.ws else code - 4000 if code >= 4400 else 503
                wire.client_gone = True
                self.core.link_lost(wire.link, self.now, code=status, message=reason)
        self.run_client()
        return True

    def cut(self, wire: Wire) -> None:
        """What is under way is gone; neither side knows yet."""
        wire.cut = True

    def client_notices(self, wire: Wire) -> None:
        """The client is told that the line is cut."""
        if wire.cut and not wire.client_gone and not self.asleep:
            wire.client_gone = True
            self.core.link_lost(wire.link, self.now)
            self.run_client()

    def server_notices(self, wire: Wire) -> None:
        """The server is told that the line is cut, or given up."""
        if (wire.cut or wire.client_gone) and not wire.server_gone:
            wire.server_gone = True
            if wire.client is not None:
                wire.client.session.link_lost(wire.server_link, self.now)
                self.run_server(wire.client)

    def duplicate(self, wire: Wire) -> None:
        """Something between the two makes an HTTP request again."""
        if not wire.ws and wire.up:
            self.wires.append(Wire(wire.link, ws=False, up=deque([wire.up[0]]), client_gone=True))

    # -- time

    def advance(self, seconds: float) -> None:
        """Let time pass, with every timer at its time, while nothing moves on any line."""
        until = self.now + seconds
        for _ in range(STEPS):
            when = self.next_timer()
            if when is None or when > until:
                break
            self.now = max(self.now, when)
            self.fire_timers()
        else:
            raise AssertionError("the timers never come to rest")
        self.now = until

    def next_timer(self) -> float | None:
        """When one of the two wants to be called."""
        times = [client.session.next_timer() for client in self._everyone()]
        if not self.asleep:
            times.append(self.core.next_timer())
        return min((time for time in times if time is not None), default=None)

    def fire_timers(self) -> None:
        """Do what is due."""
        if not self.asleep and (when := self.core.next_timer()) is not None and when <= self.now:
            self.core.handle_timer(self.now)
            self.run_client()
        for client in self._everyone():
            if (when := client.session.next_timer()) is not None and when <= self.now:
                client.session.handle_timer(self.now)
                self.run_server(client)

    def _everyone(self) -> list[Client]:
        return list({**dict.fromkeys(self.sessions), **self.present})  # an ended session still has its grace
