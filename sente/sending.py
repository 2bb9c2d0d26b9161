"""What the server says of its own accord: to a user, to everyone, and that a user has to go."""

from collections.abc import Collection
from typing import Any, Protocol

from sente.hub import Hub
from sente.interfaces import UserId
from sente.peers import AnyClient
from sente.protocol.messages import VOLATILE
from sente.protocol.sessions import Client
from sente.push import Push
from sente.receipts import Letter, Receipt, Waits


class Afar(Protocol):
    """The other processes, as far as they are sent something. Implemented by ``sente.cluster``."""

    def pack(self, push: Push, form: str | None, *, flush: bool) -> Letter:
        """The event as it will be said to others. From any thread. Raises ``PackError``."""
        ...

    def post(self, letter: Letter, push: Push, *, flush: bool) -> None:
        """Say it; also to clients of this process, if it is stored for them first."""
        ...

    def disconnect(self, uid: UserId, reason: str) -> None:
        """Say that a user has to go."""
        ...

    def deliveries(self, letter: Letter) -> Waits:
        """Who knows what becomes of it."""
        ...


class Sending:
    """Puts events into the outboxes of those they are for. What is public here may be called from any thread, but for
    ``put``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.afar: Afar | None = None

    def send(self, uid: UserId, event: Any, data: Any, *, flush: bool, form: str | None) -> Receipt:
        """Say an event to every client of a user."""
        hub = self._hub
        push = hub.pack(event, data, form)
        push.uid = uid
        return self._say(len(hub.peers.of(uid)), push, flush, form)

    def broadcast(self, event: Any, data: Any, *, flush: bool, form: str | None) -> Receipt:
        """Say an event to every client."""
        hub = self._hub
        push = hub.pack(event, data, form)
        push.everyone = True
        return self._say(len(hub.sessions) + len(hub.classic), push, flush, form)

    def disconnect(self, uid: UserId, reason: str) -> None:
        """End every session of a user."""

        def work() -> None:
            self.end(uid, reason)
            if self.afar is not None:
                self.afar.disconnect(uid, reason)

        self._hub.in_loop(work)

    def _say(self, clients: int, push: Push, flush: bool, form: str | None) -> Receipt:
        hub = self._hub
        if (afar := self.afar) is None:
            receipt = Receipt(clients, push, hub.deliveries)
            hub.in_loop(lambda: self.put(push, flush))
            return receipt
        letter = afar.pack(push, form, flush=flush)

        def work() -> None:
            if hub.durable is None or push.key is VOLATILE:
                self.put(push, flush)
            afar.post(letter, push, flush=flush)

        receipt = Receipt(clients, push, afar.deliveries(letter), letter)
        hub.in_loop(work)
        return receipt

    def put(self, push: Push, flush: bool) -> None:
        """Put it into the outboxes of this process."""
        now, sessions, peers = self._hub.now, self._hub.sessions, self._hub.peers
        if push.everyone:
            if push.key is None:
                sessions.addressed_all()
            self._put(peers.everyone(), push, flush, now)
        else:
            if push.key is None:
                sessions.addressed(push.uid, now)
            self._put(peers.of(push.uid), push, flush, now)

    def end(self, uid: UserId, reason: str) -> None:
        """End every session that a user has in this process."""
        for client in self._hub.peers.of(uid):
            client.session.close(4410, reason, self._hub.now, word="disconnected")
            self._hub.run(client)

    def _put(self, clients: Collection[AnyClient], push: Push, flush: bool, now: float) -> None:
        hub, later = self._hub, self._hub.turns.later
        push.addressed = sum(isinstance(client, Client) for client in clients) if hub.classic else len(clients)
        for client in clients:
            client.session.send(push, now, flush=flush)
            if client.session.actions:  # it was one event too many
                hub.run(client)
            else:
                later(client)
        hub.stats["sent"] += 1
        if push.key is not VOLATILE:  # which nobody keeps
            hub.memory.add(push.size)
