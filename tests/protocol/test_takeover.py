"""Sessions go from process to process, on a store that does what it is asked for late, to processes that hear late or
never, die, or are only thought dead: nothing is lost, nothing comes twice, all in order, both ways."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sente.brokers.shelves import Shelves
from sente.brokers.store import Bounds, Moved, Taken
from sente.protocol import actions as act
from sente.protocol.greeting import Greeting, Hello, PeerLimits
from sente.protocol.messages import Ack, Event, Events, Handshake, Packet
from sente.protocol.outbox import Item
from sente.protocol.settings import ServerSettings
from sente.protocol.stored_session import StoredSession

SETTINGS = ServerSettings()
PEER = PeerLimits(2**20, 256, 2**20)
NAMES = ["n1", "n2", "n3"]
WHO = "s", '"ada"', "c"


def body_of(item: Item) -> bytes:
    assert isinstance(item, Event)
    return f"{item.id} {item.data}".encode()


def item_of(body: bytes) -> Event:
    event_id, data = body.decode().split(" ", 1)
    return Event(event_id, data, 10)


@dataclass
class Process:
    """One that serves the session, or has, or might."""

    name: str
    epoch: int = 0
    session: StoredSession | None = None
    asked: list[list[Callable[[], None]]] = field(default_factory=list)
    """Of the store, by turns: each is done as a whole or not at all."""
    heard: list[Callable[[StoredSession], None]] = field(default_factory=list)
    """What is on its way from the store."""
    deliveries: list[act.Deliver] = field(default_factory=list)


class Takeover(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.shelves = Shelves(Bounds(10_000, 10**9, 10**9))
        self.processes = {name: Process(name) for name in NAMES}
        self.now = 100.0
        self.n = self.link = 0
        self.at: Process | None = None  # where the client's line ends
        self.owner = "n1"  # as the client's token says
        self.said = 0  # by publishers
        self.got: list[str] = []  # by the client, of them
        self.backs: list[str] = []  # what handlers say
        self.top = 0
        self.asks = 0  # what the client says, numbered
        self.kept: dict[int, Event] = {}  # until it is acknowledged

    # -- the client

    def send(self, packet: Packet) -> None:
        assert self.at is not None and self.at.session is not None
        self.at.session.receive(self.link, packet, 10, self.now)
        self.run(self.at)

    def hear(self, packet: Packet) -> None:
        match packet:
            case Handshake(info=info):
                self.kept = {n: event for n, event in self.kept.items() if n > info["ack"]}
                assert set(self.kept) == set(range(info["ack"] + 1, self.asks + 1)), "acknowledged, and not kept"
            case Events(events):
                for event in events:
                    assert event is not None
                    self.top += 1
                    (self.got if event.id == "say/it" else self.backs).append(event.data)
            case Ack(ack):
                self.kept = {n: event for n, event in self.kept.items() if n > ack}

    # -- a process

    def run(self, process: Process) -> None:
        """Carry out what its session asks for."""
        assert process.session is not None
        turn: list[Callable[[], None]] = []
        for action in process.session.take_actions():
            match action:
                case act.Transmit(link, packets) if self.at is process and link == self.link:
                    for packet in packets:
                        self.hear(packet)
                case act.Close(link) if self.at is process and link == self.link:
                    self.at = None
                case act.Deliver():
                    process.deliveries.append(action)
                case act.Store(item):
                    turn.append(partial(self.put, process, process.epoch, item))
                case act.Note(acked, heard):
                    turn.append(partial(self.note, process, process.epoch, acked, heard))
        if turn:
            process.asked.append(turn)

    def put(self, process: Process, epoch: int, item: Item) -> None:
        try:
            number = self.shelves.put(process.name, WHO[0], epoch, body_of(item), self.now)
            process.heard.append(lambda session: session.stored(number, item, self.now))
        except Moved:
            process.heard.append(lambda session: self.moved(session))

    def note(self, process: Process, epoch: int, acked: int, heard: int) -> None:
        try:
            self.shelves.note(process.name, WHO[0], epoch, acked, heard, self.now)
            process.heard.append(lambda session: session.secured(heard, self.now))
        except Moved:
            process.heard.append(lambda session: self.moved(session))

    def moved(self, session: StoredSession) -> None:
        session.close(1001, "moved", self.now, word="moved")

    def forget(self, process: Process) -> None:
        """Its session has ended there, or the process has."""
        process.session, process.deliveries, process.heard = None, [], []
        if self.at is process:
            self.at = None

    # -- what happens

    @initialize()
    def begin(self) -> None:
        first = self.processes["n1"]
        first.epoch = self.shelves.create("n1", *WHO, self.now)
        first.session = StoredSession(SETTINGS, PEER, self.now)
        self.connect("n1", through=10**6)

    @rule(name=st.sampled_from(NAMES), through=st.integers(0, 3))
    def connect(self, name: str, through: int) -> None:
        """The client says hello: to the one that has its session, or one that thinks that the owner is gone. What it
        says again breaks off after some."""
        process = self.processes[name]
        if process.session is not None and self.owner != name:  # it was taken over meanwhile
            self.forget(process)
        if process.session is None:
            owner: Any = self.owner
            while isinstance(taken := self.shelves.take(name, *WHO, owner, self.now), str):
                owner = taken
            assert isinstance(taken, Taken), "the session is gone"
            process.epoch, process.session = taken.epoch, StoredSession(SETTINGS, PEER, self.now)
            process.session.restore(taken.acked, taken.heard, [item_of(body) for _, body in taken.entries])
        self.n, self.link, self.at, self.owner = self.n + 1, self.link + 1, process, name
        hello = Hello("t", self.n, self.top, None, None, PEER, self.top)
        process.session.attach(self.link, "ws", hello, Greeting("ada", None, {"session": "t"}), self.now, ack=self.top)
        self.run(process)
        for n in sorted(self.kept)[:through] if self.at else ():
            if self.at and n in self.kept:
                self.send(Events((self.kept[n],), n))
        if self.at and len(self.kept) > through:
            self.cut()

    @precondition(lambda self: self.at)
    @rule()
    def cut(self) -> None:
        assert self.at is not None and self.at.session is not None
        self.at.session.link_lost(self.link, self.now)
        self.run(self.at)
        self.at = None

    @rule()
    def say(self) -> None:
        """A publisher says something, which those hear that have the session, or think so."""
        item = Event("say/it", str(self.said), 10)
        self.said += 1
        number = self.shelves.say(WHO[1], body_of(item), self.now)[WHO[0]]
        for process in self.processes.values():
            if process.session is not None:
                process.heard.append(lambda session: session.stored(number, item, self.now))

    @precondition(lambda self: self.at)
    @rule()
    def ask(self) -> None:
        """The client says something."""
        self.asks += 1
        self.kept[self.asks] = Event("ask/it", str(self.asks), 10)
        self.send(Events((self.kept[self.asks],), self.asks))

    @precondition(lambda self: self.at)
    @rule()
    def acknowledge(self) -> None:
        self.send(Ack(self.top))

    @rule(name=st.sampled_from(NAMES))
    def handle(self, name: str) -> None:
        """A handler answers with an event, in one turn."""
        process = self.processes[name]
        if process.session is not None and process.deliveries:
            delivery = process.deliveries.pop(0)
            process.session.send(Event("back/it", delivery.event.data, 10), self.now)
            process.session.handled(self.now, delivery.event.size, delivery.number)
            self.run(process)

    @rule(name=st.sampled_from(NAMES))
    def store(self, name: str) -> None:
        """The store does what it is asked for in one turn."""
        if asked := self.processes[name].asked:
            for one in asked.pop(0):
                one()

    @rule(name=st.sampled_from(NAMES), at=st.integers(0, 5))
    def hear_of_it(self, name: str, at: int) -> None:
        process = self.processes[name]
        if process.heard and process.session is not None:
            process.heard.pop(min(at, len(process.heard) - 1))(process.session)
            self.run(process)
            if process.session.ended:
                self.forget(process)

    @rule(name=st.sampled_from(NAMES))
    def miss(self, name: str) -> None:
        """A line is cut: what was on its way is lost, and when it is back the store is asked what there is. What became
        of what it was asked for is known then, too."""
        process = self.processes[name]
        if (session := process.session) is None:
            return
        for number, body in self.shelves.fetch(WHO[0], session.known, self.now):
            session.stored(number, item_of(body), self.now)
        self.run(process)

    @rule(name=st.sampled_from(NAMES), done=st.integers(0, 2))
    def die(self, name: str, done: int) -> None:
        """What has left the process may still be done."""
        process = self.processes[name]
        for turn in process.asked[:done]:
            for one in turn:
                one()
        process.asked.clear()
        self.forget(process)

    @rule(seconds=st.sampled_from([0.01, 0.1, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for process in self.processes.values():
            if process.session is not None:
                process.session.handle_timer(self.now)
                self.run(process)

    # -- what must be so

    @invariant()
    def in_order_and_once(self) -> None:
        assert self.got == [str(number) for number in range(len(self.got))]
        assert self.backs == [str(number) for number in range(1, len(self.backs) + 1)]

    def teardown(self) -> None:
        if not self.n:
            return
        for _ in range(200):
            if self.at is None:
                self.connect(self.owner, through=10**6)
            self.wait(0.1)
            for name in NAMES:
                while self.processes[name].asked:
                    self.store(name)
                while self.processes[name].heard and self.processes[name].session:
                    self.hear_of_it(name, 0)
                self.miss(name)
                self.handle(name)
            if self.at is not None:
                self.acknowledge()
            if len(self.got) == self.said and len(self.backs) == self.asks and not self.kept:
                break
        self.in_order_and_once()
        assert (len(self.got), len(self.backs), self.kept) == (self.said, self.asks, {}), "something is lost"


TestTakeover = Takeover.TestCase
TestTakeover.settings = profile(max_examples=300, stateful_step_count=40, deadline=None)
