"""Credentials that expire and are renewed, in the pure core: what is said when, with a clock of our own."""

from typing import Any, Literal

import pytest

from sente.errors import ProtocolError
from sente.protocol.actions import Close, Deliver, Expired, PresenceChanged, Renew, ServerAction, Transmit
from sente.protocol.credentials import EXPIRED, Credentials, read_auth
from sente.protocol.messages import AUTH, AUTH_DUE, Ack, Event, Events, Request
from sente.protocol.settings import ServerSettings
from tests.protocol.test_server_session import Driver
from tests.protocol.world import World

PUSH = Event("a/push", 1, 10)


def told(actions: list[ServerAction]) -> list[Any]:
    """The events in what is sent."""
    packets = [packet for action in actions if isinstance(action, Transmit) for packet in action.packets]
    return [event for packet in packets if isinstance(packet, Events) for event in packet.events]


def greeted(expires_in: float | None, transport: Any = "ws", **settings: Any) -> Driver:
    driver = Driver(ServerSettings(**{"ping": 1e6, "resume": 1e6, **settings}))
    driver.hello(transport)
    driver.session.credentials.renew(expires_in, driver.now)
    return driver


@pytest.mark.parametrize(
    ("expires_in", "warned_after"),
    [(300.0, 270.0), (60.0, 30.0), (40.0, 20.0), (10.0, 5.0)],
    ids=lambda seconds: f"{seconds:g} s",
)
def test_the_warning_comes_in_good_time_and_not_before_half_of_it(expires_in: float, warned_after: float) -> None:
    driver = greeted(expires_in)
    assert told(driver.pass_time(warned_after - 0.01)) == []
    [warning] = told(driver.pass_time(0.02))
    assert (warning.id, warning.data["in"]) == (AUTH_DUE, (expires_in - warned_after) * 1000)
    assert told(driver.pass_time((expires_in - warned_after) / 2)) == [], "once"


def test_how_early_the_warning_comes_is_a_setting() -> None:
    driver = greeted(300.0, auth_warning=100.0)
    assert told(driver.pass_time(199.9)) == []
    assert len(told(driver.pass_time(0.2))) == 1


def test_expired_credentials_close_the_websocket_and_the_session_can_be_resumed() -> None:
    driver = greeted(300.0)
    actions = driver.pass_time(300.0)
    assert actions[-2:] == [Close(1, *EXPIRED), Expired()]
    driver.session.send(PUSH, driver.now, flush=True)
    assert driver.pass_time(3.0) == [PresenceChanged(None)]
    driver.hello(ack=1)
    driver.session.credentials.renew(None, driver.now)
    assert told(driver.pass_time(0.1)) == []
    assert not driver.session.ended
    assert driver.session.credentials.due == float("inf")


def test_what_waits_for_new_credentials_is_sent_when_they_come() -> None:
    driver = greeted(300.0)
    driver.pass_time(300.0)
    driver.session.send(PUSH, driver.now, flush=True)
    assert told(driver.session.take_actions()) == []
    assert told(driver.hello(ack=1)) == [PUSH]


def test_a_poll_that_waits_is_closed_and_later_ones_too() -> None:
    driver = greeted(300.0, "poll")
    driver.exchange(wait=20_000)
    assert driver.pass_time(300.0)[-2:] != []  # the warning answered the poll
    driver.exchange(wait=20_000, ack=1)
    assert driver.exchange(wait=20_000, ack=1) == [Close(4, *EXPIRED), Expired()]
    assert driver.exchange(Events((Event("a/say", 1, 10),), 1), ack=1) == [Close(5, *EXPIRED), Expired()]
    assert driver.session.take_actions() == [] and not driver.session.ended


def test_a_poll_under_way_when_they_expire() -> None:
    driver = greeted(40.0, "poll")
    driver.pass_time(20.0)
    driver.exchange(wait=20_000)  # takes the warning
    driver.pass_time(0.1)
    driver.exchange(wait=20_000, ack=1)
    assert driver.pass_time(30.0) == [Close(3, *EXPIRED), Expired(), PresenceChanged(None)]


def test_a_client_between_two_polls_is_warned_with_the_next() -> None:
    driver = greeted(300.0, "poll")
    driver.pass_time(3.0)
    driver.exchange()
    driver.pass_time(270.0)
    assert not driver.session.credentials.expired(driver.now)
    driver.exchange(wait=20_000)
    assert driver.session.next_timer() is not None
    driver.pass_time(0.1)
    assert driver.session.credentials.due == 400.0, "warned; next they expire"


