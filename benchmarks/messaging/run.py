"""The messaging benchmark: sente, its peers in Python and Node, and bare WebSockets, in one run.

``python -m benchmarks.messaging.run`` takes ten minutes and writes ``results/messaging.json``. The server has one core
to itself and the load the other, so it needs two. Each is measured in turn, round by round; medians are compared.
"""

import argparse
import datetime
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TypeAlias

from sente.bench.table import Table, markdown

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "messaging.json"
SERVERS = {
    "sente": "sente",
    "direct": "sente, with its class for uvicorn",
    "socketio": "python-socketio",
    "socketio-node": "Socket.IO, on Node",
    "asgi": "bare ASGI",
    "starlette": "bare Starlette",
    "websockets": "bare websockets",
    "aiohttp": "bare aiohttp",
    "picows": "bare picows",
    "ws": "bare ws, on Node",
}
RAW = ("websockets", "aiohttp", "picows")
NODE = ("socketio-node", "ws")
DIRECT = "sente.integrations.uvicorn:WebSocketProtocol"
CONNECTIONS = {"echo": 50, "poll": 50, "push": 500, "open": 500, "idle": 500}
"""What is measured, and with how many connections."""
POLLING = ("sente", "socketio")
"""Who speaks long-polling. The class for uvicorn is one for WebSockets."""
UNITS = {
    "echo": ("requests/s, 50 connections", "µs CPU per request"),
    "poll": ("requests/s over long-polling, 50 clients", "µs CPU per such request"),
    "push": ("deliveries/s, 500 clients", "µs CPU per delivery"),
    "open": ("new connections/s",),
    "idle": ("KB per idle connection",),
}
OF = ("python-socketio", "starlette", "uvicorn", "uvloop", "httptools", "websockets", "aiohttp", "picows")

Found: TypeAlias = dict[str, dict[str, list[float]]]
"""By unit and server, what each round measured."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure messaging against its peers.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("this needs two cores: one for the server, one for the load")
    found: Found = {}
    for turn in range(options.rounds):
        first = turn % len(SERVERS)
        for server in [*SERVERS][first:] + [*SERVERS][:first]:
            for what in CONNECTIONS:
                if what == "poll" and server not in POLLING:
                    continue
                print(f"round {turn + 1} of {options.rounds}: {what} of {server}", file=sys.stderr, flush=True)
                for unit, value in zip(UNITS[what], _measure(server, what, options.seconds), strict=True):
                    found.setdefault(unit, {}).setdefault(server, []).append(round(value, 1))
    result = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": [f"CPython {platform.python_version()}", *(f"{name} {version(name)}" for name in OF)],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "found": found,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(markdown(table(found)))


def _measure(server: str, what: str, seconds: float) -> list[float]:
    with serving(server) as (port, pid):
        return load(server, port, pid, what, seconds)


def load(server: str, port: int, pid: int, what: str, seconds: float) -> list[float]:
    """Load the server, on the other core; what was measured, in the ``UNITS`` of it."""
    app = "sente" if server == "direct" else server
    node = ["node", str(Path(__file__).parent / "load.mjs"), app, str(port), what]
    command = [*_on_core(1), *node, str(seconds), str(CONNECTIONS[what]), str(pid)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    measured: list[float] = json.loads(done.stdout)
    return measured


@contextmanager
def serving(server: str, through: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
    """A server in a process of its own, on one core; started ``through`` a program, which then stops it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with subprocess.Popen([*_on_core(0), *through, *_command(server), "--port", str(port)], cwd=ROOT) as process:
        try:
            _wait(port, process)
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGINT if through else signal.SIGKILL)


def _command(server: str) -> list[str]:
    if server in NODE:
        return ["node", "benchmarks/messaging/raw.mjs", server]
    if server in RAW:
        return [sys.executable, "-m", "benchmarks.messaging.raw", server]
    app, ws = ("sente", DIRECT) if server == "direct" else (server, "websockets-sansio")
    command = [sys.executable, "-m", "uvicorn", "--factory", f"benchmarks.messaging.apps:{app}"]
    command += ["--loop", "uvloop", "--http", "httptools", "--ws", ws]
    return [*command, "--ws-per-message-deflate", "false", "--log-level", "warning", "--no-access-log"]


def _on_core(core: int) -> list[str]:
    return ["taskset", "--cpu-list", str(core)]


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise SystemExit("the server does not start")
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server does not answer")


def table(found: Found) -> Table:
    """Medians, and in relation to python-socketio."""
    rows = [["on one core", *found]]
    for server, name in SERVERS.items():
        if not any(server in values for values in found.values()):
            continue  # it was not measured
        cells = []
        for values in found.values():
            if server not in values:
                cells.append("")
                continue
            mine, base = median(values[server]), median(values["socketio"])
            cells.append(f"{mine:,.0f} ({mine / base:.2f}×)")
        rows.append([name, *cells])
    return rows


if __name__ == "__main__":
    main()
