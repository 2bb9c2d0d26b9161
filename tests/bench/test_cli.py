"""``sente bench``: the real command once, on a small file; then what it says of arguments that are wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sente import cli
from sente.bench.results import Run

SHOP = """
from sente.packers.handlers import TypeHandler

class Money:
    def __init__(self, cents): self.cents = cents
    def __eq__(self, other): return isinstance(other, Money) and other.cents == self.cents
    def __hash__(self): return hash(self.cents)

class Upside:
    name = "upside"
    def pack(self, value, /): return repr(value)[::-1]
    def unpack(self, wire, /): return eval(wire[::-1])

class Broken:
    def __init__(self): raise RuntimeError("no licence")

TYPES = [TypeHandler("app/money", Money, encode=lambda money: money.cents, decode=Money)]
upside = Upside()
order = {"id": 7, "price": Money(1999)}
def orders(): return [order, order]
def broken(): raise LookupError("no database")
NUMBER = 3
"""
QUICK = ("--rounds", "1")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the user is in, with data and a module of theirs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    (tmp_path / "order.json").write_text(json.dumps({"id": 7, "items": ["board", "stones"]}))
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def test_the_command_measures_a_file_and_ends_with_the_line_to_paste(place: Path) -> None:
    command = [sys.executable, "-m", "sente.cli", "bench", "order.json", "--json", "out.json", "--plot", "out.html"]
    done = subprocess.run([*command, *QUICK], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("order.json: your file (35 bytes as JSON)\n")
    assert "\npackers=" in done.stdout
    assert "µs (pack, send at 100 Mb/s, unpack; geometric mean)" in done.stdout.rstrip().rpartition("\n")[2]
    assert done.stderr == "measuring order.json (1 of 1)\n"
    found = Run.from_json((place / "out.json").read_text())
    assert [payload.name for payload in found.payloads] == ["order.json"]
    assert {"auto", "json", "msgpack", "transit", "orjson"} <= {codec.name for codec in found.codecs}
    assert all(row.keeps == "same" for row in found.rows)
    assert "<svg" in (place / "out.html").read_text()


def test_values_with_types_of_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "shop:orders", "--types", "shop:TYPES", "--packer", "msgpack", *QUICK]) == 0
    said = capsys.readouterr().out
    assert said.startswith("shop:orders: your value\n")
    assert 'packers="msgpack"' in said
    assert "lossy" not in said.partition("lossy: ")[0]


def test_a_packer_of_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "order.json", "--packer", "shop:Upside", *QUICK]) == 0
    assert "packers=[Upside()]" in capsys.readouterr().out
    assert cli.main(["bench", "order.json", "--packer", "shop:upside", *QUICK]) == 0
    assert "packers=[upside]" in capsys.readouterr().out


def test_without_data_there_are_payloads_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--packer", "json", *QUICK]) == 0
    said = capsys.readouterr()
    assert "chat event: a push with one short event" in said.out
    assert "all payloads (geometric means)" in said.out
    assert "measuring config (" in said.err


def test_peers_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "order.json", "--packer", "json", "--peers", *QUICK]) == 0
    assert "pickle: unsafe" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no.json"], "there is no file no.json: give a JSON file, or module:name of a value"),
        (["."], "there is no file .: give a JSON file"),
        (["shop.py"], "shop.py is no JSON: "),
        (["shoop:order"], "DATA shoop:order: importing shoop failed: ModuleNotFoundError: "),
        (["shop:ordre"], "DATA shop:ordre: shop has no ordre"),
        (["shop:"], "DATA shop:: write module:name, for example "),
        (["shop:broken"], "DATA shop:broken: calling it failed: LookupError: no database"),
        (["order.json", "--packer", "yaml"], "packers: there is no packer 'yaml'; built in: "),
        (
            ["order.json", "--packer", "shop:NUMBER"],
            "--packer shop:NUMBER: int is no packer: it needs name, pack and unpack",
        ),
        (["order.json", "--packer", "shop:Money"], "--packer shop:Money: calling it failed: TypeError: "),
        (
            ["order.json", "--packer", "shop:Broken"],
            "--packer shop:Broken: calling it failed: RuntimeError: no licence",
        ),
        (["order.json", "--types", "shop:NUMBER"], "--types shop:NUMBER: give a list of TypeHandler"),
        (["order.json", "--types", "shop:order"], "--types shop:order: give a list of TypeHandler"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", *arguments, *QUICK])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"sente: {says}")
    assert said.out == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--plot", "out.gif"], "out.gif: give a file that ends in .html, .svg, .png"),
        (["--plot", "no/out.svg"], "there is no folder no"),
        (["--json", "no/out.json"], "there is no folder no"),
        (["--rounds", "0"], "'0' is no number of rounds"),
    ],
)
def test_before_anything_is_measured(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", *arguments])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_png_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sente.cli.bench.find_spec", lambda _: None)
    with pytest.raises(SystemExit):
        cli.main(["bench", "--plot", "out.png"])
    assert "out.png: PNG needs matplotlib: pip install" in capsys.readouterr().err


def test_on_a_terminal_progress_stays_in_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main(["bench", "order.json", "--packer", "json", *QUICK]) == 0
    assert capsys.readouterr().err == "\r\x1b[Kmeasuring order.json (1 of 1), round 1 of 1\r\x1b[K"
