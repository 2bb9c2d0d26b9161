"""A session whose numbers a store gives."""

from typing import Any

import pytest

from sente.protocol import actions as act
from sente.protocol.greeting import Greeting, Hello, PeerLimits
from sente.protocol.messages import AUTH, VOLATILE, Ack, Event, Events, Handshake, Packet, Reply, Request
from sente.protocol.outbox import Answered, Asked, Withdrawn
from sente.protocol.settings import ServerSettings
from sente.protocol.stored_session import TRIM, StoredOutbox, StoredSession

PEER = PeerLimits(2**20, 4, 2**20)
GREETING = Greeting("ada", None, {"session": "t"})


def event(n: int = 0, size: int = 10) -> Event:
    return Event("a/b", n, size)


class Driver:
    def __init__(self) -> None:
        self.now = 100.0
        self.n = 0
        self.session = StoredSession(ServerSettings(), PEER, self.now)

    def hello(self, ack: int = 0, peer: PeerLimits = PEER) -> list[Packet]:
        self.n += 1
        self.session.attach(self.n, "ws", Hello("t", self.n, ack, None, None, peer, ack), GREETING, self.now, ack=ack)
        return self.sent()

    def receive(self, packet: Packet) -> list[act.ServerAction]:
        self.session.receive(self.n, packet, 10, self.now)
        return self.session.take_actions()

    def take(self, kind: type) -> list[Any]:
        return [action for action in self.session.take_actions() if isinstance(action, kind)]

    def sent(self) -> list[Packet]:
        return [packet for action in self.take(act.Transmit) for packet in action.packets]

    def wait(self, seconds: float = 0.1) -> list[Packet]:
        self.now += seconds
        self.session.handle_timer(self.now)
        return self.sent()


@pytest.fixture
def it() -> Driver:
    driver = Driver()
    assert isinstance(driver.hello()[0], Handshake)
    return driver


def test_what_is_said_leaves_once_it_is_stored(it: Driver) -> None:
    it.session.send(event(1), it.now)
    assert it.take(act.Store) == [act.Store(event(1))]
    assert it.wait() == []
    it.session.stored(1, event(1), it.now)
    assert it.sent() == []  # with others of the next moments
    assert it.wait() == [Events((event(1),))]


def test_numbers_may_come_in_any_order_and_twice(it: Driver) -> None:
    it.session.stored(3, event(3), it.now)
    assert (it.session.gap, it.session.known) == (1, 0)
    it.session.stored(1, event(1), it.now)
    it.session.stored(1, event(1), it.now)
    it.session.stored(3, event(3), it.now)
    assert it.wait() == [Events((event(1),))]
    it.session.stored(2, event(2), it.now, flush=True)
    assert (it.session.gap, it.session.known) == (None, 3)
    assert it.wait(0) == [Events((event(2), event(3)))]


def test_replies_leave_in_their_turn(it: Driver) -> None:
    it.receive(Request(event(), 7, 1, None))
    it.session.reply(7, "yes", it.now, size=5)
    (store,) = it.take(act.Store)
    assert store.item == Answered("yes", 7, False, 5)
    it.session.stored(2, store.item, it.now)
    assert it.wait() == []
    it.session.stored(1, event(1), it.now)
    assert it.wait() == [Events((event(1),)), Reply("yes", 7, 2, None, False)]


def test_nothing_is_acknowledged_before_it_is_handled_and_noted(it: Driver) -> None:
    delivers = [
        action for action in it.receive(Events((event(1), event(2), event(3)), 1)) if isinstance(action, act.Deliver)
    ]
    assert [deliver.number for deliver in delivers] == [1, 2, 3]
    it.session.handled(it.now, 10, 2)  # it ran beside the first
    assert it.take(act.Note) == []
    it.session.handled(it.now, 10, 1)
    assert it.take(act.Note) == [act.Note(0, 2)]
    assert it.receive(Ack(0, please=True))[-1] == act.Transmit(1, (Ack(0),))
    it.session.secured(2, it.now)
    assert it.receive(Ack(0, please=True))[-1] == act.Transmit(1, (Ack(2),))
    it.session.handled(it.now, 10, 3)
    assert it.take(act.Note) == [act.Note(0, 3)]
    it.session.secured(1, it.now)  # late
    it.session.secured(3, it.now)
    (handshake,) = [packet for packet in it.hello() if isinstance(packet, Handshake)]
    assert handshake.info["ack"] == 3


