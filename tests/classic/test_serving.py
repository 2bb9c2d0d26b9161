"""Sente's own clients at a ``ChannelSocket``: who gets in, what is read of them, and what they can cost."""

import asyncio
import json
import logging
from typing import Any
from urllib.parse import quote

import pytest

from sente import (
    ANONYMOUS,
    ChannelSocket,
    Connection,
    Limits,
    Message,
    Refusal,
    Rejected,
    RequestFailed,
    ServerSettings,
)
from tests.asgi import Answer, Exchange, WebSocket, connect, fetch, until

CLIENT = "client-id=c1"
FORM = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
SESSION = {"csrf-token": "secret", "uid": "ada"}
FAST = ServerSettings(batch_ws=0, batch_poll=0, poll=0.05, grace_ws=0.05, grace_poll=0.05)


def uid(connection: Connection) -> str | None:
    return connection.query.get("uid")


def socket(settings: ServerSettings = FAST, **options: Any) -> ChannelSocket:
    options = {"user_id": uid, **options}
    chsk = ChannelSocket(classic="json", settings=settings, **options)

    @chsk.on("a/echo")
    async def echo(msg: Message) -> Any:
        return msg.data

    return chsk


async def opened(chsk: ChannelSocket, query: str = CLIENT, **options: Any) -> WebSocket:
    """A WebSocket that has its handshake."""
    line = WebSocket(chsk, query, **options)
    assert (await line.next())["type"] == "websocket.accept"
    assert (await heard(line))[0][0] == "chsk/handshake"
    return line


async def heard(line: WebSocket) -> Any:
    return json.loads(await line.frame())


async def refused(line: WebSocket) -> tuple[int, bytes]:
    start, body = await line.next(), await line.next()
    assert start["type"] == "websocket.http.response.start"
    return start["status"], body["body"]


async def post(chsk: ChannelSocket, value: Any, form: str = CLIENT, **options: Any) -> Answer:
    packed = value if isinstance(value, str) else json.dumps(value)
    options.setdefault("headers", FORM)
    return await fetch(chsk, "POST", "", body=f"{form}&ppstr={quote(packed)}".encode(), **options)


# -- who is a classic client


async def test_without_being_asked_to_nobody_serves_them() -> None:
    async with ChannelSocket() as chsk:
        assert (await fetch(chsk, query=CLIENT)).status == 406
        assert (await post(chsk, [["a/echo"], None])).status == 400
        assert (await WebSocket(chsk, CLIENT).closed())[0] == 4406


async def test_session_clients_are_served_beside_them_with_the_same_bytes() -> None:
    async with socket() as chsk:
        classic = await opened(chsk, f"{CLIENT}&uid=ada")
        session = WebSocket(chsk, "v=1&packers=json&client-id=c1&uid=ada")
        await session.accepted()
        session.say({"hello": 1, "session": None, "n": 1, "ack": 0})
        await session.frame()
        assert chsk.send("ada", "chat/said", {"text": "先手"}).clients == 2
        assert await classic.frame() == await session.frame() == '[[["chat/said",{"text":"先手"}]],null]'
        assert chsk.broadcast("chat/said", 1).clients == 2
        assert await classic.frame() == await session.frame()
        assert chsk.connected_uids.any == {"ada"}


async def test_a_packer_of_their_own() -> None:
    class Reversed:
        name = "reversed"

        def pack(self, value: Any, /) -> bytes:
            return json.dumps(value).encode()[::-1]

        def unpack(self, wire: Any, /) -> Any:
            return json.loads(wire[::-1])

    async with ChannelSocket(classic=Reversed(), user_id=uid, settings=FAST) as chsk:
        line = WebSocket(chsk, CLIENT)
        assert (await line.next())["type"] == "websocket.accept"
        assert (await line.frame())[::-1] == b'[["chsk/handshake", ["sente/nil-uid", null, null]], null]'
        chsk.send(ANONYMOUS, "a/b", 1)
        assert (await line.frame())[::-1] == b'[[["a/b", 1]], null]'
        session = await connect(chsk)
        assert session.info["session"]
        answer = await fetch(chsk, query="client-id=c2")
        assert answer.headers["content-type"] == "application/octet-stream"


