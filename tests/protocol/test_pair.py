"""Pairs of client and server core on a line that a test breaks: the stories that the promise is made of."""

from typing import Any, Literal

import pytest

from sente.errors import Disconnected, PackError
from sente.protocol.messages import Control, Event, Events
from sente.protocol.settings import AckPolicy, ClientSettings, Limits, ServerSettings
from tests.protocol.world import Wire, World

every_transport = pytest.mark.parametrize("transport", ["ws", "poll", "auto"])
SMALL = Limits(window=6, window_bytes=200, backlog=3, ack=AckPolicy(items=3, delay=1.0), requests=4)


def connected(transport: Literal["auto", "ws", "poll"], **settings: Any) -> World:
    world = World(transport, **settings)
    world.connect()
    world.settle(1)
    assert world.core.state.open
    assert world.core.state.first_open
    return world


def cut_all(world: World) -> None:
    for wire in world.wires:
        world.cut(wire)


@every_transport
def test_both_ways(transport: Literal["ws", "poll", "auto"]) -> None:
    world = connected(transport)
    world.say()
    ref = world.ask()
    world.push()
    world.push()
    world.settle(10)
    world.check_settled()
    assert world.got == [1, 2]
    assert world.handled == [1, 2]
    assert ref is not None
    assert world.outcomes[ref] == [("reply", 2)]


@every_transport
def test_what_was_said_while_the_line_was_cut_is_not_lost(transport: Literal["ws", "poll", "auto"]) -> None:
    world = connected(transport)
    cut_all(world)
    world.say()
    ref = world.ask(timeout=100)
    for _ in range(3):
        world.push()
    world.settle(60)
    world.check_settled()
    assert world.got == [1, 2, 3]
    assert world.handled == [1, 2]
    assert ref is not None
    assert world.outcomes[ref] == [("reply", 2)]
    assert world.core.state.resumed
    assert world.core.state.lost == 0


@every_transport
def test_a_client_that_is_away_too_long_is_told_what_it_lost(transport: Literal["ws", "poll", "auto"]) -> None:
    world = connected(transport)
    cut_all(world)
    for wire in world.wires:
        world.server_notices(wire)
    world.push()
    for client in list(world.sessions):
        client.session.handle_timer(world.now + 121)
        world.run_server(client)
    world.push()
    assert "expired" in world.ended
    world.settle(60)
    assert world.core.state.lost == 2
    world.check_settled()


@every_transport
def test_after_a_crash_of_the_server_nothing_is_known_and_that_is_said(
    transport: Literal["ws", "poll", "auto"],
) -> None:
    world = connected(transport)
    cut_all(world)
    world.say()
    ref = world.ask()
    world.advance(0)
    world.restart_server()
    world.settle(60)
    assert world.core.state.lost is None
    assert world.unconfirmed == {1}
    assert ref is not None
    assert world.outcomes[ref] == [("disconnected", None)]
    world.check_settled()


@every_transport
def test_after_a_goodbye_of_the_server_nothing_is_lost(transport: Literal["ws", "poll", "auto"]) -> None:
    world = connected(transport)
    world.push()
    world.settle(10)
    world.drain()
    world.settle(0.5)
    assert world.ended[-1] == "drained"
    world.restart_server()
    world.push()
    world.settle(60)
    assert world.core.state.lost == 1
    assert not world.core.state.resumed
    world.check_settled()


def test_what_crosses_a_goodbye_learns_of_it() -> None:
    world = connected("poll")
    world.push()
    world.settle(10)
    world.drain()
    assert world.ended[-1] == "drained"
    world.say()
    world.advance(0.2)
    post = world.wires[-1]
    assert world.move_up(post) and world.move_down(post), "before the poll, which has the goodbye"
    world.restart_server()
    world.settle(60)
    assert world.core.state.lost == 0
    assert (world.handled, world.unconfirmed) == ([1], set())
    world.check_settled()


def test_what_never_left_before_a_goodbye_is_carried_over() -> None:
    world = connected("poll")
    for _ in range(3):  # two POSTs are under way, the third event waits
        world.say()
    ref = world.ask()
    world.drain()
    poll = next(wire for wire in world.wires if wire.down or not wire.ws)
    world.move_up(poll)
    while world.move_down(poll):
        pass
    world.settle(30)
    assert world.handled == [1, 2, 3, 4]
    assert ref is not None
    assert world.outcomes[ref] == [("reply", 4)]
    world.check_settled()


def test_nothing_after_a_goodbye_in_the_same_body_is_heard() -> None:
    world = connected("poll")
    link = world.wires[-1].link
    bye = Event("chsk/bye", {"ack": 0, "lost": 0, "retry_after": 0})
    packets = [(Events((bye,), 1), 10), (Events((Event("app/push", 7),), 2), 10)]
    world.core.exchanged(link, {"ack": 0, "seq": 1}, packets, world.now)
    world.run_client()
    assert world.got == []
    assert world.core.state.last_close is not None
    assert world.core.state.last_close.reason == "bye"


