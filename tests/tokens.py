"""An authority for tests: tokens that say whose they are and how long they are good."""

import asyncio
from typing import Any

from sente import ChannelSocket, Connection, Message, ServerSettings

SETTINGS = ServerSettings(batch_ws=0, batch_poll=0, grace_ws=0.01, grace_poll=0.01)
GO = asyncio.Event()
GO.set()


class Tokens:
    """Tokens are ``Bearer user``, or ``Bearer user for 300`` for that many seconds from each time they are shown."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.checked: list[str] = []
        self.slow: dict[str, asyncio.Event] = {}
        """Those whose check waits."""

    async def authorize(self, connection: Connection) -> bool:
        token = connection.headers["authorization"]
        self.checked.append(token)
        await self.slow.get(token, GO).wait()
        return token not in self.revoked

    def user_id(self, connection: Connection) -> str:
        return connection.headers["authorization"].split()[1]

    def expires_in(self, connection: Connection) -> float | None:
        _, _, seconds = connection.headers["authorization"].partition(" for ")
        return float(seconds) if seconds else None

    @property
    def hooks(self) -> dict[str, Any]:
        """For a ``ChannelSocket``."""
        return {"authorize": self.authorize, "user_id": self.user_id, "expires_in": self.expires_in}

    def socket(self, **options: Any) -> ChannelSocket:
        """One that knows who it talks to."""
        chsk = ChannelSocket(**{"settings": SETTINGS, **self.hooks, **options})

        @chsk.on("who/am-i")
        async def who(msg: Message) -> Any:
            assert msg.connection is not None
            return [msg.uid, msg.connection.uid, msg.connection.headers["authorization"]]

        return chsk
