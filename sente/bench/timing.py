"""Takes the times, in turn.

A shared computer is twice as fast in one minute as in the next. So the codecs take turns in short rounds, the order
moves on from round to round, and the median of each is compared with those of the others in the same rounds.
"""

import gc
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import Any

from sente.bench.codecs import Codec
from sente.bench.corpus import Payload, same
from sente.bench.results import Keeps, Row, Spread

ROUNDS = 15
"""Enough that the median does not move by more than a few percent, when the computer is quiet."""
SAMPLE = 0.002
"""Seconds for one sample: long against the clock, short against the moods of the machine."""

Progress = Callable[[str], None]


@dataclass(slots=True)
class _Trial:
    """One codec on one payload, on its way through the rounds."""

    codec: Codec
    pack: Callable[[Any], Any]
    wire: Any
    keeps: Keeps
    counts: tuple[int, int] = (1, 1)
    packed: list[float] = field(default_factory=list)
    unpacked: list[float] = field(default_factory=list)


def measure(
    codecs: Sequence[Codec],
    payloads: Sequence[Payload],
    *,
    rounds: int = ROUNDS,
    sample: float = SAMPLE,
    progress: Progress = lambda _: None,
) -> list[Row]:
    """Run each codec on each payload.

    Args:
        codecs: what to measure.
        payloads: what to measure on.
        rounds: how often each takes its turn.
        sample: seconds of one turn at packing, and of one at unpacking.
        progress: told what is being done.
    """
    rows = []
    for number, payload in enumerate(payloads, 1):
        begun = [_begin(codec, payload) for codec in codecs]
        trials = [trial for trial in begun if isinstance(trial, _Trial)]
        for trial in trials:
            trial.counts = _count(trial.pack, payload.value, sample), _count(trial.codec.unpack, trial.wire, sample)
        for turn in range(rounds):
            progress(f"{payload.name} ({number} of {len(payloads)}), round {turn + 1} of {rounds}")
            first = turn % len(trials) if trials else 0
            for trial in trials[first:] + trials[:first]:
                trial.packed.append(_time(trial.pack, payload.value, trial.counts[0]))
                trial.unpacked.append(_time(trial.codec.unpack, trial.wire, trial.counts[1]))
        rows += [trial if isinstance(trial, Row) else _finish(trial, payload) for trial in begun]
    return rows


def _begin(codec: Codec, payload: Payload) -> _Trial | Row:
    error: Exception | None = None
    for pack in (codec.pack, codec.pack_lossy):
        if pack is None:
            continue
        try:
            wire = pack(payload.value)
            back = codec.unpack(wire)
        except Exception as raised:  # a codec under test may raise anything, and that is then the result
            error = error or raised
        else:
            return _Trial(codec, pack, wire, "same" if same(payload.value, back) else "lossy")
    why = " ".join(f"{type(error).__name__}: {error}".split())
    return Row(payload.name, codec.name, "failed", why if len(why) <= 120 else f"{why[:117]}...")


def _finish(trial: _Trial, payload: Payload) -> Row:
    wire = trial.wire.encode() if isinstance(trial.wire, str) else bytes(trial.wire)
    return Row(
        payload.name,
        trial.codec.name,
        trial.keeps,
        pack=_spread(trial.packed),
        unpack=_spread(trial.unpacked),
        size=len(wire),
        gzip=gzip_size(wire),
        zstd=zstd_size(wire),
    )


def _count(call: Callable[[Any], Any], argument: Any, sample: float) -> int:
    """How often a call fits into a sample; at least once."""
    count = 1
    while count < 1_000_000:
        seconds = _time(call, argument, count) * count
        if seconds >= sample / 4:
            return max(1, round(count * sample / seconds))
        count *= 4
    return count


def _time(call: Callable[[Any], Any], argument: Any, count: int) -> float:
    """Seconds for one call, without the garbage collector, which would come at somebody's turn."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = perf_counter()
        for _ in repeat(None, count):
            call(argument)
        return (perf_counter() - start) / count
    finally:
        if collecting:
            gc.enable()


def _spread(seconds: list[float]) -> Spread:
    return Spread(*(round(s * 1e6, 4) for s in (median(seconds), min(seconds), max(seconds))))


def gzip_size(wire: bytes) -> int:
    """Bytes after gzip, level 6."""
    return len(zlib.compress(wire, 6, wbits=31))


def zstd_size(wire: bytes) -> int | None:
    """Bytes after Zstandard, level 3; None if it is not installed."""
    if find_spec("zstandard") is None:
        return None
    return len(import_module("zstandard").ZstdCompressor(level=3).compress(wire))
