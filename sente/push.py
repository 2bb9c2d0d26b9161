"""An event on its way to many clients: packed once per packer, and shared."""

from dataclasses import dataclass, field
from typing import Any

from sente.interfaces import JoinablePacker, Packer, Wire
from sente.protocol.messages import Event, Events, Packet, write_packet


@dataclass(frozen=True, slots=True)
class Push(Event):
    """An event with its packed forms, by the packer's name."""

    parts: dict[str, Any] = field(default_factory=dict, compare=False)
    """``[id, data]`` packed."""
    frames: dict[str, Wire] = field(default_factory=dict, compare=False)
    """Whole frames, for the common case that the event leaves alone."""


def write_frame(packet: Packet, packer: Packer) -> Wire:
    """The frame of a packet from the server. A batch is joined from the parts of its events, where the packer can."""
    if not isinstance(packet, Events) or not isinstance(packer, JoinablePacker):
        return packer.pack(write_packet(packet, "server"))
    events = [event for event in packet.events if event is not None]
    alone = events[0] if len(events) == 1 else None
    if isinstance(alone, Push) and packer.name in alone.frames:
        return alone.frames[packer.name]
    frame = packer.join([packer.join([_part(event, packer) for event in events]), packer.pack(None)])
    if isinstance(alone, Push):
        alone.frames[packer.name] = frame
    return frame


def _part(event: Event, packer: Packer) -> Any:
    if not isinstance(event, Push):
        return packer.pack([event.id, event.data])
    if packer.name not in event.parts:
        event.parts[packer.name] = packer.pack([event.id, event.data])
    return event.parts[packer.name]
