"""Taking turns, and what is said of a codec that loses something or fails. Nothing here knows how long it takes."""

import gc
import json
from collections.abc import Callable
from typing import Any

import pytest

from sente.bench import timing
from sente.bench.codecs import Codec
from sente.bench.corpus import Payload
from sente.bench.timing import gzip_size, measure, zstd_size

PAYLOADS = [Payload("chat", {"text": "hi", "at": (1, 2)}, ""), Payload("blob", b"1234", "")]


def codec(name: str, pack: Callable[[Any], Any] = json.dumps, unpack: Callable[[Any], Any] = json.loads) -> Codec:
    return Codec(name, pack, unpack, "1.0")


def quick(*codecs: Codec, payloads: list[Payload] = PAYLOADS, rounds: int = 3) -> Any:
    return measure(codecs, payloads, rounds=rounds, sample=0.00001)


def test_a_row_for_each_codec_on_each_payload() -> None:
    rows = quick(codec("a"), codec("b"))
    assert [(row.payload, row.codec, row.keeps) for row in rows] == [
        ("chat", "a", "same"),
        ("chat", "b", "same"),
        ("blob", "a", "failed"),
        ("blob", "b", "failed"),
    ]
    assert rows[0].size == len(json.dumps(PAYLOADS[0].value))
    assert rows[0].pack.least <= rows[0].pack.median <= rows[0].pack.most
    assert rows[2].why == "TypeError: Object of type bytes is not JSON serializable"
    assert rows[2].pack is rows[2].unpack is rows[2].size is None


def test_who_changes_a_type_is_lossy() -> None:
    [row] = quick(codec("a", unpack=lambda wire: {**json.loads(wire), "text": b"hi"}), payloads=PAYLOADS[:1])
    assert row.keeps == "lossy"


def test_what_its_users_would_write_is_tried_next() -> None:
    plain = Codec("a", json.dumps, json.loads, "1.0", pack_lossy=lambda value: json.dumps(value, default=repr))
    chat, blob = quick(plain)
    assert (chat.keeps, blob.keeps) == ("same", "lossy")
    assert blob.size == len(json.dumps(repr(b"1234")))


def test_a_codec_that_cannot_read_its_own_bytes_failed() -> None:
    def unpack(_: Any) -> Any:
        raise ValueError("what\n" + "?" * 200)

    row, _ = quick(codec("a", unpack=unpack))
    assert row.keeps == "failed"
    assert row.why.startswith("ValueError: what ???")
    assert len(row.why) == 120


def test_they_take_turns_and_another_one_begins_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    monkeypatch.setattr(timing, "_count", lambda *_: 1)

    def noting(name: str) -> Codec:
        def pack(value: Any) -> str:
            turns.append(name)
            return json.dumps(value)

        return codec(name, pack)

    quick(noting("a"), noting("b"), noting("c"), payloads=PAYLOADS[:1])
    assert "".join(turns[3:]) == "abcbcacab"  # the first three are the trial


def test_the_time_is_that_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.5])
    monkeypatch.setattr(timing, "perf_counter", lambda: next(clock))
    assert timing._time(len, [], 5) == 0.1


def test_as_many_calls_as_fit_into_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_time", lambda _call, _argument, _count: 0.0001)
    assert timing._count(len, [], 0.01) == 100
    monkeypatch.setattr(timing, "_time", lambda _call, _argument, _count: 10.0)
    assert timing._count(len, [], 0.01) == 1


@pytest.mark.parametrize("collecting", [True, False])
def test_the_garbage_collector_waits_and_is_left_as_it_was(collecting: bool) -> None:
    seen: list[bool] = []
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        timing._time(lambda _: seen.append(gc.isenabled()), None, 1)
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == [False]


def test_progress_is_told() -> None:
    told: list[str] = []
    measure([codec("a")], PAYLOADS, rounds=2, sample=0.00001, progress=told.append)
    assert told[0] == "chat (1 of 2), round 1 of 2"
    assert told[-1] == "blob (2 of 2), round 2 of 2"


def test_sizes_after_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gzip_size(b"a" * 10_000) < 100
    found = zstd_size(b"a" * 10_000)
    assert found is not None
    assert found < 100
    monkeypatch.setattr(timing, "find_spec", lambda _: None)
    assert zstd_size(b"a") is None
