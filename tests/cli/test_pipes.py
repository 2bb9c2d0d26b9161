"""What the commands print may be read by whoever has enough of it soon."""

import subprocess
import sys


def test_a_reader_that_has_enough_is_no_error() -> None:
    program = "from sente.cli import main; raise SystemExit(main(['types', 'sente.demo.lobby:events']))"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None and command.stderr is not None
        command.stdout.close()
        assert command.stderr.read() == ""
    assert command.returncode == 1
