"""One run: codecs on payloads, with what is needed to repeat it."""

import datetime
import json
import os
import platform
from collections.abc import Sequence

from sente.bench.codecs import Absent, Codec
from sente.bench.corpus import Payload
from sente.bench.peers import YARDSTICK, plain
from sente.bench.results import CodecInfo, PayloadInfo, Run
from sente.bench.timing import ROUNDS, SAMPLE, Progress, measure


def run(
    codecs: Sequence[Codec],
    payloads: Sequence[Payload],
    absent: Sequence[Absent] = (),
    *,
    rounds: int = ROUNDS,
    sample: float = SAMPLE,
    progress: Progress = lambda _: None,
) -> Run:
    """Measure; the arguments are those of ``measure``, and what could not be measured."""
    return Run(
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{platform.python_implementation()} {platform.python_version()}",
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        rounds=rounds,
        yardsticks={"python": YARDSTICK},
        codecs=[CodecInfo(each.name, each.version, each.ours, "python", each.note) for each in codecs],
        payloads=[PayloadInfo(each.name, each.about, _json_size(each)) for each in payloads],
        rows=measure(codecs, payloads, rounds=rounds, sample=sample, progress=progress),
        absent={each.name: each.needs for each in absent},
    )


def _json_size(payload: Payload) -> int | None:
    try:
        return len(json.dumps(payload.value, separators=(",", ":"), ensure_ascii=False, default=plain).encode())
    except (TypeError, ValueError):
        return None
