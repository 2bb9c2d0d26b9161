"""Drives an ASGI application by hand: one WebSocket, one HTTP request, and on top of them a bare session client."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from sente.interfaces import ASGIApp, Packer, Wire
from sente.packers.json import JsonPacker
from sente.protocol.framing import read_row, write_row

PATIENCE = 10.0
"""Seconds until a test fails that waits for what never comes."""

QUERY = "v=1&packers=json&client-id=c1"
HELLO = {"hello": 1, "session": None, "n": 1, "ack": 0}
JSON = JsonPacker()

Headers: TypeAlias = dict[str, str]
Pairs: TypeAlias = list[tuple[bytes, bytes]]
TransportName: TypeAlias = Literal["ws", "poll"]
TRANSPORTS: tuple[TransportName, ...] = ("ws", "poll")


def make_scope(kind: str, path: str, query: str | bytes, headers: Headers | Pairs) -> Any:
    if isinstance(headers, dict):
        named = {"host": "testserver", **headers}
        headers = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws" if kind == "websocket" else "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode() if isinstance(query, str) else query,
        "headers": headers,
        "client": ("192.0.2.1", 50000),
        "server": ("testserver", 80),
        "subprotocols": [],
    }


class WebSocket:
    """One WebSocket. Clear ``reading`` for a client that does not read: the application's ``send`` then blocks."""

    def __init__(
        self,
        app: ASGIApp,
        query: str | bytes = QUERY,
        *,
        headers: Headers | Pairs | None = None,
        path: str = "/chsk",
        denial: bool = True,
        **more: Any,
    ) -> None:
        scope = make_scope("websocket", path, query, {} if headers is None else headers) | more
        if denial:
            scope["extensions"] = {"websocket.http.response": {}}
        self.reading = asyncio.Event()
        self.reading.set()
        self.gone = False
        self._up: asyncio.Queue[Any] = asyncio.Queue()
        self._down: asyncio.Queue[Any] = asyncio.Queue()
        self._up.put_nowait({"type": "websocket.connect"})
        self.task: asyncio.Task[None] = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: Any) -> None:
        try:
            await app(scope, self._up.get, self._send)
        finally:
            self._down.put_nowait(None)

    async def _send(self, message: Any) -> None:
        await self.reading.wait()
        if self.gone:
            raise OSError("the client is gone")
        self._down.put_nowait(message)
        if message["type"] == "websocket.close":
            self.disconnect(message["code"])

    def say(self, frame: Wire | Any) -> None:
        """Send a frame; what is neither text nor bytes as JSON."""
        kind = "bytes" if isinstance(frame, bytes) else "text"
        content = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        self._up.put_nowait({"type": "websocket.receive", kind: content})

    def disconnect(self, code: int = 1006) -> None:
        self.gone = True
        self._up.put_nowait({"type": "websocket.disconnect", "code": code})

    async def next(self) -> Any:
        """What the application sends next; ``None`` when it has ended. What it raises is raised here."""
        message = await asyncio.wait_for(self._down.get(), PATIENCE)
        if message is None:
            await self.task
        return message

    async def frame(self) -> Wire:
        """The next frame."""
        message = await self.next()
        assert message is not None and message["type"] == "websocket.send", message
        wire: Wire = message["text"] if message.get("text") is not None else message["bytes"]
        return wire

    async def accepted(self) -> Any:
        """The welcome, after the application has accepted."""
        assert (await self.next())["type"] == "websocket.accept"
        return json.loads(await self.frame())

    async def closed(self) -> tuple[int, str]:
        """Code and reason with which the application closes, whatever it sends before."""
        while (message := await self.next()) is not None:
            if message["type"] == "websocket.close":
                return message["code"], message["reason"]
        raise AssertionError("the application ended without closing")

    async def ended(self) -> None:
        """Wait for the application to return."""
        await asyncio.wait_for(asyncio.shield(self.task), PATIENCE)


