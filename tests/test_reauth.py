"""Credentials that expire, are renewed, or are another user's: in a running session, over both transports."""

import asyncio
import logging
from typing import Any

import pytest

from sente import ChannelSocket, ConfigError, Connection, Refusal, ServerSettings
from tests.asgi import TRANSPORTS, AnyClient, PollClient, TransportName, WsClient, connect, until
from tests.tokens import Tokens

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
EXPIRED = "the credentials have expired: renew them with reauthenticate() in time, or reconnect() with new ones"


def login(chsk: ChannelSocket, transport: TransportName, token: str, **options: Any) -> Any:
    return connect(chsk, transport, hello={"auth": token}, **options)


async def renew(client: AnyClient, token: Any) -> tuple[str, Any]:
    return await client.ask("chsk/auth", {"auth": token})


async def ended(client: AnyClient, exchange: Any = None) -> tuple[int, str]:
    """How the client's link ends: close code, or status, and the sentence."""
    if isinstance(client, WsClient):
        return await client.socket.closed()
    answer = await (exchange or client.post(client.head(wait=20_000))).answer()
    return 4000 + answer.status, answer.error


@over_both
async def test_new_credentials_are_those_of_all_that_follows(transport: TransportName) -> None:
    tokens = Tokens()
    async with tokens.socket() as chsk:
        client = await login(chsk, transport, "Bearer ada")
        assert await renew(client, "Bearer ada for 300") == ("reply", {"expires_in": 300_000})
        tokens.revoked.add("Bearer ada")  # a poll with the old ones would be refused
        assert await client.ask("who/am-i") == ("reply", ["ada", "ada", "Bearer ada for 300"])
        assert await renew(client, "Bearer ada 2") == ("reply", {"expires_in": None})
        await client.go_away()
        await client.open(auth="Bearer ada 3", session=client.info["session"])
        assert client.info["resumed"]
        assert await client.ask("who/am-i") == ("reply", ["ada", "ada", "Bearer ada 3"])
        assert (chsk.stats["credentials renewed"], chsk.stats["sessions"]) == (2, 1)


@over_both
async def test_refused_credentials_leave_the_old_ones(transport: TransportName) -> None:
    tokens = Tokens()
    tokens.revoked.add("Bearer eve")
    async with tokens.socket() as chsk:
        client = await login(chsk, transport, "Bearer ada for 300")
        failure = {"code": "forbidden", "message": "not authorized: log in, then reconnect", "data": {"status": 401}}
        assert await renew(client, "Bearer eve") == ("error", failure)
        late = await renew(client, "Bearer ada for -1")
        assert late[1]["message"] == "the credentials have expired: come back with new ones"
        assert await client.ask("who/am-i") == ("reply", ["ada", "ada", "Bearer ada for 300"])
        assert (chsk.stats["rejected 401"], chsk.stats["credentials renewed"]) == (2, 0)


@over_both
async def test_reject_is_asked_again_and_a_refusal_may_be_in_own_words(
    transport: TransportName,
) -> None:
    closed: list[str] = []
    hooks: dict[str, Any] = {
        "reject": lambda connection: closed and connection.headers["authorization"] == "Bearer ada 2" and closed[0],
        "on_reject": lambda connection, rejected: Refusal(418, f"sorry, {rejected.reason}"),
    }
    async with Tokens().socket(**hooks) as chsk:
        client = await login(chsk, transport, "Bearer ada")
        closed.append("closed on Mondays")
        refused = {"code": "forbidden", "message": "sorry, closed on Mondays", "data": {"status": 418}}
        assert await renew(client, "Bearer ada 2") == ("error", refused)


@over_both
@pytest.mark.parametrize("data", [None, "Bearer ada", {"auth": 7}, {"auth": ["Bearer ada"]}])
async def test_what_is_no_text_is_refused(transport: TransportName, data: Any) -> None:
    async with Tokens().socket() as chsk:
        client = await login(chsk, transport, "Bearer ada")
        outcome, failure = await client.ask("chsk/auth", data)
        assert (outcome, failure["code"]) == ("error", "invalid_event")
        assert await client.ask("who/am-i") == ("reply", ["ada", "ada", "Bearer ada"])


@over_both
async def test_another_user_ends_the_session(transport: TransportName) -> None:
    async with Tokens().socket() as chsk:
        client = await login(chsk, transport, "Bearer ada")
        request = [["chsk/auth", {"auth": "Bearer bob"}], 1, 1, None, "request"]
        post = None
        if isinstance(client, PollClient):
            post = client.post(client.head(seq=1), request)
        else:
            await client.push(request)
        assert await ended(client, post) == (4410, "another user is logged in")
        assert chsk.stats["ended user"] == 1
        await client.open(auth="Bearer bob", session=client.info["session"])
        assert (client.uid, client.info["resumed"]) == ("bob", False)
        await until(lambda: "ada" not in chsk.connected_uids.any)
        assert await client.ask("who/am-i") == ("reply", ["bob", "bob", "Bearer bob"])