def test_what_has_no_number_or_no_handler_holds_nothing_back(it: Driver) -> None:
    it.receive(Events((event(1),), 0))
    it.receive(Request(Event(AUTH, "new", 10), 3, 1, None))
    it.receive(Events((None,), 2))
    assert it.take(act.Note) == []  # they were given away with what was received
    it.session.handled(it.now, 10, 0)
    it.receive(Events((event(2),), 3))
    it.session.handled(it.now, 10, 3)
    assert it.take(act.Note) == [act.Note(0, 3)]


def test_the_store_is_told_now_and_then_what_may_go(it: Driver) -> None:
    for number in range(1, TRIM + 1):
        it.session.stored(number, event(number), it.now)
        it.wait()
        it.receive(Ack(number - 1))
    it.session.receive(it.n, Ack(TRIM), 10, it.now)
    assert it.take(act.Note) == [act.Note(TRIM, 0)]


def test_no_more_than_the_window_is_under_way(it: Driver) -> None:
    for number in range(1, 7):
        it.session.stored(number, event(number), it.now)
    assert it.wait() == [Events(tuple(map(event, range(1, 5))))]
    assert it.receive(Ack(2)) == [act.Transmit(1, (Events((event(5), event(6))),))]
    assert it.hello(ack=4)[1:] == [Events((event(5), event(6)))]


def test_the_window_counts_bytes_and_one_passes_alone() -> None:
    outbox = StoredOutbox([])
    for number in (1, 2, 3):
        outbox.stored(event(number, 60))
    assert outbox.take(window=10, window_bytes=50) == [(1, event(1, 60))]
    assert outbox.take(window=10, window_bytes=50) == []
    outbox.acknowledge(1)
    assert outbox.take(window=10, window_bytes=150, max_bytes=60) == [(2, event(2, 60))]
    assert outbox.unsent
    assert outbox.take(window=10, window_bytes=150) == [(3, event(3, 60))]
    assert not outbox.unsent


def test_what_is_kept_counts_from_when_it_is_said(it: Driver) -> None:
    one, copy = event(1), event(1)
    it.session.expect(one)
    assert it.session.kept == (1, 10)
    it.session.stored(1, copy, it.now)  # as it was fetched
    it.session.expect(event(2))
    it.session.stored(1, one, it.now)
    assert it.session.kept == (2, 20)
    assert it.session.items()[0] is one
    assert it.wait()
    it.receive(Ack(1))
    it.session.stored(1, one, it.now)
    assert it.session.kept == (1, 10)


def test_all_are_kept_and_none_is_taken_back(it: Driver) -> None:
    it.session.send(Event("a/b", 1, 10, key="k"), it.now)
    it.session.send(Event("a/b", 2, 10, key="k"), it.now)
    assert [action.item.data for action in it.take(act.Store)] == [1, 2]
    it.session.send(Event("a/b", 3, 10, key=VOLATILE), it.now)
    assert it.take(act.Store) == []
    ref = it.session.request(event(4), 5.0, it.now)
    it.session.cancel(ref, it.now)
    assert [action.item for action in it.take(act.Store)] == [Asked(event(4), ref), Withdrawn(ref)]


def test_one_too_many_ends_it(it: Driver) -> None:
    for number in range(1, 5000):
        it.session.stored(number, event(number), it.now)
    assert it.session.ended == "slow"
    it.session.stored(5000, event(), it.now)
    it.session.expect(event())
    assert it.session.kept == (0, 0)
    assert it.session.gap is None


def test_another_process_goes_on(it: Driver) -> None:
    it.session.restore(40, 7, [event(41), Answered("yes", 3, False, 5)])
    handshake, *said = it.hello(ack=41)
    assert isinstance(handshake, Handshake) and handshake.info["ack"] == 7
    assert said == [Reply("yes", 3, 42, None, False)]
    it.receive(Events((event(7), event(8)), 7))
    it.session.handled(it.now, 10, 8)
    assert it.take(act.Note) == [act.Note(41, 8)]


def test_it_is_left_to_another(it: Driver) -> None:
    it.session.drain(1.0, it.now)
    close, *gone = it.session.take_actions()
    assert isinstance(close, act.Close) and close.code == 1001
    assert gone == [act.PresenceChanged(None)]
    it.session.drain(1.0, it.now)
    assert it.session.take_actions() == []
    assert not it.session.ended
