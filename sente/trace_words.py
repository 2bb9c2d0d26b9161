"""What a frame is called when it is traced: the events in it, never their data.

Each function takes a frame and its packer. A frame that cannot be read is called so.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from sente.errors import ProtocolError, UnpackError
from sente.interfaces import Packer, Wire
from sente.protocol.classic import DUMMY, FAILED, PING, PONG, TIMEOUT, read_handshake, read_said
from sente.protocol.messages import (
    Ack,
    Classic,
    Control,
    Event,
    Events,
    Handshake,
    Packet,
    Ping,
    Pong,
    Reply,
    Request,
    read_packet,
)

Words: TypeAlias = Callable[[Wire, Packer], str]


def of_packet(frame: Wire, packer: Packer) -> str:
    """A packet of a session, from either side.

    >>> from sente.packers import get
    >>> of_packet('[["chat/say", 1], 7, 1, null, "request"]', get("json"))
    'chat/say, request 7'
    """
    return _read(frame, packer, lambda plain: _packet(read_packet(plain)))


def of_said(frame: Wire, packer: Packer) -> str:
    """What a client of Sente's own says.

    >>> from sente.packers import get
    >>> of_said('[["chat/say", 1], "cb1"]', get("json"))
    "chat/say, callback 'cb1'"
    """
    return _read(frame, packer, _said)


def of_told(frame: Wire, packer: Packer) -> str:
    """What such a client is told on a WebSocket, or by the answer to a poll.

    >>> from sente.packers import get
    >>> of_told('[[["chat/said", 1], ["chat/said", 2]], null]', get("json"))
    'chat/said, chat/said'
    """
    return _read(frame, packer, _told)


def of_answer(frame: Wire, packer: Packer) -> str:
    """The answer to a POST of such a client, which is a reply whatever it looks like.

    >>> from sente.packers import get
    >>> of_answer('[[["chat/said", 1]], null]', get("json"))
    'reply'
    """
    return _read(frame, packer, lambda plain: _bare(plain[0]) or "reply")


def _read(frame: Wire, packer: Packer, words: Callable[[Any], str]) -> str:
    try:
        return words(packer.unpack(frame))
    except (ProtocolError, UnpackError) as error:
        return f"unreadable: {error}"


def _packet(packet: Packet) -> str:
    match packet:
        case Events(events):
            return ", ".join("dropped" if event is None else _name(event) for event in events)
        case Request(event, ref):
            return f"{_name(event)}, request {ref}"
        case Reply(ref=ref, failed=failed):
            return f"{'error' if failed else 'reply'} to request {ref}"
        case Ack(ack):
            return f"acknowledges {ack}"
        case Ping():
            return "ping"
        case Pong():
            return "pong"
        case Handshake():
            return "handshake"
        case Control(event):
            return _name(event)
        case Classic(message):
            return str(message)[:100]


def _said(plain: Any) -> str:
    said = read_said(plain, 0)
    known: dict[str, str] = {PING: "ping", PONG: "pong"}
    name = known.get(said.event.id) or _name(said.event)
    return f"{name}, callback {said.ref!r:.40}" if said.asks else name


def _told(plain: Any) -> str:
    message, ref = plain
    if read_handshake(plain):
        return "handshake"
    if ref is not None:
        return f"{_bare(message) or 'reply'} to callback {ref!r:.40}"
    return _bare(message) or ", ".join(str(event[0])[:100] for event in message)


def _bare(message: Any) -> str:
    """Words of Sente's own that are no event."""
    known: dict[str, str] = {PING: "ping", FAILED: "error", TIMEOUT.message: "nothing came", DUMMY.message: "taken"}
    return known.get(message, "") if isinstance(message, str) else ""


def _name(event: Event) -> str:
    return event.id[:100]