async def test_other_methods_and_the_script_are_as_for_everybody() -> None:
    async with socket() as chsk:
        assert (await fetch(chsk, "OPTIONS", CLIENT)).status == 204
        assert (await fetch(chsk, "PUT", CLIENT)).status == 405
        script = await fetch(chsk, "GET", "", path="/chsk/client.js")
        assert "javascript" in script.headers["content-type"] or script.status == 404


# -- who gets in


@pytest.mark.parametrize(
    ("query", "headers", "passes"),
    [
        ("&csrf-token=secret", {}, True),
        ("", {"x-csrf-token": "secret"}, True),
        ("", {"x-xsrf-token": "secret"}, True),
        ("", {}, False),
        ("&csrf-token=wrong", {"x-csrf-token": "secret"}, False),
        ("&csrf-token=", {"x-csrf-token": "secret"}, False),
        ("", {"x-csrf-token": "wrong", "x-xsrf-token": "secret"}, False),
        ("", {"x-csrf-token": "null"}, False),
    ],
)
async def test_where_the_csrf_token_is_looked_for(query: str, headers: dict[str, str], passes: bool) -> None:
    async with socket(csrf=True) as chsk:
        line = WebSocket(chsk, CLIENT + query, headers=headers, session=SESSION)
        if passes:
            assert (await line.next())["type"] == "websocket.accept"
        else:
            assert await refused(line) == (403, b"Bad CSRF token")
        poll = await fetch(chsk, query=f"{CLIENT}&handshake?=1{query}", headers=headers, session=SESSION)
        assert poll.status == (200 if passes else 403)
        answer = await post(chsk, [["a/echo", 1], "ajax"], CLIENT + query, headers=FORM | headers, session=SESSION)
        assert answer.body == (b"[1,null]" if passes else b"Bad CSRF token")


async def test_no_token_is_what_browsers_write_for_null() -> None:
    seen: list[str | None] = []

    def check(connection: Connection, token: str | None) -> bool:
        seen.append(token)
        return True

    async with socket(csrf=check) as chsk:
        await fetch(chsk, query=CLIENT, headers={"x-csrf-token": "null"})
        assert seen == [None]


@pytest.mark.parametrize(
    ("options", "headers", "status", "body"),
    [
        ({"reject": lambda _: "not today"}, {}, 403, b"not today"),
        ({}, {"origin": "https://evil.example"}, 403, b"Unauthorized origin"),
        ({"authorize": lambda _: False}, {}, 401, b"Unauthorized request"),
        ({"on_reject": lambda _, rejected: Refusal(402, rejected.reason, b"pay")}, {"origin": "null"}, 402, b"pay"),
        ({"settings": ServerSettings(sessions=0)}, {}, 503, b"retry_after=5000"),
    ],
)
async def test_refusals_in_sentes_words(
    options: dict[str, Any], headers: dict[str, str], status: int, body: bytes
) -> None:
    async with socket(**options) as chsk:
        line = WebSocket(chsk, CLIENT, headers=headers)
        assert await refused(line) == (status, body)
        await line.ended()
        for answer in (
            await fetch(chsk, query=CLIENT, headers=headers),
            await post(chsk, [["a/echo"], None], headers=FORM | headers),
        ):
            assert (answer.status, answer.body) == (status, body)
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert chsk.stats[f"rejected {status if status != 402 else 403}"] == 3


async def test_a_full_server_serves_those_it_knows() -> None:
    async with socket(ServerSettings(sessions=1, poll=0.05)) as chsk:
        assert (await fetch(chsk, query=CLIENT)).json[0][0] == "chsk/handshake"
        assert (await fetch(chsk, query="client-id=c2")).status == 503
        assert (await refused(WebSocket(chsk, CLIENT)))[0] == 503
        assert (await fetch(chsk, query=CLIENT)).json == ["chsk/timeout", None]
        assert (await post(chsk, [["a/echo", 1], "ajax"])).json == [1, None]
        assert (await fetch(chsk, query=f"{CLIENT}&handshake?=")).json[0][0] == "chsk/handshake"


