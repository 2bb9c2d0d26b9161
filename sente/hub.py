"""The asyncio driver: carries out what the sessions ask for, keeps their timers, and tells those who have to know."""

import asyncio
import itertools
import math
import random
import secrets
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

from sente.asking import write_failure
from sente.comings import Comings
from sente.dispatch import Dispatcher, Message
from sente.errors import ConfigError, PackError, RequestFailed
from sente.interfaces import Packer, UserId, Wire, is_plain_json
from sente.memory import Memory
from sente.packers.negotiation import Spoken
from sente.peers import AnyClient, Peers
from sente.presence import Presence
from sente.processes import warn_of_workers
from sente.protocol.actions import (
    Answer,
    Arrived,
    Cancelled,
    Close,
    Deliver,
    Dropped,
    Ended,
    Expired,
    LateReply,
    Note,
    PresenceChanged,
    Refused,
    Renew,
    Replaced,
    ServerAction,
    Settle,
    Store,
    Transmit,
    TransmitVolatile,
)
from sente.protocol.classic_session import ClassicClient, ClassicKey
from sente.protocol.messages import AUTH, Event, Packet, carried, is_event_id
from sente.protocol.sessions import Client, Sessions
from sente.protocol.settings import ServerSettings
from sente.push import PackedValue, Push, pack_event, pack_value, write_frame
from sente.questions import Questions
from sente.receipts import Deliveries, Receipt
from sente.shelving import Shelving
from sente.transports.gate import ServerLink
from sente.turns import Turns
from sente.typed import Typed
from sente.versions import Versions


