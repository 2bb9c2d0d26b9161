"""The command `sente`."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sente import cli

NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sente.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_version_names_the_distribution() -> None:
    assert re.fullmatch(r"sente-channels \d+\.\d+\.\d+\n", run("--version").stdout)


def test_without_a_command_it_says_which_there_are() -> None:
    done = run()
    assert done.returncode == 2
    assert "COMMAND" in done.stderr


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["terminal", "background"])
def inherited_sigint(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a process is started with: a shell has its background jobs ignore Ctrl+C."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.e2e
@pytest.mark.usefixtures("inherited_sigint")
def test_the_demo_says_where_it_is_and_ends_with_ctrl_c() -> None:
    command = [sys.executable, "-m", "sente.cli", "demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        found = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+) in two browsers\. .*\n", process.stdout.readline())
        assert found
        with NO_PROXY.open(found[1]) as page:
            assert "<title>sente demo</title>" in page.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert process.stdout.read() == "\nGoodbye.\n"
        assert process.stderr.read() == ""


def test_a_port_that_was_asked_for_must_be_free(taken: int) -> None:
    done = run("demo", "--port", str(taken))
    assert done.returncode == 1
    assert done.stderr.startswith(f"sente: port {taken} is taken")


@pytest.mark.parametrize("port", ["-1", "65536", "http", "８０"])
def test_a_port_is_a_number(port: str) -> None:
    done = run("demo", f"--port={port}")
    assert done.returncode == 2
    assert "is no port: a number from 0 to 65535" in done.stderr


def test_a_host_must_be_ours() -> None:
    done = run("demo", "--port", "0", "--host", "192.0.2.1")
    assert done.returncode == 1
    assert done.stderr.startswith("sente: cannot listen on 192.0.2.1, port 0: ")


class TestDemo:
    """In this process, and without a server."""

    @pytest.fixture(autouse=True)
    def served(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        ports: list[int] = []
        monkeypatch.setattr("sente.demo.server.run", lambda listener: ports.append(listener.getsockname()[1]))
        return ports

    def test_the_next_free_port_is_taken_if_none_was_asked_for(
        self, served: list[int], taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(cli, "PORT", taken)
        assert cli.main(["demo"]) == 0
        assert served[0] > taken
        said = capsys.readouterr().out
        assert said.startswith(f"Port {taken} is taken, so the demo takes {served[0]}.\n")
        assert f"Open http://127.0.0.1:{served[0]} in" in said

    def test_there_may_be_no_free_port(
        self, taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(cli, "PORT", taken)
        monkeypatch.setattr(cli, "PORTS", 1)
        with pytest.raises(SystemExit):
            cli.main(["demo"])
        assert "are taken: give another one with --port" in capsys.readouterr().err

    def test_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def find_spec(name: str) -> Any:
            return None if name == "fastapi" else name

        monkeypatch.setattr(cli, "find_spec", find_spec)
        with pytest.raises(SystemExit):
            cli.main(["demo"])
        assert capsys.readouterr().err == 'sente: the demo needs fastapi: pip install "sente-channels[demo]"\n'

    def test_it_says_how_to_build_the_client(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(cli, "CLIENT", Path("no such file"))
        with pytest.raises(SystemExit):
            cli.main(["demo"])
        assert "`make demo`" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("host", "url"),
        [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://localhost:80"), ("::1", "http://[::1]:80")],
    )
    def test_the_address_is_one_to_open(self, host: str, url: str) -> None:
        assert cli._url(host, 80) == url


class TestDoctor:
    """What it says before it examines anything; the rest is in tests/e2e."""

    def test_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(cli, "find_spec", lambda name: None)
        with pytest.raises(SystemExit):
            cli.main(["doctor", "http://localhost:8000/chsk"])
        assert capsys.readouterr().err == 'sente: the doctor needs websockets: pip install "sente-channels[client]"\n'

    @pytest.mark.parametrize("url", ["localhost:8000/chsk", "ws://localhost/chsk", "http:///chsk", ""])
    def test_it_wants_a_whole_address(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            cli.main(["doctor", url])
        assert "give the whole of it" in capsys.readouterr().err

    def test_a_header_has_a_colon(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            cli.main(["doctor", "http://localhost/chsk", "--header", "session=1"])
        assert "is no header: write it like 'Cookie: session=...'" in capsys.readouterr().err
