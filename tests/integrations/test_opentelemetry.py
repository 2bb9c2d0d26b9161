"""What OpenTelemetry is told of a socket: through its real SDK, with readers in memory."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from sente import ChannelSocket, ConfigError, Message, Note, RequestFailed, ServerSettings
from sente.integrations import opentelemetry
from sente.integrations.opentelemetry import NAMES, OTHER, OpenTelemetry
from tests.asgi import HELLO, TRANSPORTS, TransportName, WsClient, connect, fetch, row, until

SETTINGS = ServerSettings(grace_ws=0.02, grace_poll=0.02, batch_ws=0, batch_poll=0)
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1", "baggage": "who=mallory"}
over_both = pytest.mark.parametrize("transport", TRANSPORTS)


class Watched:
    """A socket, and what OpenTelemetry knows of it."""

    def __init__(self, *, users: bool = False, **options: Any) -> None:
        self.current: SpanContext | None = None
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.exporter = InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.telemetry = OpenTelemetry(
            users=users, attributes={"zone": "a"}, meter_provider=self.meters, tracer_provider=tracers
        )
        options = {"settings": SETTINGS, "user_id": lambda _: "ada", **options}
        self.chsk = ChannelSocket(telemetry=self.telemetry, **options)

        @self.chsk.on("chat/echo")
        async def echo(msg: Message) -> object:
            self.current = trace.get_current_span().get_span_context()
            return msg.data

        @self.chsk.on("chat/refuse")
        def refuse(msg: Message) -> None:
            raise RequestFailed("too_late", "a secret")

        @self.chsk.on("chat/break")
        async def breaks(msg: Message) -> None:
            raise ZeroDivisionError

        @self.chsk.on("chat/hang")
        async def hang(msg: Message) -> None:
            await asyncio.Event().wait()

    def points(self, name: str) -> Iterator[Any]:
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        yield from metric.data.data_points

    def count(self, name: str, **labels: object) -> float:
        """How much was counted, or how often something was measured, under these labels, and no others than known."""
        wanted = {key.replace("__", "."): value for key, value in labels.items()}
        found = 0
        for point in self.points(name):
            assert point.attributes["zone"] == "a"
            assert not {"ada", "c1"} & {*point.attributes.values()}
            if wanted.items() <= point.attributes.items():
                found += point.count if hasattr(point, "count") else point.value
        return found

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())


def handled(watched: Watched, event_id: str, **labels: object) -> float:
    return watched.count("messaging.process.duration", messaging__destination__name=event_id, **labels)


@over_both
async def test_what_travels_is_counted(transport: TransportName) -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        client = await connect(chsk, transport)
        assert await client.ask("chat/echo", "hi") == ("reply", "hi")
        chsk.send("ada", "chat/said", flush=True)
        chsk.broadcast("chat/said", flush=True)
        assert await client.event() == ["chat/said", None]
        assert watched.count("sente.sessions", sente__state=transport) == 1
        assert watched.count("sente.users") == 1
        assert watched.count("sente.outbox.items") == chsk.stats.gauges.outbox_items > 0
        assert watched.count("sente.outbox.bytes") == watched.count("sente.outbox.longest") > 0
        assert watched.count("sente.lines") == (transport == "ws")
        chsk.disconnect("ada")
        await until(lambda: chsk.stats["ended disconnected"])
    assert handled(watched, "chat/echo", messaging__system="sente", messaging__operation__name="process") == 1
    assert watched.count("messaging.client.sent.messages", messaging__destination__name="chat/said") == 2
    assert watched.count("sente.hellos", sente__transport=transport, sente__resume=False) == 1
    line = {"sente__transport": transport, "sente__packer": "json"}
    asked = len('[["chat/echo","hi"],1,1,null,"request"]')
    assert watched.count("sente.io", network__io__direction="receive", **line) >= asked
    assert watched.count("sente.frames", network__io__direction="receive", sente__size="64", **line) >= 1
    assert watched.count("sente.frames", network__io__direction="transmit", **line) >= 3
    assert watched.count("sente.batches", network__io__direction="receive", sente__events="1") == 1
    assert watched.count("sente.carried", network__io__direction="receive") == 1
    assert watched.count("sente.carried", network__io__direction="transmit") >= 3  # the reply, and two events
    assert watched.count("sente.batches", network__io__direction="transmit") >= 2
    assert watched.count("sente.acknowledged") >= watched.count("sente.acks")
    assert watched.count("sente.occurrences", sente__occurrence="lost") <= 2
    assert watched.count("sente.sessions.ended", sente__reason="disconnected") == 1
    assert watched.count("sente.occurrences", sente__occurrence="received") == 1
    assert watched.count("sente.occurrences", sente__occurrence="sent") == 2
    assert not [p for p in watched.points("sente.occurrences") if "ended" in p.attributes["sente.occurrence"]]
    if transport == "ws":
        assert watched.count("sente.closes", sente__code=4410) == 1


async def test_a_line_that_breaks_and_one_that_comes_back_are_counted() -> None:
    watched = Watched(settings=ServerSettings(grace_ws=5))
    async with watched.chsk as chsk:
        client = await connect(chsk, "ws")
        assert isinstance(client, WsClient)
        client.socket.disconnect(1006)
        await until(lambda: watched.count("sente.closes", sente__code=1006) == 1)
        assert watched.count("sente.sessions") == 1
        await connect(chsk, "ws", hello={"session": client.info["session"], "n": 2})
        assert watched.count("sente.hellos", sente__resume=True) == 1
        assert (chsk.stats["resumed"], chsk.stats["not resumed"]) == (1, 0)
        await connect(chsk, "ws", hello={"session": "of a server before this one", "n": 3})
        assert (chsk.stats["resumed"], chsk.stats["not resumed"]) == (1, 1)


async def test_what_is_acknowledged_and_what_is_lost_is_counted() -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        client = await connect(chsk, "ws")
        for number in range(7):
            chsk.send("ada", "chat/said", number, flush=True)
        for number in range(7):
            assert await client.event() == ["chat/said", number]
        await client.push([None, None, 0, 5])
        await until(lambda: watched.count("sente.acknowledged") == 5)
        assert watched.count("sente.acks", sente__events="8") == 1
        await client.push([None, None, 0, 6])
        await until(lambda: watched.count("sente.acks") == 2)
        assert watched.count("sente.acknowledged") == 6
        chsk.disconnect("ada")
        await until(lambda: chsk.stats["ended disconnected"])
        assert chsk.stats["lost"] == 1


async def test_refusals_are_counted_by_status_and_check() -> None:
    watched = Watched(authorize=lambda _: False)
    async with watched.chsk as chsk:
        assert (await fetch(chsk, "POST", body=row(HELLO))).status == 401
        assert (await fetch(chsk, "POST", body=b"garbage")).status == 400
    assert watched.count("sente.refusals", http__response__status_code=401, sente__check="authorize") == 1
    assert watched.count("sente.refusals", http__response__status_code=400, sente__check="") == 1
    assert not [*watched.points("sente.occurrences")]


async def test_what_handlers_fail_with_is_told_and_refusing_is_no_fault() -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        client = await connect(chsk)
        assert (await client.ask("chat/refuse"))[0] == "error"
        assert (await client.ask("chat/break"))[0] == "error"
        await client.request("chat/hang")
        await until(lambda: chsk.stats["received"] == 3)
    assert handled(watched, "chat/refuse", error__type="too_late") == 1
    assert handled(watched, "chat/break", error__type="ZeroDivisionError") == 1
    await until(lambda: handled(watched, "chat/hang", error__type="CancelledError") == 1)
    refused, broken, hung = watched.spans
    assert (refused.name, refused.kind) == ("process chat/refuse", SpanKind.CONSUMER)
    assert (refused.status.status_code, refused.events) == (StatusCode.UNSET, ())
    assert (broken.status.status_code, broken.events[0].name) == (StatusCode.ERROR, "exception")
    assert hung.status.status_code == StatusCode.UNSET
    assert "secret" not in refused.to_json()


async def test_events_without_a_handler_have_one_name_together() -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        client = await connect(chsk)
        for number in range(3):
            assert (await client.ask(f"strange/{number}"))[0] == "error"
    assert handled(watched, OTHER, error__type="no_handler") == 3
    assert "strange" not in repr([p.attributes for p in watched.points("messaging.process.duration")])
    assert {span.name for span in watched.spans} == {f"process {OTHER}"}


async def test_ids_made_of_data_do_not_become_labels_without_end() -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        for number in range(NAMES + 50):
            chsk.broadcast(f"room/{number}")
    names = {p.attributes["messaging.destination.name"] for p in watched.points("messaging.client.sent.messages")}
    assert len(names) == NAMES + 1
    assert watched.count("messaging.client.sent.messages", messaging__destination__name=OTHER) == 50


# -- trace context


async def test_a_websocket_is_where_a_link_leads() -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        client = await connect(chsk, "ws", headers=HEADERS)
        await client.ask("chat/echo")
    (span,) = watched.spans
    assert span.parent is None
    (link,) = span.links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, PARENT)
    assert watched.current == span.get_span_context(), "it is the current span in the handler"


async def test_a_post_is_the_parent() -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        client = await connect(chsk, "poll", headers=HEADERS)
        await client.ask("chat/echo")
    (span,) = watched.spans
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert not span.links


@over_both
@pytest.mark.parametrize("traceparent", ["", "garbage", f"00-{'0' * 32}-{PARENT}-01"])
async def test_a_context_that_is_none_is_left_out(transport: TransportName, traceparent: str) -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        client = await connect(chsk, transport, headers={"traceparent": traceparent})
        await client.ask("chat/echo")
    (span,) = watched.spans
    assert (span.parent, list(span.links)) == (None, [])


@pytest.mark.parametrize("users", [True, False])
async def test_users_are_in_spans_only_if_asked_for(users: bool) -> None:
    watched = Watched(users=users)
    async with watched.chsk as chsk:
        client = await connect(chsk)
        await client.ask("chat/echo", "a secret")
    (span,) = watched.spans
    assert span.attributes is not None
    assert (span.attributes["messaging.client.id"], span.attributes["zone"]) == ("c1", "a")
    assert span.attributes.get("user.id") == ("ada" if users else None)
    assert "secret" not in span.to_json()


async def test_comings_have_no_context() -> None:
    watched = Watched(users=True)

    @watched.chsk.on("chsk/uidport-open")
    async def came(msg: Message) -> None: ...

    async with watched.chsk as chsk:
        await connect(chsk, headers=HEADERS)
        await until(lambda: watched.spans)
    (span,) = watched.spans
    assert (span.name, list(span.links)) == ("process chsk/uidport-open", [])
    assert span.attributes is not None
    assert "messaging.client.id" not in span.attributes


# -- around


def test_one_watches_one_socket() -> None:
    telemetry = OpenTelemetry(meter_provider=MeterProvider())
    ChannelSocket(telemetry=telemetry)
    with pytest.raises(ConfigError, match="give each its own"):
        ChannelSocket(telemetry=telemetry)


async def test_without_an_sdk_it_does_nothing() -> None:
    chsk = ChannelSocket(telemetry=OpenTelemetry(), settings=SETTINGS)

    @chsk.on("chat/echo")
    async def echo(msg: Message) -> object:
        return msg.data

    async with chsk:
        client = await connect(chsk)
        assert await client.ask("chat/echo", 1) == ("reply", 1)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    source = opentelemetry.__file__
    with open(source) as file, pytest.raises(ImportError, match=r"sente-channels\[otel\]"):
        exec(compile(file.read(), source, "exec"), {"__name__": "again"})


async def test_a_poll_without_packets_is_no_frame() -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        client = await connect(chsk, "poll")
        before = watched.count("sente.frames", network__io__direction="receive")
        chsk.send("ada", "chat/said", flush=True)
        await client.event()
    assert watched.count("sente.frames", network__io__direction="receive") == before


async def test_frames_are_told_apart_by_size() -> None:
    watched = Watched()
    async with watched.chsk as chsk:
        client = await connect(chsk)
        chsk.send("ada", "chat/said", "x" * 5000, flush=True)
        watched.telemetry.note(Note(0.0, "out", "c1", "ada", "ws", "json", 2_000_000))
        await client.event()
    assert watched.count("sente.frames", sente__size="16384") == 1
    assert watched.count("sente.frames", sente__size="inf") == 1
