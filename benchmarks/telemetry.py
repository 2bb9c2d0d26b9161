"""What it costs to watch a socket: ``python -m benchmarks.telemetry``, for a quarter of a minute."""

import asyncio
import time

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from sente import ChannelSocket, Message, ServerSettings, Telemetry
from sente.integrations.opentelemetry import OpenTelemetry
from tests.asgi import connect

EVENTS = 3_000
ROUNDS = 7


def watched_by(what: str) -> Telemetry | None:
    if what == "nothing":
        return None
    meters = MeterProvider([InMemoryMetricReader()]) if what != "the API alone" else None
    tracers = TracerProvider() if what == "metrics and spans" else None
    return OpenTelemetry(meter_provider=meters, tracer_provider=tracers)


async def request(what: str) -> float:
    """Seconds of the processor for a request over a WebSocket that is driven by hand, its client's included."""
    settings = ServerSettings(batch_ws=0)
    async with ChannelSocket(telemetry=watched_by(what), settings=settings, user_id=lambda _: "ada") as chsk:

        @chsk.on("a/plain")
        async def plain(msg: Message) -> None: ...

        client = await connect(chsk)
        for _ in range(200):
            await client.ask("a/plain")
        began = time.process_time()
        for _ in range(EVENTS):
            await client.ask("a/plain")
        return (time.process_time() - began) / EVENTS


def main() -> None:
    """Print the best of some rounds, which take turns so that a busy machine is unfair to all alike."""
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for what in ("nothing", "the API alone", "metrics", "metrics and spans"):
            best[what] = min(asyncio.run(request(what)), best.get(what, 1.0))
    for what, seconds in best.items():
        print(f"{what:18} {seconds * 1e6:6.0f} µs")


if __name__ == "__main__":
    main()
