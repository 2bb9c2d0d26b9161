"""Where a socket is watched for metrics and spans: the plug-in point, and how it is wired. Without it nothing is paid.

What is counted anyway is taken from ``chsk.stats`` when somebody asks for it; lines are watched by the gate of
``sente.trace``, handlers through what is made of them once, when they are registered.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol, runtime_checkable

from sente.dispatch import Call, Dispatcher
from sente.errors import ConfigError
from sente.hub import Hub
from sente.stats import Stats, stats
from sente.trace import Note, traced
from sente.transports.gate import ClassicGate, Gate


@runtime_checkable
class Telemetry(Protocol):
    """What ``ChannelSocket(telemetry=)`` takes: ``OpenTelemetry`` of ``sente.integrations.opentelemetry``, or your own.

    No method may wait; what ``note`` raises is logged.

    >>> class CountSaid:
    ...     said = 0
    ...     def begin(self, stats): ...
    ...     def handler(self, event_id, call): return call
    ...     def sent(self, event_id): self.said += 1
    ...     def note(self, note): ...
    ...     def frame(self, direction, says, acknowledges): ...
    >>> isinstance(CountSaid(), Telemetry)
    True
    """

    def begin(self, stats: Callable[[], Stats], /) -> None:
        """The socket is made: called once, before all else. ``stats`` may be called at any time, in any thread.

        Raises ``ConfigError``: it watches another socket already.
        """
        ...

    def handler(self, event_id: str | None, call: Call, /) -> Call:
        """What is called in a handler's place; ``None``: in place of what becomes of events without one.

        Called for each handler when it is registered, and again when another binder fills its parameters.
        """
        ...

    def sent(self, event_id: str, /) -> None:
        """An event was said, by ``send``, ``broadcast`` or ``request``. In any thread; must not raise."""
        ...

    def note(self, note: Note, /) -> None:
        """Something happened on a line, told without the names of events: nothing is unpacked twice."""
        ...

    def frame(self, direction: Literal["in", "out"], says: int, acknowledges: int, /) -> None:
        """A frame brings so many events, requests and replies, and the client has taken charge of so many of those
        that were said to it. Of what Sente's own clients say nothing is told, and nothing of theirs acknowledged.
        Must not raise."""
        ...


def observed(
    telemetry: object, hub: Hub, dispatcher: Dispatcher, gates: tuple[Gate, ClassicGate]
) -> tuple[Gate, ClassicGate]:
    """The gates of a socket that ``telemetry`` watches. Raises ``ConfigError``."""
    if not isinstance(telemetry, Telemetry):
        raise ConfigError(f"telemetry={telemetry!r}: give OpenTelemetry(), of sente.integrations.opentelemetry")
    telemetry.begin(partial(stats, hub))
    dispatcher.watch(telemetry.handler)
    hub.said = telemetry.sent
    hub.frame = telemetry.frame
    return traced(*gates, telemetry.note, named=False)
