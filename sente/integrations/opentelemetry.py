"""Metrics and spans of a ``ChannelSocket`` through the OpenTelemetry API, which does nothing until an SDK is set up.

Names are those of OpenTelemetry's conventions for messaging where it has a word, else they begin with ``sente.``. No
label is a user, a client, or a word that strangers choose. docs/guides/observability.md lists them all.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

try:
    from opentelemetry import metrics, trace
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:
    raise ImportError('OpenTelemetry is missing: pip install "sente-channels[otel]"') from error

from sente.dispatch import Call, Message
from sente.errors import ConfigError, RequestFailed
from sente.stats import Stats
from sente.trace import Note
from sente.transports.asgi import Connection

__all__ = ["OpenTelemetry"]

NAMES = 200
"""Different ids of events sent, codes of ``RequestFailed`` and names of checks that become labels, so that one which is
made of data does not fill the memory of whoever counts; the next ones are ``_OTHER``."""

OTHER = "_OTHER"
"""What OpenTelemetry's conventions call all values that are not told apart."""

SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Buckets of handler time: those of the conventions, and three below, as a handler that asks nobody takes 20 µs."""

SIZES = (64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)
"""Bytes up to which frames are counted together: from a ping to ``limits.packet``. A frame holds a batch of events, and
is counted in plain numbers which are read by whoever exports them: a histogram of the SDK takes 10 µs for each."""

MANY = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Up to how many events batches, and acknowledgements, are counted together: a window has 1024 by default."""

SYSTEM, DESTINATION, OPERATION = "messaging.system", "messaging.destination.name", "messaging.operation.name"
ERROR, TRANSPORT = "error.type", "sente.transport"

Observations = Iterable[Observation]


