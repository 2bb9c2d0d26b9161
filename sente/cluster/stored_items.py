"""What is said to a session, as the store keeps it: a row of frames like what processes say to each other."""

import json
from collections import Counter
from collections.abc import Callable

from sente.cluster.letters import Letters
from sente.cluster.notices import Notice, read, write
from sente.dispatch import log
from sente.errors import ProtocolError
from sente.interfaces import Wire
from sente.protocol.messages import Event
from sente.protocol.outbox import Answered, Item, Nothing, Withdrawn
from sente.push import PackedValue, Push
from sente.transports.asgi import wire_size


class StoredItems:
    """Writes items, and reads what may be anything. ``read_event`` is given the notice of an event."""

    def __init__(self, letters: Letters, read_event: Callable[[Notice], Push], stats: Counter[str]) -> None:
        self._letters = letters
        self._read_event = read_event
        self._stats = stats

    def write(self, item: Item) -> bytes:
        """The body to be stored."""
        match item:
            case Answered(value, ref, failed):
                if isinstance(value, PackedValue):
                    packer, packed = value.source
                    value = packer.unpack(packed)
                place, wire = self._letters.close(value)
                return write("reply", "", {"ref": ref, "failed": failed, "packer": place}, [wire])
            case Event():
                place, wire = self._letters.close(item.data)
                return write("stored", "", {"event": item.id, "packer": place}, [wire])
            case Withdrawn(ref):
                return write("cancel", "", {"ref": ref})
            case _:  # whoever asked is gone with its process
                return write("nothing", "", {})

    def read(self, body: bytes) -> Item:
        """The item; ``Nothing`` if it is none: its number leaves all the same."""
        try:
            notice = read(body)
            match notice.op:
                case "stored":
                    return self._read_event(notice)
                case "reply":
                    wire, failed = notice.frame(), notice.head.get("failed") is True
                    value = self._letters.open(notice.number("packer"), wire)
                    return Answered(value, notice.number("ref"), failed, wire_size(wire))
                case "cancel":
                    return Withdrawn(notice.number("ref"))
        except ProtocolError as error:
            self._stats["broker unreadable"] += 1
            log.warning("unreadable, from the store: %s", error)
        return Nothing()


def read_numbers(frame: Wire) -> dict[str, int]:
    """Which number an event has in which sessions. Raises ``ProtocolError``."""
    try:
        numbers = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the numbers of an event must be JSON") from error
    if not isinstance(numbers, dict) or not all(type(number) is int for number in numbers.values()):
        raise ProtocolError("the numbers of an event must be whole")
    return numbers
