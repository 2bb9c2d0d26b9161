"""Events that leave on the line there is, unnumbered, or not at all: both cores, packet by packet."""

from typing import Any

import pytest

from sente.protocol.actions import Answer, ServerAction, Transmit, TransmitVolatile
from sente.protocol.actions import Dropped as Lost
from sente.protocol.classic_session import ClassicSession
from sente.protocol.conversation import ENVELOPE
from sente.protocol.greeting import PeerLimits
from sente.protocol.messages import VOLATILE, Classic, Event, Events
from sente.protocol.settings import AckPolicy, Limits, ServerSettings
from tests.protocol.test_server_session import PEER, PUSH, SETTINGS, Driver
from tests.protocol.test_server_session import say as say_to
from tests.protocol.world import World


def cursor(n: int, size: int = 10) -> Event:
    return Event("cursor/at", n, size, key=VOLATILE)


def dropped(*numbers: int) -> list[ServerAction]:
    return [Lost(n, "volatile dropped") for n in numbers]


def say(driver: Driver, *events: Event) -> list[ServerAction]:
    for event in events:
        driver.session.send(event, driver.now)
    return driver.session.take_actions()


def test_they_leave_after_what_has_a_number_and_have_none() -> None:
    driver = Driver()
    driver.hello()
    assert say(driver, cursor(1), PUSH, cursor(2), PUSH) == []
    events = Events((cursor(1), cursor(2)), 0)
    assert driver.pass_time(0.03) == [Transmit(1, (Events((PUSH, PUSH)),)), TransmitVolatile(1, events)]
    driver.session.send(PUSH, driver.now, flush=True)
    assert driver.session.kept == (3, 30), "what is volatile is not kept"


def test_flush_does_not_wait() -> None:
    driver = Driver()
    driver.hello()
    driver.session.send(cursor(1), driver.now, flush=True)
    driver.session.speak(driver.now)
    assert driver.session.take_actions() == [TransmitVolatile(1, Events((cursor(1),), 0))]


def test_without_a_line_they_are_dropped_at_once() -> None:
    driver = Driver()
    driver.hello()
    assert say(driver, cursor(1), cursor(2)) == []
    driver.session.link_lost(1, driver.now)
    assert driver.session.take_actions() == dropped(2)
    assert say(driver, cursor(3)) == dropped(1)
    assert not any(isinstance(action, TransmitVolatile) for action in driver.hello())


def test_the_end_of_a_session_drops_them() -> None:
    driver = Driver()
    driver.hello()
    say(driver, cursor(1))
    driver.session.close(4410, "enough", driver.now, word="enough")
    assert dropped(1)[0] in driver.session.take_actions()
    driver.session.send(cursor(2), driver.now)
    assert driver.session.take_actions() == []


def test_they_wait_for_nobody_who_is_behind() -> None:
    driver = Driver(peer=PeerLimits(packet=1000, window=2, window_bytes=10_000))
    driver.hello()
    say(driver, PUSH, PUSH, PUSH, cursor(1))
    assert driver.pass_time(0.03) == [Transmit(1, (Events((PUSH, PUSH)),)), *dropped(1)]


@pytest.mark.parametrize("peer", [PeerLimits(1000, 3, 10_000), PeerLimits(3 * 11 + ENVELOPE, 100, 10_000)])
def test_they_fill_one_packet_and_the_oldest_are_dropped(peer: PeerLimits) -> None:
    driver = Driver(peer=peer)
    driver.hello()
    assert say(driver, *map(cursor, range(5))) == dropped(1, 1)
    events = Events((cursor(2), cursor(3), cursor(4)), 0)
    assert driver.pass_time(0.03) == [TransmitVolatile(1, events)]


def test_one_larger_than_the_client_takes_is_dropped() -> None:
    driver = Driver()
    driver.hello()
    assert say(driver, cursor(1), cursor(2, size=PEER.packet)) == dropped(2)
    assert driver.pass_time(0.03) == []
    assert not driver.session.ended


