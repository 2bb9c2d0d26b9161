"""What became of an event that was sent: into how many outboxes it went, and who has acknowledged it."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sente.asking import check_timeout
from sente.errors import ConfigError
from sente.interfaces import Wire
from sente.peers import AnyClient, Peers
from sente.protocol.messages import Event
from sente.protocol.outbox import Item
from sente.protocol.sessions import Client
from sente.push import Push


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was known of an event when ``receipt.delivered()`` returned. Sente's own clients acknowledge nothing, and
    are none of these.

    >>> Delivered(clients=3, acknowledged=1, lost=1, waiting=("c7",)).complete
    False
    """

    clients: int
    """So many were sent it."""
    acknowledged: int
    """So many have taken charge of it."""
    lost: int
    """The sessions of so many ended before they had: they learn it from their ``lost``."""
    waiting: tuple[str, ...]
    """The client-ids of those that have it still to acknowledge."""
    unheard: int = 0
    """So many other processes did not say what became of it with them."""

    @property
    def complete(self) -> bool:
        """Whether all of them have acknowledged it."""
        return self.acknowledged == self.clients and not self.unheard


@dataclass(slots=True, eq=False)
class Letter:
    """An event on its way to other processes."""

    head: dict[str, Any]
    wire: Wire
    n: int | None = None
    """Its number, once it was said."""
    refused: bool = False
    ready: "asyncio.Future[Any] | None" = None
    """Done when it has been stored, if it is."""


class Waits(Protocol):
    """Who knows what became of an event."""

    async def wait(self, push: Push, timeout: float) -> Delivered:
        """Raises as ``Receipt.delivered``."""
        ...


@dataclass(eq=False, slots=True)
class _Wait:
    clients: set[AnyClient]
    over: asyncio.Future[None]

    def without(self, client: AnyClient) -> None:
        """There is nothing more to wait for from this client."""
        self.clients.discard(client)
        if not self.clients and not self.over.done():
            self.over.set_result(None)


class Deliveries:
    """Who waits for which acknowledgements. An event that nobody waits for costs nothing here."""

    def __init__(self, peers: Peers, run: Callable[[AnyClient], None]) -> None:
        self._peers = peers
        self._run = run
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waits: dict[int, list[_Wait]] = {}  # by the identity of the event, which those who wait refer to

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin anew, on another event loop perhaps."""
        self._loop = loop
        self._waits.clear()

    def arrived(self, client: AnyClient, event: Event) -> None:
        """The client has acknowledged the event."""
        for wait in self._waits.get(id(event), ()):
            wait.without(client)

    def refused(self, client: AnyClient, event: Event) -> None:
        """The client cannot read the event, and will never have it."""
        if isinstance(event, Push):
            event.lost += 1
        self.arrived(client, event)

    def ended(self, client: AnyClient, lost: Iterable[Item]) -> None:
        """The client's session has ended, and these it had not acknowledged."""
        for item in lost:
            if type(item) is Push:  # faster than isinstance, and these may be hundreds of thousands
                item.lost += 1
        for waits in self._waits.values():
            for wait in waits:
                wait.without(client)

    async def wait(self, push: Push, timeout: float) -> Delivered:
        """Raises as ``Receipt.delivered``."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            raise ConfigError("receipt.delivered() is awaited in the event loop that the ChannelSocket runs in")
        if push.key is not None:
            raise ConfigError(f"receipt.delivered(): {push.id} is not reliable: nobody has to acknowledge it")
        check_timeout(timeout)
        now = loop.time()
        here = self._peers.everyone() if push.everyone else self._peers.of(push.uid)
        of = [client for client in here if isinstance(client, Client) and client.session.watch(push, now)]
        wait = _Wait(set(of), loop.create_future())
        if of:
            self._waits.setdefault(id(push), []).append(wait)
            for client in of:
                self._run(client)  # which asks for an acknowledgement at once
            try:
                await asyncio.wait([wait.over], timeout=timeout)
            finally:
                self._forget(push, wait)
        waiting = tuple(sorted(client.client_id for client in wait.clients))
        return Delivered(push.addressed, push.addressed - push.lost - len(waiting), push.lost, waiting)

    def _forget(self, push: Push, wait: _Wait) -> None:
        self._waits[id(push)].remove(wait)
        if self._waits[id(push)]:
            return  # somebody else waits for the same
        del self._waits[id(push)]
        for client in wait.clients:
            if isinstance(client, Client):
                client.session.watched.remove(push)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a ``send``: it was put into the outboxes of so many clients of this process.

    >>> Receipt(clients=2).clients
    2
    """

    clients: int
    _push: Push | None = field(default=None, repr=False, compare=False)
    _deliveries: Waits | None = field(default=None, repr=False, compare=False)
    _letter: Letter | None = field(default=None, repr=False, compare=False)

    @property
    def stayed(self) -> bool:
        """Whether it reaches clients of this process only, though there is a broker: that is away, and as much as is
        kept for its return was said already."""
        return self._letter is not None and self._letter.refused

    async def delivered(self, timeout: float = 8.0) -> Delivered:
        """Wait until all of them have acknowledged the event, for ``timeout`` seconds at most; they are asked to at
        once. A session that ends before it has counts as lost. What is still missing then is no error: it says so.

        To be awaited in the event loop that the ``ChannelSocket`` runs in.

        Raises:
            ConfigError: in another loop, with a timeout that is none, or for an event that is not reliable.
        """
        if self._push is None or self._deliveries is None:
            raise ConfigError("receipt.delivered(): only a receipt that send or broadcast has returned knows")
        return await self._deliveries.wait(self._push, timeout)
