"""An event on its way to many clients: packed once per packer, and shared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sente.errors import PackError, ProtocolError, UnpackError
from sente.interfaces import JoinablePacker, Packer, Wire
from sente.protocol.conversation import ENVELOPE
from sente.protocol.messages import Classic, Event, Events, Packet, Reply, write_packet
from sente.transports.asgi import wire_size

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Push(Event):
    """An event with its packed forms, by the packer's name."""

    parts: dict[str, Any] = field(default_factory=dict, compare=False)
    """``[id, data]`` packed, where parts can be joined."""
    frames: dict[str, Wire] = field(default_factory=dict, compare=False)
    """Whole frames, for the common case that the event leaves alone."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a ``send``: it was put into the outboxes of so many clients.

    >>> Receipt(clients=2).clients
    2
    """

    clients: int


def pack_event(event_id: str, data: Any, packers: Sequence[Packer], limit: int) -> Push:
    """Pack an event for whoever may get it, so that nothing can go wrong later.

    Raises:
        PackError: one of the packers has no word for something in ``data``, or it is longer than ``limit`` bytes.
    """
    parts: dict[str, Any] = {}
    frames: dict[str, Wire] = {}
    size = 0
    for packer in packers:
        try:
            if isinstance(packer, JoinablePacker):
                packed = parts[packer.name] = packer.pack([event_id, data])
            else:
                packed = frames[packer.name] = packer.pack([[[event_id, data]], None])
        except PackError:
            packer.pack(data)  # says where in the data it is
            raise
        size = max(size, wire_size(packed))
    if size > limit - ENVELOPE:
        raise PackError(f"{event_id} takes {size} bytes packed; limits.packet is {limit}")
    return Push(event_id, data, size, parts, frames)


@dataclass(frozen=True, slots=True)
class PackedValue:
    """A reply's value as it was when it was given: the application may go on changing its own, and a cut line may make
    it leave twice."""

    forms: dict[str, Any]
    """By the packer's name: packed, where parts can be joined; else a copy."""
    size: int


def pack_value(value: Any, packers: Sequence[Packer]) -> PackedValue:
    """Pack a reply's value for whatever its client will speak.

    Raises:
        PackError: one of the packers has no word for something in it.
    """
    forms: dict[str, Any] = {}
    size = 0
    for packer in packers:
        wire = packer.pack(value)
        forms[packer.name] = wire if isinstance(packer, JoinablePacker) else packer.unpack(wire)
        size = max(size, wire_size(wire))
    return PackedValue(forms, size)


def read_frame(frame: Wire, packer: Packer, limit: int, form: Callable[[Any, int], T]) -> T:
    """What a frame of at most ``limit`` bytes holds, given by ``form`` from plain value and size.

    Raises:
        ProtocolError: it is too long, or cannot be read.
    """
    size = wire_size(frame)
    if size > limit:
        raise ProtocolError(f"the server takes packets of {limit} bytes", 4413)
    try:
        return form(packer.unpack(frame), size)
    except UnpackError as error:
        raise ProtocolError(str(error)) from error


def write_frame(packet: Packet, packer: Packer) -> Wire:
    """The frame of a packet from the server. A batch is joined from the parts of its events, where the packer can."""
    if isinstance(packet, Reply) and isinstance(packet.value, PackedValue):
        plain = write_packet(replace(packet, value=packet.value.forms[packer.name]), "server")
        return _join(plain, packer)
    if isinstance(packet, Classic) and isinstance(packet.message, PackedValue):
        return _join([packet.message.forms[packer.name], packet.ref], packer)
    if not isinstance(packet, Events):
        return packer.pack(write_packet(packet, "server"))
    alone = packet.events[0] if len(packet.events) == 1 else None
    if isinstance(alone, Push) and packer.name in alone.frames:
        return alone.frames[packer.name]
    if not isinstance(packer, JoinablePacker):
        return packer.pack(write_packet(packet, "server"))
    parts = [_part(event, packer) for event in packet.events if event is not None]
    frame = packer.join([packer.join(parts), packer.pack(None)])
    if isinstance(alone, Push):
        alone.frames[packer.name] = frame
    return frame


def _join(plain: list[Any], packer: Packer) -> Wire:
    """The frame of a packet whose first part is in the packer's form already."""
    if not isinstance(packer, JoinablePacker):
        return packer.pack(plain)
    return packer.join([plain[0], *(packer.pack(part) for part in plain[1:])])


def _part(event: Event, packer: Packer) -> Any:
    part = event.parts.get(packer.name) if isinstance(event, Push) else None
    return packer.pack([event.id, event.data]) if part is None else part