async def test_a_missing_client_id_comes_before_everything_else() -> None:
    async with socket(reject=lambda _: "not today") as chsk:
        status, body = await refused(WebSocket(chsk, "client-id="))
        assert status == 400 and body.startswith(b"client-id is missing")
        assert (await fetch(chsk, query="")).body == body
        assert (await post(chsk, [["a/echo"], None], "udt=1")).body == body


async def test_a_server_that_cannot_refuse_with_a_body_closes() -> None:
    async with socket(authorize=lambda _: False) as chsk:
        assert await WebSocket(chsk, CLIENT, denial=False).closed() == (4401, "Unauthorized request")


async def test_what_a_hook_raises_is_the_applications() -> None:
    def user(connection: Connection) -> str:
        raise TimeoutError("the database is slow")

    async with socket(user_id=user) as chsk:
        with pytest.raises(TimeoutError, match="the database is slow"):
            await WebSocket(chsk, CLIENT).next()


async def test_a_client_that_goes_before_it_is_accepted() -> None:
    async with socket() as chsk:
        line = WebSocket(chsk, CLIENT)
        line._up.get_nowait()
        line.disconnect()
        assert await line.next() is None


async def test_the_parameters_of_a_form_are_those_of_the_connection() -> None:
    async with socket() as chsk:

        @chsk.on("a/who")
        async def who(msg: Message) -> Any:
            assert msg.connection is not None
            return [msg.uid, msg.client_id, msg.connection.query["room"]]

        answer = await post(chsk, [["a/who"], "ajax"], f"{CLIENT}&uid=ada&room=go")
        assert answer.json == [["ada", "c1", "go"], None]


# -- what is read


@pytest.mark.parametrize(
    "frame",
    [b"\xff\xfe", "", "not json", '"a string"', "7", '{"a": 1}', "[[", f'[["a/b"], {"[" * 500}{"]" * 500}]'],
)
async def test_a_frame_that_cannot_be_read_changes_nothing(frame: str | bytes) -> None:
    async with socket() as chsk:
        line = await opened(chsk)
        line.say(frame)
        line.say([["a/echo", "still here"], "cb"])
        assert await heard(line) == ["still here", "cb"]
        assert chsk.stats["unreadable"] == 1


async def test_a_binary_frame_is_read_too() -> None:
    async with socket() as chsk:
        line = await opened(chsk)
        line.say(b'[["a/echo", 1], 7]')
        assert await heard(line) == [1, 7]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"client-id=c1&ppstr=", b"not JSON"),
        (b"client-id=c1&ppstr=%5B", b"not JSON"),
        (b"client-id=c1&ppstr=7", b"a message is a list"),
        (b"client-id=c1", b"the form has no ppstr"),
        (b"\xff", b"the body is no form"),
        (b"&".join([b"a=1"] * 33), b"the body is no form"),
    ],
)
async def test_a_post_that_cannot_be_read(body: bytes, why: bytes) -> None:
    async with socket() as chsk:
        answer = await fetch(chsk, "POST", "", body=body, headers=FORM)
        assert answer.status == 400
        assert answer.body.startswith(why)


async def test_sizes() -> None:
    async with socket(ServerSettings(limits=Limits(packet=100, body=1000))) as chsk:
        assert (await post(chsk, [["a/echo", "x" * 100], "ajax"])).status == 413
        assert (await post(chsk, [["a/echo", "x" * 1000], "ajax"])).status == 413
        line = await opened(chsk)
        line.say([["a/echo", "x" * 100], "cb"])
        assert (await line.closed())[0] == 1009


