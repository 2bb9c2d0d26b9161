"""What both server transports need of ASGI: the connection as an application sees it, and plain answers."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Protocol
from urllib.parse import parse_qsl

from sente.interfaces import Receive, Scope, Send, UserId, Wire
from sente.transports.headers import Headers

CLIENT_ID = re.compile(r"[A-Za-z0-9._~:-]{1,128}")


class Connection:
    """The request a client came with: the handshake of its WebSocket, or the poll or POST at hand.

    Header names are lower-case. ``session`` is the framework's session, empty if there is none. The ``Authorization``
    header is the hello's ``auth`` where a client gave one, so that bearer tokens work alike on both transports.

    >>> connection = Connection({"type": "http", "headers": [(b"cookie", b"a=1")], "query_string": b"client-id=c1"})
    >>> connection.cookies, connection.client_id
    ({'a': '1'}, 'c1')
    """

    __slots__ = ("__weakref__", "headers", "query", "scope", "uid")

    def __init__(self, scope: Scope, auth: str | None = None) -> None:
        self.scope = scope
        """The ASGI scope."""
        self.headers: Mapping[str, str] = Headers(scope.get("headers", ()), auth)
        self.query: Mapping[str, str] = query_of(scope)
        self.uid: UserId = None
        """Who the client is; set once ``user_id`` has said so."""

    @property
    def cookies(self) -> Mapping[str, str]:
        """What the ``Cookie`` header says."""
        return _cookies(self.headers.get("cookie", ""))

    @property
    def session(self) -> Mapping[str, Any]:
        """The framework's session: Starlette's and FastAPI's ``SessionMiddleware`` put it there."""
        session: Mapping[str, Any] = self.scope.get("session") or {}
        return session

    @property
    def client_id(self) -> str:
        """What the client calls itself, empty if it is malformed; not a secret, and no proof of anything."""
        client_id = self.query.get("client-id", "")
        return client_id if CLIENT_ID.fullmatch(client_id) else ""

    @property
    def path(self) -> str:
        """The path asked for."""
        return str(self.scope.get("path", ""))

    @property
    def host(self) -> str | None:
        """The address of the other end of the line: a proxy's, if there is one."""
        client = self.scope.get("client")
        return client[0] if client else None


def _cookies(header: str) -> dict[str, str]:
    """As browsers read them: an odd cookie, which anyone on a sibling domain can set, does not hide the others."""
    if not header:
        return {}
    pairs = (part.partition("=") for part in header.split(";"))
    return {name.strip(): value.strip().strip('"') for name, equals, value in pairs if equals}


GONE = OSError, RuntimeError
"""What sending on a WebSocket raises when there is nobody any more."""


class DirectLine(Protocol):
    """A WebSocket whose server offers more than ASGI, as ``scope["extensions"]["sente.line"]``: messages by a call,
    instead of through a queue and a task. Accepting, closing and being told of the end stay ASGI's.
    """

    def listen(self, heard: Callable[[Wire], None], /) -> None:
        """Hand each message over by a call from now on, in order, instead of through ``receive``."""
        ...

    def write(self, wire: Wire, /) -> bool:
        """Send a message now. False: it was not sent, because the line is full or closing; then use ``send``."""
        ...


def query_of(scope: Scope) -> dict[str, str]:
    """The parameters of a request's URL.

    >>> query_of({"query_string": b"client-id=c1&handshake%3F="})
    {'client-id': 'c1', 'handshake?': ''}
    """
    query = scope.get("query_string", b"").decode("latin-1")
    if "%" in query or "+" in query:
        return dict(parse_qsl(query, keep_blank_values=True))
    return {name: value for name, _, value in [part.partition("=") for part in query.split("&") if part]}


def wire_size(wire: Wire) -> int:
    """How many bytes a frame takes on the line.

    >>> wire_size("先手"), wire_size(b"ab")
    (6, 2)
    """
    return len(wire) if isinstance(wire, bytes) or wire.isascii() else len(wire.encode())


async def send_to(send: Send, message: dict[str, Any]) -> None:
    """Send, unless the client is gone: ``receive`` is about to say so.

    A server that has closed a WebSocket by itself, as what came was no frame, may say so with a ``RuntimeError``.
    """
    with suppress(*(GONE if message["type"].startswith("websocket.") else (OSError,))):
        await send(message)


async def respond(
    send: Send, status: int, body: bytes, headers: Iterable[tuple[str, str]], *, prefix: str = "http.response"
) -> None:
    """Answer an HTTP request, or with ``prefix`` the refused upgrade to a WebSocket."""
    all_headers = [*headers, ("content-length", str(len(body)))]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in all_headers]
    await send_to(send, {"type": f"{prefix}.start", "status": status, "headers": encoded})
    await send_to(send, {"type": f"{prefix}.body", "body": body})


async def serve_lifespan(context: AbstractAsyncContextManager[None], receive: Receive, send: Send) -> None:
    """Be in ``context`` while the server runs."""
    await receive()
    async with context:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})
