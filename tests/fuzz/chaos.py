"""The whole server under rubbish: random bytes and mutated valid messages, on every way in, from one seed."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote

from sente import ChannelSocket, Limits, Message, Rates, ServerSettings
from sente.errors import PackError
from sente.interfaces import Packer, Wire
from sente.packers.negotiation import get
from tests.asgi import Exchange, WebSocket, row, until
from tests.faults.bystanders import bystanders

Headers: TypeAlias = list[tuple[bytes, bytes]]

CLOSE_CODES = {1000, 1001, 1009, 4400, 4401, 4403, 4406, 4408, 4409, 4410, 4413, 4420, 4429, 4503}
"""Those of §8, and 1009 for Sente's own clients (§10)."""
UVICORN_SAYS = {
    "ASGI callable returned without completing handshake.": "an upgrade was refused with a body, by its extension",
    "Invalid UTF-8 sequence received from client.": "it closed the line with 1007",
}
"""What is no fault, and why it is logged as an error all the same."""

LOGGERS = ("sente", "uvicorn.error", "websockets")
STATUSES = {200, 204, 400, 401, 403, 405, 406, 408, 409, 410, 413, 420, 429, 503}

SETTINGS = ServerSettings(
    batch_ws=0.001,
    batch_poll=0.001,
    poll=0.01,
    hello_timeout=0.1,
    body_timeout=0.1,
    ping=5.0,
    ping_timeout=5.0,
    grace_ws=0.02,
    grace_poll=0.02,
    resume=2.0,
    sessions_per_user=10_000,
    rates=Rates(events={"chat/rare": "20/s burst 5"}, refused="20/s burst 20"),
    limits=Limits(packet=3000, body=9000, window=8, window_bytes=3000, outbox=32, requests=4, backlog=8),
)
PACKERS = ("json", "auto", "msgpack")
NUMBERS = (-1, 0, 1, 2, 3, 7, 30, 2**31, 2**53 - 1, 2**53, 2**63, 2**64, 10**30, 0.5, True, None, "1", float("inf"))
IDS = (
    "chat/echo",
    "chat/rare",
    "chat/nobody",
    "chsk/auth",
    "chsk/bye",
    "chsk/cancel",
    "chsk/ws-ping",
    "a",
    "\ud800/\n",
)
DATA: tuple[Any, ...] = (None, 1, "x" * 200, {"__proto__": []}, [[[]]])
HOST = (b"host", b"testserver")
HEADERS = (b"origin", b"referer", b"cookie", b"authorization", b"x-csrf-token", b"content-type", b"sec-fetch-site")


@dataclass
class Outcome:
    """What came of a run."""

    acts: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    """How often each close code and status was met."""
    odd: list[str] = field(default_factory=list)
    """What no document names."""

    def met(self, code: int, allowed: set[int], act: str) -> None:
        self.answers[code] = self.answers.get(code, 0) + 1
        if code not in allowed:
            self.odd.append(f"{act}: {code}")


