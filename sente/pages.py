"""What the pages have in common that a socket serves: who asks for something else, and what they may run."""

import base64
import hashlib
import re
from typing import Final

from sente.interfaces import Scope, Send
from sente.transports.asgi import respond

HEADERS: Final = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"))


async def refused(scope: Scope, send: Send, name: str) -> bool:
    """Answer whoever does not read a page: a WebSocket, a POST. Whether it was one of them."""
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 4405, "reason": f"the {name} is a page"})
        return True
    if scope["method"] not in ("GET", "HEAD"):
        await respond(send, 405, b"", [*HEADERS, ("allow", "GET, HEAD")])
        return True
    return False


async def respond_with_page(send: Send, page: str) -> None:
    """Send a page that may run nothing but itself."""
    more = [("content-type", "text/html; charset=utf-8"), ("content-security-policy", policy(page))]
    await respond(send, 200, page.encode(), [*HEADERS, *more])


def policy(page: str) -> str:
    """A policy that lets a page run the scripts and styles that stand in it, and nothing else.

    >>> policy("<style>a</style>").split("; ")[2]
    "style-src 'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='"
    """

    def hashes(tag: str) -> str:
        parts = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; require-trusted-types-for 'script'"
    )
