"""What ``test_cluster`` runs, several times over: one application, and the broker that ``BROKER`` names."""

import logging
import os
from typing import Any

from fastapi import FastAPI

from sente import ChannelSocket, Message, ServerSettings
from sente.brokers.nats import NatsBroker
from sente.brokers.redis import RedisBroker
from sente.integrations.fastapi import channel_router
from sente.interfaces import Broker

logging.getLogger("uvicorn.access").disabled = True  # nobody reads it, and it would fill the pipe


def broker() -> Broker:
    url = os.environ["BROKER"]
    return NatsBroker(url) if url.startswith("nats") else RedisBroker(url)


chsk = ChannelSocket(
    user_id=lambda connection: connection.query.get("uid"),
    settings=ServerSettings(poll=2.0, retry_after=0.3, drain=1.0),
    broker=broker(),
    durable="DURABLE" in os.environ,
    classic=None if "DURABLE" in os.environ else "edn",
)
app = FastAPI()
app.include_router(channel_router(chsk, "/chsk"))


@chsk.on("count/up")
async def up(msg: Message) -> None:
    """Say it back to all clients of its user, from here."""
    chsk.send(msg.uid, "count/back", msg.data)


@chsk.on("count/down")
async def down(msg: Message) -> None:
    """Say so many to a user."""
    uid, count = msg.data
    for number in range(count):
        chsk.send(uid, "count/said", number)


@chsk.on("echo/ask")
async def echo(msg: Message) -> Any:
    return msg.data


@chsk.on("who/serves")
async def serves(msg: Message) -> int:
    return os.getpid()


@chsk.on("who/online")
async def online(msg: Message) -> bool:
    return await chsk.online(msg.data)


@chsk.on("client/ask")
async def ask(msg: Message) -> Any:
    client_id, data = msg.data
    return await chsk.request(client_id, "add/up", data)


@chsk.on("who/ami")
async def who(msg: Message) -> str:
    return msg.client_id
