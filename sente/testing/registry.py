"""What an event registry has to keep, as a check."""

import copy
import math
from collections.abc import Sequence
from typing import Any, get_args
from uuid import UUID

from sente.errors import EventError, PackError, UnknownEvent
from sente.interfaces import HashedRegistry, KeyedRegistry, Registry, RepeatableRegistry, is_plain_json
from sente.packers import get
from sente.protocol.messages import Side
from sente.values import Keyword, TaggedValue

PACKERS = ("json", "transit", "msgpack")

STRANGE: Sequence[Any] = (
    *(None, True, -1, 2**70, math.nan, "", "\0", b"\xff", [], {}, {"a": {}}, {1: 2}, [[None]] * 1000),
    *({"text": [{"text": {}}]}, {UUID(int=0), Keyword("a")}, TaggedValue("other/thing", [1])),
)
"""What strangers may send as the data of any event, or as a reply: everything that a packer gives."""


def check_registry(registry: Registry, *events: Any) -> None:
    """Prove that a registry keeps the contract of ``Registry``.

    >>> from sente import EventRegistry
    >>> events = EventRegistry()
    >>> names = events.event("chat/typing", of=list[str])
    >>> check_registry(events, ("chat/typing", ["ada"]))

    Args:
        registry: The registry.
        events: Events as the application has them: objects of their classes, or ``(id, data)``. They must come back
            equal through every packer that can carry them.

    Raises:
        AssertionError: it does not; says what.
    """
    assert isinstance(registry, Registry), "a registry has identify, load, dump and deadline"
    for event in events:
        event_id, value = event if isinstance(event, tuple) else (_identified(registry, event), event)
        _check_event(registry, event_id, value)
    if isinstance(registry, HashedRegistry):
        hashes = registry.hashes()
        assert all(isinstance(word, str) for word in hashes.values()), "the hashes of events are texts"
        assert registry.hashes() == hashes, "an event's hash stays the same"
    for nothing in (object(), 7, None, object):
        try:
            registry.identify(nothing)
        except UnknownEvent:
            continue
        raise AssertionError(f"identify({nothing!r}) raises UnknownEvent")


def _identified(registry: Registry, event: Any) -> str:
    event_id = registry.identify(event)
    assert registry.identify(type(event)) == event_id, "an event's class has the id of its objects"
    return event_id


def _check_event(registry: Registry, event_id: str, value: Any) -> None:
    assert registry.identify(event_id) == event_id, "the id of an id is that id"
    deadline = registry.deadline(event_id)
    assert deadline is None or 0 < deadline < math.inf, "a deadline is a finite number of seconds above 0, or None"
    senders = [side for side in get_args(Side) if _is_said(registry, event_id, value, side)]
    assert senders, f"neither side may say {event_id}"
    if isinstance(registry, KeyedRegistry):
        key = registry.key(event_id, value)
        hash(key)
        assert registry.key(event_id, copy.deepcopy(value)) == key, "equal events have equal keys"
    if isinstance(registry, RepeatableRegistry):
        assert isinstance(registry.idempotent(event_id), bool), "idempotent is True or False"
    for sender in senders:
        before = copy.deepcopy(value)
        dumped = registry.dump(event_id, value, sender=sender)
        assert value == before, "dump changed the value"
        _check_travel(registry, event_id, value, dumped, sender)
    for sender in get_args(Side):
        for strange in STRANGE:
            _check_strange(registry, event_id, strange, sender)


def _is_said(registry: Registry, event_id: str, value: Any, sender: Side) -> bool:
    try:
        registry.dump(event_id, value, sender=sender)
    except EventError:
        return False
    return True


def _check_travel(registry: Registry, event_id: str, value: Any, dumped: Any, sender: Side) -> None:
    carried = 0
    for name in PACKERS:
        packer = get(name)
        try:
            wire = packer.pack(dumped)
        except PackError:
            continue
        carried += 1
        back = registry.load(event_id, packer.unpack(wire), sender=sender, plain=is_plain_json(packer))
        assert back == value, f"{event_id} came back from {name} as {back!r}"
    assert carried, f"no packer can carry what dump makes of {event_id}"


def _check_strange(registry: Registry, event_id: str, strange: Any, sender: Side) -> None:
    for reply in (False, True):
        for plain in (False, True):
            try:
                registry.load(event_id, strange, sender=sender, reply=reply, plain=plain)
            except EventError:
                continue
            except Exception as error:
                raise AssertionError(f"load raised {error!r}, which is no EventError") from error
