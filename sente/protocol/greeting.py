"""How two sides meet: welcome, hello, the handshake's info, and the head of an HTTP body (§2, §4, §7).

All of them are JSON objects; receivers ignore keys they do not know.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sente.errors import ProtocolError
from sente.protocol.contract import Contract, check_hash
from sente.protocol.messages import MAX_NUMBER
from sente.protocol.settings import AckPolicy, Limits, ServerSettings

VERSION = 1


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """What the other side lets this one have under way."""

    packet: int
    window: int
    window_bytes: int


@dataclass(frozen=True, slots=True)
class Hello:
    """A client's first words on a link.

    ``n`` counts hellos, polls and POSTs, so that a late one is known as such. ``ack`` and ``got`` are how far the
    client has acknowledged and received in the session it wants back. ``csrf`` and ``auth`` are here because a browser
    can set no header on a WebSocket, and a URL ends up in logs.
    """

    session: str | None = field(repr=False)
    n: int
    ack: int
    csrf: str | None = field(repr=False)
    auth: str | None = field(repr=False)
    limits: PeerLimits
    got: int
    contract: str | None = None
    """The hash of the client's events, if they are typed."""
    refused: int = -1
    """The ``n`` of the hello on whose link something came that the client could not read."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the driver puts into a handshake; ``session`` holds ``session resumed lost prev since_start uptime``, and
    ``contract events``."""

    uid: Any
    data: Any
    session: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The first frame of an HTTP body from a client; ``wait`` in milliseconds, above 0 for a poll.

    ``got`` is how far the client has received, where it holds ``ack`` back.
    """

    session: str = field(repr=False)
    n: int
    ack: int
    seq: int
    wait: int
    got: int


@lru_cache(maxsize=64)
def write_welcome(packer: str, hello_timeout: float) -> str:
    """The first frame to a client, JSON text: which packer was chosen, and how many seconds it has for its hello. Kept,
    as nearly all clients are told the same.

    >>> write_welcome("json", 5.0)
    '{"sente": 1, "packer": "json", "hello": 5000}'
    """
    return json.dumps({"sente": VERSION, "packer": packer, "hello": round(hello_timeout * 1000)})


def read_hello(plain: Any) -> Hello:
    """Read a hello.

    Raises:
        ProtocolError: it is none; the message names the field.
    """
    if not isinstance(plain, dict) or plain.get("hello") != VERSION:
        raise ProtocolError('the first frame must be a hello: {"hello": 1, "session": null, "n": 1, "ack": 0, ...}')
    own = Limits()
    limits = plain.get("limits") or {}
    if not isinstance(limits, dict):
        raise ProtocolError("limits must be an object")
    return Hello(
        session=text(plain, "session"),
        n=number(plain, "n", 1),
        ack=number(plain, "ack", 0),
        csrf=text(plain, "csrf"),
        auth=text(plain, "auth"),
        limits=PeerLimits(
            packet=number(limits, "packet", 1, own.packet),
            window=number(limits, "window", 1, own.window),
            window_bytes=number(limits, "bytes", 1, own.window_bytes),
        ),
        got=number(plain, "got", 0, plain["ack"]),
        contract=check_hash(text(plain, "contract")),
        refused=number(plain, "refused", 0, -1) if "refused" in plain else -1,
    )


def write_hello(
    session: str | None, n: int, ack: int, got: int, limits: Limits, contract: Contract | None, refused: int | None
) -> dict[str, Any]:
    """A hello, to be completed with ``csrf`` and ``auth``; see ``Hello``."""
    hello: dict[str, Any] = {"hello": VERSION, "session": session, "n": n, "ack": ack}
    hello["limits"] = {"packet": limits.packet, "window": limits.window, "bytes": limits.window_bytes}
    if got > ack:
        hello["got"] = got
    if refused is not None:
        hello["refused"] = refused
    if contract is not None:
        hello["contract"] = contract.hash
    return hello


def read_first(wire: str | bytes) -> Hello | Head:
    """Read a client's first frame on a link from JSON text: a hello, or the head of a poll or POST.

    Raises:
        ProtocolError: it is neither; the message says why.
    """
    try:
        plain = json.loads(wire)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the first frame must be JSON text") from error
    return read_head(plain) if isinstance(plain, dict) and "wait" in plain else read_hello(plain)


def read_head(plain: Any) -> Head:
    """Read the head of a poll or POST.

    Raises:
        ProtocolError: it is none; the message names the field.
    """
    if not isinstance(plain, dict) or not isinstance(plain.get("session"), str):
        raise ProtocolError('a body begins with its head: {"session": "...", "n": 2, "ack": 0, "seq": 1, "wait": 0}')
    return Head(
        session=plain["session"],
        n=number(plain, "n", 1),
        ack=number(plain, "ack", 0),
        seq=number(plain, "seq", 1),
        wait=number(plain, "wait", 0, 0),
        got=number(plain, "got", 0, plain["ack"]),
    )


def write_info(settings: ServerSettings, ack: int, session: Mapping[str, Any]) -> dict[str, Any]:
    """The handshake's fourth element: what the session is, and what the server lets its clients do. Times in ms."""
    limits = settings.limits
    return {
        "v": VERSION,
        **session,
        "ack": ack,
        "limits": {
            "packet": limits.packet,
            "body": limits.body,
            "window": limits.window,
            "bytes": limits.window_bytes,
            "requests": limits.requests,
            "ack": {"items": limits.ack.items, "bytes": limits.ack.bytes, "ms": round(limits.ack.delay * 1000)},
        },
        "ping": round(settings.ping * 1000),
        "poll": round(settings.poll * 1000),
        "resume": round(settings.resume * 1000),
    }


