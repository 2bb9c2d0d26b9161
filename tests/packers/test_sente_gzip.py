"""Sente's gzip: told by the first byte, binary always, and no more than the limit when inflated."""

import gzip
import random
import tracemalloc
from typing import Any

import pytest

from sente import ConfigError, UnpackError
from sente.interfaces import joinable
from sente.packers import get
from sente.packers.limits import UnpackLimits
from sente.packers.sente_gzip import SenteGzip
from sente.protocol.messages import Event, Events
from sente.push import pack_event, write_frame
from sente.testing import check_packer
from tests.packers.test_negotiation import Reversed

JSON, MSGPACK = SenteGzip(get("json")), SenteGzip(get("msgpack"))
every_packer = pytest.mark.parametrize("packer", [JSON, MSGPACK, SenteGzip(get("transit")), SenteGzip(Reversed())])


@every_packer
def test_it_is_a_packer(packer: SenteGzip) -> None:
    check_packer(packer, "x" * 5000, ["先手"] * 1000)


@pytest.mark.parametrize(("size", "flag"), [(1023, 0), (1024, 1)])
def test_it_compresses_from_1024_bytes(size: int, flag: int) -> None:
    for packer, overhead in ((JSON, 2), (MSGPACK, 3)):
        packed = packer.pack("x" * (size - overhead))
        assert packed[0] == flag
        assert (packed[1:3] == b"\x1f\x8b") == bool(flag)


def test_what_does_not_shrink_is_left() -> None:
    noise = random.Random(1).randbytes(4096)
    assert MSGPACK.pack(noise) == b"\0" + get("msgpack").pack(noise)  # type: ignore[operator]  # bytes


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        ("\0[]", "a text frame"),
        (b"", "0 or 1"),
        (b"\x02[]", "0 or 1"),
        (b"[]", "0 or 1"),
        (b"\0", "not JSON"),
        (b"\0\xff", "not UTF-8"),
        (b"\1", "not gzip"),
        (b"\1[]", "not gzip"),
        (b"\1" + gzip.compress(b"[]")[:-1], "too early or too late"),
        (b"\1" + gzip.compress(b"[]") + b"\0", "too early or too late"),
        (b"\1" + gzip.compress(b"[") + gzip.compress(b"]"), "too early or too late"),
        (b"\1" + gzip.compress(b"\1" + gzip.compress(b"[]")), "not UTF-8"),
    ],
)
def test_what_is_refused(wire: str | bytes, says: str) -> None:
    with pytest.raises(UnpackError, match=says):
        JSON.unpack(wire)


@pytest.mark.parametrize("inner", ["json", "msgpack"])
def test_what_swells_is_stopped_in_time(inner: str) -> None:
    packer = SenteGzip(get(inner), limits=UnpackLimits(size=100_000))
    bomb = b"\1" + gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    tracemalloc.start()
    with pytest.raises(UnpackError, match="longer than 100000 bytes"):
        packer.unpack(bomb)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    with pytest.raises(UnpackError, match="longer than the 100000 bytes"):
        packer.unpack(b"\0" + b" " * 100_000)


def test_what_compresses_already_is_refused() -> None:
    for packer in (get("auto"), JSON):
        with pytest.raises(ConfigError, match="compresses already"):
            SenteGzip(packer)


def test_its_parts_are_joined_if_those_of_its_packer_are() -> None:
    assert joinable(JSON) and joinable(MSGPACK)
    assert joinable(SenteGzip(Reversed())) is None


def test_a_push_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def counted(frame: bytes, coding: str) -> bytes:
        calls.append(frame)
        return b"squeezed"

    monkeypatch.setattr("sente.packers.sente_gzip.compress", counted)
    for packer in (JSON, SenteGzip(Reversed())):
        calls.clear()
        push: Event = pack_event("a/b", "x" * 2000, [packer], 10_000)
        frames = [write_frame(Events((push,)), packer) for _ in range(3)]
        assert frames == [b"\1squeezed"] * 3
        assert len(calls) == 1
