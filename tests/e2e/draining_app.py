"""What ``test_draining`` runs under uvicorn: two sockets, and a handler that takes its time."""

import asyncio
import os

from fastapi import FastAPI

from sente import ChannelSocket, Message, ServerSettings
from sente.integrations.fastapi import channel_router

settings = ServerSettings(drain=float(os.environ["DRAIN"]), batch_ws=0)
chsk, other = (ChannelSocket(user_id=lambda connection: connection.client_id, settings=settings) for _ in range(2))
app = FastAPI()
app.include_router(channel_router(chsk, "/chsk"))
app.include_router(channel_router(other, "/other"))


@chsk.on("work/do")
@other.on("work/do")
async def work(msg: Message) -> str:
    msg.send(msg.uid, "work/begun", flush=True)
    await asyncio.sleep(msg.data)
    return "done"
