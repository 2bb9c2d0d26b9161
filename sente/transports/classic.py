"""The gate for Sente's own clients: WebSocket, poll and POST as they make them (§10)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from sente.errors import ProtocolError, Rejected
from sente.interfaces import Packer, Receive, Scope, Send, Wire
from sente.transports.asgi import Connection, query_of, respond
from sente.transports.body import read_body
from sente.transports.gate import ClassicGate, Refusal
from sente.transports.longpoll import GONE, ExchangeLink, refuse, settled
from sente.transports.websocket import WebSocketLink, refuse_upgrade
from sente.workers import Workers

TEXT = "text/plain; charset=utf-8"
"""What an answer is called. Sente says ``text/html``, which would let a page of another site plant markup in a reply;
its clients do not look."""

WORDS = {"csrf": "Bad CSRF token", "origin": "Unauthorized origin", "authorize": "Unauthorized request"}
"""Sente's sentences for what its pipeline refuses."""

FIELDS = 32
"""Parameters that a form may have; Sente's clients send three."""


class ClassicTransport:
    """Serves clients that do not say ``v`` in the query: Sente's own. They speak one packer, by agreement.

    Everything is checked before anything is answered or upgraded, and refused with a plain HTTP status.
    """

    name = "classic"

    def __init__(self, packer: Packer | None) -> None:
        self._packer = packer
        self._writers = Workers()

    def accepts(self, scope: Scope) -> bool:
        """Whether the request is one of a classic client, and those are served at all."""
        known = scope["type"] == "websocket" or scope["method"] in ("GET", "POST")
        return self._packer is not None and known and "v" not in query_of(scope)

    async def serve(self, scope: Scope, receive: Receive, send: Send, gate: ClassicGate) -> None:
        """Serve one WebSocket or one HTTP request."""
        assert self._packer is not None, "ask whether it accepts"
        connection = Connection(scope)
        if scope["type"] == "websocket":
            if (await receive())["type"] == "websocket.connect":
                limits = gate.settings.limits
                link = WebSocketLink(send, self._packer, connection, limits, self._writers, accept=True)
                await _serve_websocket(link, receive, send, gate)
        else:
            await _serve_request(_Exchange(self._packer, connection), receive, send, gate)


async def _serve_websocket(link: WebSocketLink, receive: Receive, send: Send, gate: ClassicGate) -> None:
    connection = link.connection
    try:
        async with link.deadline:
            await gate.open(link, _csrf(connection))
            await _listen(link, receive, gate)
    except Rejected as rejected:
        headers = [*gate.headers(connection), ("content-type", TEXT)]
        await refuse_upgrade(send, connection.scope, await _refusal(connection, rejected, gate), headers)
    except TimeoutError:
        if not link.deadline.expired():  # it was a hook's
            raise
    finally:
        link.abandon()
        gate.lost(link, cut=link.overrun)


async def _listen(link: WebSocketLink, receive: Receive, gate: ClassicGate) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        gate.receive(link, message["bytes"] if text is None else text)
        await gate.ready(link)


class _Exchange(ExchangeLink):
    """One poll or POST: its answer is one packed message."""

    kind = TEXT

    def answer(self, head: dict[str, Any], wires: Sequence[Wire]) -> None:
        (wire,) = wires
        if isinstance(wire, bytes):
            self.kind = "application/octet-stream"
        self._settle(wire if isinstance(wire, bytes) else wire.encode())

    def close(self, code: int, reason: str) -> None:
        self._settle(_plain(Refusal(code - 4000 if code >= 4400 else 503, reason)))


async def _serve_request(link: _Exchange, receive: Receive, send: Send, gate: ClassicGate) -> None:
    connection = link.connection
    try:
        outcome = await _outcome(link, receive, gate)
    except Rejected as rejected:
        outcome = await _refusal(connection, rejected, gate)
    except ProtocolError as error:
        outcome = _plain(Refusal(error.close_code - 4000, error.reason))
    headers = [*gate.headers(connection), ("x-content-type-options", "nosniff")]
    if isinstance(outcome, Refusal):
        await refuse(send, outcome, headers, kind=TEXT)
    else:
        await respond(send, 200, outcome, [*headers, ("content-type", link.kind)])


async def _outcome(link: _Exchange, receive: Receive, gate: ClassicGate) -> bytes | Refusal:
    connection = link.connection
    if connection.scope["method"] == "GET":
        await gate.poll(link, _csrf(connection), handshake="handshake?" in connection.query)
    else:
        body = await read_body(receive, gate.settings.limits.body, gate.settings.body_timeout)
        if body is None:
            return GONE
        frame = _frame(connection, body)
        await gate.post(link, _csrf(connection), frame)
    return await settled(link, receive, gate)


def _frame(connection: Connection, body: bytes) -> Wire:
    """What a POST carries: the body itself with ``binary?``, else ``ppstr`` of a form, whose parameters join those of
    the URL."""
    if "binary?" in connection.query:
        return body
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError as error:
        raise Rejected(400, f"the body is no form: {error}") from error
    packed = form.pop("ppstr", None)
    connection.query = {**connection.query, **form}
    if packed is None:
        raise Rejected(400, "the form has no ppstr: the event, packed")
    return packed


def _csrf(connection: Connection) -> str | None:
    """The CSRF token: a parameter, be it a wrong one, comes before headers. Sente looks for the client-id first."""
    if not connection.client_id:
        raise Rejected(400, "client-id is missing: 1 to 128 of A-Z a-z 0-9 . _ ~ : - among the parameters")
    headers = connection.headers
    token = connection.query.get("csrf-token", headers.get("x-csrf-token", headers.get("x-xsrf-token")))
    return None if token == "null" else token  # browsers write a missing one like this


async def _refusal(connection: Connection, rejected: Rejected, gate: ClassicGate) -> Refusal:
    reason = WORDS.get(rejected.check, rejected.reason)
    return _plain(await gate.refusal(connection, Rejected(rejected.status, reason, check=rejected.check)))


def _plain(refusal: Refusal) -> Refusal:
    return refusal if refusal.body is not None else replace(refusal, body=refusal.reason.encode())
