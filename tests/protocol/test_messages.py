"""Packets and their plain forms, letter by letter."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente.errors import ProtocolError
from sente.protocol.messages import (
    BAD_EVENT,
    MAX_NUMBER,
    Ack,
    Classic,
    Control,
    Event,
    Events,
    Handshake,
    Packet,
    Ping,
    Pong,
    Reply,
    Request,
    read_packet,
    write_packet,
)

SAY = Event("chat/say", {"text": "hi"})

FORMS: list[tuple[Literal["client", "server"], Packet, list[Any]]] = [
    ("server", Events((SAY,)), [[["chat/say", {"text": "hi"}]], None]),
    ("server", Events((SAY, None, SAY)), [[["chat/say", {"text": "hi"}], None, ["chat/say", {"text": "hi"}]], None]),
    ("client", Events((Event("a/b"),), 7), [[["a/b", None]], None, 7]),
    ("client", Events((Event("a/b"),), 0), [[["a/b", None]], None, 0]),
    ("client", Request(SAY, 3, 7), [["chat/say", {"text": "hi"}], 3, 7, None, "request"]),
    ("client", Request(SAY, 3, 7, 5), [["chat/say", {"text": "hi"}], 3, 7, 5, "request"]),
    ("server", Reply([1, 2], 3, 7, 5), [[1, 2], 3, 7, 5, "reply"]),
    ("server", Reply(None, 3, 7), [None, 3, 7, None, "reply"]),
    ("server", Reply({"code": "internal"}, 3, 7, failed=True), [{"code": "internal"}, 3, 7, None, "error"]),
    ("client", Ack(5), [None, None, 0, 5]),
    ("client", Ack(5, please=True), [None, None, 0, 5, "ack"]),
    ("server", Ping(), ["chsk/ws-ping", None, 0]),
    ("server", Ping(9), ["chsk/ws-ping", None, 0, 9]),
    ("client", Pong(9), [["chsk/ws-pong"], None, 0, 9]),
    ("client", Ping(), [["chsk/ws-ping"], "ping", 0]),
    ("server", Pong(), ["pong", "ping", 0]),
    ("server", Handshake("ada", {"a": 1}, {"v": 1}), [["chsk/handshake", ["ada", None, {"a": 1}, {"v": 1}]], None, 0]),
    ("client", Control(Event("chsk/bye")), [["chsk/bye", None], None, 0]),
]


@pytest.mark.parametrize(("side", "packet", "form"), FORMS)
def test_forms(side: Literal["client", "server"], packet: Packet, form: list[Any]) -> None:
    assert write_packet(packet, side) == form
    assert read_packet(form) == packet


def test_the_form_of_sentes_own_is_only_written() -> None:
    assert write_packet(Classic({"a": 1}, "cb0001"), "server") == [{"a": 1}, "cb0001"]
    assert write_packet(Classic("chsk/timeout"), "server") == ["chsk/timeout", None]


@pytest.mark.parametrize(
    "form",
    [
        None,
        {},
        "chsk/ws-ping",
        [],
        [[["a/b", 1]], None, 1, None, None, None],
        [[["a/b", 1]], None, -1],
        [[["a/b", 1]], None, 1.0],
        [[["a/b", 1]], None, True],
        [[["a/b", 1]], None, MAX_NUMBER + 1],
        [["a/b", 1], 0, 1, None, "request"],
        [["a/b", 1], "1", 1, None, "request"],
        [["a/b", 1], 1, 0, None, "request"],
        [["a/b", 1], 1, None, None, "request"],
        [["a/b", 1], 1, 1, "x", "request"],
        [1, None, 1, None, "reply"],
        [None],
        [[], None, 1],
        [7, None, 1],
        ["hello", None, 0],
        [["a/b", 1], None, 7],
    ],
)
def test_what_is_no_packet(form: object) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_packet(form)
    assert caught.value.close_code == 4400


@pytest.mark.parametrize("plain", ["a/b", [], ["nonamespace", 1], ["a/b", 1, 2], [1, 2], {}, 5, ["a/"], ["/b"]])
def test_what_is_no_event_counts_all_the_same(plain: object) -> None:
    assert read_packet([[["a/b"], plain], None, 4]) == Events((Event("a/b"), Event(BAD_EVENT, plain)), 4)


def test_a_request_for_something_that_is_no_event() -> None:
    assert read_packet([{"x": 1}, 2, 3, None, "request"]) == Request(Event(BAD_EVENT, {"x": 1}), 2, 3)


def test_the_size_of_a_frame_is_shared_by_its_events() -> None:
    packet = read_packet([[["a/b"], ["a/c"]], None, 1], 50)
    assert isinstance(packet, Events)
    assert [event.size for event in packet.events if event] == [25, 25]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("chsk/bye"),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=15,
)


@given(json_values | st.lists(json_values, min_size=1, max_size=5))
def test_only_the_documented_error_comes_out(plain: Any) -> None:
    try:
        packet = read_packet(plain, 10)
    except ProtocolError:
        return
    assert read_packet(write_packet(packet, "client")) == packet
