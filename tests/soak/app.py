"""The server of the soak: counts what it hears, and pushes numbers to whoever has begun, with requests among them."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sente import ChannelSocket, Disconnected, Limits, Message, RequestFailed, RequestTimeout, ServerSettings
from sente.packers.negotiation import BUILT_IN
from tests.soak.calm import calm

BATCH = 100
"""Events between two requests, which wait until the client has had them: no outbox fills up."""


@dataclass
class Books:
    """What became of one client's events and requests."""

    client_id: str = ""
    heard: int = 0
    wrong: list[str] = field(default_factory=list)
    asked: Counter[int] = field(default_factory=Counter)
    pushed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    stopped: bool = False
    pushing: "asyncio.Task[None] | None" = None

    def complain(self, complaint: str) -> None:
        if len(self.wrong) < 10:
            self.wrong.append(complaint)


settings = ServerSettings(drain=0.5, limits=Limits(outbox=1_000, outbox_bytes=256 * 1024))
"""What a client that never reads may cost is what the crowd is about; the rest is as by default."""

chsk = app = ChannelSocket(
    packers=",".join(BUILT_IN),
    user_id=lambda connection: connection.query.get("uid"),
    settings=settings,
    classic="json",
)
books: dict[Any, Books] = {}


@chsk.on("count/up")
async def up(msg: Message) -> None:
    book = books.setdefault(msg.uid, Books())
    if msg.data != book.heard + 1:
        book.complain(f"{msg.data} after {book.heard}")
    book.heard = msg.data
    book.client_id = msg.client_id
    if book.pushing is None:
        book.pushing = asyncio.create_task(push(msg.uid, book))


@chsk.on("count/double")
async def double(msg: Message) -> int:
    books[msg.uid].asked[msg.data] += 1
    return 2 * int(msg.data)


async def push(uid: Any, book: Books) -> None:
    while not book.stopped:
        for _ in range(BATCH):
            book.pushed += 1
            chsk.send(uid, "count/down", book.pushed)
        try:
            reached = await chsk.request(book.client_id, "count/reached", book.pushed, timeout=60)
        except RequestFailed as error:
            book.outcomes[error.code] += 1
        except (Disconnected, RequestTimeout) as error:
            book.outcomes[type(error).__name__] += 1
        else:
            book.outcomes["reply"] += 1
            if reached not in (None, book.pushed):
                book.complain(f"asked after {book.pushed} events, the client had had {reached}")


@chsk.on("soak/stop", concurrent=True)
async def stop(msg: Message) -> dict[str, Any]:
    """The books of a user, once the last push is out and its request answered."""
    book = books[msg.data]
    book.stopped = True
    assert book.pushing is not None
    await book.pushing
    twice = {number: times for number, times in book.asked.items() if times > 1}
    return {
        "heard": book.heard,
        "pushed": book.pushed,
        "wrong": book.wrong,
        "asked": len(book.asked),
        "asked twice": len(twice),
        "outcomes": dict(book.outcomes),
    }


@chsk.on("soak/noise")
async def noise(msg: Message) -> None:
    """Push so many KB to everyone, readers and others."""
    for _ in range(msg.data):
        chsk.broadcast("soak/noise", "x" * 1024)


@chsk.on("soak/echo")
async def echo(msg: Message) -> Any:
    return msg.data


@chsk.on("soak/stats")
async def stats(msg: Message) -> dict[str, int]:
    return dict(chsk.stats)


calm()
