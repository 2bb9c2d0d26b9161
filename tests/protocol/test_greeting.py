"""Hello, head, info: what is taken, what is refused, and in which words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente.errors import ProtocolError
from sente.protocol.greeting import Head, Hello, PeerLimits, read_first, read_info, write_info
from sente.protocol.settings import Limits, ServerSettings
from tests.protocol.test_messages import json_values

HELLO = {"hello": 1, "session": "t", "n": 7, "ack": 41, "csrf": "c", "auth": "Bearer a", "unknown": [1]}
DEFAULTS = PeerLimits(Limits().packet, Limits().window, Limits().window_bytes)


def test_hello() -> None:
    assert read_first(json.dumps(HELLO)) == Hello("t", 7, 41, "c", "Bearer a", DEFAULTS, 41)
    small = {**HELLO, "limits": {"packet": 100, "window": 2, "bytes": 50}}
    hello = read_first(json.dumps(small))
    assert isinstance(hello, Hello)
    assert hello.limits == PeerLimits(100, 2, 50)


def test_secrets_stay_out_of_logs() -> None:
    for first in (read_first(json.dumps(HELLO)), Head("secret", 1, 1, 1, 0, 1)):
        assert "secret" not in repr(first)
        assert "Bearer" not in repr(first)


def test_head() -> None:
    assert read_first('{"session": "t", "n": 2, "ack": 0, "seq": 1, "wait": 20000}') == Head("t", 2, 0, 1, 20000, 0)
    assert read_first('{"session": "t", "n": 2, "ack": 3, "seq": 1, "wait": 0, "got": 5}') == Head("t", 2, 3, 1, 0, 5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hello": 2}, "hello"),
        ({"n": 0}, "n must be"),
        ({"n": None}, "n must be"),
        ({"ack": -1}, "ack must be"),
        ({"ack": True}, "ack must be"),
        ({"session": 5}, "session must be"),
        ({"csrf": {}}, "csrf must be"),
        ({"auth": "\ud800"}, "auth must be"),
        ({"limits": [1]}, "limits must be"),
        ({"limits": {"window": 0}}, "window must be"),
        ({"wait": 0, "session": None}, "body begins"),
        ({"wait": "soon", "seq": 1}, "wait must be"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        read_first(json.dumps({**HELLO, **change}))


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 100_000, b"\xff"])
def test_what_is_no_hello(text: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        read_first(text)


def test_info_reads_what_info_writes() -> None:
    told = {"session": "t", "resumed": False, "lost": 3, "prev": 9, "since_start": 2, "uptime": 1500}
    info = read_info(write_info(ServerSettings(), 41, told))
    assert (info.session, info.resumed, info.lost, info.prev, info.ack) == ("t", False, 3, 9, 41)
    assert (info.since_start, info.uptime, info.poll) == (2, 1.5, 20.0)
    assert info.limits == DEFAULTS
    assert info.acks == Limits().ack


@pytest.mark.parametrize(
    "change", [{"session": None}, {"limits": 1}, {"limits": {"ack": 1}}, {"lost": -1}, {"poll": 0}]
)
def test_what_is_no_info(change: dict[str, Any]) -> None:
    plain = write_info(ServerSettings(), 0, {"session": "t", "resumed": True})
    with pytest.raises(ProtocolError):
        read_info({**plain, **change})


@given(st.dictionaries(st.sampled_from(["hello", "session", "n", "ack", "wait", "seq", "limits"]), json_values))
def test_only_the_documented_error_comes_out(plain: dict[str, Any]) -> None:
    try:
        read_first(json.dumps(plain))
        read_info(plain)
    except ProtocolError:
        pass


@given(st.text() | st.binary())
def test_no_text_breaks_it(text: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        read_first(text)
