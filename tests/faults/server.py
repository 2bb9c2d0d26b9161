"""A server whose handlers and hooks fail, and its settings: short times and small limits."""

import asyncio
from typing import Any

from sente import ChannelSocket, Connection, Limits, Message, Rates, ServerSettings

SETTINGS = ServerSettings(
    batch_ws=0.005,
    batch_poll=0.005,
    hello_timeout=0.2,
    body_timeout=0.2,
    ping=0.5,
    ping_timeout=0.5,
    poll=0.5,
    grace_ws=0.1,
    grace_poll=0.1,
    sessions_per_user=20_000,
    rates=Rates(events={"test/rare": "1/min burst 1"}, refused="1/min burst 5"),
    limits=Limits(packet=20_000, body=60_000, outbox=300, outbox_bytes=200_000),
)


def user_id(connection: Connection) -> str:
    """Who says so, but for one who makes the hook fail."""
    if "fail" in connection.query:
        raise ZeroDivisionError("a hook that fails")
    return connection.query.get("uid", "mallory")


def faulty_server(settings: ServerSettings = SETTINGS) -> ChannelSocket:
    chsk = ChannelSocket(packers="json", user_id=user_id, settings=settings, classic="json")

    @chsk.on("test/echo")
    async def echo(msg: Message) -> Any:
        if isinstance(msg.data, str):
            chsk._hub.stats[f"heard {msg.data}"] += 1
        return msg.data

    @chsk.on("test/rare")
    def rare(msg: Message) -> None:
        pass

    @chsk.on("test/raise")
    async def raises(msg: Message) -> None:
        raise ZeroDivisionError("a handler that fails")

    @chsk.on("test/hang")
    async def hangs(msg: Message) -> None:
        await asyncio.Event().wait()

    @chsk.on("test/ready", concurrent=True)
    async def ready(msg: Message) -> None:
        """Everything before it has come."""

    @chsk.on("test/twice")
    async def replies_twice(msg: Message) -> str:
        assert msg.reply is not None
        msg.reply("first")
        msg.reply("second")
        return "third"

    @chsk.on("test/odd")
    async def replies_oddly(msg: Message) -> object:
        return object()

    @chsk.on("chsk/uidport-open")
    async def came(msg: Message) -> None:
        chsk._hub.stats["came"] += 1

    def on_error(error: Exception, msg: Message) -> None:
        raise ZeroDivisionError("an error hook that fails")

    chsk.on_error = on_error
    return chsk
