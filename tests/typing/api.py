"""The public API as type checkers see it. Checked by `make check`, never run."""

from collections.abc import AsyncIterator, Callable
from typing import Any, assert_type

from sente import (
    ANONYMOUS,
    ChannelSocket,
    ConnectedUids,
    Connection,
    Message,
    Packer,
    Receipt,
    Refusal,
    Rejected,
    Stats,
)
from sente.integrations.fastapi import channel_router
from sente.interfaces import ASGIApp, UserId
from sente.packers.json import JsonPacker


def user_id(connection: Connection) -> str | None:
    assert_type(connection.cookies["id"], str)
    assert_type(connection.session.get("uid"), Any | None)
    return connection.cookies.get("id")


async def authorize(connection: Connection) -> bool:
    return "authorization" in connection.headers


async def csrf(connection: Connection, token: str | None) -> bool:
    return token == connection.cookies.get("csrf")


def on_reject(connection: Connection, rejected: Rejected) -> Refusal | None:
    assert_type(rejected.status, int)
    return Refusal(rejected.status, "no", headers=[("x-why", rejected.reason)])


chsk = ChannelSocket(
    packers=["json", JsonPacker()], user_id=user_id, authorize=authorize, csrf=csrf, on_reject=on_reject
)
ChannelSocket(packers="json", user_id=lambda connection: 7, handshake_data=lambda connection: {"uid": connection.uid})
ChannelSocket(packers=JsonPacker(), authorize=authorize, csrf=True, allowed_origins={"https://app.example.com"})
ChannelSocket(packers=b"json")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ChannelSocket(user_id=lambda connection: 1.5)  # type: ignore[arg-type, return-value]  # pyright: ignore[reportArgumentType]
ChannelSocket("json")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@chsk.on("chat/say")
async def say(msg: Message) -> int:
    assert_type(msg.event, tuple[str, Any])
    assert_type(msg.uid, UserId)
    assert_type(msg.connection, Connection | None)
    assert_type(msg.reply, Callable[[Any], None] | None)
    return chsk.send(msg.uid or ANONYMOUS, "chat/said", msg.data).clients


@chsk.on("chat/sync", concurrent=True)
def sync(msg: Message) -> str:
    return msg.client_id


async def use() -> None:
    message = Message("chat/say", None, None, "c1", None, print)
    assert_type(await say(message), int)  # a handler stays what it was
    assert_type(sync(message), str)
    async with chsk as entered:
        assert_type(entered, ChannelSocket)
    assert_type(chsk.send("ada", "chat/said"), Receipt)
    assert_type(chsk.broadcast("chat/said", {"text": "hi"}, flush=True).clients, int)
    chsk.disconnect(ANONYMOUS)
    assert_type(chsk.connected_uids, ConnectedUids)
    assert_type(chsk.connected_uids.ws, frozenset[UserId])
    assert_type(chsk.presence(), AsyncIterator[ConnectedUids])
    assert_type(chsk.messages(), AsyncIterator[Message])
    assert_type(chsk.stats, Stats)
    assert_type(chsk.stats["sent"], int)
    assert_type(chsk.stats.gauges.sessions, int)
    async for each in chsk.messages():
        assert_type(each, Message)
    chsk.send(ANONYMOUS, "chat/said", None, True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def tell(error: Exception, msg: Message) -> None: ...


chsk.on_error = tell
chsk.on_error = lambda error, msg: print(error, msg.id)
application: ASGIApp = chsk
packer: Packer = JsonPacker()
router = channel_router(chsk, "/chsk")
