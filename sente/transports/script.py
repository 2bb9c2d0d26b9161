"""Serves the JavaScript client, so that a page needs no build step."""

import hashlib
from functools import cache
from pathlib import Path

from sente.interfaces import Scope, Send
from sente.transports.asgi import Connection, respond

FILE = Path(__file__).parent.parent / "static" / "client.js"


class ClientScript:
    """``client.js``: one ES module without dependencies."""

    def accepts(self, scope: Scope) -> bool:
        """Whether it is asked for."""
        return scope["type"] == "http" and scope["method"] == "GET" and str(scope["path"]).endswith("/client.js")

    async def serve(self, connection: Connection, send: Send) -> None:
        """Answer a GET for the script."""
        script = _script()
        if script is None:
            text = b"client.js is not built: in a checkout of the sources run `make demo` or `make test` once"
            return await respond(send, 404, text, [("content-type", "text/plain")])
        content, etag = script
        headers = [("content-type", "text/javascript; charset=utf-8"), ("cache-control", "no-cache"), ("etag", etag)]
        headers.append(("access-control-allow-origin", "*"))  # a public file: pages of other hosts import it too
        if connection.headers.get("if-none-match") == etag:
            return await respond(send, 304, b"", headers)
        await respond(send, 200, content, headers)


@cache
def _script() -> tuple[bytes, str] | None:
    if not FILE.exists():
        return None
    content = FILE.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'
