"""Whatever bytes come to the classic gate: an answer that the protocol reference names, and nobody else notices."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from sente import ChannelSocket, Keyword, Limits, Message, Packer, PackError, ServerSettings, Symbol
from sente.packers import dialect, get
from sente.packers.negotiation import DIALECTS
from tests.asgi import Exchange, WebSocket

CLOSE_CODES = {1000, 1001, 1009}
STATUSES = {200, 400, 401, 403, 409, 413, 503}

SETTINGS = ServerSettings(
    batch_ws=0, batch_poll=0, poll=0.001, limits=Limits(packet=3000, body=9000, outbox=16, requests=4, backlog=4)
)

texts = st.text(st.characters(), max_size=20) | st.sampled_from(["a/b", "chsk/ws-ping", "chsk/ws-pong", "chsk/close"])
numbers = st.integers(-2, 30) | st.sampled_from([2**53, 2**63, 2**64, 10**30]) | st.floats()
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3))
messages = (
    st.tuples(st.tuples(texts, values) | st.tuples(texts) | values, values) | st.lists(values, max_size=4) | values
)
frames = messages.map(json.dumps) | st.text(max_size=30) | st.binary(max_size=30)

names = st.sampled_from([b"origin", b"referer", b"x-csrf-token", b"x-xsrf-token", b"cookie", b"X-\xff"])
contents = st.sampled_from([b"null", b"secret", b"https://[", b"http://testserver"]) | st.binary(max_size=20)
headers = st.lists(st.tuples(names, contents), max_size=4)
parameters = [
    "client-id=c1",
    "csrf-token=secret",
    "csrf-token=",
    "handshake?=",
    "handshake%3F=1",
    "binary?=true",
    "udt=1",
]
queries = st.lists(st.sampled_from(parameters), max_size=5).map("&".join).map(str.encode) | st.binary(max_size=40)


FORMS = ["json", *(f"{name}{gzip}" for name in DIALECTS for gzip in ("", "+gzip"))]
PACKERS: dict[str, Packer] = {"json": get("json")} | {name: dialect(name) for name in FORMS[1:]}

words = texts.map(Keyword)
rich = st.recursive(
    scalars | words | st.binary(max_size=9) | st.uuids() | texts.filter(bool).map(Symbol),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | texts, inner, max_size=3),
)
formed = st.tuples(st.tuples(words, rich) | st.tuples(words) | rich, rich) | st.lists(rich, max_size=4) | rich


@st.composite
def spoken(draw: st.DrawFn) -> tuple[str, list[str | bytes]]:
    """A dialect, and frames of it: as they should be, with a byte or character changed, or not at all."""
    name = draw(st.sampled_from(FORMS))
    said: list[str | bytes] = []
    for value in draw(st.lists(formed, max_size=6)):
        with suppress(PackError):
            frame = PACKERS[name].pack(value)
            at, wrong = draw(st.integers(0, max(0, len(frame) - 1))), draw(st.binary(max_size=2))
            if isinstance(frame, str):
                frame = frame[:at] + wrong.decode("latin-1") + frame[at + len(wrong) :]
            else:
                frame = frame[:at] + wrong + frame[at + len(wrong) :]
            said.append(frame)
    return name, said + draw(st.lists(frames, max_size=2))


@asynccontextmanager
async def bystander(form: str = "json") -> AsyncIterator[ChannelSocket]:
    """A socket on which another classic client talks, before and after."""
    packer = PACKERS[form]
    named = Keyword if form != "json" else str
    noise: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    async with ChannelSocket(
        classic=form, csrf=True, user_id=lambda connection: connection.client_id, settings=SETTINGS
    ) as chsk:

        @chsk.on("a/b")
        async def echo(message: Message) -> Any:
            return message.data

        ada = WebSocket(chsk, "client-id=ada&csrf-token=secret", session={"csrf-token": "secret"})
        await ada.next()
        await ada.frame()
        yield chsk
        ada.say(packer.pack([[named("a/b"), "still here?"], "cb"]))
        assert packer.unpack(await ada.frame()) == ["still here?", "cb"]
        chsk.send("ada", "chat/said")
        assert packer.unpack(await ada.frame()) == [[["chat/said", None]], None]
    assert noise == []


async def ended(line: WebSocket) -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    line.disconnect()
    while (message := await line.next()) is not None:
        if message["type"] == "websocket.close":
            assert message["code"] in CLOSE_CODES
        assert message.get("status", 400) in STATUSES


@given(queries, headers)
async def test_any_upgrade(query: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    async with bystander() as chsk:
        await ended(WebSocket(chsk, query, headers=headers, session={"csrf-token": "secret"}))


@given(st.lists(frames, max_size=8))
@example(['[["a/b"], 1e999]', '[["a/b", "\\ud800"], "\\ud800"]'])
async def test_any_frames(said: list[str | bytes]) -> None:
    async with bystander() as chsk:
        line = WebSocket(chsk, "client-id=c1&csrf-token=secret", session={"csrf-token": "secret"})
        for frame in said:
            line.say(frame)
        chsk.send("c1", "chat/said", "more than little", flush=True)
        await ended(line)


@given(spoken())
async def test_any_frames_of_any_dialect(talk: tuple[str, list[str | bytes]]) -> None:
    form, said = talk
    async with bystander(form) as chsk:
        line = WebSocket(chsk, "client-id=c1&csrf-token=secret", session={"csrf-token": "secret"})
        for frame in said:
            line.say(frame)
        chsk.send("c1", "chat/said", "more than little", flush=True)
        await ended(line)


@given(spoken())
async def test_any_body_of_any_dialect(talk: tuple[str, list[str | bytes]]) -> None:
    form, said = talk
    async with bystander(form) as chsk:
        for frame in said:
            query, body = "client-id=c1&csrf-token=secret", b""
            if isinstance(frame, bytes):
                query, body = f"{query}&binary%3F=true", frame + bytes(20)
            else:
                body = f"ppstr={quote(frame, errors='replace')}".encode()
            answer = await Exchange(chsk, "POST", query, body=body, session={"csrf-token": "secret"}).answer()
            assert answer.status in STATUSES


bodies = (
    st.binary(max_size=60)
    | frames.map(lambda frame: frame if isinstance(frame, bytes) else frame.encode(errors="replace"))
    | messages.map(lambda plain: f"client-id=c1&csrf-token=secret&ppstr={quote(json.dumps(plain))}".encode())
)


@given(st.sampled_from(["GET", "POST", "POST"]), queries, headers, bodies)
async def test_any_request(method: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    async with bystander() as chsk:
        session = {"csrf-token": "secret"}
        answer = await Exchange(chsk, method, query, headers=headers, body=body, session=session).answer()
        assert answer.status in STATUSES | ({406} if b"v" in query else set())
