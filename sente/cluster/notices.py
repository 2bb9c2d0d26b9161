"""What one process says to others: a row of frames, of which the first is a JSON object, the head.

What comes from a broker is read as what comes from a client is: it is what it should be, or ``ProtocolError``.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sente.errors import ProtocolError
from sente.interfaces import UserId, Wire
from sente.protocol.framing import read_row, write_row
from sente.protocol.greeting import number, text

EVERYONE = "all"
"""The channel that every process hears."""


def node_channel(node: str) -> str:
    """The channel that one process hears."""
    return f"node:{node}"


def user_channel(uid: UserId) -> str:
    """The channel of the processes that serve a user.

    >>> user_channel("1"), user_channel(1)
    ('user:"1"', 'user:1')
    """
    return f"user:{json.dumps(uid)}"


def client_channel(client_id: str) -> str:
    """The channel of the processes that serve a client of this id."""
    return f"client:{client_id}"


@dataclass(frozen=True, slots=True)
class Notice:
    """One of them, as it was heard."""

    op: str
    """What it is about."""
    sender: str
    """The process that says it."""
    head: Mapping[str, Any]
    frames: list[Wire]

    def number(self, key: str, least: int = 0) -> int:
        """A whole number. Raises ``ProtocolError``."""
        return number(self.head, key, least)

    def text(self, key: str) -> str:
        """A text. Raises ``ProtocolError``."""
        found = text(self.head, key)
        if found is None:
            raise ProtocolError(f"{key} is missing")
        return found

    def uid(self) -> UserId:
        """Whom it is about. Raises ``ProtocolError``."""
        return check_uid(self.head.get("uid"))

    def frame(self) -> Wire:
        """Its one frame. Raises ``ProtocolError``."""
        if len(self.frames) != 1:
            raise ProtocolError(f"one frame follows the head, not {len(self.frames)}")
        return self.frames[0]


def check_uid(plain: Any) -> UserId:
    """A user, if that is one. Raises ``ProtocolError``."""
    if plain is not None and (isinstance(plain, bool) or not isinstance(plain, str | int)):
        raise ProtocolError("uid must be text, a whole number or null")
    return plain


def write(op: str, sender: str, head: Mapping[str, Any], frames: Iterable[Wire] = ()) -> bytes:
    """The body that says it.

    >>> read(write("beat", "n1", {"v": 3})).number("v")
    3
    """
    return write_row([json.dumps({"op": op, "from": sender, **head}), *frames])


def read(body: bytes) -> Notice:
    """What a body says.

    Raises:
        ProtocolError: nothing.
    """
    first, *frames = read_row(body) or [b""]
    if not isinstance(first, str):
        raise ProtocolError("the head must be text")
    try:
        head = json.loads(first)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the head must be JSON") from error
    if not isinstance(head, dict) or not isinstance(head.get("op"), str) or not isinstance(head.get("from"), str):
        raise ProtocolError("the head must say op and from")
    return Notice(head["op"], head["from"], head, frames)