@dataclass
class Answer:
    """A complete HTTP answer."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False

    def take(self, message: Any) -> None:
        if message["type"].endswith(".start"):
            assert not self.status, "the answer began twice"
            self.status = message["status"]
            for name, value in message["headers"]:
                assert name == name.lower()
                assert name.decode() not in self.headers, f"{name} twice"
                self.headers[name.decode()] = value.decode("latin-1")
        else:
            assert self.status and not self.complete, "a body without or after its answer"
            self.body += message.get("body", b"")
            self.complete = not message.get("more_body", False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


class Exchange:
    """One HTTP request, which may wait for its answer."""

    def __init__(
        self,
        app: ASGIApp,
        method: str = "GET",
        query: str | bytes = QUERY,
        *,
        body: bytes | Iterable[bytes] = b"",
        headers: Headers | Pairs | None = None,
        path: str = "/chsk",
        **more: Any,
    ) -> None:
        self.scope = make_scope("http", path, query, {} if headers is None else headers) | {"method": method} | more
        parts = [body] if isinstance(body, bytes) else list(body)
        self._up: asyncio.Queue[Any] = asyncio.Queue()
        for number, part in enumerate(parts, 1):
            self._up.put_nowait({"type": "http.request", "body": part, "more_body": number < len(parts)})
        self._answer = Answer()
        self.task: asyncio.Future[None] = asyncio.ensure_future(app(self.scope, self._up.get, self._send))

    async def _send(self, message: Any) -> None:
        self._answer.take(message)

    def disconnect(self) -> None:
        """The client goes away."""
        self._up.put_nowait({"type": "http.disconnect"})

    async def answer(self) -> Answer:
        await asyncio.wait_for(asyncio.shield(self.task), PATIENCE)
        assert self._answer.complete, "the application ended without an answer"
        return self._answer

    @property
    def waits(self) -> bool:
        """Whether there is no answer yet."""
        return not self._answer.complete


async def fetch(app: ASGIApp, method: str = "GET", query: str | bytes = QUERY, **options: Any) -> Answer:
    """Make a request and wait for its answer."""
    return await Exchange(app, method, query, **options).answer()


def row(*frames: Any) -> bytes:
    """A body of frames; what is neither text nor bytes as JSON."""
    return write_row([frame if isinstance(frame, str | bytes) else json.dumps(frame) for frame in frames])


class SessionClient:
    """A session on the wire, without any cleverness: no resending, no acknowledgements unless told to.

    ``event`` and ``ask`` give what came from the server; ``info`` is the handshake's.
    """

    def __init__(self, app: ASGIApp, client_id: str, packer: Packer, options: dict[str, Any]) -> None:
        self.app = app
        self.query = f"v=1&packers={packer.name}&client-id={client_id}"
        self.packer = packer
        self.options = options
        self.info: Any = {}
        self.uid: Any = None
        self.data: Any = None
        self.n = self.seq = self.ref = self.taken = 0
        self.events: deque[Any] = deque()
        self.batches: list[list[Any]] = []
        self.replies: dict[int, tuple[str, Any]] = {}

    async def open(self, **hello: Any) -> None:
        """Say hello and take the handshake."""
        raise NotImplementedError

    async def push(self, packet: Any) -> None:
        """Send one packet."""
        raise NotImplementedError

    async def pull(self) -> None:
        """Wait until something came."""
        raise NotImplementedError

    def hello(self, more: Mapping[str, Any]) -> dict[str, Any]:
        self.n += 1
        return {**HELLO, "n": self.n, "session": self.info.get("session"), "ack": self.taken, **more}

    def number(self) -> int:
        self.seq += 1
        return self.seq

    async def send(self, event_id: Any, data: Any = None) -> None:
        await self.push([[[event_id, data]], None, self.number()])

    async def request(self, event_id: Any, data: Any = None) -> int:
        self.ref += 1
        await self.push([[event_id, data], self.ref, self.number(), None, "request"])
        return self.ref

    async def reply(self, ref: int) -> tuple[str, Any]:
        """Status and value of the reply to a request."""
        while ref not in self.replies:
            await self.pull()
        return self.replies.pop(ref)

    async def ask(self, event_id: Any, data: Any = None) -> tuple[str, Any]:
        return await self.reply(await self.request(event_id, data))

    async def event(self) -> Any:
        """The next event: ``[id, data]``."""
        while not self.events:
            await self.pull()
        return self.events.popleft()

    def take(self, frame: Wire) -> None:
        message, ref, seq, _, status = (self.packer.unpack(frame) + [None] * 4)[:5]
        if status in ("reply", "error"):
            self.taken = seq
            self.replies[ref] = status, message
        elif seq == 0 and message and message[0] == "chsk/handshake":
            self.uid, _, self.data, self.info = message[1]
        elif isinstance(message, list):
            self.taken += len(message)
            self.batches.append(message)
            self.events += message


class WsClient(SessionClient):
    socket: WebSocket

    async def open(self, **hello: Any) -> None:
        self.socket = WebSocket(self.app, self.query, **self.options)
        await self.socket.accepted()
        self.socket.say(self.hello(hello))
        await self.pull()

    async def push(self, packet: Any) -> None:
        self.socket.say(self.packer.pack(packet))

    async def pull(self) -> None:
        self.take(await self.socket.frame())

    async def go_away(self) -> None:
        self.socket.disconnect()
        await self.socket.ended()


class PollClient(SessionClient):
    async def open(self, **hello: Any) -> None:
        await self.exchange(self.hello(hello))

    def head(self, **more: Any) -> dict[str, Any]:
        self.n += 1
        head = {"session": self.info["session"], "n": self.n, "ack": self.taken, "seq": self.seq + 1, "wait": 0}
        return head | more

    def post(self, *frames: Any) -> Exchange:
        """A POST that the caller waits for."""
        return Exchange(self.app, "POST", self.query, body=row(*frames), **self.options)

    async def exchange(self, *frames: Any) -> None:
        self.absorb(await self.post(*frames).answer())

    def absorb(self, answer: Answer) -> None:
        """Take what an answer brought."""
        assert answer.status == 200, (answer.status, answer.body)
        head, *frames = read_row(answer.body)
        self.taken = max(self.taken, json.loads(head)["seq"] - 1)
        for frame in frames:
            self.take(frame)

    async def push(self, packet: Any) -> None:
        await self.exchange(self.head(seq=max(self.seq, 1)), self.packer.pack(packet))

    async def pull(self) -> None:
        await self.exchange(self.head(wait=20_000))

    async def go_away(self) -> None:
        """A client that polls is away whenever it does not."""


AnyClient: TypeAlias = WsClient | PollClient


async def connect(
    app: ASGIApp,
    transport: TransportName = "ws",
    client_id: str = "c1",
    *,
    packer: Packer = JSON,
    hello: Mapping[str, Any] | None = None,
    **options: Any,
) -> AnyClient:
    """A client that has its handshake. ``options`` are those of ``WebSocket`` and ``Exchange``."""
    client = (WsClient if transport == "ws" else PollClient)(app, client_id, packer, options)
    await client.open(**(hello or {}))
    return client


async def until(condition: Any) -> None:
    """Wait until ``condition()`` holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # what is waited for is not made for tests to wait on
            await asyncio.sleep(0.001)
