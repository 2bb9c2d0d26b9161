"""The server's side of a session, packet by packet, with a clock of our own."""

import sys
from dataclasses import replace
from typing import Any

import pytest

from sente.protocol.actions import (
    Answer,
    Cancelled,
    Close,
    Deliver,
    Dropped,
    Ended,
    LateReply,
    PresenceChanged,
    Replaced,
    ServerAction,
    Settle,
    Transmit,
)
from sente.protocol.greeting import Greeting, Head, Hello, PeerLimits
from sente.protocol.messages import Ack, Control, Event, Events, Handshake, Packet, Ping, Pong, Reply, Request
from sente.protocol.server_session import ServerSession
from sente.protocol.settings import AckPolicy, Limits, ServerSettings

PEER = PeerLimits(packet=1000, window=100, window_bytes=10_000)
SETTINGS = ServerSettings()
PUSH = Event("a/push", 1, 10)


class Driver:
    """Drives one session and remembers what it asked for."""

    def __init__(self, settings: ServerSettings = SETTINGS, peer: PeerLimits = PEER) -> None:
        self.now = 100.0
        self.n = 0
        self.link = 0
        self.session = ServerSession(settings, peer, self.now)
        self.peer = peer

    def hello(self, transport: Any = "ws", *, n: int | None = None, ack: int = 0) -> list[ServerAction]:
        self.n = self.n + 1 if n is None else n
        self.link += 1
        hello = Hello("t", self.n, ack, None, None, self.peer, ack)
        self.session.attach(self.link, transport, hello, Greeting("ada", None, {"session": "t"}), self.now, ack=ack)
        return self.session.take_actions()

    def receive(self, packet: Packet, *, link: int | None = None, size: int = 10) -> list[ServerAction]:
        self.session.receive(link or self.link, packet, size, self.now)
        return self.session.take_actions()

    def exchange(
        self, *packets: Packet, wait: int = 0, ack: int = 0, got: int | None = None, n: int | None = None
    ) -> list[ServerAction]:
        self.n = self.n + 1 if n is None else n
        self.link += 1
        head = Head("t", self.n, ack, 1, wait, ack if got is None else got)
        self.session.exchange(self.link, head, [(packet, 10) for packet in packets], self.now)
        return self.session.take_actions()

    def pass_time(self, seconds: float) -> list[ServerAction]:
        until = self.now + seconds
        while (when := self.session.next_timer()) is not None and when <= until:
            self.now = max(self.now, when)
            self.session.handle_timer(self.now)
        self.now = until
        return self.session.take_actions()


def say(n: int, seq: int) -> Events:
    return Events((Event("a/say", n, 10),), seq)


def test_the_handshake_comes_first() -> None:
    driver = Driver()
    transmit, present = driver.hello()
    assert isinstance(transmit, Transmit)
    assert isinstance(transmit.packets[0], Handshake)
    assert present == PresenceChanged("ws")


def test_a_poll_that_says_goodbye_is_answered_at_once() -> None:
    driver = Driver()
    driver.hello("poll")
    ended, answer = driver.exchange(Control(Event("chsk/bye")), wait=20_000)
    assert ended == Ended("goodbye")
    assert answer == Answer(2, {"ack": 0, "seq": 1})
    assert driver.pass_time(10.0) == [PresenceChanged(None)]


def test_events_are_batched_for_30_ms_from_the_first() -> None:
    driver = Driver()
    driver.hello()
    driver.session.send(PUSH, driver.now)
    assert driver.pass_time(0.02) == []
    driver.session.send(PUSH, driver.now)
    assert driver.pass_time(0.02) == [Transmit(1, (Events((PUSH, PUSH)),))]


def test_a_batch_is_no_longer_than_the_client_takes() -> None:
    driver = Driver(peer=replace(PEER, packet=70))
    driver.hello()
    for _ in range(4):
        driver.session.send(PUSH, driver.now)
    (transmit,) = driver.pass_time(1)
    assert isinstance(transmit, Transmit)
    assert [len(packet.events) for packet in transmit.packets if isinstance(packet, Events)] == [3, 1]


