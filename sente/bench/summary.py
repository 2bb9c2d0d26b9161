"""What a run comes to: each codec in one line, and which packers to name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sente.bench.results import CodecInfo, Row, Run, geometric_mean

MEGABITS = 100
"""Speed of the line, when bytes and microseconds are added up: a good home or office connection."""
AUTO = '"auto"'
CLOSE = 1.1
"""Up to here ``auto`` is preferred to what was faster: it keeps more types, and suits the payloads not measured too."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One codec over all payloads it carries. Means are geometric; None where it carries nothing."""

    codec: CodecInfo
    same: int
    lossy: int
    failed: int
    pack: float | None
    """Times as long as the yardstick."""
    unpack: float | None
    wire: float | None
    """Times as many bytes as the smallest form that any codec had for the same payload, compressed or not."""


def standings(run: Run) -> list[Standing]:
    """Every codec of a run, in its order."""
    return [_standing(run, codec) for codec in run.codecs]


def _standing(run: Run, codec: CodecInfo) -> Standing:
    rows = [row for row in run.rows if row.codec == codec.name]
    kept = [row.keeps for row in rows]
    pack = [ratio for row in rows if (ratio := run.ratio(row, "pack"))]
    unpack = [ratio for row in rows if (ratio := run.ratio(row, "unpack"))]
    wire = [ratio for row in rows if (ratio := wire_ratio(run, row))]
    counts = kept.count("same"), kept.count("lossy"), kept.count("failed")
    return Standing(codec, *counts, *(geometric_mean(ratios) if ratios else None for ratios in (pack, unpack, wire)))


def wire_ratio(run: Run, row: Row) -> float | None:
    """Bytes of a row in relation to the smallest form of its payload that loses nothing (or at all, if all do)."""
    rows = [other for other in run.rows if other.payload == row.payload and other.size is not None]
    rows = [other for other in rows if other.keeps == "same"] or rows
    sizes = [size for other in rows for size in (other.size, other.gzip, other.zstd) if size is not None]
    return row.size / min(sizes) if row.size is not None else None


def cost(row: Row) -> float | None:
    """Microseconds to pack a payload, to send it through ``MEGABITS``, and to unpack it."""
    if row.pack is None or row.unpack is None or row.size is None:
        return None
    return row.pack.median + row.unpack.median + row.size * 8 / MEGABITS


@dataclass(frozen=True, slots=True)
class Advice:
    """The line to paste, and why."""

    line: str
    why: str


@dataclass(frozen=True, slots=True, order=True)
class _Candidate:
    """A codec that carries every payload; the smaller one loses less, then costs less."""

    lossy: int
    cost: float
    name: str
    spelling: str

    def told(self, payloads: int) -> str:
        loses = f" and loses types in {self.lossy} of {payloads}" if self.lossy else ""
        return f"{self.name} costs {self.cost:.3g} µs{loses}"


def advice(run: Run, spellings: Mapping[str, str]) -> Advice | None:
    """Which packers to name for these payloads; None if none of ours carries all of them.

    Args:
        run: what was measured.
        spellings: for each codec that may be recommended, how it is written in ``packers=[...]``.
    """
    candidates = sorted(_candidates(run, spellings))
    if not candidates:
        return None
    best = candidates[0]
    equals = [each for each in candidates if each.lossy == best.lossy]
    auto = next((each for each in equals if each.spelling == AUTO), None)
    chosen = auto if auto and auto.cost <= best.cost * CLOSE else best
    line = _spelled([chosen.spelling, *([AUTO] if auto and chosen is not auto else [])])
    others = [each for each in candidates if each.spelling != chosen.spelling][:3]
    why = f"{chosen.told(len(run.payloads))} (pack, send at {MEGABITS} Mb/s, unpack; geometric mean)"
    if chosen is not best:
        why += f", within {CLOSE - 1:.0%} of the cheapest, and suits other payloads too"
    return Advice(f"packers={line}", "; ".join([why, *(each.told(len(run.payloads)) for each in others)]) + ".")


def _candidates(run: Run, spellings: Mapping[str, str]) -> Iterator[_Candidate]:
    for standing in standings(run):
        name = standing.codec.name
        costs = [spent for row in run.rows if row.codec == name and (spent := cost(row))]
        if name in spellings and costs and not standing.failed:
            yield _Candidate(standing.lossy, geometric_mean(costs), name, spellings[name])


def _spelled(words: list[str]) -> str:
    """
    >>> _spelled(['"msgpack"', '"auto"']), _spelled(["Mine()", '"auto"'])
    ('"msgpack,auto"', '[Mine(), "auto"]')
    """
    if all(word.startswith('"') for word in words):
        return '"' + ",".join(word.strip('"') for word in words) + '"'
    return f"[{', '.join(words)}]"
