"""The asyncio driver: carries out what the sessions ask for, keeps their timers, and fans events out to their links."""

import asyncio
import itertools
import math
import random
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from sente.asking import write_failure
from sente.dispatch import Dispatcher, Lane, Message, log
from sente.errors import ConfigError, PackError, ProtocolError, Rejected, RequestFailed
from sente.interfaces import Packer, UserId, Wire
from sente.packers.negotiation import Spoken, choose
from sente.peers import AnyClient, Peers
from sente.presence import Presence
from sente.protocol.actions import (
    Answer,
    Cancelled,
    Close,
    Deliver,
    Dropped,
    Ended,
    LateReply,
    PresenceChanged,
    ServerAction,
    Settle,
    Transmit,
    TransportName,
)
from sente.protocol.classic_session import ClassicClient, ClassicKey
from sente.protocol.greeting import Head, Hello
from sente.protocol.messages import is_event_id, read_packet
from sente.protocol.sessions import Client, Sessions
from sente.protocol.settings import ServerSettings
from sente.push import Push, Receipt, pack_event, pack_value, read_frame, write_frame
from sente.questions import Questions
from sente.security import Hook, Security, ask
from sente.transports.asgi import Connection, wire_size
from sente.transports.gate import Refusal, ServerLink

T = TypeVar("T")


