"""Pushes from one process to the clients of another, through a broker, beside python-socketio with its Redis manager.

``python -m benchmarks.cluster.run`` takes a minute and writes ``results/cluster.json``. Both processes and the broker
share one core, and the load has the other: so deliveries per second are what all of it costs.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median

from sente.bench.table import Table, markdown

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "cluster.json"
SERVERS = {
    "sente, redis": "sente, Redis",
    "sente, nats": "sente, NATS",
    "sente, redis, durable": "sente, Redis, `durable=True`",
    "socketio, redis": "python-socketio, Redis",
}
UNITS = (
    "deliveries/s to users of another process",
    "µs from push to delivery, one at a time",
    "µs CPU per delivery: who pushes",
    "who delivers",
    "the broker",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure pushes between processes.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    options = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    for turn in range(options.rounds):
        for name in SERVERS:
            print(f"round {turn + 1} of {options.rounds}: {name}", file=sys.stderr, flush=True)
            for unit, value in zip(UNITS, measure(name, options.seconds), strict=True):
                found.setdefault(unit, {}).setdefault(name, []).append(round(value, 1))
    of = ("redis", "nats-py", "python-socketio", "uvicorn", "uvloop")
    result = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": [f"CPython {platform.python_version()}", *(f"{name} {version(name)}" for name in of)],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "rounds": options.rounds,
        "found": found,
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(markdown(table(found)))


def measure(name: str, seconds: float) -> list[float]:
    """One of ``SERVERS``, twice, and its broker."""
    app, kind, *more = name.split(", ")
    with ExitStack() as stack:
        url, pid_of_broker = stack.enter_context(broker(kind))
        serving = (stack.enter_context(_serving(app, {"BROKER": url, "DURABLE": "".join(more)})) for _ in range(2))
        (one, pid), (other, pid_of_other) = serving
        command = ["node", str(Path(__file__).parent / "load.mjs"), app, str(one), str(other), str(seconds)]
        command += [str(pid_of_other), str(pid), str(pid_of_broker)]
        done = subprocess.run([*_on_core(1), *command], stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    measured: list[float] = json.loads(done.stdout)
    return measured


@contextmanager
def broker(kind: str) -> Iterator[tuple[str, int]]:
    port = str(free_port())
    program = shutil.which(f"{kind}-server") or f"/usr/sbin/{kind}-server"
    options = (
        ["--port", port, "--save", "", "--appendonly", "no"] if kind == "redis" else ["-a", "127.0.0.1", "-p", port]
    )
    with running([*_on_core(0), program, *options], int(port), {}) as pid:
        yield f"{kind}://127.0.0.1:{port}", pid


@contextmanager
def _serving(app: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", f"benchmarks.cluster.apps:{app}", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio"]
    command += ["--ws-per-message-deflate", "false", "--log-level", "warning", "--no-access-log"]
    with running([*_on_core(0), *command], port, environment) as pid:
        yield port, pid


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[int]:
    """A server that listens."""
    environment = {**os.environ, **environment}
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=silent, stderr=silent) as process:
        try:
            for _ in range(200):
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} does not start")
                with socket.socket() as attempt:
                    if attempt.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield process.pid
        finally:
            process.kill()


def _on_core(core: int) -> list[str]:
    return ["taskset", "--cpu-list", str(core)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def table(found: dict[str, dict[str, list[float]]]) -> Table:
    """Medians, and in relation to python-socketio."""
    rows = [["both processes and the broker on one core", *found]]
    for server, name in SERVERS.items():
        cells = []
        for values in found.values():
            mine, base = median(values[server]), median(values["socketio, redis"])
            cells.append(f"{mine:,.0f} ({mine / base:.2f}×)" if base else f"{mine:,.0f}")
        rows.append([name, *cells])
    return rows


if __name__ == "__main__":
    main()
