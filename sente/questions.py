"""What the server asks its clients: which of them, and what came of it."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from sente.asking import Asking, check_timeout
from sente.errors import ConfigError, Disconnected
from sente.peers import AnyClient
from sente.protocol.actions import Settle
from sente.protocol.classic_session import ClassicClient
from sente.protocol.messages import Event
from sente.protocol.sessions import Client
from sente.typed import Typed

PATIENCE = 8.0
"""Seconds that a client gets to reply unless a request says otherwise: as long as a client waits for the server."""


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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking: dict[AnyClient, Asking] = {}
        self._named: dict[str, dict[AnyClient, None]] = {}  # by client-id, the one that was attached last last

    def attached(self, client: AnyClient) -> None:
        """A client said hello, or is one of Sente's own and opened a line."""
        named = self._named.setdefault(client.client_id, {})
        named.pop(client, None)
        named[client] = None

    def ended(self, client: AnyClient) -> None:
        """A session has ended."""
        self._asking.pop(client, None)
        named = self._named[client.client_id]
        del named[client]
        if not named:
            del self._named[client.client_id]

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

    async def request(self, client_id: str, event: Any, data: Any, *, timeout: float | None, form: str | None) -> Any:
        """Ask the client that ``find`` finds. Raises as ``ChannelSocket.request``."""
        self._here()
        return await self.ask(self.find(client_id), event, data, timeout=timeout, form=form)

    async def ask(
        self,
        client: AnyClient,
        event: Any,
        data: Any = None,
        *,
        timeout: float | None = None,
        form: str | None = None,
    ) -> Any:
        """Ask one client. Raises as ``ChannelSocket.request``."""
        loop = self._here()
        packed = self._pack(event, data, form)
        seconds = check_timeout(self._typed.patience(packed.id, timeout, PATIENCE))
        if isinstance(client, ClassicClient):
            who = client.client_id
            raise Disconnected(f"client {who!r} speaks Sente's protocol, which has no requests from the server")
        ref = client.session.request(packed, seconds, loop.time())
        plain = self._speaks_plain(client)
        loop.call_soon(self._run, client)  # what is said in one turn of the loop leaves together
        asking = self._asking.setdefault(client, Asking())
        value = await asking.outcome(ref, packed.id, seconds, partial(self._cancel, client, ref))
        return self._typed.replied(packed.id, value, plain)

    def _cancel(self, client: Client, ref: int) -> None:
        client.session.cancel(ref, self._here().time())
        self._run(client)

    def _here(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            raise ConfigError("request(...) is awaited in the event loop that the ChannelSocket runs in")
        return loop
