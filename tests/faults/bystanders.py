"""Whoever has done nothing: clients that talk with the server while others misbehave, and must not notice."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sente import ChannelSocket, Client, ClientState

UIDS = ("poll", "ws")


@dataclass
class Bystander:
    """What one of them has seen."""

    asked: int = 0
    slowest: float = 0.0
    heard: list[int] = field(default_factory=list)
    closed: list[ClientState] = field(default_factory=list)


@asynccontextmanager
async def bystanders(chsk: ChannelSocket, url: str | None = None, *, patience: float = 5.0) -> AsyncIterator[None]:
    """Two clients, one on each transport, in process unless there is a ``url``.

    All the while they ask and are pushed to. At the end each question has had its answer within ``patience`` seconds,
    each push was heard once and in order, and no line of theirs has broken. ``chsk`` takes ``uid`` for the user.
    """
    over = asyncio.Event()
    tasks = [asyncio.create_task(_talk(chsk, url, uid, over)) for uid in UIDS]
    try:
        while chsk.stats["test/heard"] < len(UIDS):
            await asyncio.sleep(0.005)
            assert not any(task.done() for task in tasks)
        yield
    finally:
        over.set()
        await asyncio.wait(tasks)
    for task in tasks:
        seen = task.result()
        assert seen.closed == [], "a line broke: " + str([state.last_close for state in seen.closed])
        assert seen.heard == list(range(1, seen.asked + 1))
        assert seen.slowest < patience, f"a bystander waited for {seen.slowest:.1f} s"


async def _talk(chsk: ChannelSocket, url: str | None, uid: Any, over: asyncio.Event) -> Bystander:
    seen = Bystander()
    options: dict[str, Any] = {"app": chsk} if url is None else {"url": url}
    async with Client(**options, transport=uid, params={"uid": uid}, connect_timeout=30) as client:
        client.on("test/count", seen.heard.append)
        while not over.is_set():
            began = time.monotonic()
            seen.asked += 1
            assert await client.request("test/echo", seen.asked, timeout=30) == seen.asked
            chsk.send(uid, "test/count", seen.asked, flush=True)
            while len(seen.heard) < seen.asked and time.monotonic() < began + 30:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            seen.slowest = max(seen.slowest, time.monotonic() - began)
            if seen.asked == 1:
                chsk._hub.stats["test/heard"] += 1
            await asyncio.sleep(0.005)
        seen.closed = [] if client.state.last_close is None else [client.state]
    return seen
