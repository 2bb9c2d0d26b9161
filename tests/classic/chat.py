"""The server that the README's bare WebSocket talks to: the chat of the README, for Sente's own clients too."""

from fastapi import FastAPI

from sente import ChannelSocket, Message
from sente.integrations.fastapi import channel_router

chsk = ChannelSocket(classic="json")
app = FastAPI()
app.include_router(channel_router(chsk, "/chsk"))


@chsk.on("chat/say")
async def say(msg: Message) -> int:
    return chsk.broadcast("chat/said", {"by": msg.uid, "text": msg.data["text"]}).clients
