"""``ChannelSocket``, the façade: it wires the parts and holds no logic."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from typing import Any, TypeAlias, TypeVar, overload

from sente.admission import Admission
from sente.classic import ClassicClients
from sente.cluster.cluster import clustered
from sente.contract import ContractPage
from sente.dispatch import Dispatcher, ErrorHook, H, Message
from sente.draining import drain_on_signals
from sente.errors import ConfigError, Rejected
from sente.events import EventContract
from sente.hub import Hub
from sente.inspector import Inspector
from sente.interfaces import Broker, Packer, Receive, Registry, Request, Scope, Send, UserId
from sente.outgoing import Outgoing
from sente.packers.handlers import TypeHandler
from sente.packers.negotiation import Packers, classic_packer
from sente.packers.negotiation import packers as named_packers
from sente.presence import ConnectedUids
from sente.protocol.settings import ServerSettings
from sente.reauth import Renewals
from sente.security import Hook, Security, csrf_token, session_uid
from sente.sending import Sending
from sente.signatures import Handles, Replies
from sente.stats import Stats, stats
from sente.telemetry import Telemetry, observed
from sente.trace import Tracer, traced, tracer_of
from sente.transports.asgi import Connection, serve_lifespan
from sente.transports.bad_connection import bad_lines
from sente.transports.classic import ClassicTransport
from sente.transports.gate import ClassicGate, Gate, Refusal
from sente.transports.longpoll import LongPollTransport
from sente.transports.script import ClientScript
from sente.transports.websocket import WebSocketTransport
from sente.typed import Typed

D = TypeVar("D")
R = TypeVar("R")
Q = TypeVar("Q", bound=Request[Any])

OnReject: TypeAlias = Callable[[Connection, Rejected], Refusal | Awaitable[Refusal | None] | None]
Csrf: TypeAlias = bool | Callable[[Connection, str | None], bool | Awaitable[bool]]


class ChannelSocket(Outgoing):
    """Realtime events between a server and its users' clients, over WebSocket or long-polling.

    It is an ASGI application that answers at any path it is put at; under FastAPI use
    ``sente.integrations.fastapi.channel_router``::

        chsk = ChannelSocket()

        @chsk.on("chat/say")
        async def say(msg: Message) -> int:
            return chsk.broadcast("chat/said", {"by": msg.uid, "text": msg.data["text"]}).clients

    All hooks take a ``Connection`` and may be sync or async.

    Args:
        packers: What the server speaks, in order of preference: names with commas, objects, or a list of both.
        types: Handlers for custom types, for the packers given by name.
        user_id: Who a client is: a str, an int or ``None``. Default: ``session["uid"]``.
        expires_in: For how many seconds its credentials are good; ``None``: for ever. A client is warned before and
            may show new ones, which are asked about likewise; then its line is closed with 401.
        handshake_data: What each client is given when it connects, as ``state.handshake_data``.
        csrf: ``True``: the client must present ``csrf_token(request)``, kept in the session. Or your own check, called
            with connection and token. Off by default, because it needs a session; a page of another site is kept out
            by the origin check either way.
        allowed_origins: Origins of other hosts whose pages may connect, like ``https://app.example.com``.
        reject: Refuse first of all: return a sentence to refuse with 403, or ``None``.
        authorize: Whether the client may connect; False refuses with 401.
        on_reject: Called with the connection and the ``Rejected``; a ``Refusal`` it returns is the answer instead.
        trace: Called with a ``Note`` of everything that travels; ``True`` logs it to ``sente.trace``. For debugging.
        telemetry: Metrics and spans: an ``OpenTelemetry`` of ``sente.integrations.opentelemetry``.
        settings: Times and limits, see ``ServerSettings``.
        events: The types of the events, an ``EventRegistry``: what clients say is checked by it before a handler sees
            it, and what is said to them before it leaves. Default: an event carries what it carries.
        classic: Serve Sente's own clients too, with this packer: ``"edn"``, ``"transit"``, ``"msgpack"``, each
            ``+gzip`` too, or ``"json"``; ``sente.packers.dialect`` has options. Off by default: secrets in URLs.
        broker: What joins this process with others that serve the same application: a ``RedisBroker``. Default: this
            process is alone.
        durable: Keep sessions in the broker's Redis, so that another process goes on with them when this one dies.
        simulated_bad_connection_rate: How many of all frames, 0 to 1, break their line instead. For tests.

    Raises:
        ConfigError: a setting is wrong; says which and what would be right.
    """

    def __init__(
        self,
        *,
        packers: Packers = "auto,json",
        types: Iterable[TypeHandler[Any]] = (),
        user_id: Hook[UserId] = session_uid,
        expires_in: Hook[float | None] | None = None,
        handshake_data: Hook[Any] | None = None,
        csrf: Csrf = False,
        allowed_origins: Collection[str] = (),
        reject: Hook[str | None] | None = None,
        authorize: Hook[bool] | None = None,
        on_reject: OnReject | None = None,
        trace: bool | Tracer = False,
        telemetry: Telemetry | None = None,
        settings: ServerSettings | None = None,
        events: Registry | None = None,
        classic: str | Packer | None = None,
        broker: Broker | None = None,
        durable: bool = False,
        simulated_bad_connection_rate: float = 0.0,
    ) -> None:
        security = Security(
            csrf=csrf,
            allowed_origins=allowed_origins,
            reject=reject,
            authorize=authorize,
            user_id=user_id,
            expires_in=expires_in,
            on_reject=on_reject,
        )
        if not isinstance(settings, ServerSettings | None):
            raise ConfigError(f"settings={settings!r}: give ServerSettings(...)")
        self._settings = settings or ServerSettings()
        self._dispatcher = Dispatcher()
        self.bind = self._dispatcher.bind
        """Have a ``HandlerBinder`` fill in what handlers take beside the message; ``channel_router`` does so."""
        self._typed = Typed(events, "server")
        if self._typed.checks:
            self._dispatcher.open = self._typed.open
        self._served = served = named_packers(packers, types := tuple(types))
        also = classic_packer(classic, served, types)
        self._hub = Hub(self._settings, served, self._dispatcher, self.send, typed=self._typed, classic=also)
        self._sending = Sending(self._hub)
        door = Admission(self._hub, served, security, handshake_data)
        Renewals(self._hub, door, security, self._dispatcher, self.send)
        doors = door, ClassicClients(self._hub, door)
        self._cluster = clustered(broker, self._hub, self._sending, self._typed, types, served, also, durable)
        self._gates: tuple[Gate, ClassicGate] = self._cluster.gates(*doors) if self._cluster else doors
        if telemetry is not None:
            self._gates = observed(telemetry, self._hub, self._dispatcher, self._gates)
        if (tracer := tracer_of(trace)) is not None:
            self._gates = traced(*self._gates, tracer)
        self._classic = ClassicTransport(also)
        self._websocket = WebSocketTransport()
        self._longpoll = LongPollTransport()
        self._script = ClientScript()
        self._line = bad_lines(self._serve, simulated_bad_connection_rate, self._hub.stats)
        self._entered: AbstractAsyncContextManager[None] | None = None

    # -- events in

    @overload
    def on(self, event: str, *, concurrent: bool = ...) -> Callable[[H], H]: ...
    @overload
    def on(self, event: type[Q], *, concurrent: bool = ...) -> Replies[Q]: ...
    @overload
    def on(self, event: type[D] | EventContract[D], *, concurrent: bool = ...) -> Handles[D]: ...
    def on(self, event: Any, *, concurrent: bool = False) -> Any:
        """Handle an event; the function's return value is the reply, if the client asked for one.

        The events of one client are handled in order, one at a time; ``concurrent=True`` opts out. A sync function
        runs in a thread. ``chsk/uidport-open`` and ``-close`` say that a user came and went, ``chsk/bad-event`` that a
        client sent something that is no event.

        With ``events``, ``event`` may be a class or contract of the registry: under ``@chsk.on(Say)`` ``msg.data`` is
        a ``Say``, and what the function returns is checked as its reply.

        >>> chsk = ChannelSocket()
        >>> @chsk.on("chat/say")
        ... async def say(msg):
        ...     return len(msg.data["text"])
        """
        return self._dispatcher.on(self._typed.identify(event), concurrent=concurrent)

    def messages(self) -> AsyncIterator[Message]:
        """Every event that has no handler, for a loop instead: ``async for msg in chsk.messages(): ...``."""
        return self._dispatcher.messages()

    @property
    def on_error(self) -> ErrorHook | None:
        """Called with the exception and the message when a handler raises; the log gets it in any case."""
        return self._dispatcher.on_error

    @on_error.setter
    def on_error(self, hook: ErrorHook | None) -> None:
        self._dispatcher.on_error = hook

    # -- who is there

    @property
    def connected_uids(self) -> ConnectedUids:
        """The users that are connected to this process: by ``ws``, by ``poll``, by ``any``."""
        return self._hub.presence.connected_uids

    def presence(self) -> AsyncIterator[ConnectedUids]:
        """Who is connected, to any process, now and after each change: ``async for uids in chsk.presence(): ...``."""
        return (self._cluster or self._hub).presence.changes()

    @property
    def stats(self) -> Stats:
        """What was counted until now, and in ``stats.gauges`` how it is now; from any thread."""
        return stats(self._hub)

    @cached_property
    def inspector(self) -> Inspector:
        """A page that shows clients and what travels: an ASGI application to mount, before the socket is started.

        Whoever can open it sees every user. Under FastAPI ``inspector_router`` puts it behind your dependencies.
        """
        inspector = Inspector(self._hub.clients, lambda: self.stats)
        self._gates = traced(*self._gates, inspector.note)
        return inspector

    def asyncapi(self, *, title: str = "Events", version: str = "0.1.0") -> ContractPage:
        """A page that shows the events of ``events``: an ASGI application to mount, and the AsyncAPI document in it.

        Under FastAPI ``asyncapi_router`` serves both. ``title`` and ``version`` are those of your application.

        Raises:
            ConfigError: there is no ``EventRegistry``.
        """
        return ContractPage(self._typed.registry, packers=self._served, title=title, version=version)

    # -- around

    def csrf_token(self, request: Any) -> str:
        """The CSRF token for the page that ``request`` asks for; give it to the page's client as ``csrf``.

        ``request`` has a ``session``: Starlette's and FastAPI's request behind ``SessionMiddleware``.
        """
        return csrf_token(request.session)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Run while the application runs: ``FastAPI(lifespan=chsk.lifespan)``; ``channel_router`` brings it along.

        SIGTERM and SIGINT let the clients go in peace before they reach the server.
        """
        async with (self._cluster or self._hub).running():
            undo = drain_on_signals(lambda: self._hub.drain(self._settings.drain))
            try:
                yield
            finally:
                undo()

    async def __aenter__(self) -> "ChannelSocket":
        self._entered = self.lifespan()
        await self._entered.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        if self._entered is not None:
            await self._entered.__aexit__(*error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an ASGI connection: WebSocket, HTTP, or the lifespan of an application that is nothing else."""
        if scope["type"] == "lifespan":
            await serve_lifespan(self.lifespan(), receive, send)
        elif not self._hub.started:
            raise ConfigError("the ChannelSocket is not running: include its router, or use `async with chsk:`")
        elif self._script.accepts(scope):
            await self._script.serve(Connection(scope), send)
        else:
            await self._line(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate, classic = self._gates
        if self._classic.accepts(scope):
            await self._classic.serve(scope, receive, send, classic)
        elif scope["type"] == "websocket":
            await self._websocket.serve(scope, receive, send, gate)
        else:
            await self._longpoll.serve(scope, receive, send, gate)
