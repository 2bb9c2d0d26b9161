"""Sente's own clients at the hub: which session a request belongs to, and what is read of it (§10)."""

from typing import Any

from sente.admission import Admission
from sente.errors import PackError, ProtocolError, Rejected
from sente.hub import Hub
from sente.interfaces import UserId, Wire
from sente.protocol.actions import TransportName
from sente.protocol.classic import Said, greeting, read_said
from sente.protocol.classic_session import ClassicClient, ClassicSession
from sente.protocol.messages import Classic
from sente.transports.asgi import Connection, wire_size
from sente.transports.gate import Refusal, ServerLink


class ClassicClients:
    """Implements ``ClassicGate`` for the transport: the sessions of a hub, behind its door."""

    def __init__(self, hub: Hub, door: Admission) -> None:
        self.settings = hub.settings
        self._hub = hub
        self._door = door

    def headers(self, connection: Connection) -> list[tuple[str, str]]:
        """The headers of every HTTP answer."""
        return self._door.headers(connection)

    async def refusal(self, connection: Connection, rejected: Rejected) -> Refusal:
        """How a refusal is put."""
        return await self._door.refusal(connection, rejected)

    async def open(self, link: ServerLink, csrf: str | None) -> None:
        """A WebSocket wants to be opened."""
        self._door.crowds.knock(link.connection.host, self._hub.now)
        uid = await self._identify(link, csrf)
        words = await self._greeting(link, uid)
        client = self._enter(link, uid, "ws", opens=True)
        client.session.open(link.number, words, self._hub.now)
        self._hub.run(client)

    async def poll(self, link: ServerLink, csrf: str | None, *, handshake: bool) -> None:
        """A poll came; ``handshake``: its client begins anew."""
        uid = await self._identify(link, csrf)
        client = self._hub.classic.get(("poll", uid, link.connection.client_id))
        opens = handshake or client is None or not client.session.known
        words = await self._greeting(link, uid) if opens else None
        client = self._enter(link, uid, "poll", opens=opens)
        client.session.poll(link.number, words, self._hub.now)
        self._hub.run(client)

    async def post(self, link: ServerLink, csrf: str | None, frame: Wire) -> None:
        """A POST came with an event."""
        uid = await self._identify(link, csrf)
        said = self._read(link, frame)
        client = self._enter(link, uid, "poll", opens=False)
        if client.session.full:
            raise Rejected(503, "retry_after=1000")
        client.session.post(link.number, said, self._hub.now)
        self._hub.run(client)

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket. As with Sente, one that cannot be read changes nothing."""
        client = self._hub.client_of(link)
        if not isinstance(client, ClassicClient):
            return
        try:
            said = self._read(link, frame)
        except ProtocolError as error:
            if error.close_code == 4413:
                link.close(1009, error.reason)
                self._hub.lost(link)
            return
        client.session.receive(link.number, said, self._hub.now)
        self._hub.run(client)

    async def ready(self, link: ServerLink) -> None:
        """Wait while too many events of the link's client wait for their handlers."""
        await self._hub.wait_while(lambda: self._lags(link))

    def lost(self, link: ServerLink, *, cut: bool = False) -> None:
        """The link is gone."""
        self._hub.lost(link, cut=cut)

    def _lags(self, link: ServerLink) -> bool:
        client = self._hub.client_of(link)
        return isinstance(client, ClassicClient) and client.session.full

    async def _identify(self, link: ServerLink, csrf: str | None) -> UserId:
        uid = await self._door.identify(link, csrf)
        if (serve := self._hub.serve) is not None:
            await serve(uid, link.connection.client_id)
        return uid

    async def _greeting(self, link: ServerLink, uid: UserId) -> Classic:
        return greeting(uid, await self._door.handshake_data(link))

    def _enter(self, link: ServerLink, uid: UserId, transport: TransportName, *, opens: bool) -> ClassicClient:
        key = transport, uid, link.connection.client_id
        client = self._hub.classic.get(key)
        if opens or client is None:
            self._door.check_room(known=client is not None)
        if client is None:
            if transport == "poll":
                self._door.crowds.knock(link.connection.host, self._hub.now)
            self._door.crowds.enter(link.connection.host, uid)
            session = ClassicSession(self.settings, transport, self._hub.now)
            client = self._hub.classic[key] = ClassicClient(*key, session)
        self._hub.enter(link, client)
        return client

    def _read(self, link: ServerLink, frame: Wire) -> Said:
        def form(plain: Any, size: int) -> Said:
            said = read_said(plain, size)
            try:
                link.packer.pack(said.ref)
            except PackError as error:
                raise ProtocolError(f"the callback could not be echoed: {error}") from error
            return said

        return self._door.read(link, frame, wire_size(frame), form)