@dataclass(frozen=True, slots=True)
class Info:
    """The handshake's info as a client reads it; ``poll`` and ``uptime`` in seconds."""

    session: str = field(repr=False)
    resumed: bool
    lost: int | None
    prev: int | None
    got: int
    since_start: int | None
    uptime: float
    ack: int
    limits: PeerLimits
    body: int
    acks: AckPolicy
    poll: float


def read_info(plain: Mapping[str, Any]) -> Info:
    """Read the handshake's info.

    Raises:
        ProtocolError: it is not one of ours; the message names the field.
    """
    limits, token = plain.get("limits"), plain.get("session")
    if not isinstance(limits, dict) or not isinstance(token, str) or not isinstance(limits.get("ack"), dict):
        raise ProtocolError("a handshake must carry session and limits")
    acks = limits["ack"]
    return Info(
        session=token,
        resumed=plain.get("resumed") is True,
        lost=_count(plain, "lost"),
        prev=_count(plain, "prev"),
        got=number(plain, "got", 0, plain.get("ack")),
        since_start=_count(plain, "since_start"),
        uptime=number(plain, "uptime", 0, 0) / 1000,
        ack=number(plain, "ack", 0),
        limits=PeerLimits(number(limits, "packet", 1), number(limits, "window", 1), number(limits, "bytes", 1)),
        body=number(limits, "body", 1),
        acks=AckPolicy(
            items=number(acks, "items", 1), bytes=number(acks, "bytes", 1), delay=number(acks, "ms", 0) / 1000
        ),
        poll=number(plain, "poll", 1) / 1000,
    )


def number(plain: Mapping[str, Any], key: str, least: int, default: int | None = None) -> int:
    """A whole number from ``least`` to 2^53-1 under ``key``.

    Raises:
        ProtocolError: it is missing without default, or not such a number.
    """
    value = plain.get(key, default)
    if type(value) is not int or not least <= value <= MAX_NUMBER:
        raise ProtocolError(f"{key} must be a whole number from {least} to 2^53-1")
    return value


def text(plain: Mapping[str, Any], key: str) -> str | None:
    """The text under ``key``, or ``None``.

    Raises:
        ProtocolError: it is something else.
    """
    value = plain.get(key)
    if value is not None and not (isinstance(value, str) and _is_unicode(value)):
        raise ProtocolError(f"{key} must be text or null")
    return value


def _count(plain: Mapping[str, Any], key: str) -> int | None:
    return None if plain.get(key) is None else number(plain, key, 0)


def _is_unicode(text: str) -> bool:
    """Whether it can be encoded: JSON may name half a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
