"""What the server says of its own accord: to a user, to everyone, and that a user has to go."""

from collections.abc import Collection
from typing import Any

from sente.hub import Hub
from sente.interfaces import UserId
from sente.peers import AnyClient
from sente.protocol.messages import VOLATILE
from sente.protocol.sessions import Client
from sente.push import Push
from sente.receipts import Receipt


class Sending:
    """Puts events into the outboxes of those they are for. Everything here may be called from any thread."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def send(self, uid: UserId, event: Any, data: Any, *, flush: bool, form: str | None) -> Receipt:
        """Say an event to every client of a user."""
        hub = self._hub
        push = hub.pack(event, data, form)
        receipt = Receipt(len(hub.peers.of(uid)), push, hub.deliveries)
        hub.in_loop(lambda: self._send(uid, push, flush))
        return receipt

    def broadcast(self, event: Any, data: Any, *, flush: bool, form: str | None) -> Receipt:
        """Say an event to every client."""
        hub = self._hub
        push = hub.pack(event, data, form)
        receipt = Receipt(len(hub.sessions) + len(hub.classic), push, hub.deliveries)
        hub.in_loop(lambda: self._broadcast(push, flush))
        return receipt

    def disconnect(self, uid: UserId, reason: str) -> None:
        """End every session of a user."""
        self._hub.in_loop(lambda: self._disconnect(uid, reason))

    def _send(self, uid: UserId, push: Push, flush: bool) -> None:
        now = self._hub.now
        if push.key is None:
            self._hub.sessions.addressed(uid, now)
        push.uid = uid
        self._put(self._hub.peers.of(uid), push, flush, now)

    def _broadcast(self, push: Push, flush: bool) -> None:
        if push.key is None:
            self._hub.sessions.addressed_all()
        push.everyone = True
        self._put(self._hub.peers.everyone(), push, flush, self._hub.now)

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

    def _disconnect(self, uid: UserId, reason: str) -> None:
        for client in self._hub.peers.of(uid):
            client.session.close(4410, reason, self._hub.now, word="disconnected")
            self._hub.run(client)
