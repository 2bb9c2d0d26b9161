"""The packers in Node, ours and the peers: hands them the same payloads, and adds what they found to a run."""

import base64
import datetime
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from sente.bench.corpus import Payload
from sente.bench.results import Run

HERE = Path(__file__).parent
SAFE = 2**53
"""JavaScript's numbers hold whole numbers below this."""


def add_node(run: Run, payloads: Sequence[Payload], rounds: int, sample: float) -> Run:
    """A run with the packers in Node in it; without Node they are named as absent."""
    node = shutil.which("node")
    if node is None:
        return replace(run, absent={**run.absent, "the packers in Node": "Node 20 or newer"})
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.json"
        corpus.write_text(json.dumps([{"name": each.name, "value": tagged(each.value)} for each in payloads]))
        command = [node, str(HERE / "node.mjs"), str(corpus), str(rounds), str(sample)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, check=True)
    found = json.loads(done.stdout)
    plain = asdict(run)
    plain["codecs"] += found["codecs"]
    plain["rows"] += found["rows"]
    plain["yardsticks"]["node"] = found["yardstick"]
    plain["absent"] |= found["absent"]
    return Run.from_plain(plain)


def tagged(value: Any) -> Any:
    """A value as JSON, with a mark on what JSON has no type for."""
    match value:
        case dict():
            return {key: tagged(inner) for key, inner in value.items()}
        case list():
            return [tagged(inner) for inner in value]
        case set():
            return {"$type": "set", "items": [tagged(inner) for inner in sorted(value)]}
        case bytes():
            return {"$type": "bytes", "text": base64.b64encode(value).decode()}
        case datetime.datetime():
            return {"$type": "datetime", "text": value.isoformat()}
        case uuid.UUID():
            return {"$type": "uuid", "text": str(value)}
        case Decimal():
            return {"$type": "decimal", "text": str(value)}
        case int() if not -SAFE < value < SAFE:
            return {"$type": "integer", "text": str(value)}
        case _:
            return value