@over_both
async def test_a_client_is_warned_and_then_closed_and_may_resume(transport: TransportName) -> None:
    settings = ServerSettings(batch_ws=0, batch_poll=0, grace_ws=0.01, grace_poll=0.01, auth_warning=0.1)
    async with Tokens().socket(settings=settings) as chsk:
        client = await login(chsk, transport, "Bearer ada for 0.2")
        name, data = await client.event()
        assert (name, 0 < data["in"] <= 100) == ("chsk/auth-due", True)
        assert await ended(client) == (4401, EXPIRED)
        await until(lambda: not chsk.connected_uids.any)
        if transport == "poll":
            assert await ended(client) == (4401, EXPIRED), "not by a later poll either"
        assert chsk.stats["credentials expired"] == (2 if transport == "poll" else 1)
        chsk.send("ada", "chat/said", "meanwhile")
        token = client.info["session"]
        await client.open(auth="Bearer ada", session=token)
        assert (client.info["resumed"], client.info["lost"]) == (True, 0)
        assert await client.event() == ["chat/said", "meanwhile"]
        assert not {key for key in chsk.stats if key.startswith("ended")}


@over_both
async def test_credentials_renewed_in_time_do_not_expire(transport: TransportName) -> None:
    async with Tokens().socket() as chsk:
        client = await login(chsk, transport, "Bearer ada for 0.1")
        assert (await client.event())[0] == "chsk/auth-due"
        assert await renew(client, "Bearer ada for 300") == ("reply", {"expires_in": 300_000})
        await asyncio.sleep(0.1)
        assert await client.ask("who/am-i") == ("reply", ["ada", "ada", "Bearer ada for 300"])
        assert chsk.stats["credentials expired"] == 0


@over_both
async def test_who_comes_with_expired_credentials_is_refused(transport: TransportName) -> None:
    async with Tokens().socket() as chsk:
        for seconds in ("0", "-1", "nan"):
            with pytest.raises(AssertionError, match="have expired"):
                await login(chsk, transport, f"Bearer ada for {seconds}")
        assert chsk.stats == {"rejected 401": 3}
        client = await login(chsk, transport, "Bearer ada for inf")
        assert await renew(client, "Bearer ada for 1e30") == ("reply", {"expires_in": None})


@over_both
@pytest.mark.parametrize("nonsense", ["300", True, [300]])
async def test_a_hook_that_returns_no_seconds_is_told(transport: TransportName, nonsense: Any) -> None:
    async with Tokens().socket(expires_in=lambda _: nonsense) as chsk:
        with pytest.raises(ConfigError, match="expires_in must return seconds or None"):
            await login(chsk, transport, "Bearer ada")


@over_both
async def test_a_hook_that_raises_is_reported_without_the_secret(
    transport: TransportName, caplog: pytest.LogCaptureFixture
) -> None:
    reported: list[Any] = []

    def expires_in(connection: Connection) -> None:
        if connection.headers["authorization"] != "Bearer ada":
            raise ValueError("the token server is down")

    async with Tokens().socket(expires_in=expires_in) as chsk:
        chsk.on_error = lambda error, message: reported.append((type(error), repr(message), message.id))
        client = await login(chsk, transport, "Bearer ada")
        outcome, failure = await renew(client, "Bearer ada 0secret")
        assert (outcome, failure["code"]) == ("error", "internal")
    [(error, shown, event_id)] = reported
    assert (error, event_id) == (ValueError, "chsk/auth")
    assert "0secret" not in shown + caplog.text


async def test_the_trace_does_not_show_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Tokens().socket(trace=True) as chsk:
        client = await login(chsk, "ws", "Bearer ada")
        await renew(client, "Bearer ada 0secret")
    assert "chsk/auth, request 1" in caplog.text and "0secret" not in caplog.text


# -- many at once, and what comes between


@over_both
async def test_those_of_one_client_are_checked_one_at_a_time_and_in_order(transport: TransportName) -> None:
    tokens = Tokens()
    go = tokens.slow["Bearer ada 0"] = asyncio.Event()
    async with tokens.socket(settings=ServerSettings(batch_ws=0, batch_poll=0, poll=0.01)) as chsk:
        client = await login(chsk, transport, "Bearer ada")
        refs = [await client.request("chsk/auth", {"auth": f"Bearer ada {n}"}) for n in range(70)]
        limited = [await client.reply(ref) for ref in refs[64:]]
        assert {failure["code"] for _, failure in limited} == {"rate_limited"}
        assert [token for token in tokens.checked if token != "Bearer ada"] == ["Bearer ada 0"]
        go.set()
        assert [await client.reply(ref) for ref in refs[:64]] == [("reply", {"expires_in": None})] * 64
        assert list(dict.fromkeys(tokens.checked))[1:] == [f"Bearer ada {n}" for n in range(64)]
        assert await client.ask("who/am-i") == ("reply", ["ada", "ada", "Bearer ada 63"])