def test_flush_does_not_wait_and_a_reply_takes_along_what_was_said_before() -> None:
    driver = Driver()
    driver.hello()
    driver.session.send(PUSH, driver.now, flush=True)
    assert driver.pass_time(0) == [Transmit(1, (Events((PUSH,)),))]
    assert driver.receive(Request(Event("a/ask"), 7, 1)) == [Deliver(Event("a/ask"), 7, 1)]
    driver.session.send(PUSH, driver.now)
    driver.session.reply(7, "yes", driver.now)
    assert driver.pass_time(0) == [Transmit(1, (Events((PUSH,)), Reply("yes", 7, 3, 1)))]
    driver.session.reply(7, "again", driver.now)
    assert driver.pass_time(0) == []


def test_what_an_older_link_brings_is_not_taken() -> None:
    driver = Driver()
    driver.hello()
    assert Close(1, 4409, "replaced by a newer link of this client") in driver.hello()
    assert driver.receive(say(1, 1), link=1) == []
    assert driver.receive(say(1, 1)) == [Deliver(Event("a/say", 1), None, 2)]


def test_a_hello_that_comes_late_closes_only_itself() -> None:
    driver = Driver()
    driver.hello(n=5)
    assert driver.hello(n=4) == [Close(2, 4409, "replaced by a newer link of this client")]
    assert driver.receive(say(1, 1), link=1) == [Deliver(Event("a/say", 1), None, 1)]


def test_an_acknowledgement_goes_alone_after_64_items_or_5_seconds() -> None:
    driver = Driver()
    driver.hello()
    actions = driver.receive(Events(tuple(Event("a/say", n) for n in range(64)), 1))
    assert actions[-1] == Transmit(1, (Ack(64),))
    driver.receive(say(1, 65))
    assert driver.pass_time(4.9) == []
    assert driver.pass_time(0.1) == [Transmit(1, (Ack(65),))]
    driver.receive(say(2, 66))
    assert driver.receive(Ack(0, please=True)) == [Transmit(1, (Ack(66),))]
    assert driver.receive(say(3, 67), size=300_000)[-1] == Transmit(1, (Ack(67),))


def test_acknowledgements_are_held_back_while_handlers_lag() -> None:
    driver = Driver(ServerSettings(limits=Limits(backlog=2, ack=AckPolicy(items=1))))
    driver.hello()
    for n in range(1, 6):
        driver.receive(say(n, n))
    assert driver.receive(Ack(0, please=True))[-1] == Transmit(1, (Ack(2),))
    driver.session.handled(driver.now, 0)
    assert driver.session.take_actions() == [Transmit(1, (Ack(3),))]


def test_a_full_window_holds_events_back_until_there_is_room() -> None:
    driver = Driver(peer=replace(PEER, window=1))
    driver.hello()
    for _ in range(2):
        driver.session.send(PUSH, driver.now, flush=True)
    assert driver.pass_time(1) == [Transmit(1, (Events((PUSH,)),))]
    assert driver.receive(Pong(0)) == []
    assert driver.receive(Ack(1)) == [Transmit(1, (Events((PUSH,)),))]


def test_a_client_that_does_not_wait_for_acknowledgements_is_stopped() -> None:
    driver = Driver(ServerSettings(limits=Limits(backlog=2, window=10, requests=1)))
    driver.hello()
    for n in range(1, 29):
        driver.receive(say(n, n))
    assert driver.receive(say(29, 29))[-1] == Ended("broken")
    driver = Driver(ServerSettings(limits=Limits(backlog=2)))
    driver.hello()
    assert sum(bool(driver.receive(say(n, 0))) for n in range(10)) == 2


def test_ping_and_pong_both_ways() -> None:
    driver = Driver()
    driver.hello()
    assert driver.pass_time(12.5) == [Transmit(1, (Ping(),))]
    driver.receive(Pong())
    driver.receive(say(1, 1))
    assert driver.receive(Ping()) == [Transmit(1, (Pong(1),))]
    assert Transmit(1, (Ping(),)) in driver.pass_time(12.5)
    assert driver.pass_time(10) == [Close(1, 1001, "no sign of life")]


