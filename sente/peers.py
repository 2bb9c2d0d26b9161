"""Who is served: every client with a session, by user, and what the driver keeps beside each session."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from sente.crowds import public_address
from sente.dispatch import Dispatcher, Lane
from sente.interfaces import UserId
from sente.protocol.actions import TransportName
from sente.protocol.classic_session import ClassicClient
from sente.protocol.sessions import Client
from sente.transports.asgi import Connection

AnyClient: TypeAlias = Client | ClassicClient


@dataclass(slots=True, eq=False)
class Peer:
    """What the driver keeps of a client beside its session."""

    lane: Lane
    connection: Connection
    auth: str | None
    plain: bool = False
    """Whether it speaks plain JSON, in which types are strings."""
    address: str | None = None
    """The public address that it first came from."""
    dropped: int = 0
    """Its events that came too often."""
    present: TransportName | None = None
    timer: asyncio.Handle | None = None
    due: float = 0.0
    """When ``timer`` fires."""


class Peers(dict[AnyClient, Peer]):
    """``peers[client]`` exists from the client's first link until its session has ended and presence has noticed."""

    def __init__(self, dispatcher: Dispatcher, handled: Callable[[AnyClient, int, int], None]) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self._handled = handled  # called after each message of a client
        self._running: dict[UserId, dict[AnyClient, None]] = {}
        self.addresses: Counter[str | None] = Counter()
        """Running sessions by the public address that they began from."""

    def clear(self) -> None:
        """Begin anew, on another event loop perhaps."""
        super().clear()
        self._running.clear()
        self.addresses.clear()

    def enter(self, client: AnyClient, connection: Connection, auth: str | None) -> bool:
        """A client came with this request; whether it is a new one."""
        peer = self.get(client)
        if peer is not None:
            peer.connection, peer.auth = connection, auth
            return False
        address = public_address(connection.host)
        self[client] = Peer(Lane(self._dispatcher, partial(self._handled, client)), connection, auth, address=address)
        self.addresses[address] += 1
        self._running.setdefault(client.uid, {})[client] = None
        return True

    def of(self, uid: UserId) -> list[AnyClient]:
        """The clients of a user that have a session."""
        return list(self._running.get(uid, ()))

    def everyone(self) -> list[AnyClient]:
        """All clients that have a session."""
        return [client for same_user in self._running.values() for client in same_user]

    @property
    def anyone_there(self) -> bool:
        """Whether one of them is present."""
        return any(self[client].present for client in self.everyone())

    def ended(self, client: AnyClient) -> None:
        """The client's session is over."""
        self.addresses[address := self[client].address] -= 1
        if not self.addresses[address]:
            del self.addresses[address]
        same_user = self._running[client.uid]
        del same_user[client]
        if not same_user:
            del self._running[client.uid]

    def plan(
        self, client: AnyClient, when: float | None, loop: asyncio.AbstractEventLoop, wake: Callable[[AnyClient], None]
    ) -> None:
        """Have ``wake`` called when the session's next timer is due; forget a client that is done.

        A timer that is set and goes off too early is left alone: most of them are put off again and again.
        """
        peer = self.get(client)
        if peer is None or (when is not None and peer.timer is not None and when >= peer.due):
            return
        if peer.timer is not None:
            peer.timer.cancel()
        if when is not None:
            peer.due = when
            peer.timer = loop.call_at(when, self._due, client, peer, wake)
        elif client.session.ended:
            del self[client]

    def _due(self, client: AnyClient, peer: Peer, wake: Callable[[AnyClient], None]) -> None:
        peer.timer = None
        wake(client)

    def stop(self) -> None:
        """Cancel every timer."""
        for peer in self.values():
            if peer.timer is not None:
                peer.timer.cancel()
