"""The same server on ASGI, again and again: it answers ``echo``; at ``go`` it says something to all, at ``tell`` to all
devices of the user who asked. Both are told how often, and how many characters.

``uvicorn --factory benchmarks.messaging.apps:sente`` and so on; `run.py` starts them.
"""

import gc
import json
import os
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qs

PACKERS = os.environ.get("PACKERS", "json")
"""What the channel socket speaks: the load asks for one of them."""
SPARED = bool(os.environ.get("SPARED"))
"""Whether the garbage collector leaves alone what is there, and looks rarely."""


def sente() -> Any:
    """Sessions, numbers and acknowledgements on, as they always are."""
    return _sente()


def sente_typed() -> Any:
    """The same, with models for what comes and goes."""
    from pydantic import BaseModel

    from sente import EventRegistry

    events = EventRegistry()

    class Text(BaseModel):
        text: str

    events.event("bench/echo", of=Text, reply=Text)
    return _sente(events)


def _sente(events: Any = None) -> Any:
    from sente import ChannelSocket, Message

    if SPARED:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
    chsk = ChannelSocket(packers=PACKERS, events=events, user_id=lambda connection: connection.query.get("uid"))

    @chsk.on("bench/echo")
    async def echo(msg: Message) -> Any:
        return msg.data

    if events is not None:
        return chsk

    @chsk.on("bench/go")
    async def go(msg: Message) -> None:
        times, size = msg.data
        for _ in range(times):
            chsk.broadcast("bench/said", "x" * size, flush=True)

    @chsk.on("bench/tell")
    async def tell(msg: Message) -> None:
        times, size = msg.data
        for _ in range(times):
            chsk.send(msg.uid, "bench/said", "x" * size, flush=True)

    return chsk


def socketio() -> Any:
    """python-socketio as its manual shows it."""
    return _socketio("default")


def socketio_msgpack() -> Any:
    """The same with its MessagePack."""
    return _socketio("msgpack")


def _socketio(serializer: str) -> Any:
    import socketio  # pyright: ignore[reportMissingImports]  # of the extra `bench`, which `make check` does without

    server = socketio.AsyncServer(
        async_mode="asgi", cors_allowed_origins="*", max_http_buffer_size=10**7, serializer=serializer
    )
    users: dict[str, str] = {}

    @server.event
    async def connect(sid: str, environ: Any, _auth: Any) -> None:
        users[sid] = _uid(environ["QUERY_STRING"])
        await server.enter_room(sid, users[sid])

    @server.event
    async def echo(_sid: str, data: Any) -> Any:
        return data

    @server.event
    async def go(_sid: str, data: Any) -> None:
        times, size = data
        for _ in range(times):
            await server.emit("said", "x" * size)

    @server.event
    async def tell(sid: str, data: Any) -> None:
        times, size = data
        for _ in range(times):
            await server.emit("said", "x" * size, room=users[sid])

    return socketio.ASGIApp(server)


def asgi() -> Any:
    """Bare ASGI, without a framework: nothing is kept, nothing is acknowledged."""
    everyone: defaultdict[str, set[Any]] = defaultdict(set)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return None
        await receive()
        await send({"type": "websocket.accept"})
        uid = _uid(scope["query_string"].decode())
        everyone[uid].add(send)
        while (message := await receive())["type"] == "websocket.receive":
            ref, name, data = json.loads(message["text"])
            if name == "echo":
                await send({"type": "websocket.send", "text": json.dumps([ref, data])})
                continue
            for _ in range(data[0]):
                said = json.dumps([None, "x" * data[1]])
                for user in everyone if name == "go" else (uid,):
                    for one in everyone[user]:
                        await one({"type": "websocket.send", "text": said})
        everyone[uid].discard(send)
        return None

    return app


def starlette() -> Any:
    """A WebSocket endpoint of Starlette: nothing is kept, nothing is acknowledged."""
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute

    return Starlette(routes=[WebSocketRoute("/{path:path}", _endpoint())])


def fastapi() -> Any:
    """The same endpoint in FastAPI."""
    from fastapi import FastAPI

    app = FastAPI()
    app.websocket("/{path:path}")(_endpoint())
    return app


def _endpoint() -> Any:
    from starlette.websockets import WebSocket, WebSocketDisconnect

    everyone: set[WebSocket] = set()

    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        everyone.add(websocket)
        try:
            while True:
                ref, name, data = await websocket.receive_json()
                if name == "echo":
                    await websocket.send_json([ref, data])
                    continue
                for _ in range(data[0]):
                    said = json.dumps([None, "x" * data[1]])
                    for one in everyone:
                        await one.send_text(said)
        except WebSocketDisconnect:
            everyone.discard(websocket)

    return endpoint


def _uid(query: str) -> str:
    return parse_qs(query).get("uid", [""])[0]
