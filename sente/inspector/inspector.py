"""The page, and the figures it asks for once a second. One path serves both, so it works wherever it is put."""

import itertools
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from sente.interfaces import Receive, Scope, Send
from sente.pages import HEADERS, refused, respond_with_page
from sente.peers import AnyClient
from sente.trace import Note
from sente.transports.asgi import query_of, respond
from sente.transports.gate import ServerLink

PAGE = Path(__file__).with_name("page.html")

NOTES = 500
"""Notes kept: some screens full. A busy server outruns them, and the page says how many it missed."""

CLIENTS = 200
"""Clients listed: what a person can look through. The figures above the list count all of them."""


Clients: TypeAlias = Callable[[], Iterable[tuple[AnyClient, ServerLink | None]]]


class Inspector:
    """An ASGI application with one page. Whoever can open it sees every user's id: put it behind a login.

    Under FastAPI use ``sente.integrations.fastapi.inspector_router``, which asks for your dependencies.
    """

    def __init__(self, clients: Clients, stats: Callable[[], Counter[str]]) -> None:
        self._clients = clients
        self._stats = stats
        self._notes: deque[tuple[int, Note]] = deque(maxlen=NOTES)
        self._numbers = itertools.count(1)
        self._last = 0

    def note(self, note: Note) -> None:
        """Something happened: the tracer of ``sente.trace``."""
        self._last = next(self._numbers)
        self._notes.append((self._last, note))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the page, or with ``?after=<number>`` the figures, and the notes above that number."""
        if await refused(scope, send, "inspector"):
            return
        after = query_of(scope).get("after")
        if after is None:
            return await respond_with_page(send, _page())
        known = int(after) if after.isdecimal() and len(after) < 16 else 0
        body = json.dumps(self._figures(known), default=str).encode()
        await respond(send, 200, body, [*HEADERS, ("content-type", "application/json")])

    def _figures(self, after: int) -> dict[str, Any]:
        rows = [_row(client, link) for client, link in self._clients()]
        slowest_first = sorted(rows, key=lambda row: row["bytes"], reverse=True)
        return {
            "now": time.time(),
            "last": self._last,
            "stats": self._stats(),
            "transports": Counter(row["transport"] for row in rows),
            "users": len({row["uid"] for row in rows} - {None}),
            "kept": sum(row["kept"] for row in rows),
            "bytes": sum(row["bytes"] for row in rows),
            "clients": slowest_first[:CLIENTS],
            "notes": [{"number": number, **asdict(note)} for number, note in self._notes if number > after],
        }


def _row(client: AnyClient, link: ServerLink | None) -> dict[str, Any]:
    """A client as the page lists it; ``away``: without a line, but its session can be resumed."""
    kept, size = client.session.kept
    scope = link.connection.scope["type"] if link else "away"
    return {
        "client_id": client.client_id,
        "uid": client.uid,
        "transport": {"websocket": "ws", "http": "poll"}.get(scope, scope),
        "packer": link.packer.name if link else "",
        "kept": kept,
        "bytes": size,
    }


@cache
def _page() -> str:
    return PAGE.read_text()
