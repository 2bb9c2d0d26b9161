"""Real brokers for tests, on free ports of 127.0.0.1: started, stopped, paused, started again."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 10.0


class Server:
    """A broker in a process of its own."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        self.port = port
        self.name = Path(command[0]).name.partition("-")[0]
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, f"{self._command[0]} has ended"
                assert time.monotonic() < until, f"{self._command[0]} does not listen"
                time.sleep(0.02)

    def stop(self) -> None:
        """Kill it: nobody is told."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Have it stand still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def redis_server(*options: str) -> Iterator[Server]:
    """A Redis that keeps nothing on disk."""
    port = free_port()
    command = [_found("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    yield from _running(Server([*command, *options], port))


@contextmanager
def nats_server(*options: str) -> Iterator[Server]:
    """A NATS server."""
    port = free_port()
    yield from _running(Server([_found("nats-server"), "-a", "127.0.0.1", "-p", str(port), *options], port))


def _running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _found(name: str) -> str:
    """Debian puts some of them outside the PATH of those who are not root."""
    path = shutil.which(name) or f"/usr/sbin/{name}"
    assert Path(path).exists(), f"{name} is not installed: make .make/dev installs it"
    return path
