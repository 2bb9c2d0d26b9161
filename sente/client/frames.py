"""What a client says, packed when it is said: a value that cannot be packed raises there, and later changes to it
change nothing."""

import logging
from dataclasses import dataclass, field
from typing import Any

from sente.errors import PackError
from sente.interfaces import JoinablePacker, Packer, Wire, event_form, joinable
from sente.protocol.messages import Event, Events, Packet, Reply, Request, write_packet

log = logging.getLogger("sente.client")


@dataclass(slots=True)
class Said(Event):
    """An event with its packed form."""

    packer: Packer | None = field(default=None, compare=False, repr=False)
    part: Any = field(default=None, compare=False, repr=False)
    """``[id, data]`` packed by it, where parts can be joined."""


@dataclass(frozen=True, slots=True)
class PackedValue:
    """A reply's value as it was when it was given."""

    packer: Packer
    wire: Wire = field(repr=False)
    size: int


def pack_value(value: Any, packer: Packer) -> PackedValue:
    """Pack a reply's value.

    Raises:
        PackError: it holds something the packer has no word for.
    """
    wire = _part_of(value, packer)
    return PackedValue(packer, wire, _size(wire))


def say(event_id: str, data: Any, packer: Packer) -> Said:
    """Pack an event.

    Raises:
        PackError: ``data`` holds something the packer has no word for.
    """
    try:
        part = _part_of(event_form(packer, event_id, data), packer)
    except PackError as error:
        raise PackError(error.reason, path=error.path.replace("value[1]", "data", 1)) from error
    return Said(event_id, data, _size(part), packer=packer, part=part)


def _part_of(value: Any, packer: Packer) -> Wire:
    joining = joinable(packer)
    return joining.part(value) if joining else packer.pack(value)


def _size(wire: Wire) -> int:
    return len(wire) if isinstance(wire, bytes) or wire.isascii() else len(wire.encode())


def write_frame(packet: Packet, packer: Packer) -> Wire:
    """The frame of a packet, joined from the packed forms of its events where the packer can.

    What was packed when it was said, but cannot be any more, leaves as null, so that its number still counts: the
    server came back with a packer that knows less, or the value was changed and the packer joins nothing.
    """
    try:
        return _write(packet, packer)
    except PackError as error:
        assert isinstance(packet, Events | Request | Reply), "only the application's values may be unpackable"
        log.error("dropped what was to be said to the server: %s", error)
        lost = len(packet.events) if isinstance(packet, Events) else 1
        return packer.pack(write_packet(Events((None,) * lost, packet.seq), "client"))


def _write(packet: Packet, packer: Packer) -> Wire:
    plain = write_packet(packet, "client")
    if isinstance(packet, Reply) and isinstance(packet.value, PackedValue):
        return _write_reply(packet.value, plain[1:], packer)
    joining = joinable(packer)
    if not isinstance(packet, Events | Request) or joining is None:
        return packer.pack(plain)
    if isinstance(packet, Events):
        message = joining.join([_part(event, joining) for event in packet.events])
    else:
        message = _part(packet.event, joining)
    return joining.frame(joining.join([message, *(joining.part(value) for value in plain[1:])]))


def _write_reply(value: PackedValue, rest: list[Any], packer: Packer) -> Wire:
    joining = joinable(packer)
    if joining and value.packer is packer:
        return joining.frame(joining.join([value.wire, *(joining.part(part) for part in rest)]))
    return packer.pack([value.packer.unpack(value.wire), *rest])


def _part(event: Event | None, packer: JoinablePacker) -> Any:
    if event is None:
        return packer.part(None)
    if isinstance(event, Said) and event.packer is packer:
        return event.part
    return packer.part([event.id, event.data])  # carried over to a server that speaks another packer
