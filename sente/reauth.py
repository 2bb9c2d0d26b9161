"""New credentials on a running session: the checks of the door, asked again (§6)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from sente.admission import Admission
from sente.asking import write_failure
from sente.dispatch import Dispatcher, Message
from sente.errors import ProtocolError, Rejected, RequestFailed
from sente.hub import Hub
from sente.peers import AnyClient
from sente.protocol.actions import Renew
from sente.protocol.credentials import read_auth
from sente.protocol.messages import AUTH
from sente.protocol.sessions import Client
from sente.push import pack_value
from sente.receipts import Receipt
from sente.security import Security
from sente.transports.asgi import Connection


@dataclass(slots=True, eq=False)
class _Renewal(Message):
    """A message without data: whoever logs the message of a hook that raised must not log a secret."""

    client: Client = field(repr=False, kw_only=True)
    asked: Renew = field(repr=False, kw_only=True)


class Renewals:
    """Handles ``chsk/auth`` as the application handles its own requests: beside other events, called off with the
    request, waited for when the server drains. Those of one client one at a time."""

    def __init__(
        self,
        hub: Hub,
        admission: Admission,
        security: Security,
        dispatcher: Dispatcher,
        send: Callable[..., Receipt],
    ) -> None:
        self._hub = hub
        self._send = send
        self._admission = admission
        self._security = security
        self._locks: WeakValueDictionary[Client, asyncio.Lock] = WeakValueDictionary()
        hub.renew = self._begin
        dispatcher.on(AUTH, concurrent=True)(self._renew)

    def _begin(self, client: AnyClient, asked: Renew) -> None:
        assert isinstance(client, Client), "Sente's own clients show their credentials with each request"
        peer = self._hub.peers[client]
        who = client.uid, client.client_id
        message = _Renewal(AUTH, None, *who, peer.connection, self._send, client=client, asked=asked)
        message.reply = partial(self._reply, client, asked.ref)
        message.fail = lambda error: self._reply(client, asked.ref, write_failure(error), failed=True)
        peer.lane.put(message, asked.ref)

    async def _renew(self, message: Message) -> dict[str, Any]:
        assert isinstance(message, _Renewal)
        client, asked = message.client, message.asked
        lock = self._locks.setdefault(client, asyncio.Lock())
        try:
            async with lock:
                await self._check(client, read_auth(asked.data), asked.link)
        except ProtocolError as error:
            raise RequestFailed("invalid_event", error.reason) from error
        return {"expires_in": client.session.credentials.expires_in(self._hub.now)}

    async def _check(self, client: Client, auth: str | None, number: int) -> None:
        if client.session.ended:
            return
        peer = self._hub.peers[client]
        before = peer.connection
        link = self._hub.links[number][0] if number in self._hub.links else None
        connection = Connection((link.connection if link else before).scope, auth)
        try:
            uid = await self._security.check(connection, csrf=None, csrf_known=True)
            expires_in = await self._security.lifetime(connection)
        except Rejected as rejected:
            refusal = await self._admission.refusal(connection, rejected)
            raise RequestFailed("forbidden", refusal.reason, {"status": refusal.status}) from rejected
        if client.session.ended or peer.connection is not before:
            return  # a hello came meanwhile, with credentials that are newer
        if uid != client.uid:
            client.session.close(4410, "another user is logged in", self._hub.now, word="user")
            return self._hub.run(client)
        peer.connection, peer.auth = connection, auth
        if link is not None:
            link.connection = connection
        client.session.credentials.renew(expires_in, self._hub.now)
        self._hub.stats["credentials renewed"] += 1

    def _reply(self, client: Client, ref: int, value: Any, *, failed: bool = False) -> None:
        packed = pack_value(value, self._hub.spoken.packers)
        client.session.reply(ref, packed, self._hub.now, failed=failed, size=packed.size)
        self._hub.look_after(client)