def test_polling_where_websockets_are_blocked() -> None:
    world = World("auto")
    world.ws_blocked = True
    world.connect()
    world.advance(5.1)
    world.settle(5)
    assert world.core.state.open
    assert world.core.state.transport == "poll"
    assert world.core.state.last_ws_error is not None
    assert world.core.state.last_close is not None
    assert world.core.state.last_close.reason == "downgrading-ws-to-poll"


def test_a_server_that_was_down_is_not_mistaken_for_blocked_websockets() -> None:
    world = connected("auto")
    assert world.core.state.transport == "ws"
    cut_all(world)
    for wire in world.wires:
        world.client_notices(wire)
    for _ in range(6):
        cut_all(world)
        world.advance(6)
    world.settle(60)
    assert world.core.state.transport == "ws"


@every_transport
def test_a_small_window_slows_but_loses_nothing(transport: Literal["ws", "poll", "auto"]) -> None:
    world = connected(transport, server=ServerSettings(limits=SMALL))
    for _ in range(40):
        world.push()
        world.say()
    refs = [world.ask(timeout=300) for _ in range(4)]
    world.settle(100)
    world.check_settled()
    assert world.got == list(range(1, 41))
    assert all(world.outcomes[ref or 0][0][0] == "reply" for ref in refs)


def test_a_request_has_its_outcome_at_its_deadline_and_a_late_reply_is_dropped() -> None:
    world = connected("ws")
    ref = world.ask(timeout=1)
    assert ref is not None
    world.move_up(world.wires[0])
    world.advance(1)
    assert world.outcomes[ref] == [("timeout", None)]
    world.settle(5)
    assert world.outcomes[ref] == [("timeout", None)]


def test_transports_may_be_switched_at_any_time() -> None:
    world = connected("ws")
    world.prefer("poll")
    world.push()
    world.settle(5)
    world.say()
    world.prefer("ws")
    world.push()
    world.settle(5)
    assert world.presence == ["ws", "poll", "ws"]
    world.check_settled()


def test_a_transport_preferred_while_idle_waits_for_connect() -> None:
    world = World("ws")
    world.prefer("poll")
    assert not world.wires
    world.connect()
    world.settle(5)
    assert world.core.state.transport == "poll"


@every_transport
def test_goodbye(transport: Literal["ws", "poll", "auto"]) -> None:
    world = connected(transport)
    for _ in range(4):
        world.say()
    world.core.disconnect(world.now)
    world.run_client()
    assert not world.say()
    assert world.ask() is None
    for wire in world.wires:
        while world.move_up(wire):
            pass
    assert world.handled == [1, 2, 3, 4]
    assert world.ended == ["goodbye"]
    assert not list(world.sessions)


def test_a_twin_gets_a_name_of_its_own() -> None:
    world = connected("ws")
    name = world.core.state.client_id
    wire: Wire = world.wires[0]
    wire.down.append(("close", 4409, "replaced by a newer link of this client"))
    world.settle(5)
    assert world.core.state.client_id != name
    assert world.core.state.open
    assert world.core.state.lost is None


def test_unnumbered_words_reach_nobody() -> None:
    world = connected("ws")
    world.core.receive(world.wires[0].link, Control(Event("chsk/later")), 10, world.now)
    assert world.core.take_actions() == []


@every_transport
def test_what_was_received_and_not_yet_acknowledged_is_not_lost(transport: Literal["ws", "poll", "auto"]) -> None:
    world = connected(transport, client=ClientSettings(limits=SMALL))
    world.lazy_client = True  # so that it holds acknowledgements back
    for _ in range(6):
        world.push(flush=True)
    world.advance(0)
    for wire in list(world.wires):
        while world.move_down(wire):
            pass
    assert world.got == [1, 2, 3, 4, 5, 6]
    cut_all(world)
    for wire in world.wires:
        world.server_notices(wire)
    world.advance(121)
    world.push()
    assert "expired" in world.ended
    world.settle(60)
    assert world.core.state.lost == 1
    world.check_settled()


# -- the server asks


@every_transport
def test_the_server_asks(transport: Literal["ws", "poll", "auto"]) -> None:
    world = connected(transport)
    asked = [world.ask_client() for _ in range(3)]
    cut_all(world)
    world.settle(5)
    assert [world.answers[request] for request in asked if request] == [[("reply", value)] for value in (1, 2, 3)]
    world.check_settled()


