"""What a process does with links that end at another: each is served as one of its own."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sente.admission import Admission
from sente.classic import ClassicClients
from sente.cluster.hops import Numbers, plain_object, read_connection
from sente.cluster.node import Node
from sente.cluster.notices import Notice, node_channel
from sente.dispatch import log
from sente.errors import ProtocolError, Rejected
from sente.interfaces import Packer, Wire
from sente.protocol.greeting import read_head, read_hello, text
from sente.transports.asgi import Connection


class RemoteLink:
    """Implements ``ServerLink`` for a link that ends at another process: what it is told is said there."""

    __slots__ = ("_forget", "connection", "frames", "number", "over", "packer", "say")

    packer: Packer

    def __init__(self, connection: Connection, say: Callable[..., None], forget: Callable[[], object]) -> None:
        self.connection = connection
        self.number = 0
        self.frames = Numbers()
        self.over: str | None = None
        """How it has ended at the edge, if it has."""
        self.say = say
        self._forget = forget

    behind = False
    """That is known at the edge only, which cuts a line that does not read."""

    def transmit(self, wires: Sequence[Wire]) -> None:
        """Have frames sent."""
        self.say("frames", {"seq": self.frames.next()}, wires)

    def answer(self, head: dict[str, Any], wires: Sequence[Wire]) -> None:
        """Have the exchange answered."""
        self._forget()
        self.say("answer", {"answer": head}, wires)

    def close(self, code: int, reason: str) -> None:
        """Have it closed."""
        self._forget()
        self.say("close", {"code": code, "reason": reason})

    def refuse(self, rejected: Rejected) -> None:
        """Have it refused."""
        self._forget()
        self.say("refused", {"status": rejected.status, "reason": rejected.reason, "check": rejected.check})


class Owner:
    """Takes links of other processes in, at the same doors."""

    def __init__(self, node: Node, door: Admission, classic: ClassicClients, classic_packer: Packer | None) -> None:
        self._node = node
        self._door = door
        self._classic = classic
        self._classic_packer = classic_packer
        self._links: dict[tuple[str, int], RemoteLink] = {}  # by edge, and the number that it gave the link
        self._tasks: set[asyncio.Task[None]] = set()
        node.on |= {"open": self._on_open, "frame": self._on_frame, "over": self._on_over}
        node.lost.append(self._lost)

    def _on_open(self, notice: Notice) -> None:
        key, connection = (notice.sender, notice.number("hop")), read_connection(plain_object(notice, "connection"))
        link = self._links[key] = RemoteLink(connection, partial(self._say, key), partial(self._links.pop, key, None))
        task = asyncio.create_task(self._open(link, notice))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _say(self, key: tuple[str, int], op: str, head: dict[str, Any], frames: Sequence[Wire] = ()) -> None:
        edge, hop = key
        self._node.say(node_channel(edge), op, {"hop": hop, **head}, frames)

    async def _open(self, link: RemoteLink, notice: Notice) -> None:
        try:
            await self._admit(link, notice)
            link.say("taken", {})
        except Rejected as rejected:
            link.refuse(rejected)
        except ProtocolError as error:
            link.refuse(Rejected(error.close_code - 4000, error.reason))
        except Exception:
            log.exception("the link of a client at another process could not be taken in")
            link.refuse(Rejected(503, "retry_after=1000"))
        if link.over is not None:  # meanwhile
            self._end(link, link.over)

    async def _admit(self, link: RemoteLink, notice: Notice) -> None:
        frames = notice.frames
        match notice.text("kind"):
            case "hello":
                link.packer = self._door.check(link.connection)
                hello = read_hello(plain_object(notice, "opening"))
                if hello.auth is not None:
                    link.connection = Connection(link.connection.scope, hello.auth)
                await self._door.admit(link, hello, websocket=link.connection.scope["type"] == "websocket")
            case "exchange":
                link.packer = self._door.check(link.connection)
                await self._door.exchange(link, read_head(plain_object(notice, "opening")), frames)
            case "classic" if self._classic_packer is not None:
                link.packer, csrf = self._classic_packer, text(notice.head, "csrf")
                if frames:
                    await self._classic.post(link, csrf, notice.frame())
                else:
                    await self._classic.poll(link, csrf, handshake=notice.head.get("handshake") is True)
            case kind:
                raise ProtocolError(f"nobody knows the kind {kind[:40]!r}")

    def _on_frame(self, notice: Notice) -> None:
        if (link := self._links.get((notice.sender, notice.number("hop")))) is None:
            return
        if link.frames.take(notice.number("seq")):
            self._door.receive(link, notice.frame())
        else:
            link.close(1001, "a frame was lost between two processes: come back")
            self._end(link, "lost")

    def _on_over(self, notice: Notice) -> None:
        if (link := self._links.pop((notice.sender, notice.number("hop")), None)) is not None:
            self._end(link, notice.text("how"))

    def _end(self, link: RemoteLink, how: str) -> None:
        link.over = how
        if how == "goodbye":
            self._door.said_goodbye(link)
        self._door.lost(link, cut=how == "cut")

    def _lost(self, edge: str | None) -> None:
        for key, link in list(self._links.items()):
            if edge is None or key[0] == edge:
                del self._links[key]
                self._end(link, "lost")
