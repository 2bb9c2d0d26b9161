"""The words of a hop: a link that ends at one process, the edge, and belongs to a session of another, its owner.

Frames go through as they are, numbered in each direction: where one is missing the link is closed, and the client
resumes. So a broker that may lose something is never in the middle of a link that looks whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sente.cluster.notices import Notice
from sente.errors import ProtocolError
from sente.interfaces import Scope
from sente.protocol.greeting import VERSION, Head, Hello
from sente.transports.asgi import Connection


@dataclass(slots=True)
class Numbers:
    """How many frames have passed, each way."""

    out: int = 0
    heard: int = 0

    def next(self) -> int:
        """The number of a frame that leaves."""
        self.out += 1
        return self.out

    def take(self, n: int) -> bool:
        """Whether this is the frame whose turn it is."""
        self.heard += 1
        return n == self.heard


def write_connection(connection: Connection) -> dict[str, Any]:
    """What the owner's hooks are shown of a request: all but what a middleware has put into its scope; of that the
    session, if it is plain JSON."""
    scope = connection.scope
    plain: dict[str, Any] = {
        "type": scope["type"],
        "scheme": scope.get("scheme", ""),
        "path": connection.path,
        "query": dict(connection.query),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope.get("headers", ())],
        "client": list(scope.get("client") or ()),
    }
    if scope.get("method"):
        plain["method"] = scope["method"]
    session = dict(connection.session)
    if session and _is_json(session):
        plain["session"] = session
    return plain


def read_connection(plain: Any) -> Connection:
    """The request again. Raises ``ProtocolError``."""
    try:
        scope: Scope = {
            "type": str(plain["type"]),
            "scheme": str(plain["scheme"]),
            "method": str(plain.get("method", "GET")),
            "path": str(plain["path"]),
            "query_string": urlencode(plain["query"]).encode(),
            "headers": [
                (str(name).encode("latin-1"), str(value).encode("latin-1")) for name, value in plain["headers"]
            ],
            "client": _address(plain["client"]),
        }
        if "session" in plain:
            scope["session"] = dict(plain["session"])
        return Connection(scope)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"this is no request: {error!r}") from error


def _address(plain: Any) -> tuple[str, int] | None:
    if not plain:
        return None
    host, port = plain
    return str(host), int(port)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return isinstance(value, str | int | float | None) or (isinstance(value, list) and all(map(_is_json, value)))


def write_opening(opening: Hello | Head) -> dict[str, Any]:
    """A hello or head as it was read; ``read_hello`` and ``read_head`` read it again."""
    if isinstance(opening, Head):
        names = ("session", "n", "ack", "seq", "wait", "got")
        return {name: getattr(opening, name) for name in names}
    limits = opening.limits
    plain: dict[str, Any] = {"hello": VERSION, "n": opening.n, "ack": opening.ack, "got": opening.got}
    plain |= {name: getattr(opening, name) for name in ("session", "csrf", "auth", "contract")}
    plain["limits"] = {"packet": limits.packet, "window": limits.window, "bytes": limits.window_bytes}
    if opening.refused >= 0:
        plain["refused"] = opening.refused
    return plain


def plain_object(notice: Notice, key: str) -> Mapping[str, Any]:
    """A JSON object. Raises ``ProtocolError``."""
    found = notice.head.get(key)
    if not isinstance(found, dict):
        raise ProtocolError(f"{key} must be an object")
    return found