def test_absent_after_the_grace_and_gone_after_the_time_to_resume() -> None:
    driver = Driver()
    driver.hello()
    driver.session.link_lost(1, driver.now)
    assert driver.pass_time(2.4) == []
    assert driver.pass_time(0.1) == [PresenceChanged(None)]
    assert driver.pass_time(117.5) == [Ended("expired")]
    assert driver.session.next_timer() is None


def test_a_client_between_two_polls_is_present() -> None:
    driver = Driver()
    driver.hello("poll")
    driver.exchange(wait=20_000)
    assert driver.pass_time(19) == []
    assert driver.pass_time(1) == [Answer(2, {"ack": 0, "seq": 1})]
    assert driver.pass_time(4.9) == []
    assert driver.pass_time(0.2) == [PresenceChanged(None)]


def test_a_client_that_polls_again_after_the_grace_is_present_again() -> None:
    driver = Driver()
    driver.hello("poll")
    assert driver.pass_time(5) == [PresenceChanged(None)]
    assert driver.exchange(wait=20_000) == [PresenceChanged("poll")]


def test_a_poll_is_answered_when_there_is_something_to_say() -> None:
    driver = Driver()
    driver.hello("poll")
    driver.session.send(PUSH, driver.now)
    assert driver.pass_time(1) == []
    assert driver.exchange(wait=20_000) == [Answer(2, {"ack": 0, "seq": 1}, (Events((PUSH,)),))]
    driver.exchange(wait=20_000, ack=1)
    driver.session.send(PUSH, driver.now)
    assert driver.pass_time(0.1) == [Answer(3, {"ack": 0, "seq": 2}, (Events((PUSH,)),))]


def test_a_newer_poll_ends_the_older_and_a_late_one_ends_itself() -> None:
    driver = Driver()
    driver.hello("poll")
    driver.exchange(wait=20_000, n=5)
    assert driver.exchange(wait=20_000, n=6) == [Close(2, 4409, "replaced by a newer link of this client")]
    assert driver.exchange(wait=20_000, n=5) == [Close(4, 4409, "replaced by a newer link of this client")]
    assert driver.exchange(say(1, 1), n=1) == [Close(5, 4409, "replaced by a newer link of this client")]


def test_a_post_that_asks_waits_until_its_reply_or_a_newer_post() -> None:
    driver = Driver()
    driver.hello("poll")
    driver.exchange(wait=20_000)
    assert driver.exchange(Request(Event("a/ask"), 1, 1)) == [Deliver(Event("a/ask"), 1, 3)]
    assert driver.exchange(say(2, 2)) == [
        Deliver(Event("a/say", 2), None, 4),
        Answer(3, {"ack": 2, "seq": 1}),
        Answer(4, {"ack": 2, "seq": 1}),
    ]
    driver.session.reply(1, "yes", driver.now)
    assert driver.pass_time(0) == [Answer(2, {"ack": 2, "seq": 1}, (Reply("yes", 1, 1, None),))]
    again = driver.exchange(Request(Event("a/ask"), 1, 1), ack=1)
    assert again == [Answer(5, {"ack": 2, "seq": 2})]  # a repetition of one that has its reply is not held


def test_what_does_not_fit_into_one_answer_goes_into_the_next() -> None:
    driver = Driver(peer=replace(PEER, window_bytes=15))
    driver.hello("poll")
    for _ in range(2):
        driver.session.send(PUSH, driver.now)
    driver.pass_time(1)
    assert driver.exchange(wait=20_000) == [Answer(2, {"ack": 0, "seq": 1}, (Events((PUSH,)),))]
    assert driver.exchange(wait=20_000, ack=1) == [Answer(3, {"ack": 0, "seq": 2}, (Events((PUSH,)),))]


def test_an_acknowledgement_that_is_due_ends_a_poll() -> None:
    driver = Driver(ServerSettings(limits=Limits(backlog=0, ack=AckPolicy(items=1))))
    driver.hello("poll")
    driver.exchange(say(1, 1))
    driver.exchange(wait=20_000)
    driver.session.handled(driver.now, 0)
    assert driver.session.take_actions() == [Answer(3, {"ack": 1, "seq": 1})]


