"""The asyncio driver: carries out what the sessions ask for, keeps their timers, and fans events out to their links."""

import asyncio
import itertools
import random
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sente.dispatch import Dispatcher, Lane, Message, log
from sente.errors import ConfigError, PackError, ProtocolError, Rejected, RequestFailed, UnpackError
from sente.interfaces import Packer, UserId, Wire
from sente.packers.negotiation import choose
from sente.presence import Presence
from sente.protocol.actions import (
    Answer,
    Close,
    Deliver,
    Ended,
    PresenceChanged,
    ServerAction,
    Transmit,
    TransportName,
)
from sente.protocol.greeting import Head, Hello
from sente.protocol.messages import Packet, is_event_id, read_packet
from sente.protocol.sessions import Client, Sessions
from sente.protocol.settings import ServerSettings
from sente.push import Push, Receipt, pack_event, pack_value, write_frame
from sente.security import Hook, Security, ask
from sente.transports.asgi import Connection, wire_size
from sente.transports.gate import Refusal, ServerLink


@dataclass(slots=True, eq=False)
class Peer:
    """What the driver keeps of a client beside its session."""

    lane: Lane
    connection: Connection
    auth: str | None
    present: TransportName | None = None
    timer: asyncio.Handle | None = None
    due: float = 0.0
    """When ``timer`` fires."""


