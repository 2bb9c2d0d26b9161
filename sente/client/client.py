"""The client: a session over asyncio."""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, assert_never, overload

from sente.asking import Asking, check_timeout
from sente.client.answers import Answers
from sente.client.classic import ClassicDriver, ClassicEndpoint
from sente.client.driver import ClientDriver, News
from sente.client.endpoint import Endpoint, Option, server_address
from sente.client.frames import PackedValue, say
from sente.client.hearing import Hearing, check_event_id
from sente.client.renewal import Renewal
from sente.client.streams import Change, Changes, Inbox, Stream
from sente.errors import ConfigError, Disconnected, Rejected
from sente.events import EventContract
from sente.interfaces import ASGIApp, ClientTransport, EventObject, Packer, Registry, Request, is_plain_json, offer
from sente.packers.handlers import TypeHandler
from sente.packers.negotiation import Packers, classic_packer
from sente.packers.negotiation import packers as choose_packers
from sente.protocol.actions import Cancelled, Deliver, Settle, StateChanged, Unconfirmed
from sente.protocol.classic_client import ClassicClientSession
from sente.protocol.client_session import ClientSession
from sente.protocol.client_state import ClientState, Closed
from sente.protocol.messages import Event
from sente.protocol.route import Wanted
from sente.protocol.settings import ClientSettings
from sente.transports.bad_connection import CUT, bad_transport, check_rate
from sente.transports.client_asgi import AsgiTransport
from sente.typed import Typed
from sente.versions import contract_of

log = logging.getLogger("sente.client")

D = TypeVar("D")
R = TypeVar("R")