def test_a_poll_that_has_not_got_what_was_said_gets_it_again() -> None:
    driver = Driver()
    driver.hello("poll")
    driver.exchange(wait=20_000)
    driver.session.send(PUSH, driver.now)
    driver.session.send(PUSH, driver.now)
    assert driver.pass_time(0.1) == [Answer(2, {"ack": 0, "seq": 1}, (Events((PUSH, PUSH)),))]
    assert driver.exchange(wait=20_000, ack=1) == [Answer(3, {"ack": 0, "seq": 2}, (Events((PUSH,)),))]
    assert driver.exchange(wait=20_000, ack=1, got=2) == []  # it has it, and holds the acknowledgement back
    assert driver.exchange(wait=20_000, ack=1, got=3)[-1] == Ended("broken")


def test_a_lost_poll_leaves_the_session_away() -> None:
    driver = Driver()
    driver.hello("poll")
    driver.exchange(wait=20_000)
    driver.session.link_lost(2, driver.now)
    driver.session.link_lost(77, driver.now)
    assert PresenceChanged(None) in driver.pass_time(5)


def test_goodbye_ends_the_session_but_presence_waits_for_the_grace() -> None:
    driver = Driver()
    driver.hello()
    assert driver.receive(Control(Event("chsk/bye"))) == [Close(1, 1000, "goodbye"), Ended("goodbye")]
    assert driver.session.ended
    assert driver.pass_time(2.5) == [PresenceChanged(None)]
    assert driver.session.next_timer() is None


def test_goodbye_by_post_is_answered() -> None:
    driver = Driver()
    driver.hello("poll")
    assert driver.exchange(say(1, 1), Control(Event("chsk/bye"))) == [
        Deliver(Event("a/say", 1), None, 2),
        Ended("goodbye"),
        Answer(2, {"ack": 1, "seq": 1}),
    ]
    assert driver.exchange(wait=1000) == [Close(3, 4410, "this session is gone: say hello again")]
    driver.session.send(PUSH, driver.now)
    driver.session.handled(driver.now, 0)
    driver.session.close(1001, "again", driver.now, word="again")
    assert driver.session.take_actions() == []


def test_other_words_of_the_protocol_are_ignored() -> None:
    driver = Driver()
    driver.hello()
    assert driver.receive(Control(Event("chsk/later"))) == []


def test_an_event_that_uses_an_id_of_the_protocol_is_a_bad_one() -> None:
    driver = Driver()
    driver.hello()
    assert driver.receive(Events((Event("chsk/uidport-open", "eve"), None), 1)) == [
        Deliver(Event("chsk/bad-event", ["chsk/uidport-open", "eve"]), None, 1)
    ]


def test_an_unnumbered_event_is_delivered_and_not_counted() -> None:
    driver = Driver()
    driver.hello()
    assert driver.receive(Events((Event("a/volatile"),), 0)) == [Deliver(Event("a/volatile"), None, 1)]
    assert driver.receive(Ping()) == [Transmit(1, (Pong(),))]


def test_numbers_that_cannot_be_end_the_session() -> None:
    for packet in (Ack(1), say(1, 100_000)):
        driver = Driver()
        driver.hello()
        close, ended = driver.receive(packet)
        assert isinstance(close, Close)
        assert close.code == 4400
        assert ended == Ended("broken")
    driver = Driver()
    driver.hello("poll")
    assert driver.exchange(ack=3) == [Close(2, 4400, "ack 3 was never sent"), Ended("broken")]
    driver = Driver()
    driver.hello()
    assert driver.hello(ack=9) == [
        Close(2, 4400, "ack 9 was never sent"),
        Close(1, 4400, "ack 9 was never sent"),
        Ended("broken"),
    ]


def test_a_ref_that_is_still_open_ends_the_session() -> None:
    driver = Driver()
    driver.hello()
    driver.receive(Request(Event("a/ask"), 1, 1))
    assert driver.receive(Request(Event("a/ask"), 1, 2))[-1] == Ended("broken")


