"""One client of Sente's own as the server sees it, action by action."""

from dataclasses import replace
from typing import Any

import pytest

from sente.errors import ProtocolError
from sente.protocol.actions import (
    Answer,
    Close,
    Deliver,
    Dropped,
    Ended,
    Link,
    PresenceChanged,
    ServerAction,
    Transmit,
    TransportName,
)
from sente.protocol.classic import DUMMY, SERVER_PING, TIMEOUT, Said, greeting, read_said
from sente.protocol.classic_session import LINES, ClassicClient, ClassicSession
from sente.protocol.messages import BAD_EVENT, Classic, Event, Events
from sente.protocol.settings import Limits, ServerSettings

SETTINGS = ServerSettings(
    batch_ws=0.03, batch_poll=0.1, poll=20, ping=12.5, ping_timeout=10, grace_ws=2.5, grace_poll=5
)
HELLO = greeting("ada", None)
SAY = Event("chat/say", "hi", 20)


def said(plain: Any, size: int = 0) -> Said:
    return read_said(plain, size)


class Server:
    """A session, its clock, and what it asked for since the last look."""

    def __init__(self, transport: TransportName = "ws", settings: ServerSettings = SETTINGS) -> None:
        self.now = 0.0
        self.transport = transport
        self.session = ClassicSession(settings, transport, self.now)

    def did(self) -> list[ServerAction]:
        return self.session.take_actions()

    def open(self, link: Link = 1) -> None:
        """A client that is there."""
        if self.transport == "ws":
            self.session.open(link, HELLO, self.now)
        else:
            self.session.poll(link, HELLO, self.now)
            self.session.poll(link + 1, None, self.now)
        self.did()

    def wait(self, seconds: float) -> list[ServerAction]:
        """Let time pass, with the timers that fall into it."""
        until, actions = self.now + seconds, self.did()
        while (when := self.session.next_timer()) is not None and when <= until:
            self.now = max(self.now, when)
            self.session.handle_timer(self.now)
            actions += self.did()
        self.now = until
        return actions


def limited(**limits: Any) -> ServerSettings:
    return replace(SETTINGS, limits=Limits(**limits))


# -- what is said


@pytest.mark.parametrize(
    ("plain", "event", "ref", "asks"),
    [
        ([["a/b", 1], "cb0001"], Event("a/b", 1), "cb0001", True),
        ([["a/b"], 0], Event("a/b"), 0, True),
        ([["a/b"], ""], Event("a/b"), "", True),
        ([["a/b"], False], Event("a/b"), False, False),
        ([["a/b"]], Event("a/b"), None, False),
        ([["a/b"], None, "more"], Event("a/b"), None, False),
        ([1, 2], Event(BAD_EVENT, 1), 2, True),
        ([["nospace"]], Event(BAD_EVENT, ["nospace"]), None, False),
        ([], Event(BAD_EVENT), None, False),
        (None, Event(BAD_EVENT), None, False),
    ],
)
def test_what_is_read(plain: Any, event: Event, ref: Any, asks: bool) -> None:
    read = said(plain)
    assert (read.event, read.ref, read.asks) == (event, ref, asks)


@pytest.mark.parametrize("plain", ["str", 1, {"a": 1}, True])
def test_what_is_no_list_is_not_read(plain: Any) -> None:
    with pytest.raises(ProtocolError, match="a message is a list"):
        said(plain)


def test_a_client_without_user_has_a_word_for_it() -> None:
    assert greeting(None, {"a": 1}).message == ["chsk/handshake", ["sente/nil-uid", None, {"a": 1}]]


def test_a_client_is_known_by_transport_user_and_name() -> None:
    session = Server("poll").session
    assert ClassicClient("poll", "ada", "c1", session).key == ("poll", "ada", "c1")


# -- WebSocket


def test_a_websocket_is_greeted_and_present_until_its_grace_is_over() -> None:
    server = Server()
    server.session.open(1, HELLO, 0)
    assert server.did() == [Transmit(1, (HELLO,)), PresenceChanged("ws")]
    server.session.link_lost(1, 0)
    assert server.wait(2.4) == []
    assert server.wait(0.1) == [PresenceChanged(None), Ended("gone")]
    assert server.session.ended and server.session.next_timer() is None


