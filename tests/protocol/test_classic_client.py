"""The core of a client of a Sente server: what it says, hears, and gives up."""

from typing import Any

import pytest

from sente.errors import Disconnected
from sente.protocol.actions import Close, Deliver, Exchange, OpenLink, Settle, Transmit
from sente.protocol.classic_client import HOLD, ClassicClientSession
from sente.protocol.messages import Ack, Classic, Event
from sente.protocol.settings import ClientSettings, Limits

GREETING = [["chsk/handshake", ["ada", None, None]], None]
PING = Classic(["chsk/ws-ping"], "chsk/ws-ping")


def core(transport: Any = "ws", **limits: Any) -> ClassicClientSession:
    settings = ClientSettings(limits=Limits(**limits))
    return ClassicClientSession(
        settings, packer="json", new_client_id=lambda: "c1", jitter=lambda: 0.0, transport=transport
    )


def work(session: ClassicClientSession) -> list[Any]:
    kinds = Close | Deliver | Exchange | OpenLink | Settle | Transmit
    return [action for action in session.take_actions() if isinstance(action, kinds)]


def opened(transport: Any = "ws", **limits: Any) -> tuple[ClassicClientSession, int]:
    """An open client, and its WebSocket or first poll."""
    session = core(transport, **limits)
    session.connect(0)
    (action,) = work(session)
    session.first_frame(action.link, GREETING, 0)
    return (session, action.link) if transport == "ws" else (session, work(session)[0].link)


@pytest.mark.parametrize("plain", [None, {"sente": 1, "packer": "json"}, [], [["chsk/handshake", ["ada"]], None]])
def test_other_first_words_are_given_up(plain: Any) -> None:
    session = core()
    session.connect(0)
    (action,) = work(session)
    session.first_frame(action.link, plain, 0)
    assert work(session) == [Close(action.link, 4400, session.state.last_close.message)]  # type: ignore[union-attr]
    session.first_frame(action.link, GREETING, 0)
    assert not session.state.open


def test_pings_are_answered_and_silence_is_asked_about() -> None:
    session, ws = opened()
    session.receive(ws, Classic("chsk/ws-ping"), 9, 1)
    assert work(session) == [Transmit(ws, (Classic(["chsk/ws-pong"]),))]
    assert session.next_timer() == 11
    session.handle_timer(11)
    assert work(session) == [Transmit(ws, (PING,))]
    session.receive(ws, Classic("pong", "chsk/ws-ping"), 9, 12)
    assert session.next_timer() == 22
    session.handle_timer(22)
    session.handle_timer(27)
    assert work(session) == [Transmit(ws, (PING,)), Close(ws, 4400, "no sign of life")]
    session.receive(ws, Classic("pong", "chsk/ws-ping"), 9, 28)
    session.exchanged(ws, {}, [], 28)
    assert not session.state.open


def test_who_wakes_up_pings_at_once_and_lets_a_poll_go_on() -> None:
    session, ws = opened()
    session.wake(3)
    assert work(session) == [Transmit(ws, (PING,))]
    assert session.next_timer() == 8
    session.handle_timer(8)
    assert work(session) == [Close(ws, 4400, "no sign of life")]
    polling, poll = opened("poll")
    polling.wake(100)
    assert work(polling) == []
    assert polling.next_timer() == 103, "an answer may wait to be read"
    polling.exchanged(poll, {}, [(Classic([["a/b", 1]]), 9)], 101)
    assert [type(action) for action in work(polling)] == [Deliver, Exchange]


@pytest.mark.parametrize(
    ("word", "outcome"), [("chsk/timeout", "timeout"), ("chsk/closed", "disconnected"), ("chsk/error", "error")]
)
def test_words_in_the_place_of_a_reply(word: str, outcome: str) -> None:
    session, ws = opened()
    ref = session.request(Event("a/b", 1), 5, 0)
    session.handle_timer(0)
    assert work(session) == [Transmit(ws, (Classic(Event("a/b", 1), "1"),))]
    session.receive(ws, Classic(word, "1"), 9, 1)
    session.receive(ws, Classic("late", "1"), 9, 1)
    session.receive(ws, Classic("nonsense", ["1"]), 9, 1)
    session.receive(ws, Ack(1), 9, 1)
    (settled,) = work(session)
    assert (settled.ref, settled.outcome) == (ref, outcome)


def test_pushes_are_delivered_but_for_the_servers_own_words() -> None:
    session, ws = opened()
    session.receive(ws, Classic([["a/b", 1], ["chsk/x"], "?", ["a/c"]]), 9, 1)
    session.receive(ws, Classic("nonsense"), 9, 1)
    assert [action.event for action in work(session)] == [Event("a/b", 1), Event("a/c")]


