"""The registry of those who name none: every event is one, and carries what it carries."""

from typing import Any

from sente.errors import UnknownEvent
from sente.protocol.messages import Side


class Untyped:
    """Knows nothing, checks nothing.

    >>> Untyped().load("chat/say", {"text": "hi"}, sender="client")
    {'text': 'hi'}
    """

    def identify(self, event: object, /) -> str:
        """The id that was given. Raises ``UnknownEvent`` for anything but a string."""
        if isinstance(event, str):
            return event
        name = getattr(event, "__name__", None) or type(event).__name__
        raise UnknownEvent(name, "without events=EventRegistry() an event is named by its id, 'namespace/name'")

    def load(self, event_id: str, value: Any, /, *, sender: Side, reply: bool = False, plain: bool = False) -> Any:
        """The value."""
        return value

    def dump(self, event_id: str, value: Any, /, *, sender: Side, reply: bool = False) -> Any:
        """The value."""
        return value

    def deadline(self, event_id: str, /) -> None:
        """Whatever is the default."""
