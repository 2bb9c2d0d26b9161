"""``sente asyncapi`` and ``sente diff``: the contract as a file, and what changed since."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sente.channel_socket import ChannelSocket
from sente.cli.target import TARGET, imported
from sente.contract import ContractPage
from sente.errors import ConfigError
from sente.events import EventRegistry
from sente.events.diff import diff

ABOUT_ASYNCAPI = "Prints the contract of a ChannelSocket as an AsyncAPI 3.0 document."
ABOUT_DIFF = """\
Compares a contract with an older one, which `sente asyncapi` has saved. A change is breaking if a client of the older
one says what the server takes no more, or gets what it has never seen.
"""
STATUS: Final = "Exit status: 0 if nothing is breaking, 1 if something is, 2 if they cannot be compared."


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the parser."""
    made = commands.add_parser("asyncapi", help="print the contract of a server", description=ABOUT_ASYNCAPI)
    made.add_argument("target", metavar="MODULE:NAME", help=f"{TARGET}, for example app:chsk")
    made.add_argument("--html", action="store_true", help="print the page instead, which opens without a server")
    made.add_argument("--title", default="Events", help="what the application is called")
    made.add_argument("--version", default="0.1.0", help="the application's")
    made.add_argument("--output", type=Path, metavar="FILE", help="write it here")
    made.set_defaults(run=_asyncapi)
    compared = commands.add_parser("diff", help="say what changed in a contract", description=ABOUT_DIFF, epilog=STATUS)
    compared.add_argument("old", type=Path, metavar="OLD.json", help="saved by `sente asyncapi`")
    compared.add_argument("new", metavar="NEW", help=f"{TARGET}, or a file of JSON")
    compared.add_argument("--json", action="store_true", help="print a list of changes for programs")
    compared.set_defaults(run=_diff)


def _asyncapi(options: argparse.Namespace) -> int:
    page = _page(options.target, options.title, options.version)
    text = page.html if options.html else page.json
    if options.output is None:
        print(text)
        return 0
    try:
        options.output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {options.output}: {error.strerror}") from error
    return 0


def _diff(options: argparse.Namespace) -> int:
    try:
        new = _saved(Path(options.new)) if options.new.endswith(".json") else _page(options.new).document
        changes = diff(_saved(options.old), new)
    except ConfigError as error:
        print(f"sente: {error}", file=sys.stderr)
        return 2  # 1 says that something is breaking
    if options.json:
        print(json.dumps([asdict(change) for change in changes], indent=2))
    else:
        for change in sorted(changes, key=lambda change: not change.breaking):
            print(f"{'breaking' if change.breaking else 'ok':<10}{change}")
        breaking = sum(change.breaking for change in changes)
        print(f"{len(changes)} changes, {breaking} of them breaking" if changes else "nothing changed")
    return int(any(change.breaking for change in changes))


def _page(target: str, title: str = "Events", version: str = "0.1.0") -> ContractPage:
    found = imported(target)
    match found:
        case ChannelSocket():
            return found.asyncapi(title=title, version=version)
        case EventRegistry():
            return ContractPage(found, title=title, version=version)
    raise ConfigError(f"{target} is a {type(found).__name__}: give {TARGET}")


def _saved(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is no JSON: {error}") from error
