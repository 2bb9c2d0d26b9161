"""The gates of a process among others: what belongs to a session of another is handed to that."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sente.admission import Admission
from sente.classic import ClassicClients
from sente.cluster.durable import OwnedElsewhere
from sente.cluster.edge import COME_BACK, Edge, OwnerGone
from sente.cluster.hops import write_opening
from sente.errors import Rejected
from sente.interfaces import Packer, Wire
from sente.processes import GONE
from sente.protocol.greeting import Head, Hello
from sente.protocol.settings import ServerSettings
from sente.transports.asgi import Connection
from sente.transports.gate import Refusal, ServerLink

Door = TypeVar("Door", bound=Admission | ClassicClients)


class _InFront(Generic[Door]):
    """What both gates have: a door behind them."""

    def __init__(self, door: Door, edge: Callable[[], Edge]) -> None:
        self.settings: ServerSettings = door.settings
        self._door = door
        self._edge = edge

    def lost(self, link: ServerLink, *, cut: bool = False) -> None:
        """The link is gone."""
        if not self._edge().ended(link, "cut" if cut else "lost"):
            self._door.lost(link, cut=cut)

    def headers(self, connection: Connection) -> list[tuple[str, str]]:
        """The headers of every HTTP answer."""
        return self._door.headers(connection)

    async def refusal(self, connection: Connection, rejected: Rejected) -> Refusal:
        """How a refusal is put."""
        return await self._door.refusal(connection, rejected)


class ClusterGate(_InFront[Admission]):
    """Implements ``Gate``."""

    def check(self, connection: Connection) -> Packer:
        """What can be said before a hello."""
        return self._door.check(connection)

    async def admit(self, link: ServerLink, hello: Hello, *, websocket: bool) -> None:
        """A hello came. Whose session is gone with its process begins a new one here."""
        edge = self._edge()
        if (owner := edge.owner_of(hello.session)) is not None:
            try:
                return await edge.open(owner, "hello", link, {"opening": write_opening(hello)})
            except OwnerGone:
                pass
        try:
            await self._door.admit(link, hello, websocket=websocket)
        except OwnedElsewhere as found:
            try:
                await edge.open(found.owner, "hello", link, {"opening": write_opening(hello)})
            except OwnerGone:
                raise Rejected(503, COME_BACK) from None

    def know(self, connection: Connection, head: Head) -> None:
        """Whether a poll or POST is anybody's."""
        if self._edge().owner_of(head.session) is None:
            self._door.know(connection, head)

    async def exchange(self, link: ServerLink, head: Head, frames: Sequence[Wire]) -> None:
        """A poll or POST came."""
        edge = self._edge()
        if (owner := edge.owner_of(head.session)) is None:
            return await self._door.exchange(link, head, frames)
        try:
            await edge.open(owner, "exchange", link, {"opening": write_opening(head)}, frames)
        except OwnerGone:
            raise Rejected(410, GONE) from None

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket."""
        if not self._edge().receive(link, frame):
            self._door.receive(link, frame)

    def said_goodbye(self, link: ServerLink) -> None:
        """A WebSocket was closed with 1000."""
        if not self._edge().ended(link, "goodbye"):
            self._door.said_goodbye(link)


class ClusterClassicGate(_InFront[ClassicClients]):
    """Implements ``ClassicGate``. Sente's own clients have no token that names a process, so those that poll belong to
    the one that a hash of their client-id picks of those that are there."""

    async def open(self, link: ServerLink, csrf: str | None) -> None:
        """A WebSocket wants to be opened."""
        await self._door.open(link, csrf)

    async def poll(self, link: ServerLink, csrf: str | None, *, handshake: bool) -> None:
        """A poll came."""
        if not await self._handed_over(link, csrf, handshake):
            await self._door.poll(link, csrf, handshake=handshake)

    async def post(self, link: ServerLink, csrf: str | None, frame: Wire) -> None:
        """A POST came."""
        if not await self._handed_over(link, csrf, False, frame):
            await self._door.post(link, csrf, frame)

    async def _handed_over(self, link: ServerLink, csrf: str | None, handshake: bool, *frames: Wire) -> bool:
        edge = self._edge()
        if (owner := edge.picked(link.connection.client_id)) is None:
            return False
        try:
            await edge.open(owner, "classic", link, {"csrf": csrf, "handshake": handshake}, frames)
        except OwnerGone:
            return False
        return True

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket."""
        self._door.receive(link, frame)

    async def ready(self, link: ServerLink) -> None:
        """Wait until the next frame may be read."""
        await self._door.ready(link)
