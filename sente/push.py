"""An event on its way to many clients: packed once per packer, and shared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sente.errors import ConfigError, PackError, ProtocolError, UnpackError
from sente.interfaces import FormPacker, JoinablePacker, Packer, UserId, Wire, event_form, joinable
from sente.protocol.conversation import ENVELOPE
from sente.protocol.messages import Classic, Event, Events, Packet, Reply, Request, write_packet
from sente.transports.asgi import wire_size

T = TypeVar("T")


@dataclass(slots=True)
class Push(Event):
    """An event with its packed forms, by the identity of the packer: variants of one have the same name."""

    parts: dict[int, Any] = field(default_factory=dict, compare=False)
    """``[id, data]`` packed, where parts can be joined."""
    frames: dict[int, Wire] = field(default_factory=dict, compare=False)
    """Whole frames, for the common case that the event leaves alone."""
    unnumbered: dict[int, Wire] = field(default_factory=dict, compare=False)
    """The same of a volatile event, whose frame says that it has no number."""
    everyone: bool = field(default=False, compare=False)
    uid: UserId = field(default=None, compare=False)
    """Whose clients it is for, if not for everyone's."""
    addressed: int = field(default=0, compare=False)
    """How many of them had a session, and may acknowledge it."""
    lost: int = field(default=0, compare=False)
    """The sessions of how many ended before."""


def pack_event(event_id: str, data: Any, packers: Sequence[Packer], limit: int, form: str | None = None) -> Push:
    """Pack an event for whoever may get it, so that nothing can go wrong later.

    Raises:
        PackError: one of the packers has no word for something in ``data``, or it is longer than ``limit`` bytes.
        ConfigError: none of the packers has the form that was asked for.
    """
    if form is not None and not any(isinstance(packer, FormPacker) for packer in packers):
        raise ConfigError(f"form={form!r}: only the packer 'auto' has forms, and it is not in packers=")
    parts: dict[int, Any] = {}
    frames: dict[int, Wire] = {}
    size = 0
    for packer in packers:
        writer = packer.in_form(form) if form is not None and isinstance(packer, FormPacker) else packer
        try:
            if joining := joinable(writer):
                packed = parts[id(packer)] = joining.part(event_form(writer, event_id, data))
            else:
                packed = frames[id(packer)] = writer.pack([[event_form(writer, event_id, data)], None])
        except PackError:
            _say_where(writer, data)
            raise
        size = max(size, wire_size(packed))
    if size > limit - ENVELOPE:
        raise PackError(f"{event_id} takes {size} bytes packed; limits.packet is {limit}")
    return Push(event_id, data, size, parts=parts, frames=frames)


def _say_where(packer: Packer, data: Any) -> None:
    try:
        packer.pack(data)
    except PackError as error:
        raise PackError(error.reason, path=f"data{error.path.removeprefix('value')}") from error


@dataclass(slots=True)
class PackedValue:
    """A reply's value as it was when it was given: the application may go on changing its own, and a cut line may make
    it leave twice."""

    forms: dict[int, Any]
    """By the identity of the packer: packed, where parts can be joined; else a copy."""
    size: int
    source: tuple[Packer, Wire]
    """One of them, for a client that comes back with a packer that nobody spoke."""


def pack_value(value: Any, packers: Sequence[Packer]) -> PackedValue:
    """Pack a reply's value for whatever its client will speak.

    Raises:
        PackError: one of the packers has no word for something in it.
    """
    forms: dict[int, Any] = {}
    size = 0
    source: tuple[Packer, Wire] | None = None
    for packer in packers:
        if joining := joinable(packer):
            wire = forms[id(packer)] = joining.part(value)
        else:
            wire = packer.pack(value)
            forms[id(packer)] = packer.unpack(wire)
        source = source or (packer, wire)
        if (length := wire_size(wire)) > size:
            size = length
    assert source is not None, "a socket has a packer"
    return PackedValue(forms, size, source)


def read_frame(frame: Wire, size: int, packer: Packer, limit: int, form: Callable[[Any, int], T]) -> T:
    """What a frame of ``size`` bytes, at most ``limit``, holds, given by ``form`` from plain value and size.

    Raises:
        ProtocolError: it is too long, or cannot be read.
    """
    if size > limit:
        raise ProtocolError(f"the server takes packets of {limit} bytes", 4413)
    try:
        return form(packer.unpack(frame), size)
    except UnpackError as error:
        raise ProtocolError(str(error)) from error


def write_frame(packet: Packet, packer: Packer) -> Wire:
    """The frame of a packet from the server. A batch is joined from the parts of its events, where the packer can."""
    if isinstance(packet, Reply) and isinstance(packet.value, PackedValue):
        status = "error" if packet.failed else "reply"
        return _join([_form(packet.value, packer), packet.ref, packet.seq, packet.ack, status], packer)
    if isinstance(packet, Classic) and isinstance(packet.message, PackedValue):
        return _join([_form(packet.message, packer), packet.ref], packer)
    if isinstance(packet, Request) and (joining := joinable(packer)):
        return _join([_part(packet.event, joining), *write_packet(packet, "server")[1:]], packer)
    if not isinstance(packet, Events):
        return packer.pack(write_packet(packet, "server"))
    alone = packet.events[0] if len(packet.events) == 1 else None
    known: dict[int, Wire] = {}
    if isinstance(alone, Push):
        known = alone.frames if packet.seq is None else alone.unnumbered
        if id(packer) in known:
            return known[id(packer)]
    joining = joinable(packer)
    if joining is None:
        batch, *rest = write_packet(packet, "server")
        frame = packer.pack([[event and event_form(packer, *event) for event in batch], *rest])
    else:
        parts = [joining.part(None) if event is None else _part(event, joining) for event in packet.events]
        tail = (None,) if packet.seq is None else (None, packet.seq)
        frame = joining.frame(joining.join([joining.join(parts), *map(joining.part, tail)]))
    known[id(packer)] = frame
    return frame


def _form(value: PackedValue, packer: Packer) -> Any:
    if id(packer) not in value.forms:
        known, wire = value.source
        plain = known.unpack(wire)
        joining = joinable(packer)
        value.forms[id(packer)] = joining.part(plain) if joining else plain
    return value.forms[id(packer)]


def _join(plain: list[Any], packer: Packer) -> Wire:
    """The frame of a packet whose first part is in the packer's form already."""
    joining = joinable(packer)
    if joining is None:
        return packer.pack(plain)
    return joining.frame(joining.join([plain[0], *map(joining.part, plain[1:])]))


def _part(event: Event, packer: JoinablePacker) -> Any:
    part = event.parts.get(id(packer)) if isinstance(event, Push) else None
    return packer.part([event.id, event.data]) if part is None else part
