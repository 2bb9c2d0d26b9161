"""An event on its way to many clients: packed once, and the same bytes for all."""

import json

import pytest

from sente import PackError
from sente.packers.json import JsonPacker
from sente.protocol.conversation import ENVELOPE
from sente.protocol.messages import Event, Events, Packet, Pong, Reply, Request
from sente.push import pack_event, pack_value, write_frame
from tests.packers.test_negotiation import Reversed

JSON = JsonPacker()


def test_the_same_bytes_go_to_everyone() -> None:
    push = pack_event("chat/said", {"text": "先手"}, [JSON], 1000)
    frame = write_frame(Events((push,)), JSON)
    assert frame == '[[["chat/said",{"text":"先手"}]],null]'
    assert write_frame(Events((push,)), JSON) is frame
    assert push.size == len('["chat/said",{"text":"先手"}]'.encode())


@pytest.mark.parametrize(
    ("packet", "plain"),
    [
        (Events((pack_event("a/b", 1, [JSON], 1000), Event("c/d", 2))), [[["a/b", 1], ["c/d", 2]], None]),
        (Events((Event("a/b", 1),)), [[["a/b", 1]], None]),
        (Pong(7), ["pong", "ping", 0, 7]),
        (Request(pack_event("a/ask", {"n": 1}, [JSON], 1000), 3, 7), [["a/ask", {"n": 1}], 3, 7, None, "request"]),
    ],
)
def test_batches_and_other_packets(packet: Packet, plain: object) -> None:
    assert json.loads(write_frame(packet, JSON)) == plain


def test_the_limit_leaves_room_for_the_frame() -> None:
    size = len('["a/b",100]')
    assert pack_event("a/b", 100, [JSON], size + ENVELOPE).size == size
    with pytest.raises(PackError, match=f"a/b takes {size} bytes packed"):
        pack_event("a/b", 100, [JSON], size + ENVELOPE - 1)


def test_a_reply_says_what_it_said_when_it_was_given() -> None:
    rooms = ["go"]
    packed = pack_value(rooms, [JSON, Reversed()])
    rooms.append("chess")
    reply = Reply(packed, 3, 7, 5)
    assert write_frame(reply, JSON) == '[["go"],3,7,5,"reply"]'
    assert Reversed().unpack(write_frame(reply, Reversed())) == [["go"], 3, 7, 5, "reply"]
    assert packed.size == len('["go"]')
