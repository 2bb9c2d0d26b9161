"""Who is served: every client with a session, by user, and what the driver keeps beside each session."""

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

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
    present: TransportName | None = None
    timer: asyncio.Handle | None = None
    due: float = 0.0
    """When ``timer`` fires."""


class Peers:
    """``peers[client]`` exists from the client's first link until its session has ended and presence has noticed."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._peers: dict[AnyClient, Peer] = {}
        self._running: dict[UserId, dict[AnyClient, None]] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def __getitem__(self, client: AnyClient) -> Peer:
        return self._peers[client]

    def get(self, client: AnyClient) -> Peer | None:
        """The peer, unless it is forgotten."""
        return self._peers.get(client)

    def clear(self) -> None:
        """Begin anew, on another event loop perhaps."""
        self._peers.clear()
        self._running.clear()

    def enter(self, client: AnyClient, connection: Connection, auth: str | None) -> bool:
        """A client came with this request; whether it is a new one."""
        peer = self._peers.get(client)
        if peer is not None:
            peer.connection, peer.auth = connection, auth
            return False
        self._peers[client] = Peer(Lane(self._dispatcher), connection, auth)
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
        return any(self._peers[client].present for client in self.everyone())

    def ended(self, client: AnyClient) -> None:
        """The client's session is over."""
        same_user = self._running[client.uid]
        del same_user[client]
        if not same_user:
            del self._running[client.uid]

    def forget(self, client: AnyClient) -> None:
        """Nothing more is to be expected of it."""
        del self._peers[client]

    def stop(self) -> None:
        """Cancel every timer."""
        for peer in self._peers.values():
            if peer.timer is not None:
                peer.timer.cancel()