def test_pushes_wait_for_each_other_from_the_first() -> None:
    server = Server()
    server.open()
    server.session.send(SAY, 0)
    server.wait(0.02)
    server.session.send(SAY, server.now)
    assert server.wait(0.02) == [Transmit(1, (Events((SAY, SAY)),))]
    server.session.send(SAY, server.now, flush=True)
    assert server.did() == [Transmit(1, (Events((SAY,)),))]


def test_no_message_is_longer_than_a_packet() -> None:
    server = Server(settings=limited(packet=50))
    server.open()
    for _ in range(3):
        server.session.send(SAY, 0)
    assert server.wait(1) == [Transmit(1, (Events((SAY, SAY)),)), Transmit(1, (Events((SAY,)),))]


def test_a_reply_overtakes_pushes_and_echoes_what_it_was_asked_with() -> None:
    server = Server()
    server.open()
    server.session.receive(1, said([["a/b", 1], {"odd": True}]), 0)
    assert server.did() == [Deliver(Event("a/b", 1), 1, 1)]
    server.session.send(SAY, 0)
    server.session.reply(1, "yes", 0)
    server.session.reply(1, "twice", 0)
    assert server.did() == [Transmit(1, (Classic("yes", {"odd": True}),))]


def test_a_failed_reply_says_so_in_sentes_word() -> None:
    server = Server()
    server.open()
    server.session.receive(1, said([["a/b"], "cb"]), 0)
    server.session.reply(1, {"code": "internal"}, 0, failed=True)
    assert server.did()[-1:] == [Transmit(1, (Classic("chsk/error", "cb"),))]


def test_too_many_open_requests_fail_at_once() -> None:
    server = Server(settings=limited(requests=1))
    server.open()
    server.session.receive(1, said([["a/b"], "one"]), 0)
    server.session.receive(1, said([["a/b"], "two"]), 0)
    assert server.did() == [Deliver(Event("a/b"), 1, 1), Transmit(1, (Classic("chsk/error", "two"),))]


def test_pings_of_the_client() -> None:
    server = Server()
    server.open()
    server.session.receive(1, said([["chsk/ws-ping"], "cb"]), 0)
    server.session.receive(1, said([["chsk/ws-ping"]]), 0)
    server.session.receive(1, said([["chsk/ws-pong"]]), 0)
    assert server.did() == [Transmit(1, (Classic("pong", "cb"),))]


def test_what_is_forged_is_a_bad_event() -> None:
    server = Server()
    server.open()
    server.session.receive(1, said([["chsk/uidport-open", "evil"]]), 0)
    server.session.receive(1, said([["chsk/bad-event", "odd"]]), 0)
    assert server.did() == [
        Deliver(Event(BAD_EVENT, ["chsk/uidport-open", "evil"]), None, 1),
        Deliver(Event(BAD_EVENT, "odd"), None, 1),
    ]


def test_the_server_pings_and_gives_up() -> None:
    server = Server()
    server.open()
    assert server.wait(12.5) == [Transmit(1, (SERVER_PING,))]
    server.session.receive(1, said([["chsk/ws-pong"]]), server.now)
    assert server.wait(12.4) == []
    assert server.wait(0.1) == [Transmit(1, (SERVER_PING,))]
    assert server.wait(10) == [Close(1, 1000, "no sign of life")]
    assert server.wait(2.5) == [PresenceChanged(None), Ended("gone")]


def test_a_client_that_is_not_read_is_not_taken_for_dead() -> None:
    server = Server(settings=limited(backlog=1))
    server.open()
    server.session.receive(1, said([["a/b"]]), 0)
    assert server.session.full
    server.did()
    did = server.wait(60)
    assert did and did == [Transmit(1, (SERVER_PING,))] * len(did)
    server.session.handled(server.now, 0)
    assert not server.session.full
    assert server.wait(10)[:1] == [Close(1, 1000, "no sign of life")]


def test_pushes_wait_for_a_client_that_comes_back() -> None:
    server = Server()
    server.open(1)
    server.session.link_lost(1, 0)
    server.session.send(SAY, 0)
    assert server.session.kept == (1, 20)
    server.session.handle_timer(0)
    server.wait(2)
    server.session.open(2, HELLO, server.now)
    assert server.did() == [Transmit(2, (HELLO,)), Transmit(2, (Events((SAY,)),))]
    assert server.wait(5) == []


