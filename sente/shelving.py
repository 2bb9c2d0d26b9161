"""What the hub and the door ask of whatever keeps sessions beyond the end of their process."""

from typing import Protocol

from sente.interfaces import UserId
from sente.protocol.actions import Note, Store
from sente.protocol.greeting import Hello, PeerLimits
from sente.protocol.server_session import ServerSession
from sente.protocol.sessions import Client
from sente.protocol.settings import ServerSettings


class Shelving(Protocol):
    """Implemented by ``sente.cluster.durable``."""

    def new_session(self, settings: ServerSettings, limits: PeerLimits, now: float) -> ServerSession:
        """Of the kind that can be kept."""
        ...

    async def prepare(self, hello: Hello, uid: UserId, client_id: str) -> Hello:
        """The session that a hello asks for is this process's now, or a new one is kept in the store.

        Raises:
            Rejected: the store is away, or another process has the session.
        """
        ...

    def new_token(self) -> str:
        """That of the session that was prepared last."""
        ...

    def entered(self, client: Client) -> None:
        """A client was let in."""
        ...

    def carry_out(self, client: Client, action: Store | Note) -> None:
        """Do what a session asks the store for."""
        ...

    def ended(self, client: Client, word: str) -> None:
        """A session has ended here."""
        ...
