"""The same server twice, as one of several processes: told to, it pushes to users whose clients other processes have.

``BROKER=redis://127.0.0.1:6379 uvicorn --factory benchmarks.cluster.apps:sente``; ``run.py`` starts them.
"""

import os
from typing import Any
from urllib.parse import parse_qs

USERS = 50
TEXT = "a hundred bytes of text, as they are said in a room: " + "x" * 34


def sente() -> Any:
    """With numbers, acknowledgements and everything said again after a broker is away, as always."""
    from sente import ChannelSocket, Message
    from sente.brokers.nats import NatsBroker
    from sente.brokers.redis import RedisBroker

    url = os.environ["BROKER"]
    broker = NatsBroker(url) if url.startswith("nats") else RedisBroker(url)
    durable = bool(os.environ.get("DURABLE"))
    chsk = ChannelSocket(
        packers="json", user_id=lambda connection: connection.query.get("user"), broker=broker, durable=durable
    )

    @chsk.on("bench/tell")
    async def tell(msg: Message) -> None:
        for number in range(msg.data):
            chsk.send(f"user{number % USERS}", "bench/said", TEXT, flush=True)

    @chsk.on("bench/pass")
    async def hand_on(msg: Message) -> None:
        chsk.send(f"user{msg.data}", "bench/said", TEXT, flush=True)

    return chsk


def socketio() -> Any:
    """python-socketio with its Redis manager, as its manual shows it."""
    import socketio  # pyright: ignore[reportMissingImports]  # of the extra `bench`, which `make check` does without

    manager = socketio.AsyncRedisManager(os.environ["BROKER"])
    server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*", client_manager=manager)

    @server.event
    async def connect(sid: str, environ: Any) -> None:
        await server.enter_room(sid, parse_qs(environ["QUERY_STRING"]).get("user", [""])[0])

    @server.event
    async def tell(_sid: str, count: int) -> None:
        for number in range(count):
            await server.emit("said", TEXT, room=f"user{number % USERS}")

    return socketio.ASGIApp(server)
