"""A client's WebSocket, on websockets."""

import asyncio
from collections.abc import Mapping

from sente.interfaces import LinkClosed, Wire
from sente.transports.client_answers import ERROR_BODY, refused

try:
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
except ImportError as error:
    raise ImportError('the client needs websockets: pip install "sente-channels[client]"') from error

CLOSE_TIMEOUT = 1.0
"""Seconds that the server gets to answer a close before the line is cut."""


class Opener:
    """Opens WebSockets, and knows those that are closing."""

    def __init__(self) -> None:
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, url: str, headers: Mapping[str, str], limit: int) -> "WebSocketLink":
        """Open a WebSocket that takes frames up to ``limit`` bytes. How long it may take is the caller's to say.

        Raises:
            LinkClosed: with the status of a refused upgrade.
        """
        try:
            connection = await _Connect(
                url,
                additional_headers=headers,
                compression=None,  # packers compress, once for all who get a frame
                proxy=None,
                open_timeout=None,
                close_timeout=CLOSE_TIMEOUT,
                ping_interval=None,  # both sides of a session keep alive in the protocol itself
                max_size=limit,
            )
        except InvalidStatus as error:
            response = error.response
            raise refused(response.status_code, response.headers, bytes(response.body or b"")[:ERROR_BODY]) from error
        except (WebSocketException, OSError, EOFError) as error:
            raise LinkClosed(None, str(error) or type(error).__name__) from error
        return WebSocketLink(connection, self._closing)

    async def aclose(self) -> None:
        """Wait for those that are closing: no longer than ``CLOSE_TIMEOUT``."""
        await asyncio.gather(*self._closing, return_exceptions=True)


class WebSocketLink:
    """An open WebSocket: ``ClientLink``."""

    __slots__ = ("_closing", "_connection")

    def __init__(self, connection: ClientConnection, closing: set[asyncio.Task[None]]) -> None:
        self._connection = connection
        self._closing = closing

    async def send(self, wire: Wire) -> None:
        """Send one frame. Raises ``LinkClosed``."""
        try:
            await self._connection.send(wire)
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def receive(self) -> Wire:
        """The next frame. Raises ``LinkClosed``."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def close(self, code: int, reason: str) -> None:
        """Close, in the background: the library waits for the other side. With 1006, cut the line."""
        if code == 1006:
            return self._connection.transport.abort()
        task = asyncio.create_task(self._connection.close(code, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Connect(connect):
    """The address is the application's to know: no WebSocket follows a redirect, as no poll does."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _closed(error: ConnectionClosed) -> LinkClosed:
    frame = error.rcvd or error.sent  # sent: the library itself closed, with 1009 say
    return LinkClosed(None, str(error)) if frame is None else LinkClosed(int(frame.code), frame.reason)
