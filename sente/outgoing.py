"""What a process says to clients: the same whether it serves some itself or only publishes."""

from typing import Any, TypeVar, overload

from sente.cluster.cluster import Cluster
from sente.errors import ConfigError
from sente.events import EventContract
from sente.hub import Hub
from sente.interfaces import Anonymous, EventObject, Request, UserId
from sente.receipts import Receipt
from sente.sending import Sending

D = TypeVar("D")
R = TypeVar("R")


class Outgoing:
    """Events and requests to clients of this process and of all it is joined with."""

    _hub: Hub
    _sending: Sending
    _cluster: Cluster | None

    @overload
    def send(
        self, uid: UserId | Anonymous, event: EventContract[D], data: D, *, flush: bool = ..., form: str | None = ...
    ) -> Receipt: ...
    @overload
    def send(
        self, uid: UserId | Anonymous, event: EventObject, *, flush: bool = ..., form: str | None = ...
    ) -> Receipt: ...
    @overload
    def send(
        self, uid: UserId | Anonymous, event: str, data: Any = ..., *, flush: bool = ..., form: str | None = ...
    ) -> Receipt: ...
    def send(
        self, uid: UserId | Anonymous, event: Any, data: Any = None, *, flush: bool = False, form: str | None = None
    ) -> Receipt:
        """Send an event to all clients of a user; safe from any thread, and nothing to await.

        It leaves with others of the next 30 ms (WebSocket) or 100 ms (polling), or at once with ``flush``. A client
        that is away for a moment gets it when it is back. ``form``: ``"json"``, ``"transit"`` or ``"msgpack"``, for
        clients that speak ``auto`` and read that. With ``events`` an object of an event's class is both id and data:
        ``chsk.send(uid, Said(text="hi"))``.

        Raises:
            EventError: the registry has no such event, or the data is not of its type; nothing is sent.
            PackError: ``data`` cannot be packed; nothing is sent.
            ConfigError: the id is not ``namespace/name``, or the ChannelSocket is not running.
        """
        if uid is None:
            raise ConfigError("send(None, ...): to reach the clients without a user, send to ANONYMOUS")
        return self._sending.send(None if isinstance(uid, Anonymous) else uid, event, data, flush=flush, form=form)

    @overload
    def broadcast(self, event: EventContract[D], data: D, *, flush: bool = ..., form: str | None = ...) -> Receipt: ...
    @overload
    def broadcast(self, event: EventObject, *, flush: bool = ..., form: str | None = ...) -> Receipt: ...
    @overload
    def broadcast(self, event: str, data: Any = ..., *, flush: bool = ..., form: str | None = ...) -> Receipt: ...
    def broadcast(self, event: Any, data: Any = None, *, flush: bool = False, form: str | None = None) -> Receipt:
        """Send an event to every client, like ``send``."""
        return self._sending.broadcast(event, data, flush=flush, form=form)

    @overload
    async def request(
        self,
        client_id: str,
        event: Request[R],
        *,
        timeout: float | None = ...,
        form: str | None = ...,
        idempotent: bool | None = ...,
    ) -> R: ...
    @overload
    async def request(
        self,
        client_id: str,
        event: str,
        data: Any = ...,
        *,
        timeout: float | None = ...,
        form: str | None = ...,
        idempotent: bool | None = ...,
    ) -> Any: ...
    async def request(self, client_id: str, event: Any, data: Any = None, **options: Any) -> Any:
        """Ask one client, of those with that id who said hello last; ``msg.request`` asks who sent the message.

        ``idempotent``: handling it twice does no harm, so it is asked again in the client's next session if this one
        ends before the reply came. Default: as its event says.

        Raises:
            RequestTimeout, RequestFailed: no reply came within ``timeout`` seconds, by default those of the event's
                ``deadline``, else 8; the client answered with an error.
            EventError: the event, or its reply, is not what the registry says.
            Disconnected: no such client, it is one of Sente's own, or its session ended before the reply came.
        """
        return await self._hub.questions.request(client_id, event, data, **options)

    def disconnect(self, uid: UserId | Anonymous, reason: str = "disconnected by the server") -> None:
        """End every session of a user. Its clients connect anew, and are asked again who they are."""
        self._sending.disconnect(None if isinstance(uid, Anonymous) else uid, reason)

    async def online(self, uid: UserId) -> bool:
        """Whether a user is connected, to any process."""
        return uid in (self._cluster or self._hub).presence.connected_uids.any
