"""``sente types``."""

import subprocess
import sys
from pathlib import Path

import pytest

from sente import cli
from sente.events.typescript import typescript

APP = """
from sente import ChannelSocket, EventRegistry
events = EventRegistry()
NAMES = events.event("chat/typing", of=list[str], doc="Who is typing.")
chsk = ChannelSocket(events=events)
untyped = ChannelSocket()
class holder:
    inside = chsk
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current folder, another one for each test."""
    name = f"app_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return name


@pytest.mark.parametrize("name", ["events", "chsk", "holder.inside"])
def test_it_prints_the_module(app: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["types", f"{app}:{name}"]) == 0
    assert capsys.readouterr().out == typescript(sys.modules[app].events)


def test_it_prints_what_clients_of_json_have(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(f"{app}.py").write_text(APP.replace("list[str]", "set[str]"))
    assert cli.main(["types", "--packer", "json", f"{app}:events"]) == 0
    assert '"chat/typing": { data: string[]; reply: null };' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{app}", "give module:name of a ChannelSocket or an EventRegistry, like app:chsk"),
        ("{app}:", "give module:name"),
        ("{app}:NAMES", "is a EventContract: give module:name"),
        ("{app}:untyped", "has no EventRegistry: give it one as events="),
        ("{app}:nothing", "AttributeError"),
        ("nowhere_at_all:chsk", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
    ],
)
def test_what_it_cannot_print(app: str, target: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["types", target.format(app=app)])
    assert exit_.value.code == 1
    captured = capsys.readouterr()
    assert said in captured.err and not captured.out


def test_a_module_that_fails(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(f"{app}.py").write_text("raise RuntimeError('no database')")
    with pytest.raises(SystemExit):
        cli.main(["types", f"{app}:chsk"])
    assert "RuntimeError: no database" in capsys.readouterr().err


def test_as_a_command(app: str) -> None:
    command = [sys.executable, "-W", "error", "-m", "sente.cli", "types", f"{app}:chsk"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "export interface Events {" in done.stdout