def test_pushes_to_a_client_that_stays_away_are_dropped_and_counted() -> None:
    server = Server()
    server.open()
    server.session.link_lost(1, 0)
    server.session.send(SAY, 0)
    server.session.send(SAY, 0)
    assert server.wait(2.5) == [Dropped(2), PresenceChanged(None), Ended("gone")]
    server.session.send(SAY, server.now)
    assert server.did() == [] and server.session.kept == (0, 0)


@pytest.mark.parametrize("limits", [{"outbox": 2}, {"outbox_bytes": 40}])
def test_no_more_is_kept_than_allowed(limits: dict[str, int]) -> None:
    server = Server(settings=limited(**limits))
    server.open()
    server.session.link_lost(1, 0)
    for _ in range(3):
        server.session.send(SAY, 0)
    assert server.did() == [Dropped(1)]
    assert server.session.kept == (2, 40)


def test_the_newest_of_several_websockets_gets_the_pushes_the_others_are_answered() -> None:
    server = Server()
    server.open(1)
    server.open(2)
    server.session.send(SAY, 0, flush=True)
    server.session.receive(1, said([["a/b"], "cb"]), 0)
    server.session.reply(1, 1, 0)
    assert server.did() == [
        Transmit(2, (Events((SAY,)),)),
        Deliver(Event("a/b"), 1, 1),
        Transmit(1, (Classic(1, "cb"),)),
    ]
    server.session.link_lost(2, 0)
    server.session.send(SAY, 0, flush=True)
    assert server.did() == [Transmit(1, (Events((SAY,)),))]


def test_too_many_websockets_of_one_client_are_closed_the_oldest_first() -> None:
    server = Server()
    for link in range(1, LINES + 1):
        server.open(link)
    server.session.open(9, HELLO, 0)
    assert Close(1, 1000, "replaced by newer ones") in server.did()
    server.session.receive(1, said([["a/b"]]), 0)
    assert server.did() == []


def test_what_was_asked_on_a_lost_websocket_is_answered_to_nobody() -> None:
    server = Server()
    server.open(1)
    server.open(2)
    server.session.receive(1, said([["a/b"], "cb"]), 0)
    server.did()
    server.session.link_lost(1, 0)
    server.session.reply(1, "late", 0)
    assert server.did() == []


def test_disconnected_by_the_server() -> None:
    server = Server()
    server.open()
    server.session.receive(1, said([["a/b"], "cb"]), 0)
    server.session.send(SAY, 0)
    server.did()
    server.session.close(4410, "out", 0, word="disconnected")
    server.session.close(4410, "again", 0, word="disconnected")
    assert server.did() == [Close(1, 1000, "out"), Dropped(1), Ended("disconnected")]
    server.session.reply(1, "late", 0)
    assert server.wait(2.5) == [PresenceChanged(None)]
    assert server.session.next_timer() is None


def test_a_client_that_is_away_when_the_server_goes_down() -> None:
    server = Server()
    server.open()
    server.session.link_lost(1, 0)
    server.wait(1)
    server.session.close(1001, "the server restarts", server.now, word="stopped")
    assert server.did() == [Ended("stopped")]
    assert server.wait(1.5) == [PresenceChanged(None)]


def test_the_server_goes_down() -> None:
    server = Server()
    server.open()
    server.session.send(SAY, 0)
    server.session.drain(1.0, 0)
    assert server.did() == [
        Transmit(1, (Events((SAY,)),)),
        Close(1, 1001, "the server restarts"),
        Ended("drained"),
    ]


# -- polls and POSTs


def test_a_handshake_makes_a_client_known_the_first_held_poll_present() -> None:
    server = Server("poll")
    assert not server.session.known
    server.session.poll(1, HELLO, 0)
    assert server.did() == [Answer(1, {}, (HELLO,))]
    assert server.session.known
    server.session.poll(2, None, 0)
    assert server.did() == [PresenceChanged("poll")]
    assert server.wait(20) == [Answer(2, {}, (TIMEOUT,))]
    assert server.wait(4.9) == []
    assert server.wait(0.1) == [PresenceChanged(None), Ended("gone")]


