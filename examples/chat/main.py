"""A chat. Run it with `uvicorn main:app` and open http://127.0.0.1:8000 in two windows."""

from collections import deque
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse

from sente import ChannelSocket, Connection, Message
from sente.integrations.fastapi import channel_router

history: deque[dict[str, Any]] = deque(maxlen=50)


def snapshot(connection: Connection) -> dict[str, Any]:
    return {"history": list(history), "online": sorted(chsk.connected_uids.any, key=str)}


chsk = ChannelSocket(user_id=lambda connection: connection.query.get("name"), handshake_data=snapshot)
app = FastAPI()
app.include_router(channel_router(chsk, "/chsk"))


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).with_name("index.html"))


@chsk.on("chat/say")
async def say(msg: Message) -> int:
    said = {"by": msg.uid, "text": str(msg.data["text"])[:500]}
    history.append(said)
    return chsk.broadcast("chat/said", said).clients


@chsk.on("chsk/uidport-open")
@chsk.on("chsk/uidport-close")
async def came_or_went(msg: Message) -> None:
    chsk.broadcast("chat/online", sorted(chsk.connected_uids.any, key=str))
