"""Who may connect: the pipeline, its hooks and its refusals, alike over both transports."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from sente import (
    ChannelSocket,
    ConfigError,
    Connection,
    Message,
    PackError,
    Refusal,
    Rejected,
    ServerSettings,
    allow_origin,
    csrf_token,
    valid_csrf_token,
)
from sente.interfaces import UserId
from sente.protocol.greeting import read_head, read_hello
from sente.protocol.sessions import Client
from tests.asgi import HELLO, QUERY, TRANSPORTS, Answer, PollClient, TransportName, WebSocket, connect, fetch, row

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
Hooks: TypeAlias = dict[str, Any]


async def say_hello(
    chsk: ChannelSocket, transport: TransportName, query: str = QUERY, *, hello: Any = HELLO, **options: Any
) -> tuple[int, str]:
    """What becomes of a hello: 200, or status and sentence of the refusal."""
    if transport == "poll":
        answer: Answer = await fetch(chsk, "POST", query, body=row(hello), **options)
        return answer.status, "" if answer.status == 200 else answer.error
    socket = WebSocket(chsk, query, **options)
    first = await socket.next()
    if first["type"] == "websocket.http.response.start":
        return first["status"], str((await socket.next())["body"])
    if query == QUERY:
        await socket.frame()
        socket.say(hello)
        if (answered := await socket.next())["type"] == "websocket.send":
            return 200, ""
        return answered["code"] - 4000, answered["reason"]
    code, reason = await socket.closed()
    return code - 4000, reason


def sync_or_async(hook: Callable[..., Any], is_async: bool) -> Callable[..., Any]:
    async def asynchronous(*args: Any) -> Any:
        await asyncio.sleep(0)
        return hook(*args)

    return asynchronous if is_async else hook


# -- refusals

EVIL = {"origin": "https://evil.example"}
REFUSALS: list[tuple[Hooks, dict[str, Any], int, str]] = [
    ({}, {"query": "packers=json"}, 400, "client-id is missing: 1 to 128 of"),
    ({}, {"query": "client-id=c1&packers=morse"}, 406, "the server speaks packers=auto,json"),
    ({"reject": lambda _: "closed on Mondays"}, {}, 403, "closed on Mondays"),
    ({"csrf": True}, {"session": {"csrf-token": "t"}}, 403, "give the client what csrf_token(request) returns"),
    ({"csrf": True}, {"hello": {**HELLO, "csrf": "t"}}, 403, "the CSRF token is missing or wrong"),
    ({"csrf": lambda *_: False}, {}, 403, "the CSRF token is missing or wrong"),
    ({}, {"headers": EVIL}, 403, "add allowed_origins=['https://evil.example'] at"),
    ({"authorize": lambda _: False}, {}, 401, "log in, then reconnect"),
]


@over_both
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(("hooks", "request_", "status", "sentence"), REFUSALS)
async def test_each_refusal_says_what_to_do(
    transport: TransportName, is_async: bool, hooks: Hooks, request_: dict[str, Any], status: int, sentence: str
) -> None:
    hooks = {name: sync_or_async(hook, is_async) if callable(hook) else hook for name, hook in hooks.items()}
    async with ChannelSocket(**hooks) as chsk:
        refused, text = await say_hello(chsk, transport, **request_)
        assert (refused, sentence in text) == (status, True), text
        assert chsk.stats == {f"rejected {status}": 1}


@over_both
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(("hooks", "request_", "status", "sentence"), REFUSALS)
async def test_each_refusal_can_be_put_in_own_words(
    transport: TransportName, is_async: bool, hooks: Hooks, request_: dict[str, Any], status: int, sentence: str
) -> None:
    seen: list[tuple[str, int]] = []

    def on_reject(connection: Connection, rejected: Rejected) -> Refusal:
        seen.append((connection.query["packers"], rejected.status))
        return Refusal(418, "tea", b'{"error": "tea, " }', [("x-tea", "green")])

    async with ChannelSocket(**hooks, on_reject=sync_or_async(on_reject, is_async)) as chsk:
        refused, text = await say_hello(chsk, transport, **request_)
        assert refused == 418 and "tea" in text
        assert [status for _, status in seen] == [status]
        if transport == "poll":
            options = {name: option for name, option in request_.items() if name in ("headers", "session")}
            answer = await fetch(chsk, "POST", request_.get("query", QUERY), body=row(HELLO), **options)
            assert (answer.body, answer.headers["x-tea"]) == (b'{"error": "tea, " }', "green")


@over_both
async def test_on_reject_may_leave_it_at_that(transport: TransportName) -> None:
    async with ChannelSocket(authorize=lambda _: False, on_reject=lambda *_: None) as chsk:
        assert (await say_hello(chsk, transport))[0] == 401


@over_both
@pytest.mark.parametrize("hook", ["reject", "authorize", "user_id", "handshake_data"])
async def test_every_hook_may_raise_a_refusal(transport: TransportName, hook: str) -> None:
    def refuse(_: Connection) -> Any:
        raise Rejected(402, "pay first")

    async with ChannelSocket(**{hook: refuse}) as chsk:  # type: ignore[arg-type]
        assert await say_hello(chsk, transport) == (402, "pay first")


@over_both
async def test_a_hook_that_fails_is_the_applications_own_error(transport: TransportName) -> None:
    def broken(_: Connection) -> bool:
        raise TimeoutError("no answer from the database")

    async with ChannelSocket(authorize=broken) as chsk:
        with pytest.raises(TimeoutError):
            await say_hello(chsk, transport)


@over_both
@pytest.mark.parametrize(
    ("hooks", "error"), [({"user_id": lambda _: 1.5}, ConfigError), ({"handshake_data": lambda _: object}, PackError)]
)
async def test_a_hook_that_returns_nonsense_is_told(
    transport: TransportName, hooks: Hooks, error: type[Exception]
) -> None:
    async with ChannelSocket(**hooks) as chsk:
        with pytest.raises(error):
            await say_hello(chsk, transport)
        assert not chsk.stats["sessions"]


# -- the pipeline


def recording(asked: list[str], *, is_async: bool) -> Hooks:
    """All hooks; each lets the client pass and says that it was asked."""

    def hook(name: str, answer: Any) -> Any:
        def ask(connection: Connection, *_: Any) -> Any:
            asked.append(name)
            assert connection.client_id == "c1"
            return answer

        return sync_or_async(ask, is_async)

    answers = {"reject": None, "csrf": True, "authorize": True, "user_id": "ada", "handshake_data": {"hi": 1}}
    return {name: hook(name, answer) for name, answer in answers.items()}


@over_both
@pytest.mark.parametrize("is_async", [False, True])
async def test_the_order_of_the_pipeline(transport: TransportName, is_async: bool) -> None:
    asked: list[str] = []
    async with ChannelSocket(**recording(asked, is_async=is_async)) as chsk:
        client = await connect(chsk, transport)
        assert (client.uid, client.data) == ("ada", {"hi": 1})
        assert asked == ["reject", "csrf", "authorize", "user_id", "handshake_data"]
        asked.clear()
        await say_hello(chsk, transport, headers=EVIL)  # the origin is looked at after the token, before authorize
        assert asked == ["reject", "csrf"]


async def test_on_later_polls_the_session_stands_for_the_csrf_token() -> None:
    asked: list[str] = []
    async with ChannelSocket(**recording(asked, is_async=False)) as chsk:
        client = await connect(chsk, "poll")
        assert isinstance(client, PollClient)
        asked.clear()
        await client.exchange(client.head())
        assert asked == ["reject", "authorize", "user_id"]
        client.options["headers"] = EVIL
        assert (await client.post(client.head()).answer()).status == 403


@over_both
async def test_the_csrf_token_of_the_session(transport: TransportName) -> None:
    async with ChannelSocket(csrf=True) as chsk:
        page = SimpleNamespace(session={})
        token = chsk.csrf_token(page)
        assert token == csrf_token(page.session) and len(token) > 40
        for given, status in ((token, 200), (token[:-1], 403), ("", 403), (None, 403), (token + "x", 403)):
            said = await say_hello(chsk, transport, hello={**HELLO, "csrf": given}, session=page.session)
            assert said[0] == status


def test_no_csrf_token_is_never_the_right_one() -> None:
    assert valid_csrf_token("a", "a") is True
    for expected, given in ((None, None), ("", ""), ("a", None), (None, "a"), ("a", "b"), ("?", "\ud800"), ("é", "e")):
        assert valid_csrf_token(expected, given) is False


# -- origins

ALLOWED = ["https://app.example.com", "http://localhost:3000", "http://[::1]:8000"]


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),  # no browser
        ({"origin": "https://a.example"}, True),
        ({"origin": "http://a.example"}, True),  # TLS may end at a proxy
        ({"origin": "https://a.example:8000"}, False),
        ({"origin": "https://b.a.example"}, False),
        ({"origin": "https://a.example.evil.example"}, False),
        ({"origin": "https://evil.example/https://a.example"}, False),
        ({"origin": "https://a.example@evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://["}, False),
        ({"origin": "https://app.example.com"}, True),
        ({"origin": "http://app.example.com"}, False),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://[::1]:8000"}, True),
        ({"origin": "https://evil.example", "referer": "https://a.example/"}, False),
        ({"referer": "https://a.example/page?q=1"}, True),
        ({"referer": "https://app.example.com/page"}, True),
        ({"referer": "https://evil.example/?a.example"}, False),
        ({"referer": "about:blank"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"referer": "https://a.example/", "sec-fetch-site": "cross-site"}, True),
        ({"host": "", "origin": "https://a.example"}, False),
        ({"host": "", "origin": "file://"}, False),
    ],
)
def test_origins(headers: dict[str, str], allowed: bool) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in ({"host": "a.example"} | headers).items()]
    assert allow_origin(Connection({"headers": pairs}), ALLOWED) is allowed
    assert allow_origin(Connection({"headers": pairs}), ["*"]) is True


def test_a_second_origin_header_does_not_help() -> None:
    headers = [(b"host", b"a.example"), (b"origin", b"https://evil.example"), (b"origin", b"https://a.example")]
    assert not allow_origin(Connection({"headers": headers}))
    assert not allow_origin(Connection({"headers": headers[::-1]}))


@over_both
async def test_an_allowed_origin_connects(transport: TransportName) -> None:
    async with ChannelSocket(allowed_origins=ALLOWED) as chsk:
        assert (await say_hello(chsk, transport, headers={"origin": ALLOWED[0]}))[0] == 200
        assert (await say_hello(chsk, transport, headers={"origin": "https://testserver"}))[0] == 200
        assert (await say_hello(chsk, transport, headers=EVIL))[0] == 403
    async with ChannelSocket(allowed_origins=["*"]) as chsk:
        assert (await say_hello(chsk, transport, headers=EVIL))[0] == 200


@pytest.mark.parametrize(
    "origins",
    [
        "https://a.example",
        ["a.example"],
        ["localhost:3000"],
        ["https://a.example/"],
        ["https://"],
        ["https://A.example"],
        ["https://["],
        ["https://[::1"],
        ["https://[::1]/"],
        ["https://a.example?x"],
        ["null"],
        [""],
    ],
)
def test_what_is_no_origin_is_refused_at_once(origins: Any) -> None:
    with pytest.raises(ConfigError, match="allowed_origins"):
        ChannelSocket(allowed_origins=origins)


@pytest.mark.parametrize(
    "option",
    [
        {"reject": "no"},
        {"authorize": True},
        {"user_id": None},
        {"user_id": "ada"},
        {"expires_in": 5},
        {"on_reject": 403},
        {"csrf": "token"},
        {"handshake_data": {"version": 1}},
        {"settings": {"poll": 3}},
        {"trace": "yes"},
    ],
)
def test_a_value_where_a_function_belongs_is_refused_at_once(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(option))}=.*: give "):
        ChannelSocket(**option)


# -- bearer tokens


@over_both
async def test_the_auth_of_the_hello_is_the_authorization_header(transport: TransportName) -> None:
    seen: list[tuple[str, str | None]] = []

    def authorize(connection: Connection) -> bool:
        seen.append(("authorize", connection.headers.get("authorization")))
        return True

    def user_id(connection: Connection) -> UserId:
        return connection.headers["authorization"].removeprefix("Bearer ")

    async with ChannelSocket(authorize=authorize, user_id=user_id) as chsk:

        @chsk.on("chat/say")
        async def say(message: Message) -> None:
            assert message.connection is not None
            seen.append(("handler", message.connection.headers.get("authorization")))

        client = await connect(chsk, transport, hello={"auth": "Bearer ada"}, headers={"authorization": "Basic x"})
        assert client.uid == "ada"
        await client.ask("chat/say")  # over HTTP: another request, which carries no such header
        assert {auth for _, auth in seen} == {"Bearer ada"}
        assert len(seen) == (3 if transport == "poll" else 2)


async def test_without_auth_the_header_itself_counts() -> None:
    async with ChannelSocket(user_id=lambda connection: connection.headers.get("authorization")) as chsk:
        assert (await connect(chsk, "poll", headers={"authorization": "Basic x"})).uid == "Basic x"


# -- secrets


@over_both
async def test_secrets_are_in_no_log_and_no_repr(transport: TransportName, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = {"auth": "Bearer 0auth", "csrf": "0csrf"}
    texts: list[str] = []
    async with ChannelSocket(csrf=lambda *_: True, settings=ServerSettings(batch_ws=0, batch_poll=0)) as chsk:

        @chsk.on("chat/say")
        async def say(message: Message) -> None:
            texts.append(repr(message))
            raise ValueError(f"cannot handle {message}")

        client = await connect(chsk, transport, hello=secrets, headers={"cookie": "id=0cookie"})
        token = client.info["session"]
        await client.ask("chat/say", {"text": "hi"})
        await client.send("chat/nobody", "0payload")
        texts += [repr(client) for client in chsk._hub.sessions]
        with suppress(AssertionError):  # it is refused
            await client.push(["0unreadable"])
            await client.pull()
    assert "cannot handle" in caplog.text and "unreadable packet" in caplog.text
    for secret in (*secrets.values(), token, "0cookie", "0payload", "0unreadable"):
        assert secret not in caplog.text + "".join(texts)


def test_the_core_shows_no_secrets_either() -> None:
    hello = read_hello(HELLO | {"csrf": "0csrf", "auth": "0auth"})
    head = read_head({"session": "0token", "n": 1, "ack": 0, "seq": 1, "wait": 0})
    client = Client("0token", "c1", "ada", None)  # type: ignore[arg-type]
    shown = repr((hello, head, client))
    assert not {secret for secret in ("0token", "0csrf", "0auth") if secret in shown}


def test_a_hello_does_not_show_the_session_it_asks_for() -> None:
    assert "0token" not in repr(read_hello(HELLO | {"session": "0token"}))