def test_an_unread_server_is_not_silent() -> None:
    session, ws = opened(backlog=1)
    session.receive(ws, Classic([["a/b", 1]]), 9, 1)
    assert session.full and session.next_timer() is None
    session.delivered(100)
    session.delivered(100)
    assert session.next_timer() == 110
    polling, poll = opened("poll", backlog=1)
    polling.exchanged(poll, {}, [(Classic([["a/b", 1]]), 9)], 1)
    assert [type(action) for action in work(polling)] == [Deliver]
    polling.delivered(2)
    assert [type(action) for action in work(polling)] == [Exchange]


def test_polls_go_on_and_a_new_greeting_is_another_server() -> None:
    session, poll = opened("poll")
    session.exchanged(poll, {}, [(Classic("chsk/timeout"), 9)], 1)
    (again,) = work(session)
    session.exchanged(again.link, {}, [(Classic(*GREETING), 9)], 2)
    assert (session.state.lost, session.state.first_open) == (None, False)
    (third,) = work(session)
    session.handle_timer(2 + HOLD)
    assert work(session) == [Close(third.link, 4400, "no answer to poll")]


def test_events_are_posted_one_by_one_and_requests_do_not_hold_them_up() -> None:
    session, _ = opened("poll")
    session.send(Event("a/a"))
    session.send(Event("a/b"))
    ref = session.request(Event("a/c"), 5, 0)
    session.send(Event("a/d"))
    session.handle_timer(0)
    (first,) = work(session)
    assert first.packets == (Classic(Event("a/a")),)
    session.exchanged(first.link, {}, [(Classic("chsk/dummy-cb-200"), 9)], 1)
    (second,) = work(session)
    session.exchanged(second.link, {}, [(Classic("chsk/dummy-cb-200"), 9)], 1)
    asked, fourth = work(session)
    assert (asked.packets, fourth.packets) == ((Classic(Event("a/c"), "ajax"),), (Classic(Event("a/d")),))
    assert session.next_timer() == 5
    session.handle_timer(5)
    assert work(session) == [Close(asked.link, 4000, "nobody waits"), Settle(ref, "timeout")]
    session.cancel(ref)
    session.exchanged(asked.link, {}, [(Classic(1), 9)], 6)
    assert work(session) == []


def test_what_never_left_leaves_on_the_next_line() -> None:
    session, poll = opened("poll")
    for name in ("a/a", "a/b"):
        session.send(Event(name, size=10))
    ref = session.request(Event("a/c"), 5, 0)
    session.handle_timer(0)
    session.link_lost(poll, 3)
    assert Settle(ref, "disconnected") in work(session)
    session.handle_timer(3)
    (opening,) = work(session)
    session.first_frame(opening.link, GREETING, 3)
    assert work(session)[0].packets == (Classic(Event("a/b")),)


def test_a_second_chance_for_the_websocket() -> None:
    session, _ = opened("ws")
    session.prefer("auto", 1)
    link = work(session)[-1].link
    session.link_lost(link, 1)
    session.handle_timer(9)
    (welcome,) = work(session)
    assert welcome.transport == "poll"
    session.first_frame(welcome.link, GREETING, 9)
    assert [action.transport for action in work(session)] == ["ws"]


def test_without_a_line_nothing_is_said() -> None:
    session = core()
    assert not session.send(Event("a/b"))
    with pytest.raises(Disconnected):
        session.request(Event("a/b"), 5, 0)


def test_a_full_outbox_is_asked_about_before_it_is_full() -> None:
    session, ws = opened(outbox=4)
    for _ in range(3):
        session.send(Event("a/b"))
    session.handle_timer(0)
    assert work(session)[-1] == Transmit(ws, (PING,))


def test_what_is_said_leaves_at_once() -> None:
    session, ws = opened()
    assert session.send(Event("a/b", 1))
    assert session.next_timer() == 0
    session.handle_timer(0)
    assert work(session) == [Transmit(ws, (Classic(Event("a/b", 1)),))]


def test_goodbye_while_polling_lets_events_go_and_gives_requests_up() -> None:
    session, poll = opened("poll")
    session.send(Event("a/a"))
    session.handle_timer(0)
    (under_way,) = work(session)
    session.send(Event("a/b"))
    ref = session.request(Event("c/d"), 5, 0)
    session.disconnect(0)
    event, request, *rest = work(session)
    assert (event.packets, request.packets) == ((Classic(Event("a/b")),), (Classic(Event("c/d"), "ajax"),))
    closed = {action.link for action in rest if isinstance(action, Close)}
    assert closed == {poll, request.link}, "nobody waits for the answers to events, but these have to get there"
    session.exchanged(under_way.link, {}, [(Classic("chsk/dummy-cb-200"), 9)], 1)
    assert Settle(ref, "disconnected") in rest
