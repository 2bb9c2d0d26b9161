"""All of the hub that a server transport may touch, and what it gives the hub in return."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sente.errors import Rejected
from sente.interfaces import Packer, Wire
from sente.protocol.greeting import Head, Hello
from sente.protocol.settings import ServerSettings
from sente.transports.asgi import Connection


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a refused client is answered: on HTTP with ``status``, ``body`` and ``headers``; on a WebSocket with close
    code ``4000 + status`` and ``reason``, of which 123 bytes arrive.

    >>> Refusal(403, "members only").content
    b'{"error": "members only"}'
    """

    status: int
    reason: str
    body: bytes | None = None
    """``None``: JSON with ``reason`` under ``error``."""
    headers: Sequence[tuple[str, str]] = ()

    @property
    def content(self) -> bytes:
        """The body of the HTTP answer."""
        return json.dumps({"error": self.reason}).encode() if self.body is None else self.body


class ServerLink(Protocol):
    """A WebSocket or one HTTP exchange, as the hub uses it. No method waits or raises."""

    packer: Packer

    @property
    def number(self) -> int:
        """The hub's name for the link: 0 until the hub has admitted it."""
        ...

    @number.setter
    def number(self, number: int, /) -> None: ...

    @property
    def connection(self) -> Connection:
        """The request it came with; the hub adds the session's credentials to that of a poll."""
        ...

    @connection.setter
    def connection(self, connection: Connection, /) -> None: ...

    @property
    def behind(self) -> bool:
        """Whether what is sent now has to wait, as the client does not read what was sent before."""
        ...

    def transmit(self, wires: Sequence[Wire]) -> None:
        """Send frames on a WebSocket."""
        ...

    def answer(self, head: dict[str, Any], wires: Sequence[Wire]) -> None:
        """End an HTTP exchange with 200."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close a WebSocket, or end an HTTP exchange with the status that ``code`` stands for."""
        ...


class LinkGate(Protocol):
    """Who is told when a link is gone."""

    def lost(self, link: ServerLink, *, cut: bool = False) -> None:
        """The link is gone; ``cut``: because too much waited for a client that did not read."""
        ...


class Gate(LinkGate, Protocol):
    """What the hub offers to server transports."""

    settings: ServerSettings

    def check(self, connection: Connection) -> Packer:
        """What can be said before a hello: is there a client-id, a common packer. Raises ``Rejected``."""
        ...

    async def admit(self, link: ServerLink, hello: Hello, *, websocket: bool) -> None:
        """A hello came: run the pipeline and attach the link to a session. Raises ``Rejected``."""
        ...

    def know(self, connection: Connection, head: Head) -> None:
        """Whether a poll or POST is anybody's, as far as its head can say. Raises ``Rejected`` if it is not."""
        ...

    async def exchange(self, link: ServerLink, head: Head, frames: Sequence[Wire]) -> None:
        """A poll or POST came: hand it to its session. Raises ``Rejected``."""
        ...

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket."""
        ...

    def said_goodbye(self, link: ServerLink) -> None:
        """A WebSocket was closed with 1000."""
        ...

    def headers(self, connection: Connection) -> list[tuple[str, str]]:
        """The headers of every HTTP answer: no caching, and CORS for allowed origins."""
        ...

    async def refusal(self, connection: Connection, rejected: Rejected) -> Refusal:
        """How a refusal is put: the application may have its own words."""
        ...


class ClassicGate(LinkGate, Protocol):
    """What the hub offers to the transport of Sente's own clients. ``csrf`` is the token that came with the request."""

    settings: ServerSettings

    async def open(self, link: ServerLink, csrf: str | None) -> None:
        """A WebSocket wants to be opened: run the pipeline and give the link to its session. Raises ``Rejected``."""
        ...

    async def poll(self, link: ServerLink, csrf: str | None, *, handshake: bool) -> None:
        """A poll came, perhaps for a handshake. Raises ``Rejected``."""
        ...

    async def post(self, link: ServerLink, csrf: str | None, frame: Wire) -> None:
        """A POST came with an event. Raises ``Rejected``, and ``ProtocolError`` if it cannot be read."""
        ...

    def receive(self, link: ServerLink, frame: Wire) -> None:
        """A frame came on a WebSocket."""
        ...

    async def ready(self, link: ServerLink) -> None:
        """Wait until the next frame may be read."""
        ...

    def headers(self, connection: Connection) -> list[tuple[str, str]]:
        """The headers of every HTTP answer."""
        ...

    async def refusal(self, connection: Connection, rejected: Rejected) -> Refusal:
        """How a refusal is put."""
        ...
