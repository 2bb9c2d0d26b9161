"""The gate of a process for links that belong to sessions of others: it hands on what comes, and what is answered."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sente.cluster.hops import Numbers, plain_object, write_connection
from sente.cluster.node import Node
from sente.cluster.notices import Notice, node_channel
from sente.errors import ProtocolError, Rejected
from sente.hub import Hub
from sente.interfaces import Wire
from sente.transports.gate import ServerLink

PATIENCE = 5.0
"""Seconds that an owner has to take a link; then its client is told to come back."""

COME_BACK = "retry_after=500"
"""What it is told: milliseconds."""


class OwnerGone(Exception):
    """The process that a session belonged to is gone, and the session with it."""


@dataclass(slots=True, eq=False)
class Hop:
    """A link that is served for its owner."""

    number: int
    owner: str
    link: ServerLink
    websocket: bool
    taken: asyncio.Future[None]
    frames: Numbers = field(default_factory=Numbers)


class Edge:
    """All links that this process serves for others, by the number that it gave each."""

    def __init__(self, node: Node, hub: Hub) -> None:
        self._node = node
        self._hub = hub
        self._hops: dict[int, Hop] = {}
        self._by_link: dict[int, Hop] = {}  # by the number of the link, once it has been taken
        self._numbers = itertools.count(1)
        node.on |= {
            "taken": self._on_taken,
            "refused": self._on_refused,
            "frames": self._on_frames,
            "answer": self._on_answer,
            "close": self._on_close,
        }
        node.lost.append(self.let_go)
        node.depends_on.append(lambda: {hop.owner for hop in self._hops.values()})

    def owner_of(self, token: str | None) -> str | None:
        """The other process that a session belongs to, as its token says; ``None``: it is one of this process, or of
        one that is gone."""
        name, dot, _ = (token or "").partition(".")
        return name if dot and name != self._node.name and self._node.may_be_there(name) else None

    def picked(self, client_id: str) -> str | None:
        """The other process that a client without a token belongs to; ``None``: it is this one."""
        owner = self._node.roster.pick(client_id) if self._node.whole else None
        return None if owner == self._node.name else owner

    async def open(
        self, owner: str, kind: str, link: ServerLink, head: dict[str, Any], frames: Sequence[Wire] = ()
    ) -> None:
        """Hand a link to its owner, and wait until that has taken it.

        Raises:
            OwnerGone: there is no such process.
            Rejected: the owner refuses, does not answer, or cannot be reached now.
        """
        if self._hub.draining:
            raise Rejected(503, COME_BACK)
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        websocket = link.connection.scope["type"] == "websocket"
        hop = Hop(next(self._numbers), owner, link, websocket, taken)
        says = {"hop": hop.number, "kind": kind, "connection": write_connection(link.connection), **head}
        unheard = partial(self._unheard, owner, taken)
        self._hops[hop.number] = hop
        try:
            if not self._node.say(node_channel(owner), "open", says, frames, unheard):
                raise Rejected(503, COME_BACK)
            async with asyncio.timeout(PATIENCE):
                await taken
        except TimeoutError:
            self._drop(hop, "lost")
            raise Rejected(503, COME_BACK) from None
        except BaseException:
            self._drop(hop, "lost")
            raise

    def _unheard(self, owner: str, taken: asyncio.Future[None]) -> None:
        _settle(taken, OwnerGone() if self._node.is_gone(owner) else Rejected(503, COME_BACK))

    def receive(self, link: ServerLink, frame: Wire) -> bool:
        """A frame came; False: the link is none of these."""
        if (hop := self._by_link.get(link.number)) is None:
            return False
        if not self._node.say(node_channel(hop.owner), "frame", {"hop": hop.number, "seq": hop.frames.next()}, [frame]):
            self._abandon(hop)
        return True

    def ended(self, link: ServerLink, how: str) -> bool:
        """The link is gone: ``lost``, ``cut``, or with a ``goodbye``; False: it is none of these."""
        if (hop := self._by_link.get(link.number)) is None:
            return False
        self._drop(hop, how)
        return True

    def let_go(self, owner: str | None) -> None:
        """An owner is gone; ``None``: frames may have been lost. The clients come back, and find out what became of
        their sessions."""
        for hop in list(self._hops.values()):
            if owner is None or hop.owner == owner:
                self._abandon(hop)

    def _abandon(self, hop: Hop) -> None:
        self._drop(hop, "lost")
        if hop.taken.done():
            hop.link.close(1001, "the process that serves this session cannot be reached: come back")
        else:
            _settle(hop.taken, OwnerGone() if not self._node.may_be_there(hop.owner) else Rejected(503, COME_BACK))

    def _drop(self, hop: Hop, how: str) -> None:
        if self._hops.pop(hop.number, None) is not None:
            self._by_link.pop(hop.link.number, None)
            self._node.say(node_channel(hop.owner), "over", {"hop": hop.number, "how": how})

    # -- what the owner says

    def _hop(self, notice: Notice) -> Hop | None:
        hop = self._hops.get(notice.number("hop"))
        return hop if hop is not None and hop.owner == notice.sender else None

    def _on_taken(self, notice: Notice) -> None:
        if (hop := self._hop(notice)) is not None:
            self._take(hop)

    def _take(self, hop: Hop) -> None:
        if not hop.taken.done():
            hop.link.number = self._hub.new_number()
            self._by_link[hop.link.number] = hop
            hop.taken.set_result(None)

    def _on_refused(self, notice: Notice) -> None:
        if (hop := self._hop(notice)) is not None:
            status, check = notice.number("status", 400), notice.head.get("check")
            rejected = Rejected(status, notice.text("reason"), check=check if isinstance(check, str) else "")
            _settle(hop.taken, rejected)

    def _on_frames(self, notice: Notice) -> None:
        if (hop := self._hop(notice)) is None:
            return
        if not hop.websocket:
            raise ProtocolError("only a WebSocket transmits")
        self._take(hop)
        if hop.frames.take(notice.number("seq")):
            hop.link.transmit(notice.frames)
        else:
            self._abandon(hop)

    def _on_answer(self, notice: Notice) -> None:
        if (hop := self._hop(notice)) is None:
            return
        if hop.websocket:
            raise ProtocolError("a WebSocket has no answer")
        self._take(hop)
        self._forget(hop)
        hop.link.answer(dict(plain_object(notice, "answer")), notice.frames)

    def _on_close(self, notice: Notice) -> None:
        if (hop := self._hop(notice)) is not None:
            self._take(hop)
            self._forget(hop)
            hop.link.close(notice.number("code", 1000), notice.text("reason"))

    def _forget(self, hop: Hop) -> None:
        del self._hops[hop.number]
        self._by_link.pop(hop.link.number, None)


def _settle(taken: asyncio.Future[None], error: Exception) -> None:
    if not taken.done():
        taken.set_exception(error)