def test_a_poll_that_waits_is_answered_with_them() -> None:
    driver = Driver()
    driver.hello("poll")
    assert say(driver, cursor(1)) == dropped(1), "no poll waits yet"
    driver.exchange(wait=20_000)
    say(driver, cursor(2), PUSH)
    packets = Events((PUSH,)), Events((cursor(2),), 0)
    assert driver.pass_time(0.1) == [Answer(2, {"ack": 0, "seq": 1}, packets)]
    driver.exchange(wait=20_000, ack=1)
    say(driver, cursor(3))
    assert driver.pass_time(0.1) == [Answer(3, {"ack": 0, "seq": 2}, (Events((cursor(3),), 0),))]


def test_whatever_ends_a_poll_takes_them_along() -> None:
    driver = Driver(ServerSettings(poll=1.0))
    driver.hello("poll")
    driver.exchange(wait=1000)
    driver.pass_time(0.95)
    say(driver, cursor(1))
    assert driver.pass_time(0.05) == [Answer(2, {"ack": 0, "seq": 1}, (Events((cursor(1),), 0),))]


def test_an_acknowledgement_that_ends_a_poll_takes_them_along() -> None:
    driver = Driver(ServerSettings(limits=Limits(backlog=0, ack=AckPolicy(items=1))))
    driver.hello("poll")
    driver.exchange(say_to(1, 1))
    driver.exchange(wait=20_000)
    say(driver, cursor(1))
    driver.session.handled(driver.now, 0)
    assert driver.session.take_actions() == [Answer(3, {"ack": 1, "seq": 1}, (Events((cursor(1),), 0),))]


# -- one of Sente's own


def classic(transport: Any) -> ClassicSession:
    session = ClassicSession(SETTINGS, transport, 100.0)
    if transport == "ws":
        session.open(1, Classic("hi"), 100.0)
    else:
        session.poll(1, Classic("hi"), 100.0)
    session.take_actions()
    return session


def test_a_websocket_of_sente_is_sent_them_as_plain_events() -> None:
    session = classic("ws")
    session.send(cursor(1), 100.0)
    assert session.take_actions() == [TransmitVolatile(1, Events((cursor(1),)))]
    session.link_lost(1, 100.0)
    session.send(cursor(2), 100.0)
    assert session.take_actions() == dropped(1)


def test_a_poll_of_sente_is_answered_with_them() -> None:
    session = classic("poll")
    session.send(cursor(1), 100.0)
    assert session.take_actions() == dropped(1)
    session.poll(2, None, 100.0)
    session.take_actions()
    session.send(cursor(2), 100.0, flush=True)
    assert session.take_actions() == [Answer(2, {}, (Events((cursor(2),)),))]


# -- the client


def world(transport: Any) -> World:
    world = World(transport)
    world.connect()
    world.settle(1)
    return world


@pytest.mark.parametrize("transport", ["ws", "poll"])
def test_both_sides_say_them(transport: Any) -> None:
    both = world(transport)
    both.say_volatile()
    both.push_volatile()
    both.say()
    both.settle(1)
    assert sorted(both.volatile["arrived"]) == [0, 1]
    assert both.handled == [1]
    assert both.session.kept == (0, 0)


def test_a_client_that_polls_says_them_on_a_post_that_is_free() -> None:
    both = world("poll")
    for _ in range(5):
        both.say()
        both.say_volatile()
        both.advance(0)
    assert sum(not wire.cut and bool(wire.up) for wire in both.wires) == 2, "two POSTs"
    both.settle(1)
    assert both.volatile["arrived"] == [0, 1]
    assert both.handled == [1, 2, 3, 4, 5]


def test_a_client_without_line_says_none() -> None:
    both = world("ws")
    both.say_volatile()
    both.core.reconnect(both.now)
    assert not both.core.send(cursor(1))
    both.settle(1)
    assert both.volatile["arrived"] == []


def test_a_client_between_two_lines_says_none() -> None:
    both = world("poll")
    both.core._climb_at = both.now
    both.advance(0)
    while both.core._phase.name == "OPEN":
        for wire in list(both.wires):
            both.move_up(wire)
            both.move_down(wire)
    assert both.core.state.open
    assert not both.core.send(cursor(1))


def test_a_client_whose_server_is_behind_says_none() -> None:
    both = world("ws")
    both.core._dialogue.talk.peer = PeerLimits(1000, 1, 1000)
    both.say()
    both.say()
    both.say_volatile()
    both.settle(10)
    assert both.volatile["arrived"] == [] and both.handled == [1, 2]
