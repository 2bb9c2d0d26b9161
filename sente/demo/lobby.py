"""What the demo does over the channel socket. It knows nothing of HTTP."""

import time
from collections import deque
from typing import Any

from sente import ChannelSocket, Connection, Message, RequestFailed

TEXT_LIMIT = 2_000


class Lobby:
    """What is said and who is there."""

    def __init__(self) -> None:
        self.chsk = ChannelSocket(csrf=True, handshake_data=self.snapshot)  # user_id: session["uid"], by default
        self.messages: deque[dict[str, Any]] = deque(maxlen=50)
        self.count = 0
        self.chsk.on("chat/say")(self.say)
        self.chsk.on("chat/typing")(self.typing)

    def snapshot(self, connection: Connection) -> dict[str, Any]:
        """What a page draws itself from. It comes with each handshake, and no event can slip in between."""
        return {"messages": list(self.messages), "online": self.online()}

    def online(self) -> list[dict[str, Any]]:
        """Who is there, and over which transports. Visitors without a name are not counted."""
        uids = self.chsk.connected_uids
        return [{"uid": uid, "ws": uid in uids.ws, "poll": uid in uids.poll} for uid in sorted(uids.any, key=str)]

    async def announce(self) -> None:
        """Tell everyone who is there, after each change."""
        changes = self.chsk.presence()
        await anext(changes)  # how it is at the start: nobody is there, to be told
        async for _ in changes:
            self.chsk.broadcast("lobby/online", self.online())

    async def say(self, msg: Message) -> dict[str, Any]:
        """Someone says something. The reply goes to the page that said it, the broadcast to all."""
        if msg.uid is None:
            raise RequestFailed("forbidden", "join first: then you can talk")
        match msg.data:
            case {"text": str(text), "key": str(key)} if text.strip() and 1 <= len(key) <= 64:
                text = text.strip()
            case _:
                raise RequestFailed("invalid", "there is nothing to say")
        if len(text) > TEXT_LIMIT:
            raise RequestFailed("too_long", f"a message has at most {TEXT_LIMIT:,} characters, this one {len(text):,}")
        for message in self.messages:
            if message["by"] == msg.uid and message["key"] == key:
                return message  # its page never heard that it arrived, and repeats it
        self.count += 1
        message = {"id": self.count, "by": msg.uid, "text": text, "at": round(time.time() * 1000), "key": key}
        self.messages.append(message)
        self.chsk.broadcast("chat/said", message)
        return message

    async def typing(self, msg: Message) -> None:
        """Someone types: nothing to reply, and no harm if it gets lost."""
        if msg.uid is not None:
            self.chsk.broadcast("chat/typing", {"by": msg.uid})
