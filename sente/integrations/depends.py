"""FastAPI's dependencies in handlers: each handler that takes some becomes an endpoint, which FastAPI itself calls."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, get_args, get_origin
from weakref import WeakKeyDictionary

from fastapi import BackgroundTasks, Depends, Request, Security, params
from fastapi.exceptions import FastAPIError, RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sente.binding import PlainBinder
from sente.dispatch import Message
from sente.errors import ConfigError, RequestFailed
from sente.transports.asgi import Connection

CALL = "sente.call"
"""Where in the scope of a dependency's request its call stands."""

ERRORS_SHOWN = 20
"""As many errors of a header or a query as the asker is told."""

OF_THE_LINE = {"extensions", "subprotocols", "starlette.exception_handlers"}
"""What a handshake's scope has that is not for the request of a dependency: exceptions are to come through."""

CODES = {413: "content_too_large", 414: "uri_too_long", 416: "range_not_satisfiable", 422: "unprocessable_content"}
"""The names that differ between versions of Python, as RFC 9110 has them."""

Marker = params.Depends | params.Param | params.Body


class Call:
    """One handling of a message, or one solving of a dependency."""

    def __init__(self, message: Message | None) -> None:
        self.message = message
        self.result: Any = None


class Handled(Response):
    """What an endpoint answers FastAPI with: nothing is sent, but tasks that wait for the answer are run after it."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.background: BackgroundTask | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep the result; with tasks to come, the asker has it before them."""
        call: Call = scope[CALL]
        call.result = self.result
        if self.background is not None:
            if call.message is not None and call.message.reply is not None:
                call.message.reply(self.result)
            await self.background()


class FastAPIBinder:
    """A ``HandlerBinder`` that fills in what FastAPI knows: ``Depends``, ``Security``, ``Header``, ``Cookie``,
    ``Query``, a ``Request`` and ``BackgroundTasks``. ``channel_router`` gives one to its socket.
    """

    def __init__(self) -> None:
        self.app: Any = None
        """The application that the socket belongs to, for ``dependency_overrides``."""

    @property
    def dependency_overrides(self) -> Mapping[Callable[..., Any], Callable[..., Any]]:
        """Those of the application."""
        return getattr(self.app, "dependency_overrides", {})

    def bind(self, handler: Callable[..., Any], /) -> Callable[[Any], Awaitable[Any]]:
        """The handler as a function of a message.

        Raises:
            ConfigError: a parameter is no dependency and has no default, or a dependency wants a body.
        """
        wanted = _parameters(handler)
        return _refusing(_bound(self, handler, wanted) if wanted else PlainBinder().bind(handler))


def _refusing(call: Callable[[Message], Awaitable[Any]]) -> Callable[[Message], Awaitable[Any]]:
    """A handler whose asker is told what an ``HTTPException`` says."""

    async def handle(message: Message) -> Any:
        try:
            return await call(message)
        except HTTPException as error:
            raise _refusal(error) from error

    return handle


def _bound(
    binder: FastAPIBinder, handler: Callable[..., Any], wanted: list[inspect.Parameter]
) -> Callable[[Message], Awaitable[Any]]:
    serve = _served(_endpoint(handler, wanted), binder)

    async def handle(message: Message) -> Any:
        call = Call(message)
        scope = _request_scope(message.connection, binder.app)
        binder.app = scope.get("app")
        try:
            await serve({**scope, CALL: call}, _no_body, _nowhere)
        except RequestValidationError as error:
            raise _misfit(error) from error
        return call.result

    return handle


def _served(endpoint: Callable[..., Any], overrides: Any) -> ASGIApp:
    """An endpoint as FastAPI calls it, whose dependencies are replaced by those in ``overrides``."""
    try:
        route = APIRoute(
            "/",
            endpoint,
            methods=["GET"],
            response_model=None,
            response_class=Response,
            dependency_overrides_provider=overrides,
        )
    except FastAPIError as error:
        raise ConfigError(f"handler {endpoint.__name__}: {error}") from error
    if route.body_field is not None:
        raise ConfigError(f"handler {endpoint.__name__}: a dependency wants a body, and a handshake has none")
    return AsyncExitStackMiddleware(route.app)


def _endpoint(handler: Callable[..., Any], wanted: list[inspect.Parameter]) -> Callable[..., Any]:
    """The handler with a signature that FastAPI can fill in."""
    first = wanted[0].name

    async def in_loop(**values: Any) -> Handled:
        return Handled(await handler(values.pop(first), **values))

    def in_thread(**values: Any) -> Handled:
        return Handled(handler(values.pop(first), **values))

    endpoint = in_loop if inspect.iscoroutinefunction(handler) else in_thread
    endpoint.__name__ = getattr(handler, "__name__", type(handler).__name__)
    return _with_signature(endpoint, [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in wanted])


