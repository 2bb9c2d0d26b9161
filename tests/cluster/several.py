"""Several channel sockets in one loop, as several processes would be, and what spreads clients over them."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from sente import ChannelSocket
from sente.interfaces import Broker, Receive, Scope, Send
from sente.testing import ServedClient


class RoundRobin:
    """An ASGI application that hands each request to the next of several."""

    def __init__(self, sockets: list[ChannelSocket]) -> None:
        self.sockets = sockets
        self._turns = itertools.cycle(range(len(sockets)))
        self.always: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = next(self._turns) if self.always is None else self.always
        await self.sockets[turn](scope, receive, send)


def user_of(connection: Any) -> str | None:
    """Who a client is: whom it says it is."""
    user: str | None = connection.query.get("user")
    return user


@asynccontextmanager
async def several(broker: Broker | list[Broker], count: int = 3, **options: Any) -> AsyncIterator[RoundRobin]:
    """So many sockets of one application, with this broker between them, or each with its own."""
    brokers = broker if isinstance(broker, list) else [broker] * count
    async with AsyncExitStack() as stack:
        sockets = [ChannelSocket(**{"user_id": user_of, **options}, broker=each) for each in brokers]
        for chsk in sockets if "events" not in options else ():

            @chsk.on("echo/say")
            async def echo(msg: Any) -> Any:
                return msg.data

            @chsk.on("whoami/ask")
            async def whoami(msg: Any) -> str:
                return str(msg.client_id)

        for chsk in sockets:
            await stack.enter_async_context(chsk)
        yield RoundRobin(sockets)


def client_of(app: Any, user: str, transport: Any = "ws", **options: Any) -> ServedClient:
    """A client in the same loop, to be entered."""
    waits = {"timeout": 5.0, "connect_timeout": 5.0, **options}
    return ServedClient("/chsk", app=app, params={"user": user}, transport=transport, **waits)
