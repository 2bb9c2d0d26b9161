"""The typed edge of one side: where events become what the registry says they are, and plain again."""

import logging
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from sente.dispatch import Message
from sente.errors import ConfigError, EventError, InvalidEvent, RequestFailed, UnknownEvent
from sente.events import EventContract, Untyped
from sente.interfaces import KeyedRegistry, Registry, RepeatableRegistry
from sente.protocol.messages import BAD_EVENT, Event, Side

log = logging.getLogger("sente")


class Typed:
    """A registry as one side uses it. The events of the protocol itself, ``chsk/...``, are none of its.

    >>> Typed(None, "server").say("chat/said", {"text": "hi"})
    ('chat/said', {'text': 'hi'})
    """

    def __init__(self, registry: Registry | None, side: Side) -> None:
        if registry is not None and not isinstance(registry, Registry):
            raise ConfigError(
                f"events={registry!r}: give an EventRegistry(), or an object with the methods of Registry"
            )
        self.registry: Registry = Untyped() if registry is None else registry
        self.checks = registry is not None
        """Whether there is anything to check; what carries many events asks this first."""
        self._keyed = registry if isinstance(registry, KeyedRegistry) else None
        self._side: Side = side
        self._other: Side = "client" if side == "server" else "server"

    def identify(self, event: object) -> str:
        """The id of an event to listen for. Raises ``ConfigError``."""
        if isinstance(event, str) and event.startswith("chsk/"):
            return event
        try:
            return self.registry.identify(event)
        except UnknownEvent as error:
            raise ConfigError(str(error)) from None

    # -- saying

    def say(self, event: object, data: Any) -> tuple[str, Any]:
        """The id of an event and what is packed of its data.

        Raises:
            EventError: it is not in the registry, or not of its type.
            ConfigError: an object that is its own data came with more.
        """
        if not self.checks:
            return self.identify(event), data
        event_id = self.registry.identify(event)
        if not isinstance(event, str | type | EventContract):
            if data is not None:
                raise ConfigError(f"{event_id}: an object of the event's class is its data; leave data= out")
            data = event
        return event_id, self.registry.dump(event_id, data, sender=self._side)

    def key(self, event_id: str, event: object, data: Any) -> Hashable | None:
        """By what a newer event replaces this one, as ``say`` was given it; ``None``: it is reliable."""
        if self._keyed is None:
            return None
        return self._keyed.key(event_id, data if isinstance(event, str | type | EventContract) else event)

    def patience(self, event_id: str, timeout: float | None, default: float) -> float:
        """Seconds to wait for a reply: as the request says, else as its event does."""
        if timeout is not None:
            return timeout
        deadline = self.registry.deadline(event_id) if self.checks else None
        return default if deadline is None else deadline

    def repeatable(self, event_id: str, idempotent: bool | None) -> bool:
        """Whether a request may be handled twice: as it says itself, else as its event does."""
        if idempotent is None:
            return isinstance(self.registry, RepeatableRegistry) and self.registry.idempotent(event_id)
        return idempotent

    def replied(self, event_id: str, value: Any, plain: bool) -> Any:
        """The reply to what this side asked. Raises ``InvalidEvent``."""
        if not self.checks:
            return value
        return self.registry.load(event_id, value, sender=self._side, reply=True, plain=plain)

    # -- hearing

    def load(self, event_id: str, value: Any, plain: bool) -> Any:
        """The data of what the other side said, as its type. Raises ``EventError``."""
        if not self.checks or event_id.startswith("chsk/"):
            return value
        return self.registry.load(event_id, value, sender=self._other, plain=plain)

    def heard(self, event: Event, plain: bool) -> Event:
        """An event that a client was sent, with its data as its type; ``chsk/bad-event`` if it does not fit."""
        if not self.checks:
            return event
        try:
            return replace(event, data=self.load(event.id, event.data, plain))
        except EventError as misfit:
            log.warning("not handled: %r", str(misfit))
            return Event(BAD_EVENT, [event.id, event.data], event.size)

    def reply(self, event_id: str, value: Any) -> Any:
        """What is packed of the reply to what the other side asked. Raises ``InvalidEvent``."""
        return self.registry.dump(event_id, value, sender=self._other, reply=True) if self.checks else value

    def open(self, message: Message) -> EventError | None:
        """Load what a client said, in its message; from then on its reply is checked too.

        What does not fit becomes ``chsk/bad-event``, and the error is returned.

        Raises:
            RequestFailed: it does not fit, and the client asked for a reply.
        """
        event_id, reply = message.id, message.reply
        try:
            message.data = self.load(event_id, message.data, message.plain)
        except EventError as error:
            if message.fail is not None:
                raise refusal(error) from error
            message.id, message.data = BAD_EVENT, [event_id, message.data]
            return error
        if reply is not None and not event_id.startswith("chsk/"):
            message.reply = lambda value: reply(self.reply(event_id, value))
        return None


def refusal(error: EventError) -> RequestFailed:
    """What the asker is told of an event that does not fit.

    >>> refusal(UnknownEvent("chat/sya")).code
    'unknown_event'
    """
    if isinstance(error, InvalidEvent):
        return RequestFailed("invalid_event", str(error), {"errors": error.errors, "more": error.more})
    return RequestFailed("unknown_event", str(error))
