"""``sente bench``: measures the packers, on your own data too."""

import argparse
import json
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sente.bench import table
from sente.bench.codecs import Codec, built_in, from_packer
from sente.bench.corpus import Payload, corpus, public_corpus
from sente.bench.peers import YARDSTICK, peers
from sente.bench.plot import PNG_NEEDS, SUFFIXES, save
from sente.bench.run import run
from sente.bench.summary import advice
from sente.bench.timing import ROUNDS
from sente.errors import ConfigError
from sente.interfaces import Packer
from sente.packers.handlers import TypeHandler

ABOUT = """\
Measures what the packers cost on your data: time to pack and to unpack, bytes on the wire, bytes compressed, and
whether the types come back. Ends with the `packers=` line for your ChannelSocket.
"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("bench", help="measure the packers on your data", description=ABOUT)
    parser.add_argument(
        "data",
        nargs="*",
        metavar="DATA",
        help="a JSON file, or module:name of a value or of a function that returns one; default: payloads of our own",
    )
    parser.add_argument(
        "--packer",
        action="append",
        default=[],
        metavar="NAME",
        help="a packer, as in ChannelSocket(packers=...), or module:name of one of yours; again for another one; "
        "default: all that are built in",
    )
    parser.add_argument("--types", metavar="MODULE:NAME", help="your type handlers, as in ChannelSocket(types=...)")
    parser.add_argument("--peers", action="store_true", help="measure other libraries too, as far as installed")
    parser.add_argument("--json", type=_writable, metavar="FILE", help="write the results here")
    parser.add_argument("--plot", type=_plot, metavar="FILE", help="draw size against speed: .html, .svg or .png")
    parser.add_argument("--rounds", type=_rounds, default=ROUNDS, help=f"default: {ROUNDS}; more are more exact")
    parser.set_defaults(run=bench)


def bench(options: argparse.Namespace) -> int:
    """Run the command; returns its exit status.

    Raises:
        ConfigError: an argument names what is not there or not what it should be; says what.
    """
    sys.path.insert(0, os.getcwd())  # as `python -m` has it: module:name is mostly a file of the user's, right here
    payloads = [_payload(text) for text in options.data] or [*corpus(), *public_corpus()]
    types = _types(options.types) if options.types else []
    packers = _packers(options.packer, types)
    others, absent = peers(() if options.peers else (YARDSTICK,))
    progress = _Progress()
    found = run([*(codec for codec, _ in packers), *others], payloads, absent, rounds=options.rounds, progress=progress)
    progress.done()
    print(table.terminal(found))
    if options.json:
        options.json.write_text(found.to_json())
    if options.plot:
        save(found, options.plot)
    if advised := advice(found, {codec.name: spelling for codec, spelling in packers}):
        print(f"\n{advised.line}\n  {advised.why}")
    return 0


def _packers(wanted: list[str], types: list[TypeHandler[Any]]) -> list[tuple[Codec, str]]:
    """What to measure, and how each is written in ``packers=``."""
    found: list[tuple[Codec, str]] = []
    for text in wanted:
        found += [_own(text)] if ":" in text else _named([text], types)
    return found or _named([], types)


def _named(names: list[str], types: list[TypeHandler[Any]]) -> list[tuple[Codec, str]]:
    return [(codec, f'"{codec.name.partition("+")[0]}"') for codec in built_in(names, types)]


def _own(text: str) -> tuple[Codec, str]:
    """A packer of the user's: an object, or a class or function that makes one."""
    there, name = _imported("--packer", text), text.partition(":")[2]
    if isinstance(there, Packer) and not isinstance(there, type):
        return from_packer(there, text), name
    packer = _called("--packer", text, there)
    if not isinstance(packer, Packer):
        what = type(packer).__name__
        raise ConfigError(f"--packer {text}: {what} is no packer: it needs name, pack and unpack")
    return from_packer(packer, text), f"{name}()"


def _types(text: str) -> list[TypeHandler[Any]]:
    types = _imported("--types", text)
    if not isinstance(types, list | tuple) or not all(isinstance(handler, TypeHandler) for handler in types):
        raise ConfigError(f"--types {text}: give a list of TypeHandler")
    return list(types)


def _payload(text: str) -> Payload:
    path = Path(text)
    if path.is_file():
        try:
            return Payload(path.name, json.loads(path.read_bytes()), "your file")
        except ValueError as error:
            raise ConfigError(f"{text} is no JSON: {error}") from error
        except OSError as error:
            raise ConfigError(f"{text} cannot be read: {error.strerror}") from error
    if ":" not in text or path.exists():
        raise ConfigError(f"there is no file {text}: give a JSON file, or module:name of a value")
    value = _imported("DATA", text)
    return Payload(text, _called("DATA", text, value), "your value")


def _called(argument: str, text: str, function: Any) -> Any:
    """What a function returns; anything else is what is wanted already."""
    if not callable(function):
        return function
    try:
        return function()
    except Exception as error:
        raise ConfigError(f"{argument} {text}: calling it failed: {type(error).__name__}: {error}") from error


def _imported(argument: str, text: str) -> Any:
    """What ``module:name`` means."""
    module, _, name = text.partition(":")
    if not module or not name:
        raise ConfigError(f"{argument} {text}: write module:name, for example shop.packers:MyPacker")
    try:
        found = import_module(module)
    except Exception as error:  # whatever a module does when it is imported
        raise ConfigError(f"{argument} {text}: importing {module} failed: {type(error).__name__}: {error}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{argument} {text}: {module} has no {name}")
        found = getattr(found, part)
    return found


def _writable(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def _plot(text: str) -> Path:
    if Path(text).suffix.lower() not in SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text}: give a file that ends in {', '.join(SUFFIXES)}")
    if Path(text).suffix.lower() == ".png" and find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError(f"{text}: {PNG_NEEDS}")  # before minutes are spent on measuring
    return _writable(text)


def _rounds(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds")
    return int(text)


class _Progress:
    """Says on stderr what is being done: in place on a terminal, else a line for each payload."""

    def __init__(self) -> None:
        self._there = sys.stderr.isatty()
        self._last = ""

    def __call__(self, what: str) -> None:
        if self._there:
            print(f"\r\x1b[Kmeasuring {what}", end="", file=sys.stderr, flush=True)
        elif (payload := what.partition(",")[0]) != self._last:
            self._last = payload
            print(f"measuring {payload}", file=sys.stderr, flush=True)

    def done(self) -> None:
        if self._there:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