class Hub:
    """Implements ``Gate`` for the transports; for the façade ``send``, ``broadcast``, ``questions``, ``disconnect``."""

    def __init__(
        self,
        settings: ServerSettings,
        packers: Sequence[Packer],
        security: Security,
        dispatcher: Dispatcher,
        handshake_data: Hook[Any] | None,
        send: Callable[..., Receipt],
        *,
        classic: Packer | None = None,
    ) -> None:
        self.settings = settings
        self.started = False
        """Whether there is a loop to run on."""
        self.stats: Counter[str] = Counter()
        self.presence = Presence(self._announce)
        self.classic: dict[ClassicKey, ClassicClient] = {}
        """The clients of Sente's own, put here by ``ClassicClients``."""
        self._packers = packers
        self._security = security
        self._spoken = Spoken(packers if classic is None or classic in packers else (*packers, classic))
        self._dispatcher = dispatcher
        self._handshake_data = handshake_data
        self._facade_send = send
        self._numbers = itertools.count(1)
        self._links: dict[int, tuple[ServerLink, AnyClient]] = {}
        self._peers = Peers(dispatcher)
        self.questions = Questions(self._push, self.run)
        self._draining = False
        self._presence_lane = Lane(dispatcher)
        self._sessions = self._new_sessions(now=0.0)

    # -- life

    def start(self) -> None:
        """Bind to the running loop and its thread."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._draining = False
        for kept in (self._links, self._peers, self.classic, self.presence):  # from an earlier start
            kept.clear()
        self.questions.start(self._loop)
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
        now = self.now
        await self.wait_while(lambda: self._dispatcher.busy, until=now + seconds * 2 / 3)
        for client in self._peers.everyone():
            client.session.drain(self.settings.retry_after * (0.1 + 0.9 * random.random()), self.now)
            self.run(client)
        await self.wait_while(lambda: self._peers.anyone_there, until=now + seconds)
        await self._stop()

    async def _stop(self) -> None:
        """End every session, and the handlers that still run: the server goes away."""
        for client in self._peers.everyone():
            client.session.close(1001, "the server restarts", self.now, word="stopped")
            self.run(client)
        self._peers.stop()
        await self._dispatcher.aclose()

    async def wait_while(self, condition: Callable[[], bool], *, until: float = math.inf) -> None:
        """Look again every 10 ms: for what is rare, like the end of a process, and costs nothing before."""
        while condition() and self.now < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    @property
    def now(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    # -- for the façade

    def send(self, uid: UserId, event_id: str, data: Any, *, flush: bool, form: str | None) -> Receipt:
        """Say an event to every client of a user. From any thread."""
        push = self._push(event_id, data, form)
        receipt = Receipt(len(self._peers.of(uid)))
        self._in_loop(lambda: self._send(uid, push, flush))
        return receipt

    def broadcast(self, event_id: str, data: Any, *, flush: bool, form: str | None) -> Receipt:
        """Say an event to every client. From any thread."""
        push = self._push(event_id, data, form)
        receipt = Receipt(len(self._sessions) + len(self.classic))
        self._in_loop(lambda: self._broadcast(push, flush))
        return receipt

    def disconnect(self, uid: UserId, reason: str) -> None:
        """End every session of a user. From any thread."""
        self._in_loop(lambda: self._disconnect(uid, reason))

    def clients(self) -> list[tuple[AnyClient, ServerLink | None]]:
        """Everyone who has a session, with the newest link."""
        links = {client: link for link, client in self._links.values()}
        return [(client, links.get(client)) for client in self._peers.everyone()]

    def _push(self, event_id: str, data: Any, form: str | None) -> Push:
        if not is_event_id(event_id):
            raise ConfigError(f"{event_id!r}: an event id is 'namespace/name', for example 'chat/said'")
        return pack_event(event_id, data, self._spoken.packers, self.settings.limits.packet, form)

    def _in_loop(self, work: Callable[[], None]) -> None:
        if not self.started:
            raise ConfigError("the ChannelSocket is not running: include its router, or use `async with chsk:`")
        if threading.get_ident() == self._thread:
            work()
        else:
            self._loop.call_soon_threadsafe(work)

    def _send(self, uid: UserId, push: Push, flush: bool) -> None:
        now = self.now
        self._sessions.addressed(uid, now)
        self._put(self._peers.of(uid), push, flush, now)

    def _broadcast(self, push: Push, flush: bool) -> None:
        self._sessions.addressed_all()
        self._put(self._peers.everyone(), push, flush, self.now)

    def _put(self, clients: Iterable[AnyClient], push: Push, flush: bool, now: float) -> None:
        for client in clients:
            client.session.send(push, now, flush=flush)
            self.run(client)  # it may have been one event too many
        self.stats["sent"] += 1

    def _disconnect(self, uid: UserId, reason: str) -> None:
        for client in self._peers.of(uid):
            client.session.close(4410, reason, self.now, word="disconnected")
            self.run(client)

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
        token = hello.session or ""
        self.check_room(known=self._sessions.find(token) is not None)
        uid = await self.identify(link, hello.csrf)
        data = await self.handshake_data(link)
        before = self._sessions.find(token)
        self.check_room(known=before is not None)  # again: the hooks may have taken their time
        now = self.now
        transport: TransportName = "ws" if websocket else "poll"
        client = self._sessions.meet(link.number, transport, hello, link.connection.client_id, uid, data, now)
        self.enter(link, client, hello.auth)
        if before is not None and before is not client:
            self.run(before)
        self.run(client)

    def check_room(self, *, known: bool) -> None:
        """Whether a client may come in: one that is ``known`` takes no room. Raises ``Rejected``."""
        if self._draining:
            raise Rejected(503, "retry_after=1000")
        if len(self._sessions) + len(self.classic) >= self.settings.sessions and not known:
            self.stats["full"] += 1
            raise Rejected(503, "retry_after=5000")

    async def identify(self, link: ServerLink, csrf: str | None) -> UserId:
        """Run the pipeline on a link, and name it. Raises ``Rejected``."""
        uid = await self._security.check(link.connection, csrf=csrf)
        link.number = next(self._numbers)
        return uid

    async def handshake_data(self, link: ServerLink) -> Any:
        """What this client is given when it connects. Raises ``PackError``, to the application."""
        data = await ask(self._handshake_data, link.connection) if self._handshake_data is not None else None
        link.packer.pack(data)
        return data

    def enter(self, link: ServerLink, client: AnyClient, auth: str | None = None) -> None:
        """The link belongs to this client now, which may be new."""
        self._spoken.add(link.packer)
        self._links[link.number] = link, client
        self.stats["sessions"] += self._peers.enter(client, link.connection, auth)
        self.questions.attached(client)

    async def exchange(self, link: ServerLink, head: Head, frames: Sequence[Wire]) -> None:
        """A poll or POST came."""
        client = self._sessions.find(head.session)
        if client is None or client.client_id != link.connection.client_id:
            raise Rejected(410, "this session is gone: say hello again")
        link.connection = Connection(link.connection.scope, self._peers[client].auth)
        uid = await self._security.check(link.connection, csrf=None, csrf_known=True)
        if uid != client.uid:
            raise Rejected(410, "another user is logged in: say hello again")
        packets = [(self.read(link.packer, frame, read_packet), wire_size(frame)) for frame in frames]
        link.number = next(self._numbers)
        self._links[link.number] = link, client
        client.session.exchange(link.number, head, packets, self.now)
        self.run(client)

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket. One that cannot be read costs the link, not the session."""
        if not isinstance(client := self.client_of(link), Client):
            return
        try:
            packet = self.read(link.packer, frame, read_packet)
        except ProtocolError as error:
            link.close(error.close_code, error.reason)
            return self.lost(link)
        client.session.receive(link.number, packet, wire_size(frame), self.now)
        self.run(client)

    def said_goodbye(self, link: ServerLink) -> None:
        """A WebSocket was closed with 1000."""
        if (client := self.client_of(link)) is not None:
            client.session.close(1000, "goodbye", self.now, word="goodbye")
            self.run(client)

    def client_of(self, link: ServerLink) -> AnyClient | None:
        """Who the link belongs to, if it is still in use."""
        entry = self._links.get(link.number)
        return entry[1] if entry else None

    def lost(self, link: ServerLink, *, cut: bool = False) -> None:
        """The link is gone."""
        if cut:
            self.stats["cut off"] += 1
        if (entry := self._links.pop(link.number, None)) is not None:
            client = entry[1]
            client.session.link_lost(link.number, self.now)
            self.run(client)

    def read(self, packer: Packer, frame: Wire, form: Callable[[Any, int], T]) -> T:
        """What a frame holds, given by ``form``. Raises ``ProtocolError``, nothing else."""
        try:
            return read_frame(frame, packer, self.settings.limits.packet, form)
        except ProtocolError as error:
            self.stats["unreadable"] += 1
            log.info("unreadable packet: %s", error)
            raise

    # -- driving sessions

    def run(self, client: AnyClient) -> None:
        """Carry out what a session asks for, and plan its next timer."""
        while actions := client.session.take_actions():
            for action in actions:
                self._act(client, action)
        self._peers.plan(client, self._loop, self._tick)

    def _act(self, client: AnyClient, action: ServerAction) -> None:
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
            case Cancelled(ref):
                self._peers[client].lane.cancel(ref)
            case Settle():
                self.questions.settle(client, action)
            case LateReply():
                self.stats["late replies"] += 1
            case PresenceChanged(transport):
                peer = self._peers[client]
                before, peer.present = peer.present, transport
                self.presence.change(client.uid, before, transport)
            case Ended(word):
                self.stats[f"ended {word}"] += 1
                if isinstance(client, ClassicClient):
                    del self.classic[client.key]
                elif self._sessions.find(client.token) is client:
                    self._sessions.bury(client, self.now)
                self.questions.ended(client)
                self._peers.ended(client)
            case Dropped(events):
                self.stats["dropped"] += events
            case _:
                pass  # for a link that is gone already

    def _tick(self, client: AnyClient) -> None:
        client.session.handle_timer(self.now)
        self.run(client)

    def _deliver(self, client: AnyClient, delivery: Deliver) -> None:
        self.stats["received"] += 1
        peer, event = self._peers[client], delivery.event
        connection = self._links[delivery.link][0].connection if delivery.link in self._links else peer.connection
        message = Message(event.id, event.data, client.uid, client.client_id, connection, self._facade_send)
        message.request = partial(self.questions.ask, client)
        if (ref := delivery.ref) is not None:
            message.reply = lambda value: self._reply(client, ref, value)
            message.fail = lambda error: self._fail(client, ref, error)

        def done() -> None:
            client.session.handled(self.now)
            self.run(client)

        peer.lane.put(message, done, delivery.ref)

    def _reply(self, client: AnyClient, ref: int, value: Any, *, failed: bool = False) -> None:
        packed = pack_value(value, self._spoken.packers)

        def put() -> None:
            client.session.reply(ref, packed, self.now, failed=failed, size=packed.size)
            self.run(client)

        self._in_loop(put)

    def _fail(self, client: AnyClient, ref: int, error: RequestFailed) -> None:
        try:
            self._reply(client, ref, write_failure(error), failed=True)
        except PackError:
            self._reply(client, ref, {**write_failure(error), "data": None}, failed=True)

    def _announce(self, what: Literal["open", "close"], uid: UserId) -> None:
        message = Message(f"chsk/uidport-{what}", uid, uid, "", None, self._facade_send)
        if self._dispatcher.wants(message.id):
            self._presence_lane.put(message, lambda: None)