async def test_a_reply_is_no_page_of_markup() -> None:
    async with socket() as chsk:
        answer = await post(chsk, [["a/echo", "<script>alert(1)</script>"], "ajax"])
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store, no-transform"


async def test_a_client_that_goes_away_while_it_posts() -> None:
    async with socket() as chsk:
        exchange = Exchange(chsk, "POST", "", body=[])
        exchange.disconnect()
        assert (await exchange.answer()).status == 503


# -- handlers


async def test_a_handler_that_fails_is_a_failed_callback(caplog: pytest.LogCaptureFixture) -> None:
    async with socket() as chsk:

        @chsk.on("a/fails")
        async def fails(msg: Message) -> None:
            raise RequestFailed("forbidden", "only the owner may", {"odd": object()})

        @chsk.on("a/breaks")
        async def breaks(msg: Message) -> Any:
            return object() if msg.data else 1 / 0

        line = await opened(chsk)
        with caplog.at_level(logging.CRITICAL, "sente"):
            for number, event in enumerate([["a/fails"], ["a/breaks"], ["a/breaks", 1], ["a/nobody"], "bad"]):
                line.say([event, number])
                assert await heard(line) == ["chsk/error", number]
        assert (await post(chsk, [["a/nobody"], "ajax"])).json == ["chsk/error", None]


async def test_forged_events_reach_the_application_as_bad_ones_only() -> None:
    bad: list[Any] = []
    came: list[Any] = []
    async with socket() as chsk:

        @chsk.on("chsk/bad-event")
        async def note(msg: Message) -> None:
            bad.append(msg.data)

        @chsk.on("chsk/uidport-open")
        async def comes(msg: Message) -> None:
            came.append(msg.uid)

        line = await opened(chsk, f"{CLIENT}&uid=ada")
        line.say([["chsk/uidport-open", "evil"]])
        line.say([["chsk/bye"]])
        line.say([1, None])
        line.say("null")
        await until(lambda: len(bad) == 4)
        assert bad == [["chsk/uidport-open", "evil"], ["chsk/bye", None], 1, None]
        assert came == ["ada"]


# -- presence, and lines that end


async def test_a_user_is_there_over_both_transports_and_gone_after_the_grace() -> None:
    async with socket() as chsk:
        line = await opened(chsk, f"{CLIENT}&uid=ada")
        await fetch(chsk, query=f"{CLIENT}&uid=ada")
        poll = Exchange(chsk, query=f"{CLIENT}&uid=ada")
        await until(lambda: chsk.connected_uids.poll)
        assert chsk.connected_uids.ws == chsk.connected_uids.poll == {"ada"}
        assert chsk.send("ada", "a/b", 1).clients == 2
        assert await heard(line) == (await poll.answer()).json == [[["a/b", 1]], None]
        line.disconnect()
        await until(lambda: not chsk.connected_uids.any)
        assert chsk.stats["ended gone"] == 2


async def test_disconnect_closes_as_sente_does() -> None:
    async with socket() as chsk:
        line = await opened(chsk, f"{CLIENT}&uid=ada")
        await fetch(chsk, query=f"{CLIENT}&uid=ada")
        poll = Exchange(chsk, query=f"{CLIENT}&uid=ada")
        await until(lambda: chsk.connected_uids.poll)
        chsk.disconnect("ada", "out")
        assert await line.closed() == (1000, "out")
        answer = await poll.answer()
        assert (answer.status, answer.body) == (410, b"out")
        assert (await fetch(chsk, query=f"{CLIENT}&uid=ada")).json[0][0] == "chsk/handshake"


async def test_a_poll_that_was_given_up_gets_no_push() -> None:
    async with socket(ServerSettings(batch_poll=0)) as chsk:
        await fetch(chsk, query=f"{CLIENT}&uid=ada")
        poll = Exchange(chsk, query=f"{CLIENT}&uid=ada")
        await until(lambda: chsk.connected_uids.poll)
        poll.disconnect()
        assert (await poll.answer()).status == 503
        chsk.send("ada", "a/b", 1)
        assert (await fetch(chsk, query=f"{CLIENT}&uid=ada")).json == [[["a/b", 1]], None]


