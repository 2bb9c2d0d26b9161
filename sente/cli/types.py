"""``sente types``: the contract as TypeScript."""

import argparse
import sys
from typing import get_args

from sente.cli.target import registry_at
from sente.events.typescript import Packer, typescript

ABOUT = """\
Prints a module of TypeScript: what each event carries, as the JavaScript client has it, and a constant by which the
client notices that the server has come to another version.
"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    types = commands.add_parser("types", help="print the events of a server as TypeScript", description=ABOUT)
    types.add_argument("target", metavar="MODULE:NAME", help="a ChannelSocket or an EventRegistry: app:chsk")
    types.add_argument(
        "--packer",
        choices=get_args(Packer),
        default="auto",
        help="json: the clients speak nothing else, and get strings for dates and the like",
    )
    types.set_defaults(run=_types)


def _types(options: argparse.Namespace) -> int:
    sys.stdout.write(typescript(registry_at(options.target), packer=options.packer))
    return 0
