"""What the server asks its clients: which of them, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from sente.asking import Asking, check_timeout
from sente.errors import ConfigError, Disconnected, RequestTimeout
from sente.peers import AnyClient
from sente.protocol.actions import Settle
from sente.protocol.classic_session import ClassicClient
from sente.protocol.messages import Event
from sente.protocol.sessions import Client
from sente.typed import Typed

PATIENCE = 8.0
"""Seconds that a client gets to reply unless a request says otherwise: as long as a client waits for the server."""


Put: TypeAlias = Callable[[Event, float, bool], Awaitable[tuple[Any, bool]]]
"""Called with an event, seconds, and whether it may be handled twice."""


class Questions:
    """The requests of a server. ``pack`` makes an event of id, data, form; ``run`` carries out what a session wants."""

    def __init__(
        self,
        pack: Callable[[Any, Any, str | None], Event],
        run: Callable[[Client], None],
        typed: Typed,
        speaks_plain: Callable[[AnyClient], bool],
    ) -> None:
        self._pack = pack
        self._run = run
        self._typed = typed
        self._speaks_plain = speaks_plain
        self.elsewhere: Callable[[str, Event, float, bool], Awaitable[tuple[Any, bool]]] | None = None
        """Called as ``put`` is, with the id of a client that is not here, if there are other processes."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking: dict[AnyClient, Asking] = {}
        self._awaited: dict[asyncio.Future[Client], Callable[[AnyClient], bool]] = {}  # until a client comes back
        self._named: dict[str, dict[AnyClient, None]] = {}  # by client-id, the one that was attached last last

    def attached(self, client: AnyClient) -> None:
        """A client said hello, or is one of Sente's own and opened a line."""
        named = self._named.setdefault(client.client_id, {})
        named.pop(client, None)
        named[client] = None
        for waiting, is_next in self._awaited.items():
            if not waiting.done() and isinstance(client, Client) and is_next(client):
                waiting.set_result(client)

    def ended(self, client: AnyClient) -> None:
        """A session has ended."""
        self._asking.pop(client, None)
        named = self._named[client.client_id]
        del named[client]
        if not named:
            del self._named[client.client_id]

    def stop(self) -> None:
        """The server goes away: nobody comes back."""
        for waiting in self._awaited:
            if not waiting.done():
                waiting.set_exception(Disconnected("the server goes away"))

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin anew, on another event loop perhaps."""
        self._loop = loop
        self._asking.clear()
        self._named.clear()

    def settle(self, client: AnyClient, settled: Settle) -> None:
        """The outcome of a request is known."""
        if client in self._asking:
            self._asking[client].settle(settled)

    def find(self, client_id: str) -> AnyClient:
        """The session of that client-id whose client said hello last: client-ids are no secret, and not unique.

        One of Sente's own clients, which cannot be asked, only if there is no other.

        Raises:
            Disconnected: there is none.
        """
        if client_id not in self._named:
            raise Disconnected(f"no client {client_id!r} is connected")
        newest_first = list(reversed(self._named[client_id]))
        return next((client for client in newest_first if isinstance(client, Client)), newest_first[0])

    async def request(self, client_id: str, event: Any, data: Any = None, **options: Any) -> Any:
        """Ask the client that ``find`` finds, or another process has. Raises as ``ChannelSocket.request``."""
        self._here()
        there = self.elsewhere if client_id not in self._named else None
        put: Put = partial(self.put, self.find(client_id)) if there is None else partial(there, client_id)
        return await self._ask(put, event, data, **options)

    async def ask(self, client: AnyClient, event: Any, data: Any = None, **options: Any) -> Any:
        """Ask one client. Raises as ``ChannelSocket.request``."""
        return await self._ask(partial(self.put, client), event, data, **options)

    async def _ask(
        self,
        put: Put,
        event: Any,
        data: Any,
        *,
        timeout: float | None = None,
        form: str | None = None,
        idempotent: bool | None = None,
    ) -> Any:
        self._here()
        packed = self._pack(event, data, form)
        seconds = check_timeout(self._typed.patience(packed.id, timeout, PATIENCE))
        value, plain = await put(packed, seconds, self._typed.repeatable(packed.id, idempotent))
        return self._typed.replied(packed.id, value, plain)

    async def put(self, client: AnyClient, packed: Event, seconds: float, again: bool) -> tuple[Any, bool]:
        """Put an event to one client, once more in its next session if that may be; its reply as it came, and whether
        types are strings in it. Raises as ``ChannelSocket.request``."""
        loop = self._here()
        if isinstance(client, ClassicClient):
            who = client.client_id
            raise Disconnected(f"client {who!r} speaks Sente's protocol, which has no requests from the server")
        until = loop.time() + seconds
        lives = [client]
        while True:
            try:
                value = await self._outcome(client, packed, until, seconds)
                return value, self._speaks_plain(client)
            except Disconnected:
                if not again or client.session.ended in ("goodbye", "drained", "stopped"):
                    raise
                client = await self._next_life(lives, until)
                lives.append(client)

    async def _outcome(self, client: Client, packed: Event, until: float, seconds: float) -> Any:
        loop = self._here()
        ref = client.session.request(packed, until - loop.time(), loop.time())
        loop.call_soon(self._run, client)  # what is said in one turn of the loop leaves together
        asking = self._asking.setdefault(client, Asking())
        return await asking.outcome(ref, packed.id, seconds, partial(self._cancel, client, ref))

    async def _next_life(self, lives: list[Client], until: float) -> Client:
        """The session in which the client goes on whose sessions these were, as it proved with one of their tokens.

        Raises:
            RequestTimeout: it has not come back by then.
            Disconnected: the server goes away.
        """
        tokens = {client.token for client in lives}

        def is_next(client: AnyClient) -> bool:
            before = client.predecessor if isinstance(client, Client) else None
            return before is not None and before.token in tokens and client.uid == lives[0].uid

        for client in self._named.get(lives[0].client_id, ()):
            if is_next(client) and not client.session.ended and isinstance(client, Client):
                return client
        waiting: asyncio.Future[Client] = self._here().create_future()
        self._awaited[waiting] = is_next
        try:
            async with asyncio.timeout_at(until):
                return await waiting
        except TimeoutError:
            raise RequestTimeout("the client has not come back in time") from None
        finally:
            del self._awaited[waiting]

    def _cancel(self, client: Client, ref: int) -> None:
        client.session.cancel(ref, self._here().time())
        self._run(client)

    def _here(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            raise ConfigError("request(...) is awaited in the event loop that the ChannelSocket runs in")
        return loop