@every_transport
def test_a_request_of_the_server_has_its_outcome_when_the_session_ends(
    transport: Literal["ws", "poll", "auto"],
) -> None:
    world = connected(transport)
    world.lazy_client = True
    request = world.ask_client()
    assert request is not None
    client, ref = request
    world.advance(0)
    world.move_all_down()
    assert list(world.client_asked) == [ref]
    world.client_pending.clear()  # its handler takes for ever
    client.session.close(4410, "over", world.now, word="test")
    world.run_server(client)
    assert world.answers[request] == [("disconnected", None)]
    with pytest.raises(Disconnected):
        client.session.request(Event("app/ask"), 8, world.now)
    client.session.cancel(ref, world.now)
    world.settle(5)
    assert world.client_told == [1]
    world.check_settled()


@every_transport
@pytest.mark.parametrize("timeout", [8.0, 0.5])
def test_the_client_is_told_of_a_request_that_is_given_up(
    transport: Literal["ws", "poll", "auto"], timeout: float
) -> None:
    world = connected(transport)
    world.lazy_client = True
    request = world.ask_client(timeout)
    assert request is not None
    world.advance(0)
    world.move_all_down()
    assert world.client_asked
    world.client_pending.clear()  # its handler takes for ever
    if timeout == 8.0:
        world.server_gives_up(*request)
    world.settle(10)
    assert world.client_told == [1]
    assert world.answers[request] == [("given up" if timeout == 8.0 else "timeout", None)]
    assert world.late == 1  # the client says that it was cancelled
    world.check_settled()


@every_transport
def test_the_server_is_told_of_a_request_that_is_given_up(transport: Literal["ws", "poll", "auto"]) -> None:
    world = connected(transport)
    ref = world.ask()
    assert ref is not None
    world.advance(0)
    for wire in list(world.wires):
        world.move_up(wire)
    assert len(world.pending) == 1
    world.give_up(ref)
    world.advance(0)
    for wire in list(world.wires):
        world.move_up(wire)
    assert world.server_told == [ref]
    world.settle(10)
    world.check_settled()


def test_a_request_that_is_given_up_before_it_left_never_leaves() -> None:
    world = connected("ws", client=ClientSettings(limits=SMALL))
    world.lazy_client = True
    for _ in range(6):
        world.push(flush=True)
    request = world.ask_client()
    assert request is not None
    world.server_gives_up(*request)
    world.settle(30)
    assert world.taken == [1, 2, 3, 4, 5, 6]
    assert world.late == 0
    world.check_settled()


def test_a_request_larger_than_the_client_takes_is_refused_to_its_asker() -> None:
    world = connected("ws")
    with pytest.raises(PackError, match="the client takes"):
        world.session.request(Event("app/ask", "long", 2_000_000), 8, world.now)
    assert not world.ended


# -- up again from polling


def polling() -> World:
    """A client that fell back to polling, with a WebSocket beside its poll that has had its pong: the hello is said."""
    world = World("auto")
    world.ws_blocked = True
    world.connect()
    world.advance(5.1)
    world.settle(1)
    assert world.core.state.transport == "poll"
    return world


def climb(world: World) -> Wire:
    world.advance(10)
    probe = world.wires[-1]
    assert probe.ws
    for _ in range(2):  # open and welcome, ping and pong
        assert world.move_up(probe)
        assert world.move_down(probe)
    assert probe.up[-1][0] == "hello"
    return probe


def test_from_the_hello_on_nothing_is_taken_from_the_polls() -> None:
    world = polling()
    world.advance(0)
    for wire in list(world.wires):
        world.move_up(wire)
    poll = world.wires[-1]
    for _ in range(3):
        world.push(flush=True)
    world.advance(0)
    assert poll.down
    probe = climb(world)
    poll.client_gone = False  # its answer had arrived, and was not read yet
    world.move_down(poll)
    assert world.got == []
    world.push(flush=True)
    world.advance(0)
    assert world.move_up(probe)
    while world.move_down(probe):
        pass
    assert world.core.state.transport == "ws"
    world.settle(5)
    assert world.got == [1, 2, 3, 4]
    world.check_settled()


@pytest.mark.parametrize("hello_arrives", [True, False])
def test_a_hello_that_is_not_answered_leads_back_to_the_polls(hello_arrives: bool) -> None:
    world = polling()
    world.say()  # its POST is under way
    probe = climb(world)
    assert world.say()
    if hello_arrives:
        assert world.move_up(probe)
    world.cut(probe)
    world.push()
    world.advance(5)
    assert world.core.state.open
    assert world.core.state.transport == "poll"
    world.ws_blocked = True
    for _ in range(3):
        for wire in list(world.wires):
            world.move_up(wire)
            world.move_down(wire)
    world.settle(3)
    assert world.core.state.transport == "poll"
    assert world.core.state.resumed
    assert world.handled == [1, 2]
    assert world.got == [1]
    world.check_settled()
