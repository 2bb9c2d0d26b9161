import json
from typing import Any

import pytest

from sente.client.frames import pack_value, say, write_frame
from sente.errors import PackError
from sente.interfaces import JoinablePacker
from sente.packers.auto import AutoPacker
from sente.packers.json import JsonPacker
from sente.protocol.messages import Ack, Control, Event, Events, Packet, Ping, Reply, Request, write_packet

JSON = JsonPacker()


class Plain:
    """A packer that joins nothing and writes bytes."""

    name = "plain"

    def pack(self, value: Any, /) -> bytes:
        return JSON.pack(value).encode()

    def unpack(self, wire: Any, /) -> Any:
        return JSON.unpack(wire)


@pytest.mark.parametrize(
    "packet",
    [
        Events((Event("a/b", {"x": [1]}), Event("a/c")), 7),
        Events((Event("a/b", "先手"), None), 7),
        Request(Event("a/b", 1), 2, 3),
        Request(Event("a/b", 1), 2, 3, 4),
        Ack(3),
        Ping(),
        Control(Event("chsk/bye")),
    ],
)
@pytest.mark.parametrize("packer", [JSON, Plain()])
def test_a_frame_is_its_packet(packet: Packet, packer: Any) -> None:
    assert json.loads(write_frame(packet, packer)) == write_packet(packet, "client")


def test_only_a_packer_that_can_join_is_asked_to() -> None:
    assert isinstance(JSON, JoinablePacker)
    assert not isinstance(Plain(), JoinablePacker)


def test_what_is_said_is_packed_at_once() -> None:
    data = {"moves": [1]}
    event = say("a/b", data, JSON)
    data["moves"].append(2)
    assert write_frame(Events((event,), 1), JSON) == '[[["a/b",{"moves":[1]}]],null,1]'
    assert write_frame(Request(event, 5, 1), JSON) == '[["a/b",{"moves":[1]}],5,1,null,"request"]'


@pytest.mark.parametrize("packer", [JSON, Plain(), AutoPacker()])
def test_what_cannot_be_packed_is_found_in_the_data(packer: Any) -> None:
    """Where the application put it, not where the packet has it."""
    with pytest.raises(PackError) as failed:
        say("a/b", {"items": [{"value[1]": object()}]}, packer)
    assert failed.value.path == "data.items[0]['value[1]']"


@pytest.mark.parametrize("peer", [(), ("msgpack",), ("gzip", "msgpack")])
@pytest.mark.parametrize("value", ["go", [{"stone": n, "at": "先手"} for n in range(200)]])
def test_a_reply_is_packed_for_the_variant_at_hand(value: Any, peer: tuple[str, ...]) -> None:
    packer, other = AutoPacker().for_peer(peer), Plain()
    plain = [value, 5, 1, None, "reply"]
    assert packer.unpack(write_frame(Reply(pack_value(value, packer), 5, 1), packer)) == plain
    assert other.unpack(write_frame(Reply(pack_value(value, packer), 5, 1), other)) == plain
    if len(value) > 2:
        frame = write_frame(Reply(pack_value(value, packer), 5, 1), packer)
        assert (frame[:2] == b"\x1f\x8b") is ("gzip" in peer)
        assert (len(frame) < 1_000) is ("gzip" in peer)


@pytest.mark.parametrize(("data", "size"), [("go", 12), ("先手", 16)])
def test_the_size_is_in_bytes(data: str, size: int) -> None:
    assert say("a/b", data, JSON).size == say("a/b", data, Plain()).size == size


def test_what_cannot_be_packed_raises_where_it_is_said() -> None:
    with pytest.raises(PackError, match="photo"):
        say("a/b", {"photo": b""}, JSON)


def test_another_packer_packs_anew() -> None:
    event = say("a/b", 1, JSON)
    assert write_frame(Events((event,), 1), Plain()) == b'[[["a/b",1]],null,1]'


@pytest.mark.parametrize(
    ("packet", "plain"),
    [
        (Events((Event("a/b", b""), Event("a/b")), 7), [[None, None], None, 7]),
        (Request(Event("a/b", b""), 2, 3), [[None], None, 3]),
    ],
)
def test_what_cannot_be_packed_any_more_keeps_its_number(
    packet: Packet, plain: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert json.loads(write_frame(packet, JSON)) == plain
    assert "dropped" in caplog.text


def test_an_event_is_still_an_event() -> None:
    assert say("a/b", 1, JSON).id == "a/b"
    assert say("a/b", 1, JSON) == say("a/b", 1, Plain())