def test_too_many_open_requests_are_refused_one_by_one() -> None:
    driver = Driver(ServerSettings(limits=Limits(requests=1)))
    driver.hello()
    driver.receive(Request(Event("a/ask"), 1, 1))
    (transmit,) = driver.receive(Request(Event("a/ask"), 2, 2))
    assert isinstance(transmit, Transmit)
    assert isinstance(transmit.packets[0], Reply)
    assert transmit.packets[0].value["code"] == "rate_limited"


def test_a_client_that_never_reads_costs_its_outbox_and_no_more() -> None:
    driver = Driver(ServerSettings(limits=Limits(outbox=3)))
    driver.hello()
    for _ in range(5):
        driver.session.send(PUSH, driver.now, flush=True)
        driver.pass_time(0)
    assert driver.session.ended
    stone = driver.session.tombstone()
    assert [stone.lost(got) for got in range(6)] == [4, 3, 2, 1, 0, 0]


def test_what_is_remembered_of_an_ended_session_is_small() -> None:
    """Thousands are remembered, of clients that never read, too."""
    driver = Driver()
    driver.hello()
    for _ in range(4000):
        driver.session.send(PUSH, driver.now)
    driver.session.close(4410, "gone", driver.now, word="expired")
    stone = driver.session.tombstone()
    assert sys.getsizeof(stone.said) < 600
    assert (stone.lost(0), stone.lost(2)) == (4000, 3998)


def test_an_event_larger_than_the_client_takes_ends_the_session_and_counts_as_lost() -> None:
    driver = Driver()
    driver.hello()
    driver.session.send(Event("a/big", None, 2000), driver.now)
    assert driver.session.take_actions()[-1] == Ended("too large")
    assert driver.session.tombstone().lost(0) == 1


@pytest.mark.parametrize("packet", [1000, 1])
def test_a_reply_larger_than_the_client_takes_is_an_error(packet: int) -> None:
    driver = Driver(peer=replace(PEER, packet=packet))  # 1: a client that takes nothing; the error goes all the same
    driver.hello()
    driver.receive(Request(Event("a/ask"), 1, 1))
    driver.session.reply(1, "long", driver.now, size=2000)
    (transmit,) = driver.pass_time(0)
    assert isinstance(transmit, Transmit)
    reply = transmit.packets[0]
    assert isinstance(reply, Reply)
    assert reply.failed
    assert reply.value["code"] == "too_large"


def test_draining_waits_for_what_is_open_and_takes_leave() -> None:
    driver = Driver()
    driver.hello()
    driver.receive(Request(Event("a/ask"), 1, 1))
    driver.session.drain(1.5, driver.now)
    assert driver.session.take_actions() == []
    driver.session.reply(1, "yes", driver.now)
    driver.session.handled(driver.now, 0)
    assert driver.session.take_actions() == [Transmit(1, (Reply("yes", 1, 1, 1), Ack(1, please=True)))]
    word = Event("chsk/bye", {"ack": 1, "lost": 0, "retry_after": 1500})
    assert driver.receive(Ack(1)) == [
        Transmit(1, (Events((word,)),)),
        Close(1, 1001, "the server restarts"),
        Ended("drained"),
    ]
    assert driver.session.tombstone().lost(0) == 0


def test_draining_acknowledges_only_what_is_handled() -> None:
    """At the deadline what waits for a handler is dropped: its client must not take it for received."""
    driver = Driver()
    driver.hello("poll")
    driver.session.drain(1.5, driver.now)
    *_, answer = driver.exchange(say(1, 1), say(2, 2))
    assert answer == Answer(2, {"ack": 0, "seq": 1})
    driver.session.handled(driver.now, 0)
    assert driver.exchange() == [Answer(3, {"ack": 0, "seq": 1})], "one of the two is not"
    driver.session.handled(driver.now, 0)
    *_, answer = driver.exchange()
    assert isinstance(answer, Answer)
    assert answer.head["ack"] == 2


