"""Which session a hello continues, and what is told of one that is gone (§4)."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sente.protocol.actions import Link, TransportName
from sente.protocol.greeting import Greeting, Hello, PeerLimits
from sente.protocol.messages import Events
from sente.protocol.server_session import ServerSession
from sente.protocol.settings import ServerSettings
from sente.protocol.tombstone import Tombstone

Tell: TypeAlias = Callable[[str | None], Mapping[str, Any]]
"""What the handshake says of the server's events to a client whose contract has this hash."""


@dataclass(slots=True, eq=False)
class Client:
    """A session and who it belongs to; ``token`` is the secret that resumes it."""

    token: str = field(repr=False)
    client_id: str
    uid: Any
    session: ServerSession
    predecessor: "Grave | None" = None
    """The session before this one, which its client may still ask for if the handshake gets lost."""


@dataclass(slots=True, eq=False)
class Grave:
    """A session that ended: what its client is told when it comes back in time."""

    token: str = field(repr=False)
    client_id: str
    uid: Any
    stone: Tombstone
    until: float
    missed: int
    """Events addressed to it since it ended; less the broadcasts so far, which count for every grave at once."""
    successor: Client | None = None


class Sessions:
    """All sessions of one endpoint by token, and the graves of those that ended."""

    def __init__(
        self,
        settings: ServerSettings,
        new_token: Callable[[], str],
        now: float,
        tell: Tell = lambda _: {},
        *,
        alone: bool = True,
        new_session: Callable[[ServerSettings, PeerLimits, float], ServerSession] = ServerSession,
    ) -> None:
        self._settings = settings
        self._new_session = new_session
        self._tell = tell
        self._new_token = new_token
        self._clients: dict[str, Client] = {}
        self._graves: dict[str, Grave] = {}  # oldest first
        self._graves_of: dict[Any, list[Grave]] = {}
        self._broadcasts = 0
        self._started = now
        self._alone = alone  # else nobody knows here what was said to a client that comes from elsewhere
        self._since_start: Counter[Any] = Counter()  # events by user, while clients of an earlier server may come

    def __iter__(self) -> Iterator[Client]:
        return iter(self._clients.values())

    def __len__(self) -> int:
        return len(self._clients)

    def find(self, token: str) -> Client | None:
        """The client whose running session has this token."""
        return self._clients.get(token)

    def adopt(self, client: Client) -> None:
        """A session goes on here that began elsewhere."""
        self._clients[client.token] = client

    def let_go(self, client: Client) -> None:
        """A session goes on elsewhere, or nobody knows what its client would have to be told."""
        self._clients.pop(client.token, None)

    def farewell(self, token: str, client_id: str) -> tuple[dict[str, Any], Events] | None:
        """The last word to the client of a session that took leave of it."""
        grave = self._graves.get(token)
        return grave.stone.farewell if grave is not None and grave.client_id == client_id else None

    def meet(
        self, link: Link, transport: TransportName, hello: Hello, client_id: str, uid: Any, data: Any, now: float
    ) -> Client:
        """Attach ``link`` to the session that ``hello`` asks for, or to a new one; the client it belongs to.

        Resuming needs the token, the same client-id and the same user. A hello without a valid token never touches
        another session of that client-id.
        """
        client = self._clients.get(hello.session or "")
        grave = self._graves.get(hello.session or "")
        if client is not None and client.client_id == client_id:
            if client.uid == uid:
                told = {"session": client.token, "resumed": True, "lost": 0, "prev": None, **self._tell(hello.contract)}
                client.session.attach(link, transport, hello, Greeting(uid, data, told), now, ack=hello.ack)
                return client
            client.session.close(4410, "another user is logged in", now, word="user")
            grave = self.bury(client, now)
        if grave is not None and (grave.client_id != client_id or grave.until <= now):
            grave = None
        if grave is not None and grave.successor is not None and grave.successor.uid == uid:
            client = grave.successor  # its handshake got lost: say it again
        else:
            session = self._new_session(self._settings, hello.limits, now)
            client = Client(self._new_token(), client_id, uid, session, grave)
            self._clients[client.token] = client
        told = {"session": client.token, "resumed": False, **self._lost(hello, grave, uid, now)}
        told |= self._tell(hello.contract)
        if grave is not None and grave.successor is None:
            grave.missed += self._broadcasts
            grave.successor = client
        client.session.attach(link, transport, hello, Greeting(uid, data, told), now, ack=0)
        return client

    def _lost(self, hello: Hello, grave: Grave | None, uid: Any, now: float) -> dict[str, int | None]:
        if grave is None:
            told = {"lost": None if hello.session else 0, "prev": None}
            if hello.session and self._young(now):  # it may come from a server that took leave before this one
                told["since_start"] = self._since_start[uid] + self._broadcasts
                told["uptime"] = round((now - self._started) * 1000)
            return told
        missed = grave.missed + (0 if grave.successor else self._broadcasts)
        return {"lost": grave.stone.lost(hello.got) + missed, "prev": grave.stone.received}

    def bury(self, client: Client, now: float) -> Grave:
        """A client's session has ended: remember what it would have to be told, if that is not done yet."""
        if self._clients.pop(client.token, None) is None and (known := self._graves.get(client.token)) is not None:
            return known
        stone = client.session.tombstone()
        grave = Grave(client.token, client.client_id, client.uid, stone, now + self._settings.resume, -self._broadcasts)
        before = client.predecessor
        if before is not None and before.successor is client:  # if its client never heard of this one, all is lost
            before.successor = None
            before.missed += stone.lost(0) - self._broadcasts
        while self._graves and (self._oldest.until <= now or len(self._graves) >= self._settings.graves):
            self._forget(self._oldest)
        self._graves[client.token] = grave
        self._graves_of.setdefault(client.uid, []).append(grave)
        return grave

    def addressed(self, uid: Any, now: float) -> None:
        """An event is being sent to this user."""
        for grave in self._graves_of.get(uid, ()):
            if grave.successor is None:
                grave.missed += 1
        if self._young(now):
            self._since_start[uid] += 1
        else:
            self._since_start.clear()

    def addressed_all(self) -> None:
        """An event is being sent to everyone."""
        self._broadcasts += 1

    def _young(self, now: float) -> bool:
        return self._alone and now < self._started + self._settings.resume

    @property
    def remembered(self) -> Collection[Any]:
        """The users of sessions that have ended and may still be asked for."""
        return self._graves_of.keys()

    def forget(self) -> None:
        """Forget every session that has ended: nobody knows any more what their clients have missed."""
        self._graves.clear()
        self._graves_of.clear()

    @property
    def _oldest(self) -> Grave:
        return next(iter(self._graves.values()))

    def _forget(self, grave: Grave) -> None:
        del self._graves[grave.token]
        same_user = self._graves_of[grave.uid]
        same_user.remove(grave)
        if not same_user:
            del self._graves_of[grave.uid]