async def test_a_push_that_found_nobody_is_counted() -> None:
    async with socket() as chsk:
        line = await opened(chsk, f"{CLIENT}&uid=ada")
        line.disconnect()
        await line.ended()
        chsk.send("ada", "a/b", 1)
        await until(lambda: not chsk.connected_uids.any)
        assert chsk.stats["dropped"] == 1


async def test_the_server_goes_down() -> None:
    async with socket(ServerSettings(drain=0.2)) as chsk:
        line = await opened(chsk, f"{CLIENT}&uid=ada")
        await fetch(chsk, query=f"{CLIENT}&uid=ada")
        poll = Exchange(chsk, query=f"{CLIENT}&uid=ada")
        await until(lambda: chsk.connected_uids.poll)
        chsk.send("ada", "a/b", 1)
        await chsk._hub.drain(0.2)
        assert await heard(line) == [[["a/b", 1]], None]
        assert await line.closed() == (1001, "the server restarts")
        assert (await poll.answer()).json == [[["a/b", 1]], None]
        assert (await refused(WebSocket(chsk, CLIENT)))[0] == 503


# -- what a client can cost


async def test_who_is_faster_than_the_handlers_is_not_read() -> None:
    free = asyncio.Event()
    async with socket(ServerSettings(limits=Limits(backlog=4))) as chsk:

        @chsk.on("a/slow")
        async def slow(msg: Message) -> None:
            await free.wait()

        line = await opened(chsk)
        for _ in range(20):
            line.say([["a/slow"], None])
        await until(lambda: chsk.stats["received"] == 4)
        await asyncio.sleep(0.05)
        assert chsk.stats["received"] == 4
        assert (await post(chsk, [["a/slow"], None])).status == 200
        for _ in range(3):
            await post(chsk, [["a/slow"], None])
        answer = await post(chsk, [["a/slow"], None])
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        free.set()
        await until(lambda: chsk.stats["received"] == 24)


@pytest.mark.parametrize("limits", [Limits(outbox=8), Limits(outbox_bytes=10_000)])
async def test_who_never_reads_is_cut_off(limits: Limits) -> None:
    async with socket(ServerSettings(batch_ws=0, limits=limits)) as chsk:
        line = await opened(chsk, f"{CLIENT}&uid=ada")
        line.reading.clear()
        for _ in range(30):
            chsk.send("ada", "a/b", "x" * 1000, flush=True)
        await line.ended()
        assert not chsk._hub.links
        assert chsk.stats["cut off"] == 1


async def test_lines_that_come_and_break_at_any_moment_leave_nothing_behind() -> None:
    async with socket() as chsk:
        for number in range(200):
            line = WebSocket(chsk, f"client-id=c{number % 7}&uid=ada")
            exchange = Exchange(chsk, query=f"client-id=c{number % 7}&uid=ada")
            for _ in range(number % 10):
                await asyncio.sleep(0)
            line.disconnect()
            exchange.disconnect()
            await asyncio.gather(line.task, exchange.task)
        await until(lambda: not chsk._hub.peers)
        assert not chsk._hub.links and not chsk._hub.classic and not chsk.connected_uids.any


async def test_a_rejected_says_which_check_it_was() -> None:
    seen: list[Rejected] = []
    async with socket(csrf=True, on_reject=lambda _, rejected: seen.append(rejected)) as chsk:
        await fetch(chsk, query=CLIENT)
        await connect_refused(chsk)
        assert [rejected.check for rejected in seen] == ["csrf", "csrf"]
        assert seen[0].reason == "Bad CSRF token" and "csrf_token(request)" in seen[1].reason


async def connect_refused(chsk: ChannelSocket) -> None:
    line = WebSocket(chsk)
    await line.accepted()
    line.say({"hello": 1, "session": None, "n": 1, "ack": 0})
    assert (await line.closed())[0] == 4403