def test_what_is_renewed_is_good_for_longer() -> None:
    driver = greeted(300.0)
    driver.pass_time(280.0)
    driver.receive(Ack(1))
    driver.session.credentials.renew(300.0, driver.now)
    assert told(driver.pass_time(269.9)) == []
    assert [event.data for event in told(driver.pass_time(0.2))] == [{"in": 30_000}]


def test_new_credentials_are_for_the_driver_to_check() -> None:
    driver = greeted(None)
    ask = Request(Event(AUTH, {"auth": "t"}, 10), 7, 1)
    assert driver.receive(ask) == [Renew({"auth": "t"}, 7, 1)]
    assert driver.session.kept == (0, 0)
    [delivered] = driver.receive(Events((Event(AUTH, {"auth": "t"}, 10),), 2))
    assert isinstance(delivered, Deliver) and delivered.event.id == "chsk/bad-event"


def test_the_warning_is_no_event_that_a_client_may_lose() -> None:
    driver = greeted(300.0)
    driver.session.send(PUSH, driver.now, flush=True)
    driver.pass_time(271.0)
    driver.session.close(4410, "out", driver.now, word="disconnected")
    assert driver.session.tombstone().lost(0) == 1


def test_secrets_are_in_no_repr() -> None:
    assert "0secret" not in repr(Renew({"auth": "0secret"}, 1, 1))


def test_credentials_by_themselves() -> None:
    credentials = Credentials(warning=30.0)
    assert (credentials.expires_in(0.0), credentials.expired(1e12)) == (None, False)
    credentials.renew(1.5, now=10.0)
    assert (credentials.expires_in(10.5), credentials.expires_in(99.0)) == (1000, 0)
    assert (credentials.expired(11.4), credentials.expired(11.5)) == (False, True)


@pytest.mark.parametrize("plain", [None, "t", {"auth": 1}, {"auth": "\ud800"}])
def test_what_is_no_text_cannot_be_read(plain: Any) -> None:
    with pytest.raises(ProtocolError):
        read_auth(plain)
    assert read_auth({}) is None


# -- both sides

every_transport = pytest.mark.parametrize("transport", ["ws", "poll", "auto"])


def connected(transport: Literal["auto", "ws", "poll"], good_for: float | None = None) -> World:
    world = World(transport)
    world.good_for = good_for
    world.connect()
    world.settle(1)
    return world


@every_transport
def test_an_expiry_costs_the_line_and_nothing_else(transport: Literal["auto", "ws", "poll"]) -> None:
    world = connected(transport, 60.0)
    world.settle(31)
    expires = world.core.state.auth_expires
    assert expires is not None and abs(expires - 1060.0) < 1.0
    world.good_for = None
    world.push()
    world.settle(28.5)
    world.say()
    ref = world.ask(timeout=100)
    world.push()
    assert ref is not None
    world.settle(10)
    assert (world.core.state.auth_expires, world.core.state.resumed) == (None, True)
    world.settle(10)
    world.check_settled()
    assert (world.got, world.handled, world.outcomes[ref]) == ([1, 2], [1, 2], [("reply", 2)])
    assert (world.presence, world.ended, set(world.losses)) == ([world.core.state.transport], [], {0})


@every_transport
def test_a_renewal_costs_not_even_that(transport: Literal["auto", "ws", "poll"]) -> None:
    world = connected(transport, 60.0)
    world.settle(31)
    ref = world.core.request(Event(AUTH, {"auth": "new"}, 20), 8.0, world.now)
    world.outcomes[ref] = []
    world.run_client()
    world.settle(1)
    [(client, asked)] = world.renewals
    assert asked.data == {"auth": "new"}
    client.session.credentials.renew(None, world.now)
    client.session.reply(asked.ref, {"expires_in": None}, world.now, size=20)
    world.run_server(client)
    world.settle(1)
    assert world.outcomes[ref] == [("reply", {"expires_in": None})]
    world.core.renewed()
    world.settle(100)
    assert (world.core.state.auth_expires, len(world.losses), world.core.state.last_close) == (None, 1, None)


@every_transport
def test_another_user_begins_anew_with_nothing_of_the_one_before(transport: Literal["auto", "ws", "poll"]) -> None:
    world = connected(transport)
    world.say()
    world.settle(1)
    for wire in world.wires:
        world.cut(wire)
    world.say()
    ref = world.ask(timeout=100)
    world.advance(0)
    world.uid = "bob"
    world.session.close(4410, "another user is logged in", world.now, word="user")
    world.run_server(next(iter(world.sessions)))
    world.settle(60)
    assert ref is not None
    assert (world.core.state.uid, world.core.state.resumed, world.ended) == ("bob", False, ["user"])
    assert (world.handled, world.unconfirmed, world.outcomes[ref]) == ([1], {2}, [("disconnected", None)])
    world.say()
    world.settle(1)
    assert world.handled == [1, 4]
