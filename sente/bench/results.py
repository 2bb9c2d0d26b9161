"""What a run found out, as values and as JSON."""

import json
from dataclasses import asdict, dataclass, field
from math import exp, log
from typing import Any, Literal, Self

SCHEMA = 1

Keeps = Literal["same", "lossy", "failed"]
"""Whether what comes back is what went in. It stands beside each time: to throw something away is not to be fast."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Microseconds for one call: the median of the rounds, the fastest and the slowest."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Row:
    """One codec on one payload. Without times and sizes it failed, and ``why`` says how."""

    payload: str
    codec: str
    keeps: Keeps
    why: str = ""
    pack: Spread | None = None
    unpack: Spread | None = None
    size: int | None = None
    """Bytes on the wire."""
    gzip: int | None = None
    """Bytes after gzip, level 6."""
    zstd: int | None = None
    """Bytes after Zstandard, level 3; None where ``zstandard`` is not installed."""


@dataclass(frozen=True, slots=True)
class CodecInfo:
    """What is to be known about a codec besides its numbers."""

    name: str
    version: str
    ours: bool
    runtime: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class PayloadInfo:
    """What was measured on."""

    name: str
    about: str
    json_size: int | None
    """Bytes as plain JSON, with types as strings, to have an idea; None if it has no plain form."""


@dataclass(frozen=True, slots=True)
class Run:
    """All of one run."""

    machine: str
    date: str
    rounds: int
    yardsticks: dict[str, str]
    """By runtime, the codec that times are set in relation to."""
    codecs: list[CodecInfo]
    payloads: list[PayloadInfo]
    rows: list[Row]
    absent: dict[str, str] = field(default_factory=dict)
    """What was not measured, and what would have to be installed for it."""

    def row(self, payload: str, codec: str) -> Row | None:
        """The row of a codec on a payload."""
        return next((row for row in self.rows if row.payload == payload and row.codec == codec), None)

    def codec(self, name: str) -> CodecInfo:
        """What is known of a codec."""
        return next(codec for codec in self.codecs if codec.name == name)

    def ratio(self, row: Row, what: Literal["pack", "unpack"]) -> float | None:
        """How many times as long as the yardstick of the same runtime this took."""
        yardstick = self.row(row.payload, self.yardsticks[self.codec(row.codec).runtime])
        mine, other = getattr(row, what), yardstick and getattr(yardstick, what)
        return mine.median / other.median if mine and other else None

    def to_json(self) -> str:
        """The run as JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is of another schema.
        """
        plain = json.loads(text)
        if not isinstance(plain, dict) or plain.pop("schema", None) != SCHEMA:
            raise ValueError(f"this is no result of `sente bench` (schema {SCHEMA})")
        return cls.from_plain(plain)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """Read what ``asdict`` made of a run."""
        return cls(
            **{
                **plain,
                "codecs": [CodecInfo(**codec) for codec in plain["codecs"]],
                "payloads": [PayloadInfo(**payload) for payload in plain["payloads"]],
                "rows": [_row(row) for row in plain["rows"]],
            }
        )


def _row(plain: dict[str, Any]) -> Row:
    spreads = {key: Spread(**plain[key]) for key in ("pack", "unpack") if plain.get(key)}
    return Row(**{**plain, **spreads})


def geometric_mean(ratios: list[float]) -> float:
    """The mean that belongs to ratios: twice as fast here and half as fast there is even.

    >>> geometric_mean([2.0, 0.5])
    1.0
    """
    return exp(sum(map(log, ratios)) / len(ratios))
