"""What FastAPI's dependencies cost an event: ``python -m benchmarks.dependencies``, for a few seconds."""

import asyncio
import statistics
import time
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from sente import ChannelSocket, Message
from sente.integrations.fastapi import channel_router, per_connection
from sente.testing import Served

EVENTS = 1_000
ROUNDS = 5


async def current_user(request: Request) -> str | None:
    return request.headers.get("user-agent")


def slow_user(request: Request) -> str | None:
    return request.headers.get("user-agent")


kept_user = per_connection(current_user)
chsk = ChannelSocket(packers="json")
app = FastAPI()
app.include_router(channel_router(chsk))


@chsk.on("a/plain")
async def plain(msg: Message) -> None: ...


@chsk.on("a/dependency")
async def dependency(msg: Message, user: Annotated[str | None, Depends(current_user)]) -> None: ...


@chsk.on("a/sync-dependency")
async def sync_dependency(msg: Message, user: Annotated[str | None, Depends(slow_user)]) -> None: ...


@chsk.on("a/kept-dependency")
async def kept_dependency(msg: Message, user: Annotated[str | None, Depends(kept_user)]) -> None: ...


async def main() -> None:
    """Print the median time of a request to each handler, in process."""
    async with Served(app) as server, server.client(transport="ws") as client:
        for event_id in ("a/plain", "a/dependency", "a/sync-dependency", "a/kept-dependency"):
            rounds = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                for _ in range(EVENTS):
                    await client.request(event_id)
                rounds.append((time.perf_counter() - began) / EVENTS)
            print(f"{event_id:18} {statistics.median(rounds) * 1e6:6.0f} µs")


if __name__ == "__main__":
    asyncio.run(main())