class Hub:
    """Implements ``Gate`` for the transports; ``send``, ``broadcast`` and ``disconnect`` for the façade."""

    def __init__(
        self,
        settings: ServerSettings,
        packers: Sequence[Packer],
        security: Security,
        dispatcher: Dispatcher,
        handshake_data: Hook[Any] | None,
        send: Callable[..., Receipt],
    ) -> None:
        self.settings = settings
        self.started = False
        """Whether there is a loop to run on."""
        self.stats: Counter[str] = Counter()
        self.presence = Presence(self._announce)
        self._packers = packers
        self._security = security
        self._dispatcher = dispatcher
        self._handshake_data = handshake_data
        self._facade_send = send
        self._numbers = itertools.count(1)
        self._links: dict[int, tuple[ServerLink, Client]] = {}
        self._peers: dict[Client, Peer] = {}
        self._clients_of: dict[UserId, dict[Client, None]] = {}
        self._draining = False
        self._presence_lane = Lane(dispatcher)
        self._sessions = self._new_sessions(now=0.0)

    # -- life

    def start(self) -> None:
        """Bind to the running loop and its thread."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._draining = False
        for kept in (self._links, self._peers, self._clients_of):  # from an earlier start
            kept.clear()
        self.presence.clear()
        self._presence_lane = Lane(self._dispatcher)
        self._sessions = self._new_sessions(self._loop.time())
        self.started = True

    def _new_sessions(self, now: float) -> Sessions:
        return Sessions(self.settings, lambda: secrets.token_urlsafe(24), now)

    async def aclose(self) -> None:
        """The lifespan ends: let go of what is left, even if a drain is still under way."""
        await self.drain(0)
        await self._stop()
        self.started = False

    async def drain(self, seconds: float) -> None:
        """Let every client go in peace, for at most so long (§5).

        First what is being handled comes to its end everywhere, so that what it says still reaches everyone. Then each
        client is told to come back after a jittered moment, once it has taken all that was said to it.
        """
        if self._draining:
            return
        self._draining = True
        now = self._loop.time()
        await self._wait_while(lambda: self._dispatcher.busy, until=now + seconds * 2 / 3)
        for client in list(self._sessions):
            client.session.drain(self.settings.retry_after * (0.1 + 0.9 * random.random()), self._loop.time())
            self._run(client)
        await self._wait_while(self._anyone_there, until=now + seconds)
        await self._stop()

    async def _stop(self) -> None:
        """End every session, and the handlers that still run: the server goes away."""
        for client in list(self._sessions):
            client.session.close(1001, "the server restarts", self._loop.time(), word="stopped")
            self._run(client)
        for peer in self._peers.values():
            if peer.timer is not None:
                peer.timer.cancel()
        await self._dispatcher.aclose()

    def _anyone_there(self) -> bool:
        return any(self._peers[client].present for client in self._sessions)

    async def _wait_while(self, condition: Callable[[], bool], *, until: float) -> None:
        while condition() and self._loop.time() < until:  # noqa: ASYNC110  # it happens once per process
            await asyncio.sleep(0.01)

    # -- for the façade

    def send(self, uid: UserId, event_id: str, data: Any, *, flush: bool) -> Receipt:
        """Say an event to every client of a user. From any thread."""
        push = self._push(event_id, data)
        receipt = Receipt(len(self._clients_of.get(uid, ())))
        self._in_loop(lambda: self._send(uid, push, flush))
        return receipt

    def broadcast(self, event_id: str, data: Any, *, flush: bool) -> Receipt:
        """Say an event to every client. From any thread."""
        push = self._push(event_id, data)
        receipt = Receipt(len(self._sessions))
        self._in_loop(lambda: self._broadcast(push, flush))
        return receipt

    def disconnect(self, uid: UserId, reason: str) -> None:
        """End every session of a user. From any thread."""
        self._in_loop(lambda: self._disconnect(uid, reason))

    def clients(self) -> list[tuple[Client, ServerLink | None]]:
        """Everyone who has a session, with the newest link."""
        links = {client: link for link, client in self._links.values()}
        return [(client, links.get(client)) for client in self._sessions]

    def _push(self, event_id: str, data: Any) -> Push:
        if not is_event_id(event_id):
            raise ConfigError(f"{event_id!r}: an event id is 'namespace/name', for example 'chat/said'")
        return pack_event(event_id, data, self._packers, self.settings.limits.packet)

    def _in_loop(self, work: Callable[[], None]) -> None:
        if not self.started:
            raise ConfigError("the ChannelSocket is not running: include its router, or use `async with chsk:`")
        if threading.get_ident() == self._thread:
            work()
        else:
            self._loop.call_soon_threadsafe(work)

    def _send(self, uid: UserId, push: Push, flush: bool) -> None:
        now = self._loop.time()
        self._sessions.addressed(uid, now)
        self._put(list(self._clients_of.get(uid, ())), push, flush, now)

    def _broadcast(self, push: Push, flush: bool) -> None:
        self._sessions.addressed_all()
        self._put(list(self._sessions), push, flush, self._loop.time())

    def _put(self, clients: Iterable[Client], push: Push, flush: bool, now: float) -> None:
        for client in clients:
            client.session.send(push, now, flush=flush)
            self._run(client)  # it may have been one event too many
        self.stats["sent"] += 1

    def _disconnect(self, uid: UserId, reason: str) -> None:
        for client in list(self._clients_of.get(uid, ())):
            client.session.close(4410, reason, self._loop.time(), word="disconnected")
            self._run(client)

    # -- for the transports (Gate)

    def check(self, connection: Connection) -> Packer:
        """What can be said before a hello."""
        if not connection.client_id:
            raise Rejected(400, "client-id is missing: 1 to 128 of A-Z a-z 0-9 . _ ~ : - in the query")
        return choose(self._packers, connection.query.get("packers", ""))

    def headers(self, connection: Connection) -> list[tuple[str, str]]:
        """The headers of every HTTP answer."""
        return self._security.headers(connection)

    async def refusal(self, connection: Connection, rejected: Rejected) -> Refusal:
        """How a refusal is put."""
        self.stats[f"rejected {rejected.status}"] += 1
        return await self._security.refusal(connection, rejected)

    async def admit(self, link: ServerLink, hello: Hello, *, websocket: bool) -> None:
        """A hello came."""
        self._check_room(hello)
        connection = link.connection
        uid = await self._security.check(connection, csrf=hello.csrf)
        data = await ask(self._handshake_data, connection) if self._handshake_data is not None else None
        link.packer.pack(data)  # raises here, to the application, if it cannot be packed
        self._check_room(hello)  # again: the hooks may have taken their time
        now = self._loop.time()
        link.number = next(self._numbers)
        before = self._sessions.find(hello.session or "")
        transport: TransportName = "ws" if websocket else "poll"
        client = self._sessions.meet(link.number, transport, hello, connection.client_id, uid, data, now)
        self._links[link.number] = link, client
        peer = self._peers.get(client)
        if peer is None:
            self._peers[client] = Peer(Lane(self._dispatcher), connection, hello.auth)
            self._clients_of.setdefault(uid, {})[client] = None
            self.stats["sessions"] += 1
        else:
            peer.connection, peer.auth = connection, hello.auth
        if before is not None and before is not client:
            self._run(before)
        self._run(client)

    async def exchange(self, link: ServerLink, head: Head, frames: Sequence[Wire]) -> None:
        """A poll or POST came."""
        client = self._sessions.find(head.session)
        if client is None or client.client_id != link.connection.client_id:
            raise Rejected(410, "this session is gone: say hello again")
        link.connection = Connection(link.connection.scope, self._peers[client].auth)
        uid = await self._security.check(link.connection, csrf=None, csrf_known=True)
        if uid != client.uid:
            raise Rejected(410, "another user is logged in: say hello again")
        packets = [(self._read(link.packer, frame), wire_size(frame)) for frame in frames]
        link.number = next(self._numbers)
        self._links[link.number] = link, client
        client.session.exchange(link.number, head, packets, self._loop.time())
        self._run(client)

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket. One that cannot be read costs the link, not the session."""
        if link.number not in self._links:
            return
        client = self._links[link.number][1]
        try:
            packet = self._read(link.packer, frame)
        except ProtocolError as error:
            link.close(error.close_code, error.reason)
            return self.lost(link)
        client.session.receive(link.number, packet, wire_size(frame), self._loop.time())
        self._run(client)

    def said_goodbye(self, link: ServerLink) -> None:
        """A WebSocket was closed with 1000."""
        if link.number in self._links:
            client = self._links[link.number][1]
            client.session.close(1000, "goodbye", self._loop.time(), word="goodbye")
            self._run(client)

    def lost(self, link: ServerLink) -> None:
        """The link is gone."""
        entry = self._links.pop(link.number, None)
        if entry is not None:
            client = entry[1]
            client.session.link_lost(link.number, self._loop.time())
            self._run(client)

    def _check_room(self, hello: Hello) -> None:
        if self._draining:
            raise Rejected(503, "retry_after=1000")
        if len(self._sessions) >= self.settings.sessions and self._sessions.find(hello.session or "") is None:
            self.stats["full"] += 1
            raise Rejected(503, "retry_after=5000")

    def _read(self, packer: Packer, frame: Wire) -> Packet:
        size = wire_size(frame)
        try:
            if size > self.settings.limits.packet:
                raise ProtocolError(f"the server takes packets of {self.settings.limits.packet} bytes", 4413)
            return read_packet(packer.unpack(frame), size)
        except (ProtocolError, UnpackError) as error:
            self.stats["unreadable"] += 1
            log.info("unreadable packet: %s", error)
            raise error if isinstance(error, ProtocolError) else ProtocolError(str(error)) from error

    # -- driving sessions

    def _run(self, client: Client) -> None:
        """Carry out what a session asks for, and plan its next timer."""
        while actions := client.session.take_actions():
            for action in actions:
                self._act(client, action)
        self._plan(client)

    def _act(self, client: Client, action: ServerAction) -> None:
        match action:
            case Transmit(number, packets) if number in self._links:
                link = self._links[number][0]
                link.transmit([write_frame(packet, link.packer) for packet in packets])
            case Answer(number, head, packets) if number in self._links:
                link = self._links.pop(number)[0]
                link.answer(head, [write_frame(packet, link.packer) for packet in packets])
            case Close(number, code, reason) if number in self._links:
                self._links.pop(number)[0].close(code, reason)
            case Deliver():
                self._deliver(client, action)
            case PresenceChanged(transport):
                peer = self._peers[client]
                before, peer.present = peer.present, transport
                self.presence.change(client.uid, before, transport)
            case Ended(word):
                self.stats[f"ended {word}"] += 1
                if self._sessions.find(client.token) is client:
                    self._sessions.bury(client, self._loop.time())
                same_user = self._clients_of[client.uid]
                del same_user[client]
                if not same_user:
                    del self._clients_of[client.uid]
            case _:
                pass  # for a link that is gone already

    def _plan(self, client: Client) -> None:
        peer = self._peers.get(client)
        if peer is None:
            return
        when = client.session.next_timer()
        if when is None:
            if peer.timer is not None:
                peer.timer.cancel()
            if client.session.ended:
                del self._peers[client]
        elif peer.timer is None or when < peer.due:
            if peer.timer is not None:
                peer.timer.cancel()
            peer.due = when
            peer.timer = self._loop.call_at(when, self._tick, client, peer)

    def _tick(self, client: Client, peer: Peer) -> None:
        peer.timer = None
        client.session.handle_timer(self._loop.time())
        self._run(client)

    def _deliver(self, client: Client, delivery: Deliver) -> None:
        self.stats["received"] += 1
        peer, event = self._peers[client], delivery.event
        entry = self._links.get(delivery.link)
        connection = entry[0].connection if entry else peer.connection
        message = Message(event.id, event.data, client.uid, client.client_id, connection, self._facade_send)
        if (ref := delivery.ref) is not None:
            message.reply = lambda value: self._reply(client, ref, value)
            message.fail = lambda error: self._fail(client, ref, error)

        def done() -> None:
            client.session.handled(self._loop.time())
            self._run(client)

        peer.lane.put(message, done)

    def _reply(self, client: Client, ref: int, value: Any, *, failed: bool = False) -> None:
        packed = pack_value(value, self._packers)

        def put() -> None:
            client.session.reply(ref, packed, self._loop.time(), failed=failed, size=packed.size)
            self._run(client)

        self._in_loop(put)

    def _fail(self, client: Client, ref: int, error: RequestFailed) -> None:
        plain = {"code": error.code, "message": error.message, "data": error.data}
        try:
            self._reply(client, ref, plain, failed=True)
        except PackError:
            self._reply(client, ref, {**plain, "data": None}, failed=True)

    def _announce(self, what: Literal["open", "close"], uid: UserId) -> None:
        message = Message(f"chsk/uidport-{what}", uid, uid, "", None, self._facade_send)
        if self._dispatcher.wants(message.id):
            self._presence_lane.put(message, lambda: None)