async def test_one_that_is_called_off_makes_room_for_the_next() -> None:
    tokens = Tokens()
    tokens.slow["Bearer ada 1"] = asyncio.Event()
    async with tokens.socket() as chsk:
        client = await login(chsk, "ws", "Bearer ada")
        first = await client.request("chsk/auth", {"auth": "Bearer ada 1"})
        await until(lambda: "Bearer ada 1" in tokens.checked)
        await client.send("chsk/cancel", first)
        assert (await client.reply(first))[1]["code"] == "cancelled"
        assert await renew(client, "Bearer ada 2") == ("reply", {"expires_in": None})


async def test_other_events_do_not_wait_for_the_check() -> None:
    tokens = Tokens()
    go = tokens.slow["Bearer ada 2"] = asyncio.Event()
    async with tokens.socket() as chsk:
        client = await login(chsk, "ws", "Bearer ada")
        ref = await client.request("chsk/auth", {"auth": "Bearer ada 2"})
        assert await client.ask("who/am-i") == ("reply", ["ada", "ada", "Bearer ada"])
        go.set()
        assert await client.reply(ref) == ("reply", {"expires_in": None})


@over_both
async def test_a_hello_that_came_meanwhile_is_newer(transport: TransportName) -> None:
    tokens = Tokens()
    go = tokens.slow["Bearer ada 2"] = asyncio.Event()
    async with tokens.socket() as chsk:
        client = await login(chsk, transport, "Bearer ada 1")
        request = [["chsk/auth", {"auth": "Bearer ada 2"}], 1, 1, None, "request"]
        if isinstance(client, PollClient):
            client.post(client.head(seq=1), request)
        else:
            await client.push(request)
        client.ref = client.seq = 1
        await until(lambda: "Bearer ada 2" in tokens.checked)
        await client.open(auth="Bearer ada for 300", session=client.info["session"])
        assert client.info["resumed"]
        go.set()
        outcome, value = await client.reply(1)
        assert (outcome, 299_000 < value["expires_in"] <= 300_000) == ("reply", True)
        assert await client.ask("who/am-i") == ("reply", ["ada", "ada", "Bearer ada for 300"])


@over_both
async def test_a_session_that_ended_meanwhile_stays_ended(transport: TransportName) -> None:
    tokens = Tokens()
    go = tokens.slow["Bearer ada 0"] = asyncio.Event()
    async with tokens.socket(settings=ServerSettings(batch_ws=0, batch_poll=0, poll=0.01)) as chsk:
        client = await login(chsk, transport, "Bearer ada")
        for n in range(2):
            await client.request("chsk/auth", {"auth": f"Bearer ada {n}"})
        await until(lambda: "Bearer ada 0" in tokens.checked)
        chsk.disconnect("ada", "out")
        go.set()
        await until(lambda: not chsk._dispatcher.busy)
        assert (chsk.stats["credentials renewed"], chsk.stats["ended disconnected"]) == (0, 1)
        assert "Bearer ada 1" not in tokens.checked


async def test_an_application_has_no_handler_of_its_own_for_it() -> None:
    with pytest.raises(ConfigError, match="has a handler already"):
        ChannelSocket().on("chsk/auth")
    async with Tokens().socket() as chsk:
        got: list[Any] = []
        chsk.on("chsk/bad-event")(lambda msg: got.append(msg.data))
        client = await login(chsk, "ws", "Bearer ada")
        await client.send("chsk/auth", {"auth": "Bearer bob"})
        await until(lambda: got)
        assert got[0][0] == "chsk/auth"
        assert chsk.connected_uids.any == {"ada"}


# -- logout


@over_both
async def test_who_is_logged_out_is_refused_when_it_comes_back(transport: TransportName) -> None:
    tokens = Tokens()
    async with tokens.socket() as chsk:
        ada = [await login(chsk, name, "Bearer ada", client_id=f"c{n}") for n, name in enumerate(TRANSPORTS * 2)]
        polls = [client.post(client.head(wait=20_000)) if isinstance(client, PollClient) else None for client in ada]
        bob = await login(chsk, "ws", "Bearer bob", client_id="bob")
        await until(lambda: chsk.connected_uids.any == {"ada", "bob"})
        await asyncio.sleep(0.01)
        tokens.revoked.add("Bearer ada")
        chsk.disconnect("ada", "logged out")
        for client, poll in zip(ada, polls, strict=True):
            assert await ended(client, poll) == (4410, "logged out")
            with pytest.raises(AssertionError, match="not authorized"):
                await client.open(auth="Bearer ada", session=client.info["session"])
        assert chsk.stats["rejected 401"] == 4
        await until(lambda: chsk.connected_uids.any == {"bob"})
        assert (await bob.ask("who/am-i"))[1][0] == "bob"
