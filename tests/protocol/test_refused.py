"""What one side can pack and the other cannot read: said again alone, then given up."""

from typing import Any

import pytest

from sente.protocol.messages import Event, Events, Reply
from sente.protocol.outbox import Answered, Asked, Nothing, Outbox
from tests.protocol.world import POISON, World


def outbox(*items: Any) -> Outbox:
    box = Outbox()
    for item in items:
        box.put(item)
    box.take(window=100, window_bytes=10_000)
    return box


def event(n: int) -> Event:
    return Event("a/b", n, 10)


def again(box: Outbox) -> list[Any]:
    box.rewind(box.acked)
    return [item for _, item in box.take(window=100, window_bytes=10_000)]


def test_what_was_refused_alone_is_given_up() -> None:
    box = outbox(*map(event, range(1, 5)))
    assert box.refused(1) is None and box.alone == 4
    assert again(box) == [event(n) for n in (1, 2, 3, 4)]
    assert box.refused(1) == event(2)
    assert again(box) == [event(1), Nothing(), event(3), event(4)]
    assert (len(box), box.bytes) == (4, 30)
    box.acknowledge(4)
    assert (len(box), box.bytes, box._held_items, box._held_bytes) == (0, 0, 0, 0)


def test_the_next_one_has_two_chances_too() -> None:
    box = outbox(event(1), event(2))
    assert box.refused(0) is None
    again(box)
    assert box.refused(1) is None
    again(box)
    assert box.refused(1) == event(2)


def test_nothing_is_given_up_that_was_not_on_the_line() -> None:
    box = outbox(event(1))
    assert box.refused(0) is None
    box.rewind(0)
    assert box.refused(0) is None, "it has not left again"
    again(box)
    assert box.refused(7) is None and box.refused(1) is None
    assert box.refused(0) == event(1)
    again(box)
    assert box.refused(0) is None, "there is nothing left to give up"
    assert outbox().refused(0) is None


def test_a_reply_becomes_an_error_and_a_request_nothing() -> None:
    box = outbox(Answered("x", 3, failed=False, size=10), Asked(event(1), 4))
    box.refused(0)
    again(box)
    assert box.refused(0) == Answered("x", 3, failed=False, size=10)
    error = again(box)[0]
    assert (error.ref, error.failed, error.value["code"]) == (3, True, "internal")
    box.refused(1)
    again(box)
    assert box.refused(1) == Asked(event(1), 4)


def world(transport: Any) -> World:
    world = World(transport)
    world.connect()
    world.settle(1)
    return world


both_transports = pytest.mark.parametrize("transport", ["ws", "poll"])


@both_transports
def test_a_client_that_cannot_read_loses_that_one_and_is_told(transport: Any) -> None:
    both = world(transport)
    for id in ("app/push", POISON, "app/push", "app/push"):
        both.push(id=id)
    both.settle(30)
    assert both.got == [1, 3, 4] and both.given_up == [2]
    assert both.core.state.resumed and sum(lost or 0 for lost in both.losses) == 1
    assert both.session.kept == (0, 0) or both.session.kept[1] <= 60
    both.push(flush=True)
    both.settle(1)
    assert both.got[-1] == 5


@both_transports
def test_what_a_server_cannot_read_is_given_back(transport: Any) -> None:
    both = world(transport)
    for id in ("app/say", POISON, "app/say", "app/say"):
        both.say(id)
    both.settle(30)
    assert both.handled == [1, 3, 4] and both.unconfirmed == {2}
    assert both.say()
    both.settle(1)
    assert both.handled[-1] == 5


@both_transports
def test_several_in_a_row(transport: Any) -> None:
    both = world(transport)
    for n in range(12):
        both.say(POISON if n in (1, 2, 7) else "app/say")
        both.push(id=POISON if n in (0, 8, 9, 11) else "app/push")
    both.settle(400)
    both.check_settled()
    assert both.unconfirmed == {2, 3, 8} and both.given_up == [1, 9, 10, 12]


def test_a_hello_that_is_repeated_refuses_nothing_anew() -> None:
    both = world("ws")
    both.push(id=POISON, flush=True)
    both.push(flush=True)
    both.advance(0)
    while both.core.state.open:
        both.move_all_down()
    for _ in range(3):  # the handshake gets lost each time, and what follows it
        known = len(both.wires)
        while len(both.wires) == known:
            both.advance(0.5)
        wire = both.wires[-1]
        assert both.move_up(wire) and both.move_down(wire) and both.move_up(wire), "open, welcome, hello"
        both.cut(wire)
        both.client_notices(wire)
        both.server_notices(wire)
    assert both.given_up == []
    both.settle(60)
    assert both.given_up == [1] and both.got == [2]


def test_a_request_that_cannot_be_read_fails() -> None:
    both = world("ws")
    ref = both.core.request(Event(POISON, 1, 20), 30, both.now)
    both.outcomes[ref] = []
    both.settle(20)
    assert both.outcomes[ref] == [("refused", None)]
    (client,) = both.sessions
    ref = client.session.request(Event(POISON, 1, 20), 60, both.now)
    both.answers[client, ref] = []
    both.run_server(client)
    both.settle(30)
    assert both.answers[client, ref] == [("refused", None)]


def test_forms() -> None:
    box = world("ws").session._talk
    box.outbox.put(event(1))
    box.outbox.put(Answered("x", 3, failed=False, size=10))
    box.say()
    box.outbox.refused(0)
    box.outbox.rewind(0)
    box.say()
    box.outbox.refused(0)
    box.outbox.rewind(0)
    assert box.say() == (Events((None,), None), Reply("x", 3, 2))


def given_up_in_vain() -> World:
    """An event was given up, and the handshake that told of it got lost."""
    both = world("ws")
    both.push(id=POISON, flush=True)
    both.push(flush=True)
    both.advance(0)
    while not both.given_up:
        if not (both.move_up(both.wires[-1]) or both.move_down(both.wires[-1])):
            both.advance(0.1)
    wire = both.wires[-1]
    both.cut(wire)
    both.client_notices(wire)
    both.server_notices(wire)
    assert sum(lost or 0 for lost in both.losses) == 0
    return both


def test_the_client_is_told_although_the_handshake_that_told_it_got_lost() -> None:
    both = given_up_in_vain()
    both.settle(60)
    assert both.got == [2] and sum(lost or 0 for lost in both.losses) == 1


def test_what_it_has_been_told_does_not_count_again() -> None:
    both = given_up_in_vain()
    for _ in range(3):
        both.settle(60)
        both.core.reconnect(both.now)
        both.run_client()
    both.push(id=POISON, flush=True)
    both.settle(60)
    assert sum(lost or 0 for lost in both.losses) == 2
    both.check_settled()


@pytest.mark.parametrize("told", [False, True])
def test_a_session_that_is_gone_tells_what_it_gave_up_once(told: bool) -> None:
    both = given_up_in_vain()
    if told:
        both.settle(60)
    both.push(flush=True)
    (client,) = both.sessions
    client.session.close(4410, "logged out", both.now, word="disconnected")
    both.run_server(client)
    both.settle(60)
    assert client not in both.sessions and not both.core.state.resumed
    both.check_settled()
