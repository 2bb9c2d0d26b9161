"""The body of an HTTP request: how much of it is read, for how long, and of whom."""

import asyncio
from collections.abc import Callable

from sente.errors import Rejected
from sente.interfaces import Receive


async def read_body(
    receive: Receive, limit: int, seconds: float, look: Callable[[bytes], None] | None = None, look_at: int = 0
) -> bytes | None:
    """The whole body of a request; ``None`` if the client went away.

    ``look`` is given the beginning as soon as more than ``look_at`` bytes have come; what it raises ends the reading.

    Raises:
        Rejected: 413, it is longer than ``limit`` bytes; 408, it took longer than so many ``seconds``.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _read_body(receive, limit, look, look_at)
    except TimeoutError:
        raise Rejected(408, f"the body did not come within {seconds:g} s") from None


async def _read_body(receive: Receive, limit: int, look: Callable[[bytes], None] | None, look_at: int) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            raise Rejected(413, f"the body is longer than the {limit} bytes that the server takes")
        if look is not None and len(body) > look_at:
            look(bytes(body))
            look = None
        if not message.get("more_body", False):
            return bytes(body)