class Hub:
    """Every link and session there is, and what they share."""

    def __init__(
        self,
        settings: ServerSettings,
        packers: Sequence[Packer],
        dispatcher: Dispatcher,
        send: Callable[..., Receipt],
        *,
        typed: Typed,
        classic: Packer | None = None,
    ) -> None:
        self.settings = settings
        self.started = False
        """Whether there is a loop to run on."""
        self.stats: Counter[str] = Counter()
        self.node = secrets.token_urlsafe(12)
        """The name of this process among others: the first word of its sessions' tokens."""
        self.serve: Callable[[UserId, str], Awaitable[None]] | None = None
        """Called with a user and a client-id before a client is let in: others are told what is said to them here."""
        self.durable: Shelving | None = None
        """What keeps sessions that outlive this process."""
        self.leaving: Callable[[], None] | None = None
        """Called when a drain begins."""
        self.presence = Presence(self.announce)
        self.classic: dict[ClassicKey, ClassicClient] = {}
        """The clients of Sente's own, put here by ``ClassicClients``."""
        self.ration: Callable[[AnyClient, str, int | None, int, int], bool] | None = None
        """Called with the id of what a client says, its reference if it asks, size and number; False: it says too
        much. Set by ``Rationing``, if something is rationed."""
        self.renew: Callable[[AnyClient, Renew], None]
        """Called with the credentials that a client shows in its session: set by ``Renewals``."""
        self.said: Callable[[str], None] | None = None
        """Called with the id of each event that is said, in any thread, if somebody counts them."""
        self.frame: Callable[[Literal["in", "out"], int, int], None] | None = None
        """Called for each packet with how much it says and how much it acknowledges, if somebody counts that."""
        self.spoken = Spoken(packers if classic is None or classic in packers else (*packers, classic))
        self._typed = typed
        self._versions = Versions(typed.registry, self.stats)
        self._dispatcher = dispatcher
        self._facade_send = send
        self._numbers = itertools.count(1)
        self.links: dict[int, tuple[ServerLink, AnyClient]] = {}
        self.peers = Peers(dispatcher, self._handled)
        self.turns = Turns(self._look_after)
        self.look_after = self.turns.soon
        """See to what is due in a client's session, and plan its next timer, at the end of this turn."""
        self.memory = Memory(settings.memory, self.peers.everyone, self._make_room)
        self.questions = Questions(
            self.memory.counted(self.pack), self.look_after, typed, lambda client: self.peers[client].plain
        )
        self.deliveries = Deliveries(self.peers, self.look_after)
        self.draining = False
        self._comings = Comings(dispatcher, send, self.stats)
        self.sessions = self._new_sessions(now=0.0)

    # -- life

    def start(self) -> None:
        """Bind to the running loop and its thread."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.draining = False
        for kept in (self.links, self.peers, self.classic, self.presence):  # from an earlier start
            kept.clear()
        self.turns.start(self._loop)
        self.questions.start(self._loop)
        self._comings = Comings(self._dispatcher, self._facade_send, self.stats)
        self.deliveries.start(self._loop)
        self.sessions = self._new_sessions(self._loop.time())
        self.started = True

    def _new_sessions(self, now: float) -> Sessions:
        durable, alone = self.durable, self.serve is None
        if durable is not None:
            return Sessions(
                self.settings, durable.new_token, now, self._versions.tell, alone=alone, new_session=durable.new_session
            )
        return Sessions(self.settings, self._new_token, now, self._versions.tell, alone=alone)

    def _new_token(self) -> str:
        return f"{self.node}.{secrets.token_urlsafe(24)}"

    def announce(self, what: Literal["open", "close"], uid: UserId) -> None:
        """A user came, or went."""
        self._comings.put(what, uid)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run in the loop at hand, with no other process."""
        warn_of_workers()
        self.start()
        try:
            yield
        finally:
            await self.aclose()

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
        if self.draining:
            return
        self.draining = True
        if self.leaving is not None:
            self.leaving()
        now = self.now
        await self.wait_while(lambda: self._dispatcher.busy, until=now + seconds * 2 / 3)
        for client in self.peers.everyone():
            client.session.drain(self.settings.retry_after * (0.1 + 0.9 * random.random()), self.now)
            self.run(client)
        await self.wait_while(lambda: self.peers.anyone_there, until=now + seconds)
        await self._stop()

    async def _stop(self) -> None:
        """End every session, and the handlers that still run: the server goes away."""
        for client in self.peers.everyone():
            client.session.close(1001, "the server restarts", self.now, word="stopped")
            self.run(client)
        self.turns.finish()
        self.questions.stop()
        self.peers.stop()
        await self._dispatcher.aclose()

    async def wait_while(self, condition: Callable[[], bool], *, until: float = math.inf) -> None:
        """Look again every 10 ms: for what is rare, like the end of a process, and costs nothing before."""
        while condition() and self.now < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    @property
    def now(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    # -- for those who send

    def clients(self) -> list[tuple[AnyClient, ServerLink | None]]:
        """Everyone who has a session, with the newest link."""
        links = {client: link for link, client in self.links.values()}
        return [(client, links.get(client)) for client in self.peers.everyone()]

    def pack(self, event: Any, data: Any, form: str | None) -> Push:
        """An event for as many clients as it may concern. From any thread. Raises as ``ChannelSocket.send``."""
        event_id, plain = self._typed.say(event, data) if self._typed.checks else (event, data)
        if not is_event_id(event_id):
            raise ConfigError(f"{event_id!r}: an event id is 'namespace/name', for example 'chat/said'")
        push = pack_event(event_id, plain, self.spoken.packers, self.settings.limits.packet, form)
        push.key = self._typed.key(event_id, event, data)
        if self.said is not None:
            self.said(event_id)
        return push

    def in_loop(self, work: Callable[[], None]) -> None:
        """Do this now, or soon if the caller is in another thread."""
        if not self.started:
            raise ConfigError("the ChannelSocket is not running: include its router, or use `async with chsk:`")
        if threading.get_ident() == self._thread:
            work()
        else:
            self._loop.call_soon_threadsafe(work)

    def _make_room(self, client: AnyClient) -> None:
        client.session.close(
            4420, "too much is kept for all clients, and most for this one", self.now, word="slow memory"
        )
        self.run(client)

    # -- links

    def enter(self, link: ServerLink, client: AnyClient, auth: str | None = None) -> None:
        """The link belongs to this client now, which may be new."""
        self.spoken.add(link.packer)
        self.links[link.number] = link, client
        self.stats["sessions"] += self.peers.enter(client, link.connection, auth)
        self.peers[client].plain = is_plain_json(link.packer)
        self.questions.attached(client)

    def new_number(self) -> int:
        """A name for a link that is about to be entered."""
        return next(self._numbers)

    def client_of(self, link: ServerLink) -> AnyClient | None:
        """Who the link belongs to, if it is still in use."""
        entry = self.links.get(link.number)
        return entry[1] if entry else None

    def lost(self, link: ServerLink, *, cut: bool = False) -> None:
        """The link is gone."""
        if cut:
            self.stats["cut off"] += 1
        if (entry := self.links.pop(link.number, None)) is not None:
            client = entry[1]
            client.session.link_lost(link.number, self.now)
            self.run(client)

    # -- driving sessions

    def run(self, client: AnyClient) -> None:
        """Carry out what a session asks for, and look after it later."""
        self._carry_out(client)
        self.look_after(client)

    def _look_after(self, client: AnyClient) -> None:
        session, now = client.session, self.now
        session.speak(now)
        self._carry_out(client)
        when = session.next_timer()
        if when is not None and when <= now:
            session.handle_timer(now)
            self._carry_out(client)
            when = session.next_timer()
        self.peers.plan(client, when, self._loop, self.turns.later)

    def _carry_out(self, client: AnyClient) -> None:
        actions = client.session.actions
        while actions:
            self._act(client, actions.pop(0))

    def _act(self, client: AnyClient, action: ServerAction) -> None:
        match action:
            case Transmit(number, packets) if number in self.links:
                link = self.links[number][0]
                link.transmit(self._write(link, packets))
            case Deliver():
                self._deliver(client, action)
            case Answer(number, head, packets) if number in self.links:
                link = self.links.pop(number)[0]
                link.answer(head, self._write(link, packets))
            case Close(number, code, reason) if number in self.links:
                self.links.pop(number)[0].close(code, reason)
            case Renew(ref=ref) if self.ration is None or self.ration(client, AUTH, ref, 0, 0):
                self.renew(client, action)
            case Expired():
                self.stats["credentials expired"] += 1
            case Cancelled(ref):
                self.peers[client].lane.cancel(ref)
            case Settle():
                self.questions.settle(client, action)
            case LateReply():
                self.stats["late replies"] += 1
            case PresenceChanged(transport):
                peer = self.peers[client]
                before, peer.present = peer.present, transport
                self.presence.change(client.uid, before, transport)
            case Arrived(event):
                self.deliveries.arrived(client, event)
            case Refused(event):
                self._refused(client, event)
            case Ended(word, lost):
                self.deliveries.ended(client, lost)
                self.stats[f"ended {word}"] += 1
                if isinstance(client, ClassicClient):
                    del self.classic[client.key]
                elif self.durable is not None:
                    self.durable.ended(client, word)
                else:
                    self.stats["lost"] += self.sessions.bury(client, self.now).stone.lost(0)
                self.questions.ended(client)
                self.peers.ended(client)
            case Replaced():
                self.stats["replaced"] += 1
            case TransmitVolatile(number, packet) if number in self.links:
                if (link := self.links[number][0]).behind:
                    self.stats["volatile dropped"] += len(packet.events)
                else:
                    link.transmit(self._write(link, (packet,)))
            case Dropped(events, what):
                self.stats[what] += events
            case Store() | Note() if self.durable is not None and isinstance(client, Client):
                self.durable.carry_out(client, action)
            case _:
                pass  # for a link that is gone already

    def _write(self, link: ServerLink, packets: Sequence[Packet]) -> list[Wire]:
        if self.frame is not None:
            for packet in packets:
                self.frame("out", carried(packet), 0)
        return [write_frame(packet, link.packer) for packet in packets]

    def _deliver(self, client: AnyClient, delivery: Deliver) -> None:
        self.stats["received"] += 1
        peer, event, ref = self.peers[client], delivery.event, delivery.ref
        if self.ration is not None and not self.ration(client, event.id, ref, event.size, delivery.number):
            return
        link = self.links.get(delivery.link)
        connection = peer.connection if link is None else link[0].connection
        reply = None if ref is None else partial(self._reply, client, ref)
        fail = None if ref is None else partial(self._fail, client, ref)
        ask = partial(self.questions.ask, client)
        who = client.uid, client.client_id
        message = Message(event.id, event.data, *who, connection, self._facade_send, reply, fail, ask, peer.plain)
        peer.lane.put(message, ref, event.size, delivery.number)

    def _handled(self, client: AnyClient, size: int, number: int) -> None:
        client.session.handled(self.now, size, number)
        self.run(client)

    def _refused(self, client: AnyClient, event: Event) -> None:
        self.stats["refused by clients"] += 1
        self.deliveries.refused(client, event)
        who = client.uid, client.client_id
        message = Message(event.id, event.data, *who, self.peers[client].connection, self._facade_send)
        self._dispatcher.report(PackError(f"a client cannot read {event.id}, be it alone"), message)

    def _reply(self, client: AnyClient, ref: int, value: Any, *, failed: bool = False) -> None:
        packed = pack_value(value, self.spoken.packers)
        if threading.get_ident() == self._thread:
            self._put_reply(client, ref, packed, failed)
        else:
            self._loop.call_soon_threadsafe(self._put_reply, client, ref, packed, failed)

    def _put_reply(self, client: AnyClient, ref: int, packed: PackedValue, failed: bool) -> None:
        client.session.reply(ref, packed, self.now, failed=failed, size=packed.size)
        self.memory.add(packed.size)
        self.look_after(client)

    def _fail(self, client: AnyClient, ref: int, error: RequestFailed) -> None:
        try:
            self._reply(client, ref, write_failure(error), failed=True)
        except PackError:
            self._reply(client, ref, {**write_failure(error), "data": None}, failed=True)
