"""A real uvicorn in a process of its own, for as many tests as like to share it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

from tests.e2e.ports import free_port

START = 20.0
"""Seconds that a server may take to be there."""


@dataclass(frozen=True)
class Serving:
    """Where it is, and who."""

    port: int
    pid: int

    @property
    def resident(self) -> int:
        """Bytes of it that are in memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def served(app: str) -> Iterator[Serving]:
    """Run ``app``; afterwards what it logged must be without a traceback."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=log, stderr=log)
        try:
            _wait_for(port, process)
            yield Serving(port, process.pid)
        finally:
            process.terminate()
            process.wait(START)
            log.seek(0)
            said = log.read()
    assert "Traceback" not in said, said[-5_000:]


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + START
    while time.monotonic() < until:
        assert process.poll() is None, "the server has ended"
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server does not start")
