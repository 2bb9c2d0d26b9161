"""Where the server spends its time: a flame graph of each workload, by py-spy, which looks at it 500 times a second.

``python -m benchmarks.messaging.profile`` takes a minute and writes ``results/profile/*.svg``: open them in a browser.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.messaging.run import CONNECTIONS, RESULTS, load, serving

PROFILES = RESULTS.parent / "profile"
PY_SPY = Path(sys.executable).parent / "py-spy"


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw where the server spends its time.")
    parser.add_argument("--server", choices=("sente", "direct"), default="direct", help="direct: with our class")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each workload")
    options = parser.parse_args()
    PROFILES.mkdir(parents=True, exist_ok=True)
    for what in CONNECTIONS:
        print(f"profiling {what}", file=sys.stderr, flush=True)
        drawing = PROFILES / f"{what}.svg"
        looking = [str(PY_SPY), "record", "--rate", "500", "--output", str(drawing), "--"]
        with serving(options.server, through=looking) as (port, pid):
            load(options.server, port, pid, what, options.seconds)
        print(drawing)


if __name__ == "__main__":
    main()
