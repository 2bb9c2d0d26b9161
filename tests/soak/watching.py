"""Clients who do their part, in a process of their own: how long their requests take while others come and go.

``python -m tests.soak.watching URL``: with ``http://`` a client on each transport of a socket of ours, with ``ws://``
one that is echoed by a bare server. Each line it is given is answered with what was measured since the last, in ms.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from websockets.asyncio.client import connect

from sente import Client
from tests.asgi import TRANSPORTS

PAUSE = 0.01
"""Seconds between two requests of one."""

Ask = Callable[[], Awaitable[Any]]


async def main(url: str) -> None:
    """Ask until there is no further line, or a line to the server breaks."""
    took: list[float] = []
    async with AsyncExitStack() as stack:
        asks = [await asker(stack, url)] if url.startswith("ws:") else await askers(stack, url)
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(watch(ask, took)) for ask in asks]
            while await asyncio.to_thread(sys.stdin.readline):
                hundredths = statistics.quantiles(took, n=100)
                took.clear()
                said = {"median": hundredths[49], "p99": hundredths[98]}
                print(json.dumps({name: round(value * 1000, 1) for name, value in said.items()}), flush=True)
            for task in watching:
                task.cancel()


async def watch(ask: Ask, took: list[float]) -> None:
    """Ask again and again."""
    while True:
        began = time.monotonic()
        await ask()
        took.append(time.monotonic() - began)
        await asyncio.sleep(PAUSE)


async def askers(stack: AsyncExitStack, url: str) -> list[Ask]:
    """A client on each transport, whose line must not break."""
    clients = [await stack.enter_async_context(Client(url, transport=each)) for each in TRANSPORTS]

    def ask(client: Client) -> Ask:
        async def asked() -> None:
            await client.request("soak/echo", 1, timeout=30)
            assert client.state.last_close is None, "a line of one who reads broke"

        return asked

    return [ask(client) for client in clients]


async def asker(stack: AsyncExitStack, url: str) -> Ask:
    """A bare WebSocket."""
    line = await stack.enter_async_context(connect(url))

    async def asked() -> None:
        await line.send("1")
        await line.recv()

    return asked


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
