"""A socket that Prometheus watches. Run it with `uvicorn main:app`; the figures are at http://127.0.0.1:8000/metrics."""

from fastapi import FastAPI
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import make_asgi_app

from sente import ChannelSocket, Message
from sente.integrations.fastapi import channel_router
from sente.integrations.opentelemetry import OpenTelemetry

meters = MeterProvider(metric_readers=[PrometheusMetricReader()])
chsk = ChannelSocket(telemetry=OpenTelemetry(meter_provider=meters))
app = FastAPI()
app.include_router(channel_router(chsk, "/chsk"))
app.mount("/metrics", make_asgi_app())  # for Prometheus alone: keep it from the public, as your proxy can


@chsk.on("chat/say")
async def say(msg: Message) -> int:
    return chsk.broadcast("chat/said", {"text": str(msg.data["text"])[:500]}).clients
