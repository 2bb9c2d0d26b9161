"""Whatever bytes come from outside: an outcome that the protocol reference names, and nobody else notices."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from sente import ChannelSocket, Limits, Message, ServerSettings
from tests.asgi import HELLO, QUERY, Exchange, PollClient, WebSocket, WsClient, connect, row

CLOSE_CODES = {1000, 4400, 4401, 4403, 4406, 4408, 4409, 4410, 4413, 4420}
STATUSES = {200, 204, 400, 401, 403, 405, 406, 409, 410, 413}

SETTINGS = ServerSettings(
    batch_ws=0,
    batch_poll=0,
    poll=0.001,
    limits=Limits(packet=3000, body=9000, window=8, outbox=16, requests=4),
)

# Text with half characters, as JSON may spell them; numbers around every limit there is.
texts = st.text(st.characters(), max_size=20) | st.sampled_from(["a/b", "chsk/ws-ping", "chsk/bye", "\ud800", "\0"])
numbers = st.integers(-2, 30) | st.sampled_from([2**53 - 1, 2**53, 2**63, 2**64, 10**30]) | st.floats()
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3))
events = st.lists(texts | values, min_size=1, max_size=3)
packets = st.lists(values, max_size=6) | st.tuples(
    events | st.lists(events | st.none(), max_size=4) | texts | values,
    numbers | st.none() | st.just("ping"),
    numbers | st.none(),
    numbers | st.none(),
    st.sampled_from(["request", "reply", "error", "ack", None]) | texts,
)
frames = packets.map(json.dumps) | texts.filter(lambda text: text.isprintable()) | st.binary(max_size=30)

SESSION = {"csrf-token": "secret"}
STOLEN = "the token of another client"
hellos = st.fixed_dictionaries(
    {"hello": st.just(1) | values},
    optional={
        "session": st.just(STOLEN) | scalars,
        "n": numbers | values,
        "ack": numbers | values,
        "csrf": st.just("secret") | scalars,
        "auth": scalars,
        "limits": values | st.dictionaries(st.sampled_from(["packet", "window", "bytes"]), numbers),
    },
)
heads = st.fixed_dictionaries(
    {"session": st.just(STOLEN) | texts, "wait": numbers | values}, optional={"n": values, "ack": values, "seq": values}
)

names = st.sampled_from([b"cookie", b"origin", b"referer", b"host", b"sec-fetch-site", b"authorization", b"X-\xff"])
urls = st.sampled_from([b"https://[", b"null", b"//", b"http://testserver", b"https://\xe5\x85\x88", b"file:///"])
headers = st.lists(st.tuples(names, urls | st.binary(max_size=20)), max_size=4)
queries = st.sampled_from([QUERY.encode(), QUERY.encode() + b"&handshake?=1"]) | st.binary(max_size=40)


@asynccontextmanager
async def bystander() -> AsyncIterator[tuple[ChannelSocket, str]]:
    """A socket on which another client talks, before and after; and that client's token."""
    noise: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    async with ChannelSocket(
        csrf=True,
        authorize=lambda connection: "\xff" not in connection.headers.get("authorization", ""),
        user_id=lambda connection: connection.client_id,
        settings=SETTINGS,
    ) as chsk:

        @chsk.on("a/b")
        async def echo(message: Message) -> Any:
            return message.data

        ada = await connect(chsk, "ws", "ada", hello={"csrf": "secret"}, session=SESSION)
        assert isinstance(ada, WsClient)
        yield chsk, ada.info["session"]
        assert await ada.ask("a/b", "still here?") == ("reply", "still here?")
        assert chsk.send("ada", "chat/said").clients == 1
        assert await ada.event() == ["chat/said", None]
    assert noise == []


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def steal(plain: Any, token: str) -> Any:
    return plain | {"session": token} if plain.get("session") == STOLEN else plain


async def close_code(socket: WebSocket) -> int | None:
    """With what the application closed, if it did; what it raises is raised here."""
    await settle()
    socket.disconnect()
    code = None
    while (message := await socket.next()) is not None:
        code = message["code"] if message["type"] == "websocket.close" else code
        assert message.get("status", 400) == 400
    return code


@given(hellos.map(json.dumps) | st.text(max_size=50) | st.binary(max_size=50) | hellos, headers)
@example({"hello": 1, "n": 1, "ack": 0, "csrf": "\ud800"}, [])
async def test_any_hello(first: Any, headers: list[tuple[bytes, bytes]]) -> None:
    async with bystander() as (chsk, token):
        socket = WebSocket(chsk, headers=headers, session=SESSION)
        await socket.accepted()
        socket.say(steal(first, token) if isinstance(first, dict) else first)
        assert await close_code(socket) in {None, *CLOSE_CODES}


@given(queries, headers)
async def test_any_upgrade(query: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    async with bystander() as (chsk, _):
        assert await close_code(WebSocket(chsk, query, headers=headers)) in {None, *CLOSE_CODES}


@given(
    st.lists(frames, max_size=6), st.dictionaries(st.sampled_from(["packet", "window", "bytes"]), st.integers(1, 99))
)
async def test_any_frames(said: list[str | bytes], limits: dict[str, int]) -> None:
    async with bystander() as (chsk, _):
        client = await connect(chsk, hello={"limits": limits, "csrf": "secret"}, session=SESSION)
        assert isinstance(client, WsClient)
        for frame in said:
            client.socket.say(frame)
        await settle()
        chsk.send("c1", "chat/said", "more than little", flush=True)
        assert await close_code(client.socket) in {None, *CLOSE_CODES}


bodies = st.binary(max_size=60) | st.builds(
    lambda first, rest: (first, rest), hellos | heads | values, st.lists(frames, max_size=4)
)


@given(st.sampled_from(["GET", "POST", "POST", "OPTIONS", "HEAD", "B\xc3"]), queries, headers, bodies)
async def test_any_request(method: str, query: bytes, headers: list[tuple[bytes, bytes]], body: Any) -> None:
    async with bystander() as (chsk, token):
        if not isinstance(body, bytes):
            first, rest = body
            body = row(json.dumps(steal(first, token) if isinstance(first, dict) else first), *rest)
        answer = await Exchange(chsk, method, query, headers=headers, body=body, session=SESSION).answer()
        assert answer.status in STATUSES


@given(st.lists(st.tuples(heads, st.lists(frames, max_size=3)), max_size=3))
async def test_any_exchange_of_a_session(exchanges: list[tuple[dict[str, Any], list[str | bytes]]]) -> None:
    async with bystander() as (chsk, _):
        client = await connect(chsk, "poll", hello={"csrf": "secret"}, session=SESSION)
        assert isinstance(client, PollClient)
        for number, (head, rest) in enumerate(exchanges):
            sane = {"session": client.info["session"], "n": 2 + number, "ack": 0, "seq": 1}
            whole = {**sane, **head} if number % 2 else {**head, **sane}
            answer = await client.post(json.dumps(whole), *rest).answer()
            assert answer.status in STATUSES


async def test_the_hello_that_is_meant_passes() -> None:
    async with bystander() as (chsk, _):
        socket = WebSocket(chsk, session=SESSION)
        await socket.accepted()
        socket.say(HELLO | {"csrf": "secret"})
        assert "chsk/handshake" in str(await socket.frame())
