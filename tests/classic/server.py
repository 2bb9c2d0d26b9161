"""The application that Sente's exchanges were observed with, on a ``ChannelSocket``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sente import ChannelSocket, Keyword, Message, Packer, ServerSettings

SPEED = 10
"""How much faster the exchanges are repeated."""

SETTINGS = ServerSettings(
    batch_ws=0.030 / SPEED,
    batch_poll=0.100 / SPEED,
    poll=1.5 / SPEED,
    ping=2.0 / SPEED,
    ping_timeout=1.5 / SPEED,
    grace_ws=0.7 / SPEED,
    grace_poll=1.2 / SPEED,
)

Handled = list[tuple[str, Any, str, bool]]


@asynccontextmanager
async def observed(
    settings: ServerSettings = SETTINGS, *, classic: str | Packer = "json", **options: Any
) -> AsyncIterator[tuple[ChannelSocket, Handled]]:
    """The socket, and what its handlers are given: event, user and client, whether a reply is asked for."""
    options.setdefault("user_id", lambda connection: connection.query.get("uid") or connection.client_id)
    chsk = ChannelSocket(
        classic=classic,
        handshake_data=lambda connection: {Keyword("hs"): connection.query["hs"]} if "hs" in connection.query else None,
        settings=settings,
        **options,
    )
    handled: Handled = []

    def note(msg: Message) -> None:
        handled.append((msg.id, msg.data, msg.client_id, msg.reply is not None))

    @chsk.on("bench/echo")
    async def echo(msg: Message) -> Any:
        note(msg)
        return msg.data

    @chsk.on("test/whoami")
    async def whoami(msg: Message) -> Any:
        note(msg)
        return {Keyword("uid"): msg.uid, Keyword("client-id"): msg.client_id}

    @chsk.on("bench/push-me")
    async def push_me(msg: Message) -> Any:
        note(msg)
        count, flush = (msg.data["n"], True) if isinstance(msg.data, dict) else (msg.data, False)
        for i in range(count):
            chsk.send(msg.uid, "bench/push", {Keyword("i"): i}, flush=flush)
        return {Keyword("pushed"): count}

    @chsk.on("bench/broadcast")
    async def broadcast(msg: Message) -> Any:
        note(msg)
        chsk.broadcast("bench/bcast", msg.data)
        return {Keyword("uids"): len(chsk.connected_uids.any)}

    async def others() -> None:  # without a reply, be it asked for or not
        async for msg in chsk.messages():
            note(msg)

    task = asyncio.create_task(others())
    async with chsk:
        await asyncio.sleep(0)
        yield chsk, handled
    task.cancel()