def _with_signature(endpoint: Any, parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    endpoint.__signature__ = inspect.Signature(parameters)
    endpoint_: Callable[..., Any] = endpoint
    return endpoint_


# -- what a handler takes


def _parameters(handler: Callable[..., Any]) -> list[inspect.Parameter]:
    """The message and the dependencies of a handler, as FastAPI is to see them; empty if it takes only the message."""
    name = getattr(handler, "__qualname__", repr(handler))
    try:
        if len(inspect.signature(handler).parameters) < 2:
            return []
        first, *others = inspect.signature(handler, eval_str=True).parameters.values()
    except NameError as error:
        raise ConfigError(f"handler {name}: an annotation names what is not defined here: {error}") from error
    except ValueError:  # a function in C that does not say
        return []
    wanted = [parameter for parameter in others if _is_wanted(name, parameter)]
    message = first.replace(annotation=Annotated[Any, Depends(current_message)], default=inspect.Parameter.empty)
    return [message, *wanted] if wanted else []


def _is_wanted(handler: str, parameter: inspect.Parameter) -> bool:
    """Whether FastAPI is to fill it in. A default is not overwritten by what a stranger writes into a query."""
    kind, annotation = parameter.kind, parameter.annotation
    if kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return False
    metadata = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    marked = any(isinstance(mark, Marker) for mark in (*metadata, parameter.default))
    given = isinstance(annotation, type) and issubclass(annotation, HTTPConnection | BackgroundTasks)
    if (marked or given) and kind is not parameter.POSITIONAL_ONLY:
        return True
    if parameter.default is parameter.empty:
        raise ConfigError(
            f"handler {handler}: nothing fills {parameter.name!r}; "
            f"write {parameter.name}: Annotated[..., Depends(...)], or give it a default"
        )
    return False


# -- the request that dependencies see


def _request_scope(connection: Connection | None, app: Any) -> dict[str, Any]:
    """A GET of what the client asked for when it connected, whatever the transport."""
    given: Scope = {"path": "/", "headers": []} if connection is None else connection.scope
    scope = {key: value for key, value in given.items() if key not in OF_THE_LINE}
    scope.setdefault("query_string", b"")
    scope.setdefault("app", app)
    scope["type"], scope["method"] = "http", "GET"
    scope["scheme"] = {"ws": "http", "wss": "https"}.get(scheme := scope.get("scheme", "http"), scheme)
    scope["state"] = dict(scope.get("state") or {})  # what one event leaves there is not the next one's
    auth = None if connection is None else connection.headers.get("authorization")
    if auth is not None:  # the hello's, perhaps
        others = [header for header in scope["headers"] if header[0].lower() != b"authorization"]
        scope["headers"] = [*others, (b"authorization", auth.encode("latin-1", "replace"))]
    return scope


async def _no_body() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nowhere(message: Any) -> None:
    """Nothing is sent."""


async def current_message(request: Request) -> Message:
    """The message at hand, for a dependency that wants to know what it is for::

        async def room(msg: Annotated[Message, Depends(current_message)]) -> Room:
            return rooms[msg.data["room"]]

    Raises:
        ConfigError: the request is one over HTTP.
    """
    message = _message_of(request)
    if message is None:
        raise ConfigError("current_message: only a handler of a ChannelSocket has a message")
    return message


def _message_of(request: Request) -> Message | None:
    call: Call | None = request.scope.get(CALL)
    return None if call is None else call.message


# -- once for a connection


def per_connection(dependency: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """A dependency that is resolved once for a connection, instead of for each event::

        async def say(msg: Message, user: Annotated[User, Depends(per_connection(current_user))]) -> None: ...

    Once for a WebSocket, once for each POST of a client that polls; and anew when a client has come back, or has shown
    other credentials. ``dependency_overrides`` name ``dependency`` itself. What raises is asked again.

    Make one for a dependency, not one for each handler: ``CurrentUser = Annotated[...]``.

    Raises:
        ConfigError: it has a ``yield``. A handler may outlive the connection, and would be left with what is closed.
            Those below it may: they are closed as soon as it has returned.
    """
    if inspect.isgeneratorfunction(dependency) or inspect.isasyncgenfunction(dependency):
        raise ConfigError(f"per_connection({dependency.__qualname__}): a dependency with yield is one of each event")
    kept: WeakKeyDictionary[Connection, dict[tuple[str, ...], _Once]] = WeakKeyDictionary()

    async def resolved(request: Request, scopes: SecurityScopes) -> Any:
        message = _message_of(request)
        connection = None if message is None else message.connection
        of_scopes = {} if connection is None else kept.setdefault(connection, {})
        once = of_scopes.setdefault(tuple(scopes.scopes), _Once())
        async with once.lock:
            if not once.done:
                once.value, once.done = await _solve(dependency, request, scopes.scopes), True
            return once.value

    return resolved


class _Once:
    """What a dependency returned, as soon as it has."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.done = False
        self.value: Any = None


async def _solve(dependency: Callable[..., Any], request: Request, scopes: list[str]) -> Any:
    async def endpoint(value: Any) -> Handled:
        return Handled(value)

    marked = Annotated[Any, Security(dependency, scopes=scopes)]
    value = inspect.Parameter("value", inspect.Parameter.KEYWORD_ONLY, annotation=marked)
    call = Call(_message_of(request))
    serve = _served(_with_signature(endpoint, [value]), request.scope.get("app"))
    await serve({**request.scope, CALL: call}, _no_body, _nowhere)
    return call.result


# -- what the asker is told


def _refusal(error: HTTPException) -> RequestFailed:
    """An HTTPException as the error of a request: 403 is ``forbidden``."""
    try:
        name = HTTPStatus(error.status_code).name.lower()
    except ValueError:
        name = f"http_{error.status_code}"
    detail: Any = error.detail
    data = {"status": error.status_code}
    if isinstance(detail, str):
        return RequestFailed(CODES.get(error.status_code, name), detail, data)
    return RequestFailed(CODES.get(error.status_code, name), "refused", {**data, "detail": detail})


def _misfit(error: RequestValidationError) -> RequestFailed:
    """Headers or parameters of the handshake that are not what a dependency wants; without what stood there."""
    errors = error.errors()
    shown = [
        {"type": each["type"], "loc": list(each["loc"]), "msg": str(each["msg"])[:200]}
        for each in errors[:ERRORS_SHOWN]
    ]
    data = {"status": 422, "errors": shown, "more": len(errors) - len(shown)}
    return RequestFailed(CODES[422], "the connection lacks what the handler depends on", data)