class Client(Hearing):
    """A client of a channel socket, on one event loop, from whose thread it is to be used.

    ::

        async with Client("http://localhost:8000/chsk", auth=lambda: f"Bearer {token}") as client:
            number = await client.request("chat/say", {"room": "go", "text": "先手"})
            async for event in client.events("chat/said"):
                print(event.data)

    ``Client(app=app, url="/chsk")`` talks to an ASGI application in the same process. It runs no lifespan: put
    ``async with chsk:`` around it.

    Args:
        url: Where the channel socket is: ``http``, ``https``, ``ws`` or ``wss`` alike; with ``app`` the path is enough.
        app: An ASGI application to talk to, instead of a server.
        transport: ``"ws"``, ``"poll"``, or ``"auto"``: WebSocket, and polling where that does not get through.
        packers: Names or objects; the server takes the first of its own that is among them.
        types: Handlers for custom types, for the packers given by name.
        params: More parameters for the query of each request; the server finds them in ``connection.query``.
        headers: Headers for each request, cookies say.
        csrf: The token that the server wants to see in the hello.
        auth: What the server is to see as ``Authorization`` header; it travels in the hello.
            ``params``, ``headers``, ``csrf`` and ``auth`` may be functions, sync or async, which are asked anew for
            each attempt to connect, ``auth`` also when the server warns that credentials are about to expire. An
            attempt takes 5 s at most, with what they take.
        settings: Times and limits.
        timeout: Seconds to wait for a reply unless a request says otherwise; finite, so that nothing hangs for ever.
        connect_timeout: Seconds that ``async with`` waits until the client is connected.
        on_unconfirmed: Called with a list of events that left but may never have arrived, as the server that took
            them is gone, or that have not, as another user is logged in now. Sync or async; it takes its turn among
            the handlers.
        client_transport: Another way to reach the server; closed with the client.
        events: The types of the events, an ``EventRegistry``, best the server's own: what comes is checked by it, and
            what is said before it leaves.
        classic: Talk to a Sente server, as its own clients do, with this packer: ``"edn"``, ``"transit"``,
            ``"msgpack"``, each ``+gzip`` too, or ``"json"``. ``packers`` mean nothing then. Off by default, as
            ``csrf`` becomes part of a WebSocket's URL, and so of logs.
        simulated_bad_connection_rate: How many of all frames, 0 to 1, break their line instead. For tests.

    Raises:
        ConfigError: an argument makes no sense; the message says what would.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        app: ASGIApp | None = None,
        transport: Wanted = "auto",
        packers: Packers = "auto,json",
        types: Iterable[TypeHandler[Any]] = (),
        params: Option[Mapping[str, Any] | None] = None,
        headers: Option[Mapping[str, str] | None] = None,
        csrf: Option[str | None] = None,
        auth: Option[str | None] = None,
        settings: ClientSettings | None = None,
        timeout: float = 8.0,
        connect_timeout: float = 10.0,
        on_unconfirmed: Callable[[list[Event]], Any] | None = None,
        client_transport: ClientTransport | None = None,
        events: Registry | None = None,
        classic: str | Packer | None = None,
        simulated_bad_connection_rate: float = 0.0,
    ) -> None:
        _check_transport(transport)
        spoken = classic_packer(classic, (), types)
        if spoken and auth is not None:
            raise ConfigError("auth: a Sente server has no place for it; with classic put it into headers")
        served = (spoken,) if spoken else choose_packers(packers, types)
        endpoint = (ClassicEndpoint if spoken else Endpoint)(
            url=server_address(url, app),
            packers=",".join(map(offer, served)),
            params=params,
            headers=headers,
            csrf=csrf,
            auth=auth,
        )
        settings = settings or ClientSettings()
        self._app = app
        self._client_transport = client_transport
        self._bad_connection_rate = check_rate(simulated_bad_connection_rate)
        self._timeout = check_timeout(timeout)
        self._connect_timeout = connect_timeout
        self._on_unconfirmed = on_unconfirmed
        session: Callable[..., ClientSession]
        session = partial(ClassicClientSession, packer=spoken.name) if spoken else ClientSession
        self._core = session(
            settings,
            new_client_id=lambda: secrets.token_urlsafe(16),
            jitter=random.random,
            transport=transport,
            epoch=time.time() - time.monotonic(),  # what loops take their time from
            renewable=endpoint.renewable,
        )
        self._driver = (ClassicDriver if spoken else ClientDriver)(self._core, endpoint, served, settings, self._hear)
        super().__init__(Typed(events, "client"), Inbox(self._delivered))
        self._answers = Answers(self._inbox, self._typed, lambda: self._driver.packer, self._reply, self._delivered)
        self._changes = Changes()
        self._asking = Asking()
        self._renewal = None if spoken else Renewal(self._driver, self._ask, self._renewed)

    # -- connecting

    async def __aenter__(self) -> Self:
        """Connect, and wait until connected.

        Raises:
            Rejected: the server refused this client, and asking again would not help.
            Disconnected: it could not be reached within ``connect_timeout``; the client gave up.
        """
        changes = self.state_changes()
        try:
            self.connect()
            async with asyncio.timeout(self._connect_timeout):
                while not self.state.open and self.state.refused is None:
                    await anext(changes)
        except TimeoutError:
            reason = f"not connected within {self._connect_timeout:g} s"
            if self.state.last_close is not None:
                reason += f": {self.state.last_close.message or self.state.last_close.reason}"
            await self.aclose()
            raise Disconnected(reason) from None
        except BaseException:
            await self.aclose()
            raise
        if self.state.refused is not None:
            await self.aclose()
            raise _rejected(self.state.refused)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Disconnect, wait until the goodbye has left (2 s at most), and end every loop. ``connect`` begins anew."""
        if self._driver.started:
            self.disconnect()
            await self._driver.aclose()
        if self._renewal is not None:
            await self._renewal.aclose()
        await self._answers.aclose()
        await self._inbox.aclose()
        self._changes.end()

    def connect(self) -> None:
        """Begin to connect, unless that is done; from then on the client comes back by itself.

        Raises:
            ImportError: a library is missing; the message says how to install it.
        """
        self._start()
        self._core.connect(self._driver.now)
        self._driver.run()

    def disconnect(self) -> None:
        """Say goodbye: the session ends, open requests raise ``Disconnected``, loops over ``events()`` end."""
        self._core.disconnect(self._driver.now)
        self._driver.run()
        if self._driver.started:
            self._inbox.end(None)

    def reconnect(self) -> None:
        """Open a new line at once, asking ``headers``, ``csrf`` and ``auth`` anew: after a login, say. The session
        goes on if the user is the same."""
        self._start()
        self._core.reconnect(self._driver.now)
        self._driver.run()

    async def reauthenticate(self, auth: str | None = None) -> float | None:
        """Show the server new credentials in the running session: what the option ``auth`` says now, or ``auth``, which
        takes the option's place. Where the option is a function this happens by itself when the server warns.

        Returns for how many seconds they are good, ``None`` if for ever.

        Raises:
            RequestFailed: the server refused them (code ``forbidden``). The old ones stay, here too, until they expire.
            RequestTimeout: no reply came in time.
            Disconnected: they are those of another user, as whom the client comes back. Or it was not connected: then
                a new ``auth`` counts from the next attempt on.
            ConfigError: a Sente server knows nothing like it: say ``reconnect()``.
        """
        if self._renewal is None:
            raise ConfigError("reauthenticate(): a Sente server sees new credentials with reconnect() only")
        return await self._renewal.renew(auth)

    def _renewed(self) -> None:
        self._core.renewed()
        self._driver.run()

    def prefer(self, transport: Wanted) -> None:
        """Use another transport from now on: ``"auto"``, ``"ws"`` or ``"poll"``."""
        _check_transport(transport)
        self._core.prefer(transport, self._driver.now)
        self._driver.run()

    def break_connection(self, *, clean: bool = False) -> None:
        """For tests: let the line break, without a close frame unless ``clean``. The client comes back by itself."""
        if self._driver.started:
            self._driver.break_off(4000 if clean else CUT)

    def _start(self) -> None:
        if self._driver.started:
            return
        transport = self._client_transport
        if transport is None and self._app is not None:
            transport = AsgiTransport(self._app)
        if transport is None:
            from sente.transports.client_network import NetworkTransport  # its libraries are an extra

            transport = NetworkTransport()
        self._core.contract = contract_of(self._typed.registry)
        self._driver.start(bad_transport(transport, self._bad_connection_rate))

    # -- talking

    @overload
    def send(self, event: EventContract[D], data: D) -> bool: ...
    @overload
    def send(self, event: EventObject) -> bool: ...
    @overload
    def send(self, event: str, data: Any = ...) -> bool: ...
    def send(self, event: Any, data: Any = None) -> bool:
        """Say an event to the server; False if the client is not connected: then it is not kept.

        It leaves at the end of this turn of the loop, and again after an interruption until the server has it. With
        ``events`` an object of an event's class is both id and data: ``client.send(Say(text="hi"))``.

        Raises:
            EventError: the registry has no such event, or the data is not of its type.
            PackError: ``data`` cannot be packed, or is larger than the server takes.
            OutboxFull: too much waits for the server.
            ConfigError: ``event`` is not ``namespace/name``.
        """
        event_id, plain = self._typed.say(event, data)
        check_event_id(event_id)
        if not self.state.open:
            return False
        said = say(event_id, plain, self._driver.packer)
        said.key = self._typed.key(event_id, event, data)
        sent = self._core.send(said)
        self._driver.run_soon()
        return sent

    @overload
    async def request(self, event: Request[R], *, timeout: float | None = ..., idempotent: bool | None = ...) -> R: ...
    @overload
    async def request(
        self, event: str, data: Any = ..., *, timeout: float | None = ..., idempotent: bool | None = ...
    ) -> Any: ...
    async def request(
        self, event: Any, data: Any = None, *, timeout: float | None = None, idempotent: bool | None = None
    ) -> Any:
        """Ask the server and wait for its reply, ``timeout`` seconds at most. If it is cancelled, the server is told.

        ``idempotent``: handling it twice does no harm, so it is asked again if the session ends before the reply came.
        Default: as its event says.

        Raises:
            RequestTimeout: no reply came in time; whether the server has handled it is not known.
            RequestFailed: the server answered with an error.
            Disconnected: the client is not connected, or the session ended before the reply came.
            EventError: as ``send``, or the reply is not of its type.
            PackError, OutboxFull, ConfigError: as ``send``.
        """
        event_id, data = self._typed.say(event, data)
        check_event_id(event_id)
        seconds = self._typed.patience(event_id, timeout, self._timeout)
        again = self._typed.repeatable(event_id, idempotent)
        value = await self._ask(event_id, data, timeout=seconds, idempotent=again)
        return self._typed.replied(event_id, value, is_plain_json(self._driver.packer))

    async def _ask(self, event_id: str, data: Any, *, timeout: float | None = None, idempotent: bool = False) -> Any:
        seconds = self._timeout if timeout is None else check_timeout(timeout)
        if not self.state.open:
            raise Disconnected("the client is not connected")
        said = say(event_id, data, self._driver.packer)
        ref = self._core.request(said, seconds, self._driver.now, idempotent=idempotent)
        self._driver.run_soon()
        return await self._asking.outcome(ref, event_id, seconds, lambda: self._cancel(ref))

    def _cancel(self, ref: int) -> None:
        self._core.cancel(ref)
        self._driver.run_soon()

    @property
    def state(self) -> ClientState:
        """How the client is connected."""
        return self._core.state

    def state_changes(self) -> Stream[Change]:
        """Each change of ``state`` from now on: ``async for old, new in client.state_changes()``.

        It ends with ``aclose``. To a loop that is 64 changes behind the latest are told as one.
        """
        return self._changes.stream()

    # -- for the driver

    def _hear(self, news: News) -> None:
        match news:
            case Deliver(event, ref) if ref is not None:
                self._answers.ask(event, ref)
            case Deliver(event):
                self._inbox.put(self._typed.heard(event, is_plain_json(self._driver.packer)))
            case Cancelled(ref):
                self._answers.cancel(ref)
            case Settle():
                self._asking.settle(news)
            case Unconfirmed(events):
                log.warning("%d events may not have arrived: their server, or their user, is gone", len(events))
                if (report := self._on_unconfirmed) is not None:
                    self._inbox.put(lambda: report(list(events)))
            case StateChanged(old, new):
                self._changes.tell(Change(old, new))
                if self._renewal is not None and new.auth_expires not in (None, old.auth_expires):
                    self._renewal.due()
                if new.refused is not None and old.refused is None:
                    self._inbox.end(_rejected(new.refused))
            case _:
                assert_never(news)

    def _reply(self, ref: int, value: PackedValue, failed: bool) -> None:
        self._core.reply(ref, value, failed=failed, size=value.size)
        self._driver.run_soon()

    def _delivered(self) -> None:
        self._core.delivered(self._driver.now)
        self._driver.run_soon()


def _check_transport(transport: str) -> None:
    if transport not in ("auto", "ws", "poll"):
        raise ConfigError(f"transport={transport!r}: choose 'auto', 'ws' or 'poll'")


def _rejected(refused: Closed) -> Rejected:
    code = refused.code or 0
    return Rejected(code - 4000 if code >= 4000 else code, refused.message)
