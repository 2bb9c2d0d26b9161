"""The same server on ASGI, four times: it answers `echo`, and says something to all when it is told to.

``uvicorn benchmarks.messaging.apps:sente`` and so on; `run.py` starts them.
"""

import asyncio
import json
from typing import Any

TEXT = "a hundred bytes of text, as they are said in a room: " + "x" * 34


def sente() -> Any:
    """Sessions, numbers and acknowledgements on, as they always are."""
    from sente import ChannelSocket, Message

    chsk = ChannelSocket(packers="json")

    @chsk.on("bench/echo")
    async def echo(msg: Message) -> Any:
        return msg.data

    @chsk.on("bench/go")
    async def go(msg: Message) -> None:
        for _ in range(msg.data):
            chsk.broadcast("bench/said", TEXT, flush=True)
            await asyncio.sleep(0)

    return chsk


def socketio() -> Any:
    """python-socketio as its manual shows it."""
    import socketio  # pyright: ignore[reportMissingImports]  # of the extra `bench`, which `make check` does without

    server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*", max_http_buffer_size=10**7)

    @server.event
    async def echo(_sid: str, data: Any) -> Any:
        return data

    @server.event
    async def go(_sid: str, times: int) -> None:
        for _ in range(times):
            await server.emit("said", TEXT)
            await asyncio.sleep(0)

    return socketio.ASGIApp(server)


def asgi() -> Any:
    """Bare ASGI, without a framework: nothing is kept, nothing is acknowledged."""
    everyone: set[Any] = set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return None
        await receive()
        await send({"type": "websocket.accept"})
        everyone.add(send)
        while (message := await receive())["type"] == "websocket.receive":
            ref, name, data = json.loads(message["text"])
            if name == "echo":
                await send({"type": "websocket.send", "text": json.dumps([ref, data])})
                continue
            for _ in range(data):
                said = json.dumps([None, TEXT])
                for one in everyone:
                    await one({"type": "websocket.send", "text": said})
                await asyncio.sleep(0)
        everyone.discard(send)
        return None

    return app


def starlette() -> Any:
    """A WebSocket endpoint of Starlette: nothing is kept, nothing is acknowledged. FastAPI's is this one."""
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    everyone: set[WebSocket] = set()

    async def endpoint(socket: WebSocket) -> None:
        await socket.accept()
        everyone.add(socket)
        try:
            while True:
                ref, name, data = json.loads(await socket.receive_text())
                if name == "echo":
                    await socket.send_text(json.dumps([ref, data]))
                    continue
                for _ in range(data):
                    said = json.dumps([None, TEXT])
                    for one in everyone:
                        await one.send_text(said)
                    await asyncio.sleep(0)
        except WebSocketDisconnect:
            everyone.discard(socket)

    return Starlette(routes=[WebSocketRoute("/{path:path}", endpoint)])
