"""Real servers on free ports of this machine, in the test's own loop."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import hypercorn.asyncio
import uvicorn
from granian.constants import Interfaces
from granian.server.embed import Server as Granian

from sente.integrations.uvicorn import WebSocketProtocol
from tests.e2e.ports import accepts, free_port

COMMANDS = {
    "uvicorn": "uvicorn {app} --port {port}",
    "hypercorn": "hypercorn {app} --bind 127.0.0.1:{port} --workers 0 --graceful-timeout 8",
    "granian": "granian --interface asgi {app} --port {port}",
    "uvicorn, directly": "uvicorn {app} --port {port} --ws sente.integrations.uvicorn:WebSocketProtocol",
}
"""As the deployment guide has them."""

SERVERS = tuple(COMMANDS)


def serving(app: Any, server: str = "uvicorn") -> AbstractAsyncContextManager[int]:
    """Serve ``app`` and yield the port."""
    if server == "uvicorn, directly":
        return _uvicorn(app, ws=WebSocketProtocol)
    return {"uvicorn": _uvicorn, "hypercorn": _hypercorn, "granian": _granian}[server](app)


@asynccontextmanager
async def _uvicorn(app: Any, **options: Any) -> AsyncIterator[int]:
    options.setdefault("ws", os.environ.get("UVICORN_WS", "auto"))  # as uvicorn's command reads it: see `make direct`
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5, **options))
    task = asyncio.create_task(server._serve([listener]))  # `serve` would take the signals of the test runner
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()
        await asyncio.sleep(0.01)
        for connection in list(server.server_state.connections):  # who was accepted at the last moment
            connection.transport.abort()


@asynccontextmanager
async def _hypercorn(app: Any) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))  # who connects before it has started waits
    port = listener.getsockname()[1]
    config = hypercorn.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "warning"
    config.graceful_timeout = 5
    stop = asyncio.Event()
    task = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait))
    try:
        yield port
    finally:
        stop.set()
        await task


@asynccontextmanager
async def _granian(app: Any) -> AsyncIterator[int]:
    port = free_port()
    server = Granian(app, port=port, interface=Interfaces.ASGI, log_enabled=False)
    task = asyncio.create_task(server.serve())
    while not await accepts(port):
        if task.done():
            await task
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await task