class OpenTelemetry:
    """Watches one socket: ``ChannelSocket(telemetry=OpenTelemetry())``.

    ::

        from sente import ChannelSocket
        from sente.integrations.opentelemetry import OpenTelemetry

        chsk = ChannelSocket(telemetry=OpenTelemetry())

    Args:
        users: Write the user's id into spans, as ``user.id``. Off by default: it is personal data.
        attributes: Labels for all metrics and spans; two sockets in one process need different ones.
        meter_provider: Default: the global one, also if it is set later.
        tracer_provider: The same for spans.
    """

    def __init__(
        self,
        *,
        users: bool = False,
        attributes: Mapping[str, str] | None = None,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        own = dict(attributes or {})
        self._meter = meter = metrics.get_meter("sente", meter_provider=meter_provider, attributes=own)
        self._tracer = trace.get_tracer("sente", tracer_provider=tracer_provider)
        self._context = TraceContextTextMapPropagator()
        self._users = users
        self._own = own
        self._labels = {SYSTEM: "sente", **own}
        self._names: set[str] = set()
        self._frames: dict[tuple[str, str, str, int], int] = defaultdict(int)
        self._bytes: dict[tuple[str, str, str], int] = defaultdict(int)
        self._batches: dict[tuple[str, int], int] = defaultdict(int)
        self._acks: dict[int, int] = defaultdict(int)
        self._carried: dict[str, int] = defaultdict(int)
        self._acknowledged = 0
        self._stats: Callable[[], Stats] | None = None
        self._duration = meter.create_histogram(
            "messaging.process.duration",
            "s",
            "Time that handlers take, by event and by what they failed with.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._sent = meter.create_counter(
            "messaging.client.sent.messages", "{message}", "Events said by the server, once for all who get them."
        )
        self._hellos = meter.create_counter("sente.hellos", "{hello}", "Clients that came in, anew or to resume.")
        self._refusals = meter.create_counter(
            "sente.refusals", "{refusal}", "Connections refused, by status and check."
        )
        self._closes = meter.create_counter("sente.closes", "{line}", "Lines that the server closed, or that broke.")

    def begin(self, stats: Callable[[], Stats], /) -> None:
        """Have what the socket counts looked up when it is asked for."""
        if self._stats is not None:
            raise ConfigError("telemetry=: this one watches another ChannelSocket; give each its own, with attributes=")
        self._stats = stats
        meter = self._meter
        counter, gauge = meter.create_observable_counter, meter.create_observable_gauge
        counter("sente.occurrences", [self._occurrences], "{occurrence}", "The words of chsk.stats.")
        counter("sente.sessions.ended", [self._ended], "{session}", "Sessions that ended, by reason.")
        counter("sente.io", [self._io], "By", "Bytes of frames on the lines, by direction, transport and packer.")
        counter("sente.frames", [self._counted], "{frame}", "Frames on the lines, by the same and by size.")
        counter("sente.batches", [self._batched], "{frame}", "Frames that say something, by direction and how much.")
        counter("sente.carried", [self._said], "{message}", "Events, requests and replies in them.")
        counter("sente.acks", [self._acked], "{ack}", "Acknowledgements of clients with news, by how much.")
        counter("sente.acknowledged", [self._arrived], "{message}", "What clients have acknowledged.")
        gauge("sente.sessions", [self._sessions], "{session}", "Sessions, by what their clients have of a line.")
        for name, unit, text in (
            ("users", "{user}", "Users who have a session."),
            ("lines", "{line}", "WebSockets and polls that are open."),
            ("outbox_items", "{item}", "What is kept for all clients until they acknowledge it."),
            ("outbox_bytes", "By", "The same in bytes."),
            ("outbox_longest", "By", "The same for the one client that is the furthest behind."),
        ):
            gauge(f"sente.{name.replace('_', '.')}", [self._gauge(name)], unit, text)

    def _gauge(self, name: str) -> Callable[[CallbackOptions], Observations]:
        return lambda _: [Observation(getattr(self._now().gauges, name), self._own)]

    def _now(self) -> Stats:
        return Stats() if self._stats is None else self._stats()

    def _sessions(self, options: CallbackOptions) -> Observations:
        gauges = self._now().gauges
        for state, number in (("ws", gauges.ws), ("poll", gauges.poll), ("away", gauges.away)):
            yield Observation(number, {"sente.state": state, **self._own})

    def _ended(self, options: CallbackOptions) -> Observations:
        for word, count in self._now().items():
            if word.startswith("ended "):
                yield Observation(count, {"sente.reason": word.removeprefix("ended "), **self._own})

    def _occurrences(self, options: CallbackOptions) -> Observations:
        for word, count in self._now().items():
            if not word.startswith(("ended ", "rejected ")):  # which are metrics of their own
                yield Observation(count, {"sente.occurrence": word, **self._own})

    def _io(self, options: CallbackOptions) -> Observations:
        for line, size in self._bytes.copy().items():
            yield Observation(size, self._line(*line))

    def _counted(self, options: CallbackOptions) -> Observations:
        for (*line, size), frames in self._frames.copy().items():
            yield Observation(frames, {**self._line(*line), "sente.size": _up_to(size, SIZES)})

    def _batched(self, options: CallbackOptions) -> Observations:
        for (direction, many), frames in self._batches.copy().items():
            yield Observation(
                frames, {"network.io.direction": direction, "sente.events": _up_to(many, MANY), **self._own}
            )

    def _said(self, options: CallbackOptions) -> Observations:
        for direction, carried in self._carried.copy().items():
            yield Observation(carried, {"network.io.direction": direction, **self._own})

    def _acked(self, options: CallbackOptions) -> Observations:
        for many, acks in self._acks.copy().items():
            yield Observation(acks, {"sente.events": _up_to(many, MANY), **self._own})

    def _arrived(self, options: CallbackOptions) -> Observations:
        return [Observation(self._acknowledged, self._own)]

    def _line(self, direction: str, transport: str, packer: str) -> dict[str, str]:
        return {"network.io.direction": direction, TRANSPORT: transport, "sente.packer": packer, **self._own}

    # -- events

    def handler(self, event_id: str | None, call: Call, /) -> Call:
        """Time the handler, in a span."""
        name = OTHER if event_id is None else event_id
        labels = {**self._labels, DESTINATION: name, OPERATION: "process"}
        attributes = {**labels, "messaging.operation.type": "process"}

        async def handled(message: Message) -> Any:
            failed: dict[str, str] = {}
            context, links = self._origin(message.connection)
            begun = time.perf_counter()
            with self._tracer.start_as_current_span(
                f"process {name}",
                context,
                SpanKind.CONSUMER,
                attributes | self._who(message),
                links,
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                try:
                    return await call(message)
                except BaseException as error:
                    failed[ERROR] = self._failure(span, error)
                    raise
                finally:
                    self._duration.record(time.perf_counter() - begun, labels | failed)

        return handled

    def _origin(self, connection: Connection | None) -> tuple[Context | None, list[Link]]:
        """A POST carries what was said just now: its context is the parent. A WebSocket was opened long ago, by what
        has ended since: a link leads there."""
        if connection is None or "traceparent" not in connection.headers:
            return None, []
        context = self._context.extract(connection.headers)
        if connection.scope["type"] != "websocket":
            return context, []
        return None, [Link(trace.get_current_span(context).get_span_context())]  # an invalid one is left out by the SDK

    def _who(self, message: Message) -> dict[str, str]:
        who = {"messaging.client.id": message.client_id} if message.client_id else {}
        return {**who, "user.id": str(message.uid)} if self._users and message.uid is not None else who

    def _failure(self, span: Span, error: BaseException) -> str:
        """What a handler failed with. To refuse is no fault of the server's."""
        if isinstance(error, RequestFailed):
            name = self._name(error.code)
        else:
            name = type(error).__qualname__
            if isinstance(error, Exception):
                span.record_exception(error)
                span.set_status(Status(StatusCode.ERROR, name))
        span.set_attribute(ERROR, name)
        return name

    def sent(self, event_id: str, /) -> None:
        """Count an event that was said."""
        self._sent.add(1, {**self._labels, DESTINATION: self._name(event_id), OPERATION: "send"})

    def _name(self, name: str) -> str:
        if name not in self._names:
            if len(self._names) >= NAMES:
                return OTHER
            self._names.add(name)
        return name

    # -- lines

    def note(self, note: Note, /) -> None:
        """Measure what travels."""
        labels = {TRANSPORT: note.transport, **self._own}
        match note.what:
            case "in" | "out" if note.packer:
                line = "receive" if note.what == "in" else "transmit", note.transport, note.packer
                self._bytes[line] += note.size
                self._frames[*line, bisect_left(SIZES, note.size)] += 1
            case "hello":
                self._hellos.add(1, {**labels, "sente.resume": note.text.startswith("to resume")})
            case "refused":
                check = self._name(note.check)
                self._refusals.add(1, {**labels, "http.response.status_code": note.code, "sente.check": check})
            case "close" | "lost":
                self._closes.add(1, {**labels, "sente.code": note.code or 1006})
            case _:
                pass  # a poll without packets

    def frame(self, direction: Literal["in", "out"], says: int, acknowledges: int, /) -> None:
        """Count what travels together."""
        if says:
            line = "receive" if direction == "in" else "transmit"
            self._batches[line, bisect_left(MANY, says)] += 1
            self._carried[line] += says
        if acknowledges:
            self._acks[bisect_left(MANY, acknowledges)] += 1
            self._acknowledged += acknowledges


def _up_to(bucket: int, bounds: Sequence[int]) -> str:
    return str(bounds[bucket]) if bucket < len(bounds) else "inf"