def test_a_client_that_never_polls_after_its_handshake_is_forgotten() -> None:
    server = Server("poll")
    server.session.poll(1, HELLO, 0)
    server.did()
    server.session.send(SAY, 0)
    assert server.wait(5) == [Dropped(1), Ended("gone")]


def test_a_handshake_beside_a_held_poll_changes_nothing_of_it() -> None:
    server = Server("poll")
    server.open(1)
    server.session.poll(3, HELLO, 0)
    server.session.send(SAY, 0, flush=True)
    assert server.did() == [Answer(3, {}, (HELLO,)), Answer(2, {}, (Events((SAY,)),))]


def test_pushes_end_a_poll_and_wait_for_the_next_one() -> None:
    server = Server("poll", limited(packet=50))
    server.open(1)
    for _ in range(3):
        server.session.send(SAY, 0)
    assert server.wait(0.1) == [Answer(2, {}, (Events((SAY, SAY)),))]
    server.session.poll(3, None, server.now)
    assert server.did() == [Answer(3, {}, (Events((SAY,)),))]


def test_of_two_polls_the_newer_gets_the_pushes_the_older_its_time_out() -> None:
    server = Server("poll")
    server.open(1)
    server.wait(1)
    server.session.poll(3, None, server.now)
    server.session.send(SAY, server.now, flush=True)
    assert server.did() == [Answer(3, {}, (Events((SAY,)),))]
    assert server.wait(19) == [Answer(2, {}, (TIMEOUT,))]


def test_too_many_polls_of_one_client_are_ended_the_oldest_first() -> None:
    server = Server("poll")
    server.open(1)
    for link in range(3, 3 + LINES):
        server.session.poll(link, None, 0)
    assert server.did() == [Close(2, 4409, "replaced by newer ones")]


def test_a_post_without_callback_is_answered_at_once() -> None:
    server = Server("poll")
    server.session.post(1, said([["a/b", 1], None]), 0)
    assert server.did() == [Deliver(Event("a/b", 1), None, 1), Answer(1, {}, (DUMMY,))]
    assert not server.session.known
    server.session.send(SAY, 0)
    assert server.wait(5) == [Ended("gone")]


def test_a_post_with_a_callback_waits_for_its_reply() -> None:
    server = Server("poll")
    server.session.post(1, said([["a/b", 1], "ajax"]), 0)
    assert server.wait(19) == [Deliver(Event("a/b", 1), 1, 1)]
    server.session.reply(1, "yes", server.now)
    assert server.did() == [Answer(1, {}, (Classic("yes"),))]
    assert server.wait(5) == [Ended("gone")]


def test_a_reply_that_does_not_come_is_a_time_out() -> None:
    server = Server("poll")
    server.session.post(1, said([["a/b", 1], "ajax"]), 0)
    server.did()
    assert server.wait(20) == [Answer(1, {}, (TIMEOUT,)), Ended("gone")]


def test_a_post_does_not_keep_a_client_present() -> None:
    server = Server("poll")
    server.open(1)
    server.session.link_lost(2, 0)
    server.wait(4)
    server.session.post(3, said([["a/b", 1], "ajax"]), server.now)
    assert server.wait(1) == [Deliver(Event("a/b", 1), 1, 3), PresenceChanged(None)]
    server.session.reply(1, "yes", server.now)
    assert server.wait(0) == [Answer(3, {}, (Classic("yes"),)), Ended("gone")]


def test_posts_that_need_no_handler() -> None:
    server = Server("poll", limited(requests=0))
    server.session.post(1, said([["chsk/ws-ping"], "ajax"]), 0)
    server.session.post(2, said([["a/b"], "ajax"]), 0)
    server.session.post(3, said([["chsk/ws-pong"], "ajax"]), 0)
    assert server.did() == [
        Answer(1, {}, (Classic("pong"),)),
        Answer(2, {}, (Classic("chsk/error"),)),
        Answer(3, {}, (DUMMY,)),
    ]


def test_the_server_goes_down_while_a_client_polls_and_asks() -> None:
    server = Server("poll")
    server.open(1)
    server.session.post(3, said([["a/b"], "ajax"]), 0)
    server.did()
    server.session.close(1001, "the server restarts", 0, word="stopped")
    down = "the server restarts"
    assert server.did() == [Close(2, 1001, down), Close(3, 1001, down), Ended("stopped")]
    assert server.wait(5) == [PresenceChanged(None)]
