"""How a client reaches a server over the network: WebSockets and HTTP."""

from collections.abc import Mapping
from typing import Literal

from sente.interfaces import ClientLink
from sente.transports.client_longpoll import Fetcher
from sente.transports.client_websocket import Opener


class NetworkTransport:
    """The ``ClientTransport`` of a client that is given a URL."""

    def __init__(self) -> None:
        self._opener = Opener()
        self._fetcher = Fetcher()

    async def open(self, url: str, headers: Mapping[str, str], limit: int) -> ClientLink:
        """Open a WebSocket."""
        return await self._opener.open(url, headers, limit)

    async def fetch(
        self, method: Literal["GET", "POST"], url: str, headers: Mapping[str, str], body: bytes, limit: int
    ) -> bytes:
        """Make an HTTP request."""
        return await self._fetcher.fetch(method, url, headers, body, limit)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._opener.aclose()
        await self._fetcher.aclose()
