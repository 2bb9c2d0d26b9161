"""What no recording shows of the dialects: frames that cannot be read, bodies that are padded, typed events."""

import logging
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from pydantic import BaseModel

from sente import ChannelSocket, Client, EventRegistry, Keyword, Message, Request, ServerSettings
from sente.packers import dialect
from tests.asgi import Exchange, WebSocket
from tests.classic.server import observed

CLIENT = "client-id=c1"
SETTINGS = ServerSettings(batch_ws=0, batch_poll=0, poll=0.05)


async def opened(chsk: ChannelSocket) -> WebSocket:
    line = WebSocket(chsk, CLIENT)
    assert (await line.next())["type"] == "websocket.accept"
    return line


async def test_a_client_without_user_is_greeted_by_sentes_keyword() -> None:
    async with observed(classic="edn", user_id=lambda connection: None) as (chsk, _):
        line = await opened(chsk)
        assert await line.frame() == "[[:chsk/handshake [:sente/nil-uid nil nil]] nil]"
        line.disconnect()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("edn", b'[[:bench/echo 1] "cb"]'),
        ("transit", b'[["~:bench/echo",1],"cb"]'),
        ("msgpack", '[[:bench/echo 1] "cb"]'),
    ],
)
async def test_a_frame_of_the_wrong_kind_is_logged_and_changes_nothing(
    name: str, wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    packer = dialect(name)
    async with observed(classic=name) as (chsk, _):
        line = await opened(chsk)
        await line.frame()
        with caplog.at_level(logging.DEBUG, "sente"):
            line.say(wrong)
            line.say(packer.pack([[Keyword("bench/echo"), 2], "cb"]))
            assert packer.unpack(await line.frame()) == [2, "cb"]
        assert "frame" in caplog.text and chsk.stats["unreadable"] == 1
        line.disconnect()


@pytest.mark.parametrize("size", [1024, 6036])
async def test_a_body_as_large_as_the_buffer_of_its_client(size: int) -> None:
    packer = dialect("msgpack")
    packed = packer.pack([[Keyword("bench/echo"), {Keyword("a"): 1}], Keyword("ajax")])
    assert isinstance(packed, bytes)
    async with observed(classic="msgpack") as (chsk, _):
        answer = await Exchange(chsk, "POST", f"{CLIENT}&binary%3F=true", body=packed.ljust(size, b"\0")).answer()
        assert (answer.status, answer.body) == (200, packer.pack([{Keyword("a"): 1}, None]))
        assert answer.headers["content-type"] == "application/octet-stream"


async def test_an_empty_form_is_a_bad_event_in_edn() -> None:
    async with observed(classic="edn") as (chsk, handled):
        answer = await Exchange(chsk, "POST", CLIENT, body=b"ppstr=").answer()
        assert answer.body == b"[:chsk/dummy-cb-200 nil]"
        assert handled[-1][:2] == ("chsk/bad-event", None)


async def test_a_reply_that_looks_like_events_is_none() -> None:
    async with observed(classic="edn") as (chsk, _):
        said = '[[:bench/echo [["a/b" 1]]] :ajax]'
        answer = await Exchange(chsk, "POST", CLIENT, body=f"ppstr={quote(said)}".encode()).answer()
        assert answer.body == b'[[["a/b" 1]] nil]'


async def test_typed_events_take_maps_of_keywords_and_leave_as_such() -> None:
    events = EventRegistry()

    @events.event("chat/say")
    class Say(BaseModel, Request[dict[str, str]]):
        text: str

    async with ChannelSocket(classic=dialect("edn", keyword_keys=True), events=events, settings=SETTINGS) as chsk:

        @chsk.on(Say)
        async def say(msg: Message[Say], /) -> dict[str, str]:
            return {"text": msg.data.text}

        line = await opened(chsk)
        await line.frame()
        line.say('[[:chat/say {:text "hi"}] "cb"]')
        assert await line.frame() == '[{:text "hi"} "cb"]'
        chsk.broadcast(Say(text="all"))
        assert await line.frame() == '[[[:chat/say {:text "all"}]] nil]'
        line.disconnect()


@pytest.mark.parametrize(("name", "packed"), [("edn", "[[:bench/echo 1] :ajax]"), ("msgpack", None)])
async def test_what_our_client_posts(name: str, packed: str | None) -> None:
    bodies: list[tuple[str, bytes]] = []
    async with observed(classic=name) as (chsk, _):

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def noted() -> Any:
                message = await receive()
                if scope.get("method") == "POST" and message.get("body"):
                    bodies.append((scope["query_string"].decode(), message["body"]))
                return message

            await chsk(scope, noted, send)

        async with Client("/chsk", app=app, classic=name, transport="poll") as client:
            assert await client.request("bench/echo", 1) == 1
    ((query, body),) = bodies
    if packed is None:
        assert query.endswith("&binary%3F=true")
        assert body == dialect(name).pack([[Keyword("bench/echo"), 1], Keyword("ajax")])
    else:
        assert parse_qs(body.decode())["ppstr"] == [packed]
