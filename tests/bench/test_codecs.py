"""Our packers and their peers, as far as they are installed: each carries an event."""

import datetime
import decimal
import uuid
from typing import Any

import pytest

from sente.bench import peers as module
from sente.bench.codecs import Absent, built_in
from sente.bench.corpus import Payload, corpus, same
from sente.bench.peers import PEERS, YARDSTICK, Peer, peers, plain
from sente.errors import ConfigError

EVENT = next(payload.value for payload in corpus() if payload.name == "chat event")


def test_every_built_in_packer_is_measured_and_auto_for_three_peers() -> None:
    names = [codec.name for codec in built_in()]
    assert names[:3] == ["auto", "auto+msgpack", names[2]]
    assert names[2].startswith("auto+gzip+msgpack")
    assert {"json", "msgpack", "transit"} <= set(names)
    assert all(codec.ours for codec in built_in())


@pytest.mark.parametrize("codec", built_in(), ids=lambda codec: codec.name)
@pytest.mark.parametrize("payload", corpus(), ids=lambda payload: payload.name)
def test_ours_carry_what_they_promise(codec: Any, payload: Payload) -> None:
    if codec.name == "json" and payload.name in ("blob", "typed"):
        return  # JSON has no word for it
    assert same(payload.value, codec.unpack(codec.pack(payload.value)))


def test_what_is_written_is_for_the_peer() -> None:
    text, binary = built_in(["auto", "auto+msgpack"])
    assert isinstance(text.pack(EVENT), str)
    assert isinstance(binary.pack(EVENT), bytes)


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match="no packer 'yaml'"):
        built_in(["yaml"])


@pytest.mark.parametrize("codec", peers()[0], ids=lambda codec: codec.name)
def test_a_peer_carries_an_event(codec: Any) -> None:
    assert same(EVENT, codec.unpack(codec.pack(EVENT)))


def test_the_yardstick_is_always_there() -> None:
    found, absent = peers([YARDSTICK])
    assert [codec.name for codec in found] == [YARDSTICK]
    assert absent == []


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Peer("gone", "no-such-distribution", lambda of: pytest.fail(of))
    monkeypatch.setattr(module, "PEERS", (gone,))
    assert peers() == ([], [Absent("gone", "pip install no-such-distribution")])


def test_pickle_is_marked() -> None:
    [codec], _ = peers(["pickle"])
    assert "unsafe" in codec.note


def test_peers_have_names_of_their_own() -> None:
    names = [peer.name for peer in PEERS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"hi", "aGk="),
        ({1}, [1]),
        (frozenset({1}), [1]),
        (decimal.Decimal("1.50"), "1.50"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "2026-01-01T00:00:00+00:00"),
    ],
)
def test_what_users_of_json_write(value: Any, written: Any) -> None:
    assert plain(value) == written


def test_not_everything_has_a_plain_form() -> None:
    with pytest.raises(TypeError, match="object has no plain form"):
        plain(object())
