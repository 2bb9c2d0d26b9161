"""A channel socket that is one of many: what it needs of the others, put together anew at each start."""

import math
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sente.admission import Admission
from sente.brokers.store import Bounds, Keeper
from sente.classic import ClassicClients
from sente.cluster.durable import TOUCH, Durable
from sente.cluster.edge import Edge
from sente.cluster.elsewhere import Elsewhere
from sente.cluster.fanout import Fanout
from sente.cluster.gates import ClusterClassicGate, ClusterGate
from sente.cluster.letters import Letters
from sente.cluster.node import Node
from sente.cluster.notices import client_channel, user_channel
from sente.cluster.owner import Owner
from sente.cluster.stored_items import StoredItems
from sente.errors import ConfigError
from sente.hub import Hub
from sente.interfaces import Broker, Packer, UserId
from sente.packers import get
from sente.packers.handlers import TypeHandler
from sente.presence import Presence
from sente.sending import Sending
from sente.transports.gate import ClassicGate, Gate
from sente.typed import Typed


def clustered(
    broker: Broker | None,
    hub: Hub,
    sending: Sending,
    typed: Typed,
    types: Iterable[TypeHandler[Any]],
    packers: Sequence[Packer],
    classic: Packer | None,
    durable: bool,
) -> "Cluster | None":
    """The cluster that a socket is part of by its ``broker``, if it has one. Raises ``ConfigError``."""
    if durable and not isinstance(broker, Keeper):
        raise ConfigError("durable=True: sessions are kept in a Redis, give broker=RedisBroker('redis://127.0.0.1')")
    if durable and classic is not None:
        raise ConfigError("durable=True with classic=...: Sente's own clients number nothing, so nothing can be kept")
    if broker is None:
        return None
    if not isinstance(broker, Broker):
        raise ConfigError(f"broker={broker!r}: give a broker, for example RedisBroker('redis://127.0.0.1')")
    known = get("auto", types=types)
    of_its_own = any(not type(packer).__module__.startswith("sente.packers") for packer in packers)
    letters = Letters([*packers, known] if of_its_own else [known, *packers])  # it knows best what it has words for
    return Cluster(broker, hub, sending, typed, letters, classic, durable)


class Cluster:
    """Implements what ``ChannelSocket`` asks of a ``broker=``."""

    def __init__(
        self,
        broker: Broker,
        hub: Hub,
        sending: Sending,
        typed: Typed,
        letters: Letters,
        classic: Packer | None,
        durable: bool,
    ) -> None:
        self._durable = durable
        self._stored: Durable | None = None
        self._broker = broker
        self._hub = hub
        self._sending = sending
        self._typed = typed
        self._letters = letters
        self._classic = classic
        self._doors: tuple[Admission, ClassicClients] | None = None
        self._edge: Edge
        self._node: Node
        self.announces = True
        """Whether this process may be the one that announces who came and went: not if it serves nobody."""

    def gates(self, door: Admission, classic: ClassicClients) -> tuple[Gate, ClassicGate]:
        """The gates in front of these doors."""
        self._doors = door, classic
        return ClusterGate(door, lambda: self._edge), ClusterClassicGate(classic, lambda: self._edge)

    @property
    def unsaid(self) -> int | None:
        """How many events the broker has not been given yet; ``None``: it is there."""
        if not self._node.whole:
            return self._node.surely.ring.unsaid
        return self._stored.unsaid if self._stored is not None else None

    @property
    def presence(self) -> Presence:
        """Who is there, anywhere."""
        return self._node.roster.everywhere

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the hub, and be one of many. Raises as ``Broker.connect``."""
        hub = self._hub
        node = self._node = Node(hub, self._broker, hub.announce, announces=self.announces)
        self._edge = Edge(node, hub)
        if self._doors is not None:
            Owner(node, *self._doors, self._classic)
        Elsewhere(node, hub, self._letters)
        self._sending.afar = fanout = Fanout(node, hub, self._sending, self._letters, self._typed)
        self._stored = None
        if self._durable and isinstance(broker := self._broker, Keeper):
            most, resume = hub.settings.limits, hub.settings.resume
            bounds = Bounds(most.outbox, most.outbox_bytes, math.ceil(resume * (1 + 1 / TOUCH)))
            store = partial(broker.store, node.name, bounds)
            items = StoredItems(self._letters, fanout.read, hub.stats)
            hub.durable = fanout.durable = self._stored = Durable(node, hub, store, items)
            node.back = self._stored.catch_up
        hub.node, hub.serve, hub.leaving = node.name, self._serve, self._leave
        hub.presence.announce, hub.presence.told = lambda *_: None, node.changed
        node.sweep = self._sweep
        hub.start()
        try:
            await node.start()
            yield
        finally:
            await hub.aclose()
            if self._stored is not None:
                await self._stored.aclose()
            await node.aclose()

    async def _serve(self, uid: UserId, client_id: str) -> None:
        await self._node.serve([user_channel(uid), client_channel(client_id)])

    def _leave(self) -> None:
        self._node.leave()
        self._edge.let_go(None)

    def _sweep(self) -> None:
        """Hear no longer what is said to users who have nobody here, and no session that may still be asked for."""
        hub = self._hub
        wanted = {user_channel(uid) for uid in hub.sessions.remembered}
        for client in hub.peers:
            wanted |= {user_channel(client.uid), client_channel(client.client_id)}
        self._node.serve_only(wanted)
        if self._stored is not None:
            self._stored.sweep()