class _Listener(logging.Handler):
    """Errors in the log."""

    def __init__(self, odd: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._odd = odd

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() not in UVICORN_SAYS:
            self._odd.append(f"logged: {record.getMessage()} {record.exc_info or ''}")


def server() -> ChannelSocket:
    chsk = ChannelSocket(
        packers=PACKERS,
        classic="json",
        settings=SETTINGS,
        user_id=lambda connection: connection.query.get("uid", "eve"),
        authorize=lambda connection: connection.headers.get("authorization") != "never",
    )

    @chsk.on("chat/echo")
    @chsk.on("chat/rare")
    @chsk.on("test/echo")
    async def echo(msg: Message) -> Any:
        if msg.id == "chat/rare":
            await asyncio.sleep(0.001)
        return msg.data if msg.plain else str(msg.data)[:50]

    @chsk.on("chsk/bad-event")
    def bad(msg: Message) -> None:
        pass

    chsk.on("chsk/uidport-open")(lambda msg: None)
    return chsk


@asynccontextmanager
async def watched(chsk: ChannelSocket, outcome: Outcome) -> AsyncIterator[None]:
    """While bystanders talk; at the end everyone is gone, and nothing was raised or logged as an error."""
    loop = asyncio.get_running_loop()
    listener = _Listener(outcome.odd)
    loop.set_exception_handler(lambda _, context: outcome.odd.append(f"raised: {context}"))
    for name in LOGGERS:
        logging.getLogger(name).addHandler(listener)
    try:
        async with chsk:
            async with bystanders(chsk):
                yield
            hub = chsk._hub
            await until(lambda: not (hub.links or hub.peers or hub.classic or len(hub.sessions)))
            assert not (hub.peers.addresses or hub.presence.connected_uids.any or hub._dispatcher.busy)
    finally:
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(listener)
        loop.set_exception_handler(None)


class Chaos:
    """One hostile client after the other, all from one seed."""

    def __init__(self, chsk: ChannelSocket, seed: int, outcome: Outcome) -> None:
        self.random = random.Random(seed)
        self._chsk = chsk
        self._outcome = outcome
        self._tokens = ["made up"]
        self._acts: tuple[Callable[[], Any], ...] = (
            self.websocket,
            self.session,
            self.request,
            self.polling,
            self.classic_websocket,
            self.classic_request,
        )

    async def act(self) -> None:
        """Do one thing, and look what comes of it."""
        self._outcome.acts += 1
        await self.random.choice(self._acts)()

    # -- ways in

    async def websocket(self) -> None:
        """A WebSocket on which anything is said, from the first frame on."""
        frames = [self._mutated(self._hello()) for _ in range(self.random.randrange(4))]
        await self._said(self._query(), self._headers(), frames)

    async def session(self) -> None:
        """A session on a WebSocket that goes wrong."""
        packer = get(self.random.choice(PACKERS))
        frames: list[Wire] = [json.dumps(self._hello(sane=True))]
        for _ in range(self.random.randrange(12)):
            frame = self._packed(packer)
            frames.append(self._mutated(frame) if self._maybe(0.3) else frame)
        if self._maybe():
            self._chsk.send("eve", "chat/said", "x" * self.random.choice((1, 100, 2900)), flush=True)
        await self._said(f"v=1&packers={packer.name}&client-id=c{self.random.randrange(5)}", [HOST], frames)

    async def request(self) -> None:
        """Any HTTP request."""
        method = self.random.choice(("GET", "POST", "POST", "OPTIONS", "HEAD", "PUT"))
        body = self._mutated(row(self._mutated(json.dumps(self._hello())), self._bytes(30)))
        await self._answered(method, self._query(), body if isinstance(body, bytes) else body.encode())

    async def polling(self) -> None:
        """A session that polls and goes wrong."""
        packer = get(self.random.choice(PACKERS))
        query = f"v=1&packers={packer.name}&client-id=c{self.random.randrange(5)}"
        await self._answered("POST", query, row(self._hello(sane=True)))
        for n in range(self.random.randrange(5)):
            head = {
                "session": self.random.choice(self._tokens),
                "n": n + 2,
                "ack": 0,
                "seq": 1,
                "wait": self._maybe() * 9,
            }
            if self._maybe(0.3):
                head[self.random.choice([*head])] = self.random.choice(NUMBERS)
            frames = [self._packed(packer) for _ in range(self.random.randrange(3))]
            body = row(head, *frames)
            await self._answered("POST", query, self._mutated(body) if self._maybe(0.2) else body)

    async def classic_websocket(self) -> None:
        """One of Sente's own clients, or what says so."""
        frames: list[Wire] = []
        for _ in range(self.random.randrange(8)):
            said = json.dumps([self._event(), self.random.choice((*NUMBERS, "cb"))])
            frames.append(self._mutated(said) if self._maybe(0.4) else said)
        await self._said(f"client-id=c{self.random.randrange(5)}", self._headers(), frames)

    async def classic_request(self) -> None:
        """A poll or POST as Sente's clients make them."""
        query = f"client-id=c{self.random.randrange(5)}" + self.random.choice(("", "&handshake?=1", "&binary?=1"))
        said = json.dumps([self._event(), self.random.choice((None, "cb"))])
        form = f"client-id=c1&ppstr={quote(said)}".encode()
        body = self.random.choice((said.encode(), form, self._bytes(40)))
        await self._answered(
            self.random.choice(("GET", "POST")), query, self._mutated(body) if self._maybe(0.3) else body
        )

    # -- what comes of it

    async def _said(self, query: str | bytes, headers: Headers, frames: Sequence[Wire]) -> None:
        """Say this on a WebSocket."""
        socket = WebSocket(self._chsk, query, headers=headers, denial=self._maybe())
        for frame in frames:
            socket.say(frame)
        await asyncio.sleep(self._patience())
        socket.disconnect(self.random.choice((1000, 1001, 1006, 4000)))
        while (message := await socket.next()) is not None:  # what the application raises is raised here
            if message["type"] == "websocket.close":
                self._outcome.met(message["code"], CLOSE_CODES, "WebSocket")
            elif message["type"] == "websocket.http.response.start":
                self._outcome.met(message["status"], STATUSES, "upgrade")
            elif "chsk/handshake" in str(message.get("text")):
                self._learn(message["text"])

    def _patience(self) -> float:
        return SETTINGS.hello_timeout * 1.2 if self._maybe(0.05) else 0.002 * self.random.randrange(3)

    async def _answered(self, method: str, query: str | bytes, body: Wire) -> None:
        content = body if isinstance(body, bytes) else body.encode(errors="replace")
        parts = [content[:5], content[5:]] if self._maybe(0.3) else [content]
        answer = await Exchange(self._chsk, method, query, body=parts, headers=self._headers()).answer()
        self._outcome.met(answer.status, STATUSES, method)
        if b'"session": ' in answer.body or b'"session":' in answer.body:
            self._learn(answer.body.decode(errors="replace"))

    def _learn(self, text: str) -> None:
        """A token that was given out is used again, by whomever."""
        token = text.partition('"session":')[2].strip().partition('"')[2].partition('"')[0]
        self._tokens = [*self._tokens[-5:], token]

    # -- rubbish

    def _maybe(self, chance: float = 0.5) -> bool:
        return self.random.random() < chance

    def _bytes(self, most: int) -> bytes:
        return self.random.randbytes(self.random.randrange(most))

    def _query(self) -> str | bytes:
        if self._maybe(0.2):
            return self._bytes(40)
        packers = self.random.choice((*PACKERS, "auto%2Bgzip%2Bmsgpack", "cbor", ""))
        return f"v=1&packers={packers}&client-id=c{self.random.randrange(5)}" + self.random.choice(
            ("", "&handshake?=1")
        )

    def _headers(self) -> Headers:
        contents = (b"http://testserver", b"https://evil.example", b"null", b"never", b"https://[", self._bytes(9))
        some = [(self.random.choice(HEADERS), self.random.choice(contents)) for _ in range(self.random.randrange(3))]
        return [HOST, *some]

    def _hello(self, *, sane: bool = False) -> dict[str, Any]:
        hello: dict[str, Any] = {"hello": 1, "session": self.random.choice((None, *self._tokens)), "n": 1, "ack": 0}
        hello["n"] = self.random.choice((1, 1, 2, 9, 2**53 - 1))
        if not sane and self._maybe():
            hello[self.random.choice(("n", "ack", "got", "session", "limits", "auth", "csrf"))] = self.random.choice(
                NUMBERS
            )
        if self._maybe(0.3):
            hello["limits"] = {"packet": self.random.choice((1, 50, 2**40)), "window": self.random.choice((1, 2**40))}
        return hello

    def _event(self) -> Any:
        data = self.random.choice(DATA)
        return self.random.choice(([self.random.choice(IDS), data], [self.random.choice(IDS)], None, [], 7))

    def _packet(self) -> list[Any]:
        seq = self.random.choice((1, 2, 3, 4, *NUMBERS))
        packet = self.random.choice(
            (
                [[self._event(), self._event()], None, seq],
                [self._event(), self.random.choice(NUMBERS), seq, None, "request"],
                [self._event(), self.random.choice(NUMBERS), seq, 0, self.random.choice(("reply", "error", "ack"))],
                [None, None, 0, self.random.choice(NUMBERS), self.random.choice((None, "ack"))],
                [["chsk/ws-ping"], "ping", 0],
                [["chsk/bye", None], None, 0],
            )
        )
        return list(packet)

    def _packed(self, packer: Packer) -> Wire:
        """A packet, in the packer's form if that has words for it."""
        packet = self._packet()
        try:
            return packer.pack(packet)
        except PackError:
            return json.dumps(packet)

    def _mutated(self, frame: Any) -> Wire:
        """The same with some bytes flipped, cut out, doubled or put in."""
        text = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        content = bytearray(text.encode(errors="replace") if isinstance(text, str) else text)
        for _ in range(self.random.randrange(4)):
            at = self.random.randrange(len(content) + 1)
            to = min(len(content), at + self.random.randrange(8))
            match self.random.randrange(4):
                case 0:
                    content[at:to] = self._bytes(8)
                case 1:
                    del content[at:to]
                case 2:
                    content[at:at] = content[at:to] * self.random.randrange(1, 50)
                case _:
                    content[at : at + 1] = bytes([self.random.randrange(256)])
        return content.decode(errors="replace") if isinstance(text, str) else bytes(content)
