"""What clients say too often is refused before it is handled, and who goes on all the same is cut off (§6)."""

import math
from collections.abc import Hashable

from sente.asking import write_failure
from sente.dispatch import log
from sente.errors import RequestFailed
from sente.hub import Hub
from sente.peers import AnyClient
from sente.protocol.messages import RATE_LIMITED, Event
from sente.protocol.rates import Buckets, Rate
from sente.protocol.sessions import Client
from sente.push import pack_value

NOTICE_SIZE = 200
"""What telling a client costs at most, packed, but for the id of its event."""


class Rationing:
    """Keeps the buckets of ``settings.rates``. A hub without rates for events never asks it."""

    def __init__(self, hub: Hub) -> None:
        rates = hub.settings.rates
        self._hub = hub
        self._client = None if rates.client is None else Buckets(Rate.read(rates.client))
        self._user = None if rates.user is None else Buckets(Rate.read(rates.user))
        self._events = {event_id: Buckets(Rate.read(text)) for event_id, text in rates.events.items()}
        self._refused = Buckets(Rate.read(rates.refused))
        if self._events or self._client is not None or self._user is not None:
            hub.ration = self._allow

    def _allow(self, client: AnyClient, event_id: str, ref: int | None, size: int, number: int) -> bool:
        """Whether the client may say this now; if not it has its answer."""
        key: Hashable = client.token if isinstance(client, Client) else client.key
        now = self._hub.now
        late = self._late(client, key, event_id, now)
        if not late:
            return True
        self._hub.stats["rate limited"] += 1
        milliseconds = math.ceil(late * 1000)
        if ref is not None:
            self._refuse(client, ref, event_id, milliseconds)
        elif isinstance(client, Client):
            self._tell(client, event_id, milliseconds)
        client.session.handled(now, size, number)
        if wait := self._refused.take(key, now):
            self._cut_off(client, f"retry_after={math.ceil(max(wait, late) * 1000)}", now)
        self._hub.look_after(client)
        return False

    def _late(self, client: AnyClient, key: Hashable, event_id: str, now: float) -> float:
        late = 0.0
        if self._client is not None:
            late = self._client.take(key, now)
        if not late and self._user is not None and client.uid is not None:
            late = self._user.take(client.uid, now)
        if not late and (event := self._events.get(event_id)) is not None:
            late = event.take(key, now)
        return late

    def _refuse(self, client: AnyClient, ref: int, event_id: str, milliseconds: int) -> None:
        error = RequestFailed("rate_limited", f"{event_id:.100} comes too often", {"retry_after": milliseconds})
        packed = pack_value(write_failure(error), self._hub.spoken.packers)
        client.session.reply(ref, packed, self._hub.now, failed=True, size=packed.size)

    def _tell(self, client: Client, event_id: str, milliseconds: int) -> None:
        """Say how many were dropped since the session began: the newest word is enough, and replaces one that waits."""
        peer = self._hub.peers[client]
        peer.dropped += 1
        word = {"id": event_id[:100], "dropped": peer.dropped, "retry_after": milliseconds}
        client.session.send(Event(RATE_LIMITED, word, NOTICE_SIZE, key=RATE_LIMITED), self._hub.now)

    def _cut_off(self, client: AnyClient, reason: str, now: float) -> None:
        links = client.session.links if isinstance(client, Client) else client.session
        if not links.attached:
            return
        who = {"uid": client.uid, "client_id": client.client_id}
        log.warning("client %s goes on saying too much: its line is closed", client.client_id, extra=who)
        self._hub.stats["flooded"] += 1
        if isinstance(client, Client):
            client.session.links.drop(4429, reason, now)
        else:
            client.session.close(4429, reason, now, word="flooded")
