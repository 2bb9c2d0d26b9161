"""The whole benchmark of the packers: all of ours and all peers, in Python and in Node, on all payloads.

``python -m benchmarks.run`` writes ``results/packers.json`` and draws it as ``.html``, ``.svg`` and ``.png``. What of
the peers is not installed is named as absent; ``make bench`` installs them all first.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.node import add_node
from benchmarks.transit2 import transit_python2
from sente.bench.codecs import built_in
from sente.bench.corpus import corpus, public_corpus
from sente.bench.peers import peers
from sente.bench.plot import SUFFIXES, save
from sente.bench.run import run
from sente.bench.table import terminal

RESULTS = Path(__file__).parent / "results"
ROUNDS, SAMPLE = 31, 0.004


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure all packers and their peers.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--sample", type=float, default=SAMPLE, help="seconds")
    options = parser.parse_args()
    payloads = [*corpus(), *public_corpus()]
    others, absent = peers()
    older, missing = transit_python2()
    found = run(
        [*built_in([]), *others, *older],
        payloads,
        [*absent, *missing],
        rounds=options.rounds,
        sample=options.sample,
        progress=_say,
    )
    found = add_node(found, payloads, options.rounds, options.sample)
    print(terminal(found))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "packers.json").write_text(found.to_json())
    for suffix in SUFFIXES:
        save(found, RESULTS / f"packers{suffix}")


def _say(what: str) -> None:
    payload, _, turn = what.partition(", ")
    if turn.startswith("round 1 "):
        print(f"measuring {payload}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
