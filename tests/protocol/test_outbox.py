"""Outbox and inbox: numbered, bounded, each once and in order."""

import pytest

from sente.errors import ProtocolError
from sente.protocol.inbox import Inbox
from sente.protocol.messages import Event
from sente.protocol.outbox import UNLIMITED, Answered, Asked, Item, Outbox


def event(n: int, size: int = 10) -> Event:
    return Event("a/b", n, size)


def take(
    outbox: Outbox, window: int = 100, window_bytes: int = 10_000, max_bytes: float = 1e9
) -> list[tuple[int, Item]]:
    return outbox.take(window=window, window_bytes=window_bytes, max_bytes=max_bytes)


def test_numbers_are_given_when_leaving() -> None:
    outbox = Outbox()
    outbox.put(event(1))
    outbox.put(event(2))
    assert outbox.next == 1
    assert outbox.unsent
    assert take(outbox) == [(1, event(1)), (2, event(2))]
    assert not outbox.unsent
    assert len(outbox) == 2
    assert outbox.bytes == 20


def test_what_is_acknowledged_is_forgotten() -> None:
    outbox = Outbox()
    for n in (1, 2, 3):
        outbox.put(event(n))
    take(outbox)
    outbox.acknowledge(2)
    outbox.acknowledge(1)  # late, and nothing new
    assert outbox.sent_above(0) == [(3, event(3))]
    assert outbox.bytes == 10
    with pytest.raises(ProtocolError, match="never sent"):
        outbox.acknowledge(4)


def test_a_new_link_gets_what_the_other_side_has_not() -> None:
    outbox = Outbox()
    for n in (1, 2, 3):
        outbox.put(event(n))
    take(outbox)
    outbox.rewind(1)
    assert take(outbox, max_bytes=5) == [(2, event(2))]
    assert take(outbox) == [(3, event(3))]


def test_what_does_not_get_through_is_said_in_shorter_stretches() -> None:
    outbox = Outbox()
    for n in range(10):
        outbox.put(Event("a/b", n, 1000))
    assert outbox.stretch == UNLIMITED
    take(outbox)
    lengths = []
    for arrived in (0, 0, 0, 0, 1, 1, 2, 3):
        outbox.rewind(arrived)
        lengths.append(outbox.stretch)
        take(outbox)
    assert lengths == [5000, 2500, 1250, 1024, 2048, 1024, 2048, 4096]


def test_a_link_on_which_nothing_was_said_shortens_nothing() -> None:
    outbox = Outbox()
    outbox.put(event(1))
    outbox.rewind(0)
    assert outbox.stretch == UNLIMITED


def test_the_window_holds_events_and_requests_but_no_replies() -> None:
    outbox = Outbox()
    outbox.put(event(1))
    outbox.put(event(2))
    outbox.put(Asked(event(3), ref=1))
    outbox.put(Answered("yes", 9, failed=False, size=10))
    outbox.put(event(4))
    assert take(outbox, window=1) == [(1, event(1)), (2, Answered("yes", 9, failed=False, size=10))]
    assert take(outbox, window=1) == []
    outbox.acknowledge(2)
    assert take(outbox, window=1) == [(3, event(2))]
    assert outbox.waiting() == [Asked(event(3), ref=1), event(4)]


def test_the_window_in_bytes_lets_one_large_item_pass_alone() -> None:
    outbox = Outbox()
    outbox.put(event(1, 500))
    outbox.put(event(2, 1))
    assert take(outbox, window_bytes=100) == [(1, event(1))]
    outbox.acknowledge(1)
    assert take(outbox, window_bytes=100) == [(2, event(2))]


def test_a_body_holds_so_many_bytes_but_at_least_one_item() -> None:
    outbox = Outbox()
    for n in (1, 2, 3):
        outbox.put(event(n))
    assert take(outbox, max_bytes=5) == [(1, event(1))]
    assert take(outbox, max_bytes=20) == [(2, event(2)), (3, event(3))]


def test_each_number_once_in_order() -> None:
    inbox: Inbox[str] = Inbox(reach=3)
    assert inbox.take(2, "b", 0) == []
    assert inbox.take(2, "again", 0) == []
    assert inbox.take(1, "a", 0) == ["a", "b"]
    assert inbox.take(1, "a", 0) == []
    assert inbox.top == 2
    with pytest.raises(ProtocolError, match="more than 3 ahead"):
        inbox.take(4, "d", 0)
    assert inbox.take(5, "e", 2) == []


def latest(n: int, key: str = "a", size: int = 10) -> Event:
    return Event("a/b", n, size, key=key)


def test_a_newer_event_replaces_the_one_with_its_key() -> None:
    outbox = Outbox()
    assert not outbox.put_latest(latest(1, size=30))
    outbox.put(event(2))
    assert not outbox.put_latest(latest(3, key="b"))
    assert outbox.put_latest(latest(4))
    assert (len(outbox), outbox.bytes) == (3, 30)
    assert [item for _, item in take(outbox)] == [event(2), latest(3), latest(4)]  # as they were said


def test_the_replaced_one_is_found_among_its_equals() -> None:
    outbox = Outbox()
    outbox.put_latest(Event("a/b", 1, 10, key="b"))
    outbox.put(event(0))
    outbox.put_latest(latest(1))  # equal but for the key
    outbox.put_latest(latest(2))
    assert [item for _, item in take(outbox)] == [latest(1), event(0), latest(2)]


def test_what_has_left_is_not_replaced() -> None:
    outbox = Outbox()
    outbox.put_latest(latest(1))
    take(outbox)
    assert not outbox.put_latest(latest(2))
    outbox.rewind(0)
    assert take(outbox) == [(1, latest(1)), (2, latest(2))]