def test_draining_waits_for_the_next_poll() -> None:
    driver = Driver()
    driver.hello("poll")
    driver.session.drain(1.5, driver.now)
    assert driver.session.take_actions() == []
    answer, ended = driver.exchange(wait=20_000)
    assert isinstance(answer, Answer)
    assert ended == Ended("drained")


def test_a_request_is_called_off() -> None:
    driver = Driver()
    driver.hello()
    driver.receive(Request(Event("a/ask"), 7, 1))
    called_off = driver.receive(Events((Event("chsk/cancel", 7), Event("chsk/cancel", 7), None), 2))
    error = {"code": "cancelled", "message": "nobody waits for the reply any more", "data": None}
    assert called_off == [Cancelled(7), Transmit(1, (Reply(error, 7, 1, 4, failed=True),))]
    driver.session.reply(7, "too late", driver.now)
    assert driver.pass_time(0) == []


def test_the_server_asks() -> None:
    driver = Driver()
    driver.hello()
    ref = driver.session.request(Event("a/ask", 1, 10), 8, driver.now)
    assert driver.pass_time(0) == [Transmit(1, (Request(Event("a/ask", 1), ref, 1),))]
    assert driver.receive(Reply("yes", ref, 1, 1)) == [Settle(ref, "reply", "yes")]
    assert driver.receive(Reply("yes", ref, 2, 1)) == [LateReply(ref)]
    late = driver.session.request(Event("a/ask", 2, 10), 8, driver.now)
    assert driver.pass_time(8)[1:] == [
        Settle(late, "timeout"),
        Transmit(1, (Events((Event("chsk/cancel", late),)),)),
    ]


# -- only the latest


def price(n: int, key: str = "a") -> Event:
    return Event("stock/price", n, 10, key=key)


def test_of_events_that_wait_only_the_latest_leaves() -> None:
    driver = Driver()
    driver.hello()
    driver.session.send(price(1), driver.now)
    driver.session.send(PUSH, driver.now)
    driver.session.send(price(2), driver.now)
    assert driver.session.take_actions() == [Replaced()]
    assert driver.pass_time(0.03) == [Transmit(1, (Events((PUSH, price(2))),))]
    driver.session.send(price(3), driver.now)  # the one before has left: it is not replaced
    assert driver.pass_time(0.03) == [Transmit(1, (Events((price(3),)),))]


def test_the_latest_do_not_fill_an_outbox() -> None:
    driver = Driver(replace(SETTINGS, limits=Limits(outbox=2)))
    driver.session.send(PUSH, driver.now)
    for n in range(10):
        driver.session.send(price(n), driver.now)
    assert not driver.session.ended
    driver.session.take_actions()
    driver.session.send(price(1, key="b"), driver.now)
    assert not driver.session.ended
    assert driver.session.take_actions() == [Dropped(2, "latest dropped")], "there is no room for them"
    driver.session.send(PUSH, driver.now)
    driver.session.send(price(2), driver.now)
    assert driver.session.take_actions() == [Dropped(1, "latest dropped")]
    assert driver.session.kept == (2, 20)
    driver.session.send(PUSH, driver.now)
    assert driver.session.ended, "those that count have to arrive"


def test_a_client_that_acknowledges_nothing_is_slow() -> None:
    driver = Driver()
    driver.hello()
    driver.session.send(PUSH, driver.now, flush=True)
    driver.pass_time(5.0)
    driver.session.send(PUSH, driver.now, flush=True)
    driver.pass_time(5.0)
    driver.receive(Pong(1))  # and from now on nothing: its line is not at fault
    for _ in range(22):  # the first number was awaited for 120 s, the newest after it for as long
        driver.receive(Pong())
        driver.session.send(PUSH, driver.now, flush=True)
        driver.pass_time(10.0)
    driver.receive(Pong())
    driver.pass_time(9.9)
    assert not driver.session.ended
    assert Close(1, 4420, "the client acknowledges nothing") in driver.pass_time(0.2)
    assert driver.session.tombstone().lost(0) == 23


