"""Who may connect: the pipeline ``reject`` -> CSRF -> origin -> ``authorize`` -> ``user_id`` (§1), and its helpers."""

import hmac
import inspect
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from sente.errors import ConfigError, Rejected
from sente.interfaces import UserId
from sente.transports.asgi import Connection
from sente.transports.gate import Refusal

T = TypeVar("T")
Hook: TypeAlias = Callable[[Connection], T | Awaitable[T]]
"""Called with the connection; sync or async."""

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([^][/?#@A-Z\s]+|\[[0-9a-f:.]+](:\d+)?)")
"""As browsers spell it: scheme and host in lower case, a port if it is not the scheme's own, and nothing after it."""

FOREVER = 1e9
"""Seconds, 30 years: what is good for longer never expires."""

CSRF_KEY = "csrf-token"
"""Where the session keeps its CSRF token."""


async def ask(hook: Callable[..., Any], *args: Any) -> Any:
    """Call a hook, sync or async."""
    answer = hook(*args)
    return await answer if inspect.isawaitable(answer) else answer


def session_uid(connection: Connection) -> UserId:
    """The default ``user_id``: what a login wrote to ``session["uid"]``."""
    uid = connection.session.get("uid")
    return uid if isinstance(uid, str | int) else None


def csrf_token(session: MutableMapping[str, Any]) -> str:
    """The session's CSRF token, made at the first call; the page hands it to its client as ``csrf``.

    >>> session = {}
    >>> csrf_token(session) == csrf_token(session) == session["csrf-token"]
    True
    """
    token = session.get(CSRF_KEY)
    if not isinstance(token, str):
        token = session[CSRF_KEY] = secrets.token_urlsafe(32)
    return token


def valid_csrf_token(expected: str | None, given: str | None) -> bool:
    """Whether the token is the right one, compared in constant time. No token is never right.

    >>> valid_csrf_token("abc", "abc"), valid_csrf_token(None, None)
    (True, False)
    """
    if not expected or not given:
        return False
    return hmac.compare_digest(expected.encode(), given.encode(errors="surrogatepass"))  # JSON may spell anything


def allow_origin(connection: Connection, allowed: Collection[str] = ()) -> bool:
    """Whether a browser's request comes from a page of the same host, or of an origin in ``allowed`` (``*``: any).

    The scheme is left out of the comparison, because TLS may end at a proxy. Without ``Origin``, ``Referer`` is
    asked; without either (no browser, or a same-origin GET) ``Sec-Fetch-Site`` must not name another site.

    >>> allow_origin(Connection({"headers": [(b"host", b"a.example"), (b"origin", b"https://a.example")]}))
    True
    >>> allow_origin(Connection({"headers": [(b"host", b"a.example"), (b"origin", b"https://evil.example")]}))
    False
    """
    if "*" in allowed:
        return True
    headers = connection.headers
    origin = headers.get("origin") or headers.get("referer")
    if not origin:
        return headers.get("sec-fetch-site") not in ("cross-site", "same-site")
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    host = headers.get("host", "")
    return bool(host and parts.netloc == host) or f"{parts.scheme}://{parts.netloc}" in allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """The pipeline's settings; see ``ChannelSocket``."""

    csrf: bool | Callable[[Connection, str | None], bool | Awaitable[bool]]
    allowed_origins: Collection[str]
    reject: Hook[str | None] | None
    authorize: Hook[bool] | None
    user_id: Hook[UserId]
    expires_in: Hook[float | None] | None
    on_reject: Callable[[Connection, Rejected], Refusal | Awaitable[Refusal | None] | None] | None

    def __post_init__(self) -> None:
        for name in ("reject", "authorize", "user_id", "expires_in", "on_reject"):
            hook = getattr(self, name)
            if not callable(hook) and (hook is not None or name == "user_id"):
                raise ConfigError(f"{name}={hook!r}: give a function that takes the connection")
        if not isinstance(self.csrf, bool) and not callable(self.csrf):
            raise ConfigError(f"csrf={self.csrf!r}: give True, False or a function of connection and token")
        if isinstance(self.allowed_origins, str):
            raise ConfigError(f"allowed_origins: give a list, for example [{self.allowed_origins!r}]")
        for origin in self.allowed_origins:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ConfigError(f"allowed_origins: {origin!r} is no origin; write it like 'https://app.example.com'")

    async def check(self, connection: Connection, *, csrf: str | None, csrf_known: bool = False) -> UserId:
        """Run the pipeline and return the user. ``csrf_known``: a session token stands for the CSRF token.

        Raises:
            Rejected: with the status and a sentence that says what to do.
        """
        if self.reject is not None and (reason := await ask(self.reject, connection)):
            raise Rejected(403, str(reason))
        if self.csrf and not csrf_known and not await self._csrf_is_right(connection, csrf):
            reason = "the CSRF token is missing or wrong: give the client what csrf_token(request) returns"
            raise Rejected(403, reason, check="csrf")
        if not allow_origin(connection, self.allowed_origins):
            origin = connection.headers.get("origin") or "another site"
            reason = f"pages of {origin} may not connect: add allowed_origins=[{origin!r}] at the server"
            raise Rejected(403, reason, check="origin")
        if self.authorize is not None and not await ask(self.authorize, connection):
            raise Rejected(401, "not authorized: log in, then reconnect", check="authorize")
        uid = await ask(self.user_id, connection)
        if uid is not None and (isinstance(uid, bool) or not isinstance(uid, str | int)):
            raise ConfigError(f"user_id must return a str, an int or None, not {type(uid).__name__}")
        connection.uid = uid
        return connection.uid

    async def lifetime(self, connection: Connection) -> float | None:
        """For how many seconds the credentials of a connection that passed are good; ``None``: for ever.

        Raises:
            Rejected: they have expired.
        """
        seconds = await ask(self.expires_in, connection) if self.expires_in is not None else None
        if seconds is None:
            return None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ConfigError(f"expires_in must return seconds or None, not {type(seconds).__name__}")
        if not seconds > 0:  # nor is NaN
            raise Rejected(401, "the credentials have expired: come back with new ones", check="expires_in")
        return None if seconds > FOREVER else seconds

    async def _csrf_is_right(self, connection: Connection, given: str | None) -> bool:
        if callable(self.csrf):
            return bool(await ask(self.csrf, connection, given))
        return valid_csrf_token(connection.session.get(CSRF_KEY), given)

    async def refusal(self, connection: Connection, rejected: Rejected) -> Refusal:
        """How to put it: in the application's words, if it has some."""
        own = await ask(self.on_reject, connection, rejected) if self.on_reject is not None else None
        return own if isinstance(own, Refusal) else Refusal(rejected.status, rejected.reason)

    def headers(self, connection: Connection) -> list[tuple[str, str]]:
        """The headers of every HTTP answer: no caching, and CORS for allowed origins."""
        headers = [("cache-control", "no-store, no-transform"), ("vary", "Origin")]
        origin = connection.headers.get("origin")
        if origin and allow_origin(connection, self.allowed_origins):
            headers += [
                ("access-control-allow-origin", origin),
                ("access-control-allow-credentials", "true"),
                ("access-control-max-age", "7200"),
            ]
        return headers
