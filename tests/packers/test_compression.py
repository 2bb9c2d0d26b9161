"""Compression around any packer: for whom, told by what, up to which limit, and how often."""

import gzip
import random
import tracemalloc
import zlib
from typing import Any

import pytest

from sente import ChannelSocket, Client, ConfigError, UnpackError
from sente.interfaces import VariedPacker, is_plain_json, joinable, offer
from sente.packers import SenteGzip, compressed, get
from sente.packers.codings import compress, gunzip
from sente.packers.compression import BEST_FIRST, NUMBERS
from sente.packers.limits import UnpackLimits
from sente.packers.negotiation import choose, packers
from sente.protocol.messages import Event, Events
from sente.push import pack_event, write_frame
from sente.testing import check_packer
from tests.packers.test_negotiation import Reversed

NAMES = ["json", "transit", "msgpack", "cbor"]
TABLE = [{"id": number, "name": f"先手 {number}", "note": None} for number in range(100)]
every_coding = pytest.mark.parametrize("coding", BEST_FIRST)


class Odd:
    """A packer of bytes that all begin as what is compressed does."""

    name = "odd"

    def pack(self, value: Any, /) -> bytes:
        return b"\xc1\x01" + get("msgpack").pack(value)  # type: ignore[operator]  # bytes

    def unpack(self, wire: Any, /) -> Any:
        if wire[:2] != b"\xc1\x01":
            raise UnpackError("not odd")
        return get("msgpack").unpack(wire[2:])


@pytest.mark.parametrize("packer", [*map(get, NAMES), Reversed()], ids=lambda packer: packer.name)
@pytest.mark.parametrize("threshold", [0, 1024])
def test_it_is_a_packer(packer: Any, threshold: int) -> None:
    wrapped = compressed(packer, threshold=threshold)
    assert isinstance(wrapped, VariedPacker)
    assert bool(joinable(wrapped)) == bool(joinable(packer))
    check_packer(wrapped, "x" * 5000, TABLE, "", [])


@every_coding
@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_for_whom(name: str, coding: str) -> None:
    packer, bare = compressed(get(name)), get(name)
    wire = packer.for_peer({coding}).pack(TABLE)
    assert isinstance(wire, bytes)
    assert wire[0] == 0xC1 and wire[1] == NUMBERS[coding] + 16 * isinstance(bare.pack(1), str)
    assert len(wire) < len(bare.pack(TABLE)) / 3
    for reader in (packer, packer.for_peer(()), compressed(bare, codings=[coding])):
        assert reader.unpack(wire) == TABLE
    for other in ((), {"unheard-of"}):
        assert packer.for_peer(other).pack(TABLE) == bare.pack(TABLE)
    assert bare.unpack(packer.pack([1])) == [1]


def test_frames_that_begin_like_compressed_ones() -> None:
    packer = compressed(Odd())
    for value in (1, [2], "x" * 3000):
        assert packer.unpack(packer.pack(value)) == value
    assert packer.pack(1) == b"\xc1\x00\xc1\x01\x01"
    assert packer.for_peer(()).pack(1) == b"\xc1\x01\x01"  # for whom it is not known, nothing is put in front


@pytest.mark.parametrize(("size", "marked"), [(1023, False), (1024, True)])
def test_the_threshold(size: int, marked: bool) -> None:
    packer = compressed(get("msgpack"))
    assert (packer.pack("x" * (size - 3))[:1] == b"\xc1") == marked
    assert compressed(get("json"), threshold=10).pack("x" * 50)[:1] == b"\xc1"


@pytest.mark.parametrize("size", [1500, 100_000])
def test_what_does_not_shrink_is_left(size: int) -> None:
    noise = random.Random(1).randbytes(size)
    assert compressed(get("msgpack")).pack(noise) == get("msgpack").pack(noise)


def test_the_offer() -> None:
    packer = compressed(get("json"), codings=["deflate", "gzip"])
    assert offer(packer) == "json+deflate+gzip"
    served = packers([packer])
    assert choose(served, "json+gzip") is packer.for_peer(["gzip"]) is packer.for_peer(["gzip", "zstd"])
    assert choose(served, "json+gzip deflate") is packer
    assert choose(served, "json").pack(TABLE) == get("json").pack(TABLE)
    assert is_plain_json(packer) and not is_plain_json(compressed(get("cbor")))


BIG = b"[" + b" " * 50_000_000 + b"]"