def test_a_new_line_is_given_time() -> None:
    driver = Driver()
    driver.hello()
    driver.session.send(PUSH, driver.now, flush=True)
    driver.pass_time(5.0)
    driver.session.link_lost(1, driver.now)
    driver.pass_time(100.0)
    driver.hello()
    for _ in range(11):
        driver.receive(Ping())
        driver.pass_time(10.0)
    assert not driver.session.ended
    driver.receive(Ping())
    assert Ended("slow age") in driver.pass_time(10.0)


def test_a_clock_that_jumped_makes_nobody_slow() -> None:
    driver = Driver()
    driver.hello()
    driver.session.send(PUSH, driver.now, flush=True)
    driver.pass_time(1.0)
    driver.now += 3600
    driver.session.handle_timer(driver.now)
    driver.receive(Pong(1))
    driver.pass_time(5.0)
    assert not driver.session.ended


def test_who_acknowledges_in_time_is_not_slow() -> None:
    driver = Driver()
    driver.hello()
    for n in range(30):
        driver.session.send(PUSH, driver.now, flush=True)
        driver.pass_time(10.0)
        driver.receive(Pong(n))
    driver.receive(Pong(30))
    for _ in range(30):
        driver.receive(Pong())
        driver.pass_time(10.0)
    assert not driver.session.ended


def test_a_session_that_ended_keeps_nothing() -> None:
    driver = Driver()
    driver.session.send(PUSH, driver.now)
    driver.session.close(4410, "enough", driver.now, word="enough")
    assert driver.session.kept == (0, 0) and not driver.session.items()
    assert driver.session.tombstone().lost(0) == 1


def test_the_latest_do_not_count_as_lost() -> None:
    driver = Driver()
    driver.hello()
    driver.session.send(price(1), driver.now)
    driver.session.send(PUSH, driver.now)
    driver.pass_time(0.03)
    driver.session.send(price(2), driver.now)
    driver.session.close(4410, "gone", driver.now, word="expired")
    stone = driver.session.tombstone()
    assert [stone.lost(got) for got in range(4)] == [1, 1, 0, 0]


def big(seq: int, size: int = 100) -> Events:
    return Events((Event("a/say", None, size),), seq)


BYTES = Limits(packet=200, body=400, window_bytes=200, backlog_bytes=150, ack=AckPolicy(items=1))


def test_acknowledgements_are_held_back_while_handlers_lag_in_bytes() -> None:
    driver = Driver(ServerSettings(limits=BYTES))
    driver.hello()
    assert driver.receive(big(1), size=100)[-1] == Transmit(1, (Ack(1),))
    driver.receive(big(2), size=100)
    assert driver.receive(Ack(0, please=True)) == [Transmit(1, (Ack(1),))]
    driver.session.handled(driver.now, 100)
    assert driver.session.take_actions() == [Transmit(1, (Ack(2),))]


def test_who_ignores_the_window_is_cut_off_before_it_fills_the_memory() -> None:
    driver = Driver(ServerSettings(limits=BYTES))
    driver.hello()
    for seq in range(1, 9):
        assert not driver.session.ended, seq
        driver.receive(big(seq), size=100)
    assert (
        not driver.session.ended
    )  # 800 bytes: the backlog, the window and a body, and the packet that is one too many
    actions = driver.receive(big(9), size=100)
    assert actions == [Close(1, 4400, "more is under way than the window lets through"), Ended("broken")]


def test_numbers_that_leave_a_gap_for_ever_fill_no_memory_either() -> None:
    driver = Driver(ServerSettings(limits=BYTES))
    driver.hello()
    for seq in range(2, 9):
        assert driver.receive(big(seq), size=100) == [], seq
    assert driver.receive(big(9), size=100)[-1] == Ended("broken")


def test_a_gap_that_is_filled_is_forgotten() -> None:
    driver = Driver(ServerSettings(limits=BYTES))
    driver.hello()
    for seq in (3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10):
        driver.receive(big(seq), size=100)
        for _ in range(3 if seq % 3 == 1 else 0):
            driver.session.handled(driver.now, 100)
    assert not driver.session.ended
