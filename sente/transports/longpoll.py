"""The HTTP gate: the welcome by GET, then POSTs, of which one waits for what the server has to say (§7)."""

import asyncio
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sente.errors import ProtocolError, Rejected
from sente.interfaces import Packer, Receive, Scope, Send, Wire, offer
from sente.protocol.framing import HEADER, each_frame, read_row, write_row
from sente.protocol.greeting import Head, Hello, read_first, write_welcome
from sente.transports.asgi import Connection, respond, wire_size
from sente.transports.body import read_body
from sente.transports.gate import Gate, LinkGate, Refusal

METHODS = "GET, POST, OPTIONS"
GONE = Refusal(503, "the client went away")
"""Nobody takes this answer, but a middleware that wraps it may insist on one: Starlette's does."""

WATCH_AFTER = 0.1
"""Seconds after which an exchange begins to look whether its client is still there: to look takes a task, and most are
answered before."""


class LongPollTransport:
    """Serves HTTP requests."""

    name = "poll"

    async def serve(self, scope: Scope, receive: Receive, send: Send, gate: Gate) -> None:
        """Serve one request."""
        connection = Connection(scope)
        headers = gate.headers(connection)
        try:
            if scope["method"] == "OPTIONS":
                return await respond(send, 204, b"", [*headers, *_preflight(connection)])
            if scope["method"] not in ("GET", "POST"):
                refusal = Refusal(
                    405, f"{scope['method']} has no meaning here: {METHODS}", headers=[("allow", METHODS)]
                )
                return await refuse(send, refusal, headers)
            packer = gate.check(connection)
            headers.append(("content-type", f"application/vnd.sente.v1+{packer.name}"))
            if scope["method"] == "GET":
                return await respond(send, 200, _welcome(connection, packer, gate), headers)
            body = await _body(receive, connection, gate)
            if body is None:
                return await refuse(send, GONE, gate.headers(connection))
            link = ExchangeLink(packer, connection)
            await _exchange(link, body, gate)
            outcome = await settled(link, receive, gate)
            if isinstance(outcome, Refusal):
                await refuse(send, outcome, gate.headers(connection))
            else:
                await respond(send, 200, outcome, headers)
        except Rejected as rejected:
            await refuse(send, await gate.refusal(connection, rejected), gate.headers(connection))
        except ProtocolError as error:
            await refuse(send, Refusal(error.close_code - 4000, error.reason), gate.headers(connection))


class ExchangeLink:
    """One POST that waits for its answer: a body, or a refusal."""

    __slots__ = ("connection", "number", "outcome", "packer")

    def __init__(self, packer: Packer, connection: Connection) -> None:
        self.number = 0
        self.packer = packer
        self.connection = connection
        self.outcome: asyncio.Future[bytes | Refusal] = asyncio.get_running_loop().create_future()

    behind = False
    """It is answered once, and nothing before it waits."""

    def transmit(self, wires: Sequence[Wire]) -> None:
        """Only a WebSocket transmits."""
        raise TypeError("an HTTP exchange is answered once")

    def answer(self, head: dict[str, Any], wires: Sequence[Wire]) -> None:
        """End the exchange with a row of frames."""
        self._settle(write_row([json.dumps(head), *wires]))

    def close(self, code: int, reason: str) -> None:
        """End the exchange with the status that a close code stands for."""
        self._settle(Refusal(code - 4000 if code >= 4400 else 503, reason))

    def _settle(self, outcome: bytes | Refusal) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


def _preflight(connection: Connection) -> list[tuple[str, str]]:
    """What a page of an allowed origin may send: with its own headers, if its client has ``headers``."""
    wanted = connection.headers.get("access-control-request-headers")
    methods = ("access-control-allow-methods", METHODS)
    return [methods, ("access-control-allow-headers", wanted)] if wanted else [methods]


def _welcome(connection: Connection, packer: Packer, gate: Gate) -> bytes:
    if "handshake?" not in connection.query:
        raise Rejected(400, "this is a channel socket: connect a client of sente to it")
    return write_welcome(offer(packer), gate.settings.hello_timeout).encode()


async def _body(receive: Receive, connection: Connection, gate: Gate) -> bytes | None:
    """The body of a POST; of a stranger's no more than a hello: then it must name a session that is there."""

    def look(begun: bytes) -> None:
        with _refused():
            opening = _opening(next(each_frame(begun)), gate)
        if isinstance(opening, Hello):
            raise Rejected(400, "nothing follows a hello")
        gate.know(connection, opening)

    settings = gate.settings
    return await read_body(receive, settings.limits.body, settings.body_timeout, look, settings.hello_size + HEADER)


async def _exchange(link: ExchangeLink, body: bytes, gate: Gate) -> None:
    with _refused():
        first, *frames = read_row(body) or [b""]
        opening = _opening(first, gate)
    if isinstance(opening, Hello):
        if opening.auth is not None:
            link.connection = Connection(link.connection.scope, opening.auth)
        await gate.admit(link, opening, websocket=False)
    else:
        await gate.exchange(link, opening, frames)


def _opening(first: Wire, gate: Gate) -> Hello | Head:
    if not isinstance(first, str):
        raise ProtocolError("a body begins with a text frame: a hello or a head")
    if wire_size(first) > gate.settings.hello_size:
        raise ProtocolError(f"the first frame may have {gate.settings.hello_size} bytes")
    return read_first(first)


@contextmanager
def _refused() -> Iterator[None]:
    """What cannot be read before it is known whose it is, is refused."""
    try:
        yield
    except ProtocolError as error:
        raise Rejected(error.close_code - 4000, error.reason) from error


async def settled(link: ExchangeLink, receive: Receive, gate: LinkGate) -> bytes | Refusal:
    """Wait for the answer or for the client to go away, whichever comes first."""
    outcome = link.outcome
    try:
        if not outcome.done():
            await asyncio.wait((outcome,), timeout=WATCH_AFTER)
        return outcome.result() if outcome.done() else await _watched(outcome, receive)
    finally:
        gate.lost(link)


async def _watched(outcome: "asyncio.Future[bytes | Refusal]", receive: Receive) -> bytes | Refusal:
    gone = asyncio.create_task(_disconnected(receive))
    try:
        either: set[asyncio.Future[Any]] = {outcome, gone}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return outcome.result() if outcome.done() else GONE
    finally:
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def refuse(
    send: Send, refusal: Refusal, headers: list[tuple[str, str]], *, kind: str = "application/json"
) -> None:
    """Answer with a refusal, whose content is of this ``kind``."""
    more = [("content-type", kind), *refusal.headers]
    if refusal.status in (429, 503) and "retry-after" not in {name.lower() for name, _ in more}:
        word, _, milliseconds = refusal.reason.partition("=")
        known = word == "retry_after" and milliseconds.isdecimal()
        more.append(("retry-after", str(math.ceil(int(milliseconds) / 1000)) if known else "1"))
    await respond(send, refusal.status, refusal.content, [*headers, *more])
