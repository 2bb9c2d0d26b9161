"""What ``test_rolling_restart`` runs, several times over: it notes what it handled where a restart does not reach."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from sente import ChannelSocket, Message, ServerSettings
from sente.integrations.fastapi import channel_router

logging.getLogger("uvicorn.access").disabled = True  # nobody reads it, and it would fill the pipe

chsk = ChannelSocket(
    user_id=lambda connection: connection.query.get("uid"),
    settings=ServerSettings(drain=float(os.environ["DRAIN"]), retry_after=0.3),
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async def push() -> None:
        number = 0
        while True:
            number += 1
            chsk.broadcast("count/down", [os.getpid(), number])
            await asyncio.sleep(0.02)

    task = asyncio.create_task(push())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)
app.include_router(channel_router(chsk, "/chsk"))
log = open(os.environ["HANDLED"], "a", buffering=1)  # noqa: SIM115  # as long as the process


@chsk.on("count/up")
async def up(msg: Message) -> None:
    log.write(f"{msg.uid} {msg.data}\n")


@chsk.on("count/ask")
async def ask(msg: Message) -> int:
    number, seconds = msg.data
    log.write(f"{msg.uid} {number}\n")
    await asyncio.sleep(seconds)
    return int(number)
