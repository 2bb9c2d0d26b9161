"""What the demo does over the channel socket. It knows nothing of HTTP."""

import time
from collections import deque
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from sente import ChannelSocket, Connection, EventRegistry, Message, Request, RequestFailed

TEXT_LIMIT = 2_000

events = EventRegistry()
"""All that the page and the server say to each other. What does not fit never reaches a handler."""


@events.event("chat/said", direction="to-client")
class Said(BaseModel):
    """Someone has said something."""

    id: int
    by: str
    text: str
    at: int  # ms since 1970
    key: str


@events.event("chat/say", direction="to-server")
class Say(BaseModel, Request[Said]):
    """Someone says something. ``key`` is the page's own name for it, to say it again after an interruption."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    key: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Typist(BaseModel):
    """Who types."""

    by: str


class Online(BaseModel):
    """Who is there, and over which transports."""

    uid: str
    ws: bool
    poll: bool


TYPING = events.event("chat/typing", of=Typist | None, doc="Someone types; a page need not say who.")
ONLINE = events.event("lobby/online", of=list[Online], direction="to-client", doc="Who is there, after each change.")


class Lobby:
    """What is said and who is there."""

    def __init__(self) -> None:
        self.chsk = ChannelSocket(events=events, csrf=True, handshake_data=self.snapshot)  # user_id: session["uid"]
        self.messages: deque[Said] = deque(maxlen=50)
        self.count = 0
        self.chsk.on(Say)(self.say)
        self.chsk.on(TYPING)(self.typing)

    def snapshot(self, connection: Connection) -> dict[str, Any]:
        """What a page draws itself from. It comes with each handshake, and no event can slip in between."""
        return {"messages": list(self.messages), "online": self.online()}

    def online(self) -> list[Online]:
        """Visitors without a name are not counted."""
        uids = self.chsk.connected_uids
        return [Online(uid=str(uid), ws=uid in uids.ws, poll=uid in uids.poll) for uid in sorted(uids.any, key=str)]

    async def announce(self) -> None:
        """Tell everyone who is there, after each change."""
        changes = self.chsk.presence()
        await anext(changes)  # how it is at the start: nobody is there, to be told
        async for _ in changes:
            self.chsk.broadcast(ONLINE, self.online())

    async def say(self, msg: Message[Say]) -> Said:
        """Someone says something. The reply goes to the page that said it, the broadcast to all."""
        if msg.uid is None:
            raise RequestFailed("forbidden", "join first: then you can talk")
        by, text, key = str(msg.uid), msg.data.text, msg.data.key
        if len(text) > TEXT_LIMIT:
            raise RequestFailed("too_long", f"a message has at most {TEXT_LIMIT:,} characters, this one {len(text):,}")
        for said in self.messages:
            if said.by == by and said.key == key:
                return said  # its page never heard that it arrived, and repeats it
        self.count += 1
        said = Said(id=self.count, by=by, text=text, at=round(time.time() * 1000), key=key)
        self.messages.append(said)
        self.chsk.broadcast(said)
        return said

    async def typing(self, msg: Message[Typist | None]) -> None:
        """Someone types: nothing to reply, and no harm if it gets lost."""
        if msg.uid is not None:
            self.chsk.broadcast(TYPING, Typist(by=str(msg.uid)))