@every_coding
@pytest.mark.parametrize(("name", "text"), [("json", 16), ("msgpack", 0)])
def test_what_swells_is_stopped_in_time(name: str, text: int, coding: str) -> None:
    packer = compressed(get(name), limits=UnpackLimits(size=1_000_000))
    bomb = bytes([0xC1, NUMBERS[coding] + text]) + compress(BIG, coding)
    tracemalloc.start()
    with pytest.raises(UnpackError, match="longer than 1000000 bytes"):
        packer.unpack(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@every_coding
def test_what_is_broken(coding: str) -> None:
    packer = compressed(get("json"))
    whole = compress(b"[1, 2]", coding)
    mark = bytes([0xC1, NUMBERS[coding] + 16])
    assert packer.unpack(mark + whole) == [1, 2]
    nested = mark + compress(mark + whole, coding)
    for broken in (whole[:-1], whole + b"\0", whole + whole, b"", b"\0" + whole, compress(b"\xff", coding)):
        with pytest.raises(UnpackError):
            packer.unpack(mark + broken)
    with pytest.raises(UnpackError, match="UTF-8"):
        packer.unpack(nested)
    inside = compressed(get("msgpack"))
    mark = bytes([0xC1, NUMBERS[coding]])
    with pytest.raises(UnpackError, match="c1"):
        inside.unpack(mark + compress(mark + compress(b"\x90", coding), coding))


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (b"\xc1", "another way than gzip"),
        (b"\xc1\x10[]", "another way than gzip"),
        (b"\xc1\x07", "another way than gzip"),
        (b"\xc1\x12" + zlib.compress(b"[]"), "another way than gzip"),
        (b"\xc1\x31" + gzip.compress(b"[]"), "another way than gzip"),
        (b"\xc1\x11" + zlib.compress(b"[]"), "not gzip"),
        (b"\xc1\x11" + b"x" * 2000, "longer than the 1000 bytes"),
    ],
)
def test_what_was_not_offered(wire: bytes, says: str) -> None:
    packer = compressed(get("json"), codings=["gzip"], limits=UnpackLimits(size=1000))
    with pytest.raises(UnpackError, match=says):
        packer.unpack(wire)


@pytest.mark.parametrize("name", ["auto", "json"])
def test_what_compresses_already(name: str) -> None:
    once = get(name) if name == "auto" else compressed(get(name))
    for twice in (once, SenteGzip(get("json"))):
        with pytest.raises(ConfigError, match="compresses already"):
            compressed(twice)
    with pytest.raises(ConfigError, match="compresses already"):
        SenteGzip(once)


@pytest.mark.parametrize("codings", [[], ["brotli"], ["gzip", "gzip"], "gzip"])
def test_codings_that_make_no_sense(codings: Any) -> None:
    with pytest.raises(ConfigError, match="some of gzip, deflate, zstd"):
        compressed(get("json"), codings=codings)
    with pytest.raises(ConfigError, match="threshold=-1"):
        compressed(get("json"), threshold=-1)


def test_without_zstandard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sente.packers.compression.BEST_FIRST", ("gzip", "deflate"))
    with pytest.raises(ConfigError, match=r"sente-channels\[zstd\]"):
        compressed(get("json"), codings=["zstd"])


def test_a_push_is_compressed_once_for_all_who_inflate_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(frame: bytes, coding: str) -> bytes:
        calls.append(coding)
        return b"squeezed"

    monkeypatch.setattr("sente.packers.compression.shrunk", counted)
    packer = compressed(get("json"))
    variants = [packer.for_peer([coding]) for coding in ("gzip", "deflate")] + [packer.for_peer([])]
    push: Event = pack_event("a/b", TABLE, variants, 100_000)
    for _ in range(5):
        frames = [write_frame(Events((push,)), variant) for variant in variants]
        assert frames[:2] == [b"\xc1\x11squeezed", b"\xc1\x12squeezed"] and isinstance(frames[2], str)
    assert calls == ["gzip", "deflate"]


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize("name", NAMES)
async def test_it_travels(transport: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inflated: list[str] = []

    def counted(frame: bytes, limit: int, coding: str) -> bytes:
        inflated.append(coding)
        return gunzip(frame, limit, coding)

    monkeypatch.setattr("sente.packers.compression.gunzip", counted)
    packer = compressed(get(name), codings=["gzip"])
    chsk = ChannelSocket(packers=[compressed(get(name))], user_id=lambda _: "ada")
    bare = Client(app=chsk, transport=transport, packers=[get(name)])
    async with chsk, Client(app=chsk, transport=transport, packers=[packer]) as client, bare:
        heard = [one.events("value/said") for one in (client, bare)]
        chsk.send("ada", "value/said", TABLE, flush=True)
        assert [(await anext(events)).data for events in heard] == [TABLE, TABLE]
        assert inflated == ["gzip"]
        for events in heard:
            await events.aclose()
