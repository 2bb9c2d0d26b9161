"""The same server on libraries that serve no ASGI: ``python -m benchmarks.messaging.raw aiohttp --port 8000``.

They speak ``[ref, name, data]``, and keep and acknowledge nothing, as the bare ones of ``apps.py``.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvloop

Say = Callable[[str], Awaitable[None]]


async def answer(text: str, say: Say, say_to_all: Say) -> None:
    """What every server here does with a message."""
    ref, name, data = json.loads(text)
    if name == "echo":
        return await say(json.dumps([ref, data]))
    for _ in range(data[0]):
        await say_to_all(json.dumps([None, "x" * data[1]]))
    return None


async def aiohttp(port: int) -> None:
    """aiohttp's WebSocketResponse, without compression."""
    from aiohttp import web  # pyright: ignore[reportMissingImports]  # of the extra `bench`

    everyone: set[web.WebSocketResponse] = set()

    async def say_to_all(text: str) -> None:
        for one in everyone:
            await one.send_str(text)

    async def endpoint(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        everyone.add(socket)
        async for message in socket:
            await answer(message.data, socket.send_str, say_to_all)
        everyone.discard(socket)
        return socket

    app = web.Application()
    app.router.add_get("/", endpoint)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def websockets(port: int) -> None:
    """websockets' server, without compression; `broadcast` is its own."""
    from websockets.asyncio.server import ServerConnection, broadcast, serve
    from websockets.exceptions import ConnectionClosed

    everyone: set[ServerConnection] = set()

    async def say_to_all(text: str) -> None:
        broadcast(everyone, text)

    async def endpoint(socket: ServerConnection) -> None:
        everyone.add(socket)
        with suppress(ConnectionClosed):
            async for text in socket:
                await answer(str(text), socket.send, say_to_all)
        everyone.discard(socket)

    async with serve(endpoint, "127.0.0.1", port, compression=None, ping_interval=None):
        await asyncio.Event().wait()


async def picows(port: int) -> None:
    """picows: a parser of frames in C, and nothing else. The raw line, for Python."""
    from picows import (  # pyright: ignore[reportMissingImports]  # of the extra `bench`
        WSFrame,
        WSListener,
        WSMsgType,
        WSTransport,
        ws_create_server,
    )

    everyone: set[WSTransport] = set()

    def say_to_all(text: str) -> None:
        raw = text.encode()
        for one in everyone:
            one.send(WSMsgType.TEXT, raw)

    class Listener(WSListener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            everyone.add(transport)

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            everyone.discard(transport)

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type != WSMsgType.TEXT:
                return
            ref, name, data = json.loads(frame.get_payload_as_utf8_text())
            if name == "echo":
                transport.send(WSMsgType.TEXT, json.dumps([ref, data]).encode())
                return
            for _ in range(data[0]):
                say_to_all(json.dumps([None, "x" * data[1]]))

    server = await ws_create_server(lambda _: Listener(), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run({"aiohttp": aiohttp, "websockets": websockets, "picows": picows}[sys.argv[1]](int(sys.argv[3])))
