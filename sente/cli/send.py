"""``sente send``: say an event to a user of a running application."""

import argparse
import asyncio
import json
from typing import Any

from sente.channel_socket import ChannelSocket
from sente.cli.target import imported
from sente.errors import BrokerError, ConfigError, EventError, PackError
from sente.publisher import Publisher
from sente.receipts import Delivered


def add_to(commands: Any) -> None:
    """Add the command to those of ``sente``."""
    send = commands.add_parser(
        "send",
        help="say an event to a user of a running application",
        description="Say an event to every client of a user, by the application's broker, and wait until they have it. "
        "Exit status 1: not all have, or nobody is there.",
    )
    send.add_argument("app", help="where the ChannelSocket is, which has a broker: module:name")
    send.add_argument("user", help="its id; * for everyone")
    send.add_argument("event", help="the event's id: chat/said")
    send.add_argument("data", nargs="?", default="null", type=_json, help="its data, as JSON; default: null")
    send.add_argument("--integer", action="store_true", help="the user's id is an integer")
    send.add_argument("--wait", type=float, default=5.0, metavar="SECONDS", help="for acknowledgements; default: 5")
    send.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; returns its exit status."""
    chsk = imported(options.app)
    if not isinstance(chsk, ChannelSocket):
        raise ConfigError(f"{options.app} is a {type(chsk).__name__}, not a ChannelSocket")
    uid: str | int = options.user
    if options.integer:
        try:
            uid = int(options.user)
        except ValueError:
            raise ConfigError(f"--integer: {options.user!r} is none") from None
    try:
        delivered = asyncio.run(_send(chsk, uid, options.event, options.data, options.wait))
    except (BrokerError, EventError, PackError) as error:
        raise ConfigError(str(error)) from None
    waiting = f"; still without it: {', '.join(delivered.waiting)}" if delivered.waiting else ""
    print(f"{delivered.acknowledged} of {delivered.clients} clients have it{waiting}")
    return 0 if delivered.complete and delivered.clients else 1


async def _send(chsk: ChannelSocket, uid: str | int, event: str, data: Any, seconds: float) -> Delivered:
    async with Publisher.of(chsk) as publisher:
        await asyncio.sleep(0.2)  # until the others have said that they are there
        receipt = publisher.broadcast(event, data) if uid == "*" else publisher.send(uid, event, data)
        return await receipt.delivered(seconds)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"this is no JSON: {error}") from error
