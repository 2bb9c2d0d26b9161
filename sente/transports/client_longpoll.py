"""A client's HTTP exchanges, on httpx2."""

import ssl
from collections.abc import Mapping
from typing import Literal

from sente.interfaces import LinkClosed
from sente.transports.client_answers import ERROR_BODY, refused

try:
    import httpx2
except ImportError as error:
    raise ImportError('the client needs httpx2: pip install "sente-channels[client]"') from error

KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept: below the 5 s after which uvicorn closes it, perhaps while a POST is leaving."""


class Fetcher:
    """Makes requests on connections that it keeps."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None  # made when needed: it takes a while to read the certificates

    async def fetch(
        self, method: Literal["GET", "POST"], url: str, headers: Mapping[str, str], body: bytes, limit: int
    ) -> bytes:
        """The body of a 200 answer, up to ``limit`` bytes. How long it may take is the caller's to say.

        Raises:
            LinkClosed: with the status of any other answer.
        """
        if self._client is None:
            self._client = httpx2.AsyncClient(
                timeout=None,
                limits=httpx2.Limits(keepalive_expiry=KEEP_ALIVE),  # the session knows how many it has under way
                headers={"accept-encoding": "identity"},  # packers compress; and no body grows beyond its limit
                trust_env=False,
                verify=ssl.create_default_context(),  # as websockets does, so that both transports trust the same
            )
        try:
            async with self._client.stream(method, url, headers=headers, content=body or None) as response:
                ok = response.status_code == 200
                answer = await _read(response, limit if ok else ERROR_BODY)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise LinkClosed(None, str(error) or type(error).__name__) from error
        if not ok:
            raise refused(response.status_code, response.headers, answer[:ERROR_BODY])
        if len(answer) > limit:
            raise LinkClosed(None, f"the answer is longer than {limit} bytes")
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()


async def _read(response: httpx2.Response, limit: int) -> bytes:
    """The body, or a little more than ``limit`` bytes of it."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return b"".join(parts)
