"""The messaging benchmark: sente, its peers in Python and Node, and bare WebSockets, in one run.

``python -m benchmarks.messaging.run`` takes a quarter of an hour and writes ``results/messaging.json``. The server has
one core to itself and the load the other, so it needs two. All take turns, round by round; medians are compared.
"""

import argparse
import datetime
import json
import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from benchmarks.messaging.tables import Found, tables
from benchmarks.messaging.workloads import LOADS, SERVERS, Load, Server

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "messaging.json"
DIRECT = "sente.integrations.uvicorn:WebSocketProtocol"
OF = (
    "python-socketio",
    "starlette",
    "fastapi",
    "uvicorn",
    "uvloop",
    "httptools",
    "websockets",
    "aiohttp",
    "picows",
)
QUICK = 0.3
"""Seconds of each measurement, to see whether it works."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure messaging against its peers.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of one measurement")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"of {', '.join([*LOADS, *SERVERS])}")
    parser.add_argument("--quick", action="store_true", help="one short round: whether it works")
    options = parser.parse_args()
    if unknown := {*options.only} - {*LOADS, *SERVERS}:
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}")
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("this needs two cores: one for the server, one for the load")
    allow_files()
    rounds, seconds = (1, QUICK) if options.quick else (options.rounds, options.seconds)
    found: Found = {}
    for turn in range(rounds):
        for name, server in _in_turn(turn, options.only):
            print(f"round {turn + 1} of {rounds}: {name} of {server}", file=sys.stderr, flush=True)
            load, long = LOADS[name], not options.quick and LOADS[name].seconds
            with serving(SERVERS[server]) as (port, pid):
                measured = measure(SERVERS[server], load, port, pid, long or seconds)
            found.setdefault(name, {}).setdefault(server, []).append(measured)
    result = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": [f"CPython {platform.python_version()}", *(f"{name} {version(name)}" for name in OF)],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "rounds": rounds,
        "seconds": seconds,
        "found": found,
    }
    if options.quick or options.only:
        print("not all, so results/messaging.json stays as it is", file=sys.stderr)
    else:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    for title, text in tables(found).items():
        print(f"\n{title}\n\n{text}")


def _in_turn(turn: int, only: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each load with each of its servers; another server is the first in each round."""
    names = [name for name in LOADS if name in only] or [*LOADS]
    servers = [name for name in SERVERS if name in only] or [*SERVERS]
    for name in names:
        if turn and LOADS[name].once:
            continue
        peers = [server for server in LOADS[name].servers if server in servers]
        first = turn % max(1, len(peers))
        yield from ((name, server) for server in peers[first:] + peers[:first])


def measure(server: Server, load: Load, port: int, pid: int, seconds: float) -> list[float | None]:
    """Load the server, from the other core: what was measured, µs of its CPU for each, and percent of a core that the
    load took. From 95 on, the load may be what was measured."""
    asked = {
        "what": load.what,
        "dialect": server.dialect,
        "packer": server.packer,
        "seconds": seconds,
        "connections": load.connections,
        "depth": load.depth,
        "burst": load.burst,
        "size": load.size,
        "devices": load.devices,
        "typed": load.typed,
    }
    node = ["node", str(Path(__file__).parent / "load.mjs"), str(port), str(pid), json.dumps(asked)]
    done = subprocess.run([*_on_core(1), *node], stdout=subprocess.PIPE, text=True, check=True, timeout=180)
    return [None if value is None else round(value, 2) for value in json.loads(done.stdout)]


@contextmanager
def serving(server: Server, through: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
    """A server in a process of its own, on one core; started ``through`` a program, which then stops it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [*_on_core(0), *through, *_command(server), "--port", str(port)]
    told = {"PACKERS": server.packer, "SPARED": "1" if server.spared else ""}
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **told}) as process:
        try:
            _wait(port, process)
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGINT if through else signal.SIGKILL)


def _command(server: Server) -> list[str]:
    if server.on == "node":
        return ["node", "benchmarks/messaging/raw.mjs", server.app]
    if server.on == "raw":
        return [sys.executable, "-m", "benchmarks.messaging.raw", server.app]
    ws = DIRECT if server.on == "direct" else "websockets-sansio"
    command = [sys.executable, "-m", "uvicorn", "--factory", f"benchmarks.messaging.apps:{server.app}"]
    command += ["--loop", "uvloop", "--http", "httptools", "--ws", ws]
    return [*command, "--ws-per-message-deflate", "false", "--log-level", "warning", "--no-access-log"]


def _on_core(core: int) -> list[str]:
    return ["taskset", "--cpu-list", str(core)]


def allow_files() -> None:
    """As many as 5,000 connections need, here and in what is started from here."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < 6000:
        raise SystemExit(f"5,000 connections need as many open files: `ulimit -Hn` is {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (6000, most))


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(400):
        if process.poll() is not None:
            raise SystemExit("the server does not start")
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.025)
    raise SystemExit("the server does not answer")


if __name__ == "__main__":
    main()
