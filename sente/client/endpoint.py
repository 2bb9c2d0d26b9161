"""Where a client's server is, and what it is told at each attempt to connect."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

from sente.errors import ConfigError
from sente.interfaces import ASGIApp
from sente.protocol.actions import TransportName
from sente.protocol.greeting import VERSION

T = TypeVar("T")

Option: TypeAlias = T | Callable[[], T | Awaitable[T]]
"""A value, or a function, sync or async, that is asked for it anew at each attempt to connect."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt is made with; the polls and POSTs that follow from it, too."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    credentials: Mapping[str, str] = field(repr=False)
    """``csrf`` and ``auth`` for the hello."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server's address and the application's options.

    >>> Endpoint(url="ws://localhost/chsk", packers="json").address("poll", "c1", {"room": "go"})
    'http://localhost/chsk?client-id=c1&v=1&packers=json&room=go'
    """

    RESERVED: ClassVar = frozenset({"client-id", "v", "packers", "handshake?"})

    url: str
    packers: str
    """Names with commas, the preferred first."""
    params: Option[Mapping[str, Any] | None] = None
    headers: Option[Mapping[str, str] | None] = field(default=None, repr=False)
    csrf: Option[str | None] = field(default=None, repr=False)
    auth: Option[str | None] = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ConfigError(f"url={self.url!r}: give the whole address, for example 'http://localhost:8000/chsk'")
        if not callable(self.params):
            self.address("ws", "c1", self.params)

    @property
    def renewable(self) -> bool:
        """Whether credentials are asked anew, so that another attempt may pass where one was refused."""
        return any(callable(option) for option in (self.headers, self.csrf, self.auth))

    async def attempt(self, transport: TransportName, client_id: str) -> Attempt:
        """Ask for everything anew."""
        url = self.address(transport, client_id, await _ask(self.params))
        headers = await _ask(self.headers) or {}
        credentials = {"csrf": await _ask(self.csrf), "auth": await _ask(self.auth)}
        return Attempt(url, headers, {name: value for name, value in credentials.items() if value is not None})

    @property
    def _words(self) -> dict[str, Any]:
        """What the query tells the server of the protocol."""
        return {"v": VERSION, "packers": self.packers}

    def address(self, transport: TransportName, client_id: str, params: Mapping[str, Any] | None) -> str:
        """The URL of every request of one client.

        Raises:
            ConfigError: ``params`` holds a name that the protocol needs.
        """
        if clash := self.RESERVED & (params or {}).keys():
            raise ConfigError(f"params: {sorted(clash)[0]!r} is a name of the protocol's own, choose another")
        parts = urlsplit(self.url)
        secure = "s" if parts.scheme in ("https", "wss") else ""
        scheme = ("ws" if transport == "ws" else "http") + secure
        ours = {"client-id": client_id, **self._words, **(params or {})}
        query = urlencode({name: value for name, value in ours.items() if value is not None}, safe=",")
        if parts.query:
            query = f"{parts.query}&{query}"
        return urlunsplit((scheme, parts.netloc, parts.path or "/", query, ""))


def server_address(url: str | None, app: ASGIApp | None) -> str:
    """The URL of a server, or of an application in this process, for which a path is enough.

    >>> server_address("/chsk", lambda scope, receive, send: None)
    'http://testserver/chsk'
    """
    if app is not None:
        path = url or "/"
        return f"http://testserver{path}" if path.startswith("/") else path
    if url is None:
        raise ConfigError("url: where is the channel socket? For example Client('http://localhost:8000/chsk')")
    return url


async def _ask(option: Option[T]) -> T:
    value: Any = option() if callable(option) else option
    if inspect.isawaitable(value):
        value = await value
    return value  # type: ignore[no-any-return]
