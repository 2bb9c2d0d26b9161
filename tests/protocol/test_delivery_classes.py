"""A server's session and its client, who reads, acknowledges, lags and breaks off at will: what each class of events
becomes, and what the outbox keeps, against a model of a few lines."""

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sente.protocol.actions import Dropped, Ended, Replaced, ServerAction, Transmit, TransmitVolatile
from sente.protocol.greeting import Greeting, Hello, PeerLimits
from sente.protocol.messages import VOLATILE, Ack, Event, Events, Packet
from sente.protocol.server_session import ServerSession
from sente.protocol.settings import AckPolicy, Limits, ServerSettings

LIMITS = Limits(outbox=8, outbox_bytes=120, window=4, window_bytes=100, ack=AckPolicy(items=2))
PEER = PeerLimits(packet=200, window=4, window_bytes=60)
SETTINGS = ServerSettings(limits=LIMITS, outbox_age=100.0)
SIZES = st.integers(5, 30)


class Classes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.now = 0.0
        self.session = ServerSession(SETTINGS, PEER, self.now)
        self.n = self.value = 0
        self.link = 0
        self.said: dict[int, Event] = {}
        self.waiting: list[int] = []  # what has not left, as the model has it
        self.sent: list[int] = []  # what left and is not acknowledged
        self.received: list[int] = []  # what has a number, as the client has it
        self.top = self.acked = self.expected = 0
        self.counted = {"replaced": 0, "latest dropped": 0, "volatile dropped": 0}
        self.volatile_said = self.volatile_got = 0
        self.ended = ""
        self.attach()

    # -- the application

    def say(self, size: int, key: object | None) -> Event:
        self.value += 1
        event = self.said[self.value] = Event("a/b", self.value, size, key=key)
        self.session.send(event, self.now, flush=True)
        return event

    @precondition(lambda self: not self.ended)
    @rule(size=SIZES)
    def reliable(self, size: int) -> None:
        self.say(size, None)
        self.waiting.append(self.value)
        self.make_room()

    @precondition(lambda self: not self.ended)
    @rule(size=SIZES, key=st.sampled_from("ab"))
    def latest(self, size: int, key: str) -> None:
        self.say(size, key)
        older = [value for value in self.waiting if self.said[value].key == key]
        self.waiting = [value for value in self.waiting if value not in older]
        self.counted["replaced"] += len(older)
        self.waiting.append(self.value)
        self.make_room()

    @precondition(lambda self: not self.ended)
    @rule(size=SIZES)
    def volatile(self, size: int) -> None:
        self.say(size, VOLATILE)
        self.volatile_said += 1
        self.carry_out()

    def make_room(self) -> None:
        """The policy: what only the latest says goes first, then the session."""
        kept = self.sent + self.waiting
        if self.is_full(kept):
            keyed = [value for value in self.waiting if self.said[value].key is not None]
            self.counted["latest dropped"] += len(keyed)
            self.waiting = [value for value in self.waiting if value not in keyed]
            if self.is_full(self.sent + self.waiting):
                self.ended = "slow"
        self.carry_out()

    def is_full(self, kept: Sequence[int]) -> bool:
        return len(kept) > LIMITS.outbox or sum(self.said[value].size for value in kept) > LIMITS.outbox_bytes

    @precondition(lambda self: self.ended)
    @rule()
    def begin_anew(self) -> None:
        self.begin()

    # -- the line

    @precondition(lambda self: not self.ended)
    @rule()
    def leave(self) -> None:
        self.session.speak(self.now)
        self.carry_out()

    @precondition(lambda self: not self.ended and self.link)
    @rule(behind=st.integers(0, 3))
    def acknowledge(self, behind: int) -> None:
        ack = max(self.acked, self.top - behind)
        self.session.receive(self.link, Ack(ack), 10, self.now)
        self.take_ack(ack)
        self.carry_out()

    def take_ack(self, ack: int) -> None:
        del self.sent[: ack - self.acked]
        self.acked = ack

    @precondition(lambda self: not self.ended and self.link)
    @rule(arrived=st.integers(0, 8))
    def lose(self, arrived: int) -> None:
        """The line breaks, and of what left on it last only so much has arrived."""
        self.top = max(self.acked, self.top - arrived)
        self.received = self.received[: self.top]
        self.session.link_lost(self.link, self.now)
        self.link = 0
        self.carry_out()

    @precondition(lambda self: not self.ended and not self.link)
    @rule()
    def attach(self) -> None:
        self.n += 1
        self.link = self.n
        hello = Hello("t", self.n, self.top, None, None, PEER, self.top)
        self.expected = self.top + 1
        self.session.attach(self.link, "ws", hello, Greeting("ada", None, {}), self.now, ack=self.top)
        self.take_ack(self.top)
        self.carry_out()

    # -- what comes of it

    def carry_out(self) -> None:
        for action in self.session.take_actions():
            self.look(action)

    def look(self, action: ServerAction) -> None:
        match action:
            case Transmit(_, packets):
                for packet in packets:
                    self.hear(packet)
            case TransmitVolatile(_, Events(events, seq)):
                assert seq == 0, "what is volatile has no number"
                assert all(event is not None and event.key is VOLATILE for event in events)
                self.volatile_got += len(events)
            case Replaced():
                self.counted["replaced"] -= 1
            case Dropped(count, "volatile dropped"):
                self.volatile_said -= count
            case Dropped(count, what):
                self.counted[what] -= count
            case Ended(word):
                assert word == self.ended, "it ends when the model says so, and not before"
            case _:
                pass

    def hear(self, packet: Packet) -> None:
        if not isinstance(packet, Events):
            return
        assert packet.seq is None, "numbers are implied"
        for event in packet.events:
            assert event is not None and event.key is not VOLATILE
            if self.expected <= len(self.received):  # said again
                assert self.received[self.expected - 1] == event.data
            else:
                self.received.append(event.data)
            if event.data in self.waiting:
                assert self.waiting.pop(0) == event.data, "in the order in which it was said"
                self.sent.append(event.data)
            self.top = max(self.top, self.expected)
            self.expected += 1

    @invariant()
    def holds(self) -> None:
        if self.ended:
            assert self.session.ended == self.ended and self.session.kept == (0, 0)
            lost = [value for value in self.sent + self.waiting if self.said[value].key is None]
            assert self.session.tombstone().lost(self.acked) == len(lost), "each reliable one, and no other"
            return
        assert [item.data for item in self.session.items() if isinstance(item, Event)] == self.sent + self.waiting
        assert self.session.kept[1] == sum(self.said[value].size for value in self.sent + self.waiting)
        assert not self.is_full(self.sent + self.waiting), "a client that never reads costs its limit and no more"
        assert len(self.sent) <= PEER.window, "no more than the window is under way"
        assert not any(self.counted.values()), self.counted
        if not self.link:
            assert self.volatile_said == self.volatile_got, "without a line none waits"


TestClasses = Classes.TestCase
