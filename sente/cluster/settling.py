"""What became of an event at all processes."""

import asyncio
import itertools
from collections import OrderedDict
from dataclasses import dataclass, field

from sente.cluster.node import Node
from sente.cluster.notices import EVERYONE, Notice, node_channel
from sente.errors import ProtocolError
from sente.hub import Hub
from sente.push import Push
from sente.receipts import Delivered, Letter

KNOWN = 10_000
"""Events of other processes whose delivery can still be asked about."""

KNOWN_BYTES = 16 * 1024 * 1024
"""The same in bytes, packed."""

MARGIN = 0.25
"""Seconds that others have less than the one who asks, so that their answer arrives in time."""


@dataclass(slots=True, eq=False)
class _Question:
    missing: set[str]
    over: asyncio.Future[None]
    answers: list[Delivered] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Is there anybody left to wait for?"""
        if self.missing <= self.dead and not self.over.done():
            self.over.set_result(None)


class Settling:
    """Asks every other process, and answers them."""

    def __init__(self, node: Node, hub: Hub) -> None:
        self._node = node
        self._hub = hub
        self._known: OrderedDict[tuple[str, int], Push] = OrderedDict()
        self._size = 0
        self._forgotten: dict[str, int] = {}  # by process, the last event that was known
        self._asked: dict[int, _Question] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        node.on |= {"settle": self._on_settle, "settled": self._on_settled}
        node.lost.append(self._lost)

    def know(self, node: str, n: int, push: Push) -> None:
        """An event of another process was put into the outboxes here."""
        self._known[node, n] = push
        self._size += push.size
        while len(self._known) > KNOWN or self._size > KNOWN_BYTES:
            (node, n), oldest = self._known.popitem(last=False)
            self._size -= oldest.size
            self._forgotten[node] = n

    def of(self, letter: Letter) -> "Everywhere":
        """Who knows what becomes of this event."""
        return Everywhere(self, letter)

    async def wait(self, push: Push, letter: Letter, timeout: float) -> Delivered:
        """Raises as ``Receipt.delivered``."""
        if letter.ready is not None:  # before that no other process knows of it
            await asyncio.wait([letter.ready], timeout=timeout)
        here = asyncio.ensure_future(self._hub.deliveries.wait(push, timeout))
        if letter.n is None or not self._node.roster.others:
            return await here
        number, loop = next(self._numbers), asyncio.get_running_loop()
        until = loop.time() + timeout
        others = set(self._node.roster.others)
        question = self._asked[number] = _Question(others, loop.create_future())
        theirs = max(timeout - MARGIN, timeout / 2)
        if not self._node.say(EVERYONE, "settle", {"of": letter.n, "ask": number, "ms": round(theirs * 1000)}):
            self._lost(None)
        try:
            found = await here
            await asyncio.wait([question.over], timeout=max(0.0, until - loop.time()))
            return _together([found, *question.answers], len(question.missing))
        finally:
            here.cancel()
            del self._asked[number]

    def _lost(self, node: str | None) -> None:
        if node is not None:
            self._forgotten.pop(node, None)
        for question in self._asked.values():
            question.dead |= question.missing if node is None else {node}
            question.look()

    def _on_settle(self, notice: Notice) -> None:
        node, n = notice.sender, notice.number("of")
        push = self._known.get((node, n))
        if push is None and (n <= self._forgotten.get(node, 0) or self._node.surely.is_behind(node)):
            return  # it may have come here; who does not answer is counted as unheard
        task = asyncio.create_task(self._settle(push, notice.sender, notice.number("ask"), notice.number("ms") / 1000))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, push: Push | None, node: str, number: int, timeout: float) -> None:
        found = Delivered(0, 0, 0, ()) if push is None else await self._hub.deliveries.wait(push, timeout)
        counts = {"clients": found.clients, "acknowledged": found.acknowledged, "lost": found.lost}
        self._node.say(node_channel(node), "settled", {"ask": number, **counts, "waiting": list(found.waiting)})

    def _on_settled(self, notice: Notice) -> None:
        waiting = notice.head.get("waiting")
        if not isinstance(waiting, list) or not all(isinstance(client_id, str) for client_id in waiting):
            raise ProtocolError("waiting must be a list of client-ids")
        clients, acknowledged, lost = (notice.number(key) for key in ("clients", "acknowledged", "lost"))
        if (question := self._asked.get(notice.number("ask"))) is not None and notice.sender in question.missing:
            question.answers.append(Delivered(clients, acknowledged, lost, tuple(waiting)))
            question.missing.discard(notice.sender)
            question.look()


@dataclass(frozen=True, slots=True)
class Everywhere:
    """Implements ``Waits`` for one event."""

    settling: Settling
    letter: Letter

    async def wait(self, push: Push, timeout: float) -> Delivered:
        """Raises as ``Receipt.delivered``."""
        return await self.settling.wait(push, self.letter, timeout)


def _together(each: list[Delivered], unheard: int) -> Delivered:
    return Delivered(
        sum(one.clients for one in each),
        sum(one.acknowledged for one in each),
        sum(one.lost for one in each),
        tuple(sorted(client_id for one in each for client_id in one.waiting)),
        unheard,
    )
