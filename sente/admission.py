"""The door: what must be right before a link belongs to a client, and what its frames say."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

from sente.crowds import Crowds
from sente.dispatch import log
from sente.errors import ConfigError, ProtocolError, Rejected
from sente.hub import Hub
from sente.interfaces import Packer, UserId, Wire
from sente.packers.negotiation import choose
from sente.processes import GONE, GONE_OR_ELSEWHERE
from sente.protocol.actions import TransportName
from sente.protocol.greeting import Head, Hello
from sente.protocol.messages import carried, read_packet
from sente.protocol.sessions import Client
from sente.push import read_frame, write_frame
from sente.rationing import Rationing
from sente.security import Hook, Security, ask
from sente.transports.asgi import Connection, wire_size
from sente.transports.gate import Refusal, ServerLink

T = TypeVar("T")


class Admission:
    """Implements ``Gate`` for the transports: checks and reads, and hands over to the sessions of a hub."""

    def __init__(
        self, hub: Hub, packers: Sequence[Packer], security: Security, handshake_data: Hook[Any] | None
    ) -> None:
        if handshake_data is not None and not callable(handshake_data):
            raise ConfigError(f"handshake_data={handshake_data!r}: give a function that takes the connection")
        self.settings = hub.settings
        self._hub = hub
        Rationing(hub)
        peers = hub.peers
        self.crowds = Crowds(hub.settings, lambda uid: len(peers.of(uid)), lambda address: peers.addresses[address])
        self._choose = lru_cache(maxsize=64)(partial(choose, packers))  # asked with each poll, mostly the same
        self._security = security
        self._handshake_data = handshake_data

    def check(self, connection: Connection) -> Packer:
        """What can be said before a hello."""
        if connection.scope["type"] == "websocket":
            self.crowds.knock(connection.host, self._hub.now)
        if not connection.client_id:
            raise Rejected(400, "client-id is missing: 1 to 128 of A-Z a-z 0-9 . _ ~ : - in the query")
        return self._choose(connection.query.get("packers", ""))

    def headers(self, connection: Connection) -> list[tuple[str, str]]:
        """The headers of every HTTP answer."""
        return self._security.headers(connection)

    async def refusal(self, connection: Connection, rejected: Rejected) -> Refusal:
        """How a refusal is put."""
        self._hub.stats[f"rejected {rejected.status}"] += 1
        return await self._security.refusal(connection, rejected)

    async def admit(self, link: ServerLink, hello: Hello, *, websocket: bool) -> None:
        """A hello came."""
        if not websocket:
            self.crowds.knock(link.connection.host, self._hub.now)
        token = hello.session or ""
        self.check_room(known=self._hub.sessions.find(token) is not None)
        uid = await self.identify(link, hello.csrf)
        expires_in = await self._security.lifetime(link.connection)
        data = await self.handshake_data(link)
        if (serve := self._hub.serve) is not None:
            await serve(uid, link.connection.client_id)
        if (durable := self._hub.durable) is not None:
            hello = await durable.prepare(hello, uid, link.connection.client_id)
            token = hello.session or ""
        before = self._hub.sessions.find(token)
        self.check_room(known=before is not None)  # again: the hooks may have taken their time
        if before is None:
            self.crowds.enter(link.connection.host, uid)
        now = self._hub.now
        transport: TransportName = "ws" if websocket else "poll"
        client = self._hub.sessions.meet(link.number, transport, hello, link.connection.client_id, uid, data, now)
        client.session.credentials.renew(expires_in, now)
        self._hub.enter(link, client, hello.auth)
        if durable is not None:
            durable.entered(client)
        if before is client:
            self._hub.stats["resumed"] += 1
        elif hello.session:
            self._hub.stats["not resumed"] += 1
        if before is not None and before is not client:
            self._hub.run(before)
        self._hub.run(client)

    def check_room(self, *, known: bool) -> None:
        """Whether a client may come in: one that is ``known`` takes no room. Raises ``Rejected``."""
        if self._hub.draining:
            raise Rejected(503, "retry_after=1000")
        if len(self._hub.sessions) + len(self._hub.classic) >= self.settings.sessions and not known:
            self._hub.stats["full"] += 1
            raise Rejected(503, "retry_after=5000")

    async def identify(self, link: ServerLink, csrf: str | None) -> UserId:
        """Run the pipeline on a link, and name it. Raises ``Rejected``."""
        uid = await self._security.check(link.connection, csrf=csrf)
        link.number = self._hub.new_number()
        return uid

    async def handshake_data(self, link: ServerLink) -> Any:
        """What this client is given when it connects. Raises ``PackError``, to the application."""
        data = await ask(self._handshake_data, link.connection) if self._handshake_data is not None else None
        link.packer.pack(data)
        return data

    def know(self, connection: Connection, head: Head) -> None:
        """Whether a poll or POST is anybody's. Raises ``Rejected``."""
        self._owner(connection, head)

    def _owner(self, connection: Connection, head: Head) -> Client:
        client = self._hub.sessions.find(head.session)
        if client is None or client.client_id != connection.client_id:
            raise Rejected(410, GONE_OR_ELSEWHERE if self._hub.serve is None else GONE)
        return client

    async def exchange(self, link: ServerLink, head: Head, frames: Sequence[Wire]) -> None:
        """A poll or POST came."""
        if (last := self._hub.sessions.farewell(head.session, link.connection.client_id)) is not None:
            return link.answer(last[0], [write_frame(last[1], link.packer)])  # which it crossed on its way
        client = self._owner(link.connection, head)
        if (auth := self._hub.peers[client].auth) is not None:
            link.connection = Connection(link.connection.scope, auth)
        uid = await self._security.check(link.connection, csrf=None, csrf_known=True)
        if uid != client.uid:
            raise Rejected(410, "another user is logged in: say hello again")
        sizes = [wire_size(frame) for frame in frames]
        packets = [(self.read(link, *of, read_packet), of[1]) for of in zip(frames, sizes, strict=True)]
        link.number = self._hub.new_number()
        self._hub.links[link.number] = link, client
        known = client.session.acknowledged if self._hub.frame else 0
        client.session.exchange(link.number, head, packets, self._hub.now)
        if (told := self._hub.frame) is not None:
            for packet, _ in packets:
                told("in", carried(packet), 0)
            told("in", 0, client.session.acknowledged - known)
        self._hub.run(client)

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket. One that cannot be read costs the link, not the session."""
        entry = self._hub.links.get(link.number)
        if entry is None or not isinstance(client := entry[1], Client):
            return
        size = wire_size(frame)
        try:
            packet = self.read(link, frame, size, read_packet)
        except ProtocolError as error:
            link.close(error.close_code, error.reason)
            return self.lost(link)
        known = client.session.acknowledged if self._hub.frame else 0
        client.session.receive(link.number, packet, size, self._hub.now)
        if (told := self._hub.frame) is not None:
            told("in", carried(packet), client.session.acknowledged - known)
        self._hub.run(client)

    def said_goodbye(self, link: ServerLink) -> None:
        """A WebSocket was closed with 1000."""
        if (client := self._hub.client_of(link)) is not None:
            client.session.close(1000, "goodbye", self._hub.now, word="goodbye")
            self._hub.run(client)

    def read(self, link: ServerLink, frame: Wire, size: int, form: Callable[[Any, int], T]) -> T:
        """What a frame of so many bytes holds, given by ``form``. Raises ``ProtocolError``, nothing else."""
        try:
            return read_frame(frame, size, link.packer, self.settings.limits.packet, form)
        except ProtocolError as error:
            self._hub.stats["unreadable"] += 1
            who = {"uid": link.connection.uid, "client_id": link.connection.client_id}
            log.info("unreadable packet: %s", error, extra=who)
            raise

    def lost(self, link: ServerLink, *, cut: bool = False) -> None:
        """The link is gone."""
        self._hub.lost(link, cut=cut)
