"""Credentials of a client in the running session: renewed, expired, refused, or those of another user."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sente import ClientState, ConfigError, Disconnected, RequestFailed
from sente.client import Client
from tests.client.line import Server, reopening, serving, until
from tests.tokens import SETTINGS, Tokens

both = pytest.mark.parametrize("transport", ["ws", "poll"])


@asynccontextmanager
async def door(tokens: Tokens, **options: Any) -> AsyncIterator[Server]:
    async with serving(**{"settings": SETTINGS, **tokens.hooks, **options}) as server:

        @server.chsk.on("who/am-i")
        async def who(msg: Any) -> Any:
            return [msg.uid, msg.connection.headers["authorization"]]

        yield server


async def reached(client: Client, condition: Any) -> ClientState:
    await until(lambda: condition(client.state))
    return client.state


@both
async def test_new_credentials_go_to_the_server_in_the_running_session(transport: Any) -> None:
    tokens = Tokens()
    async with door(tokens) as server, server.client(transport=transport, auth="Bearer ada") as client:
        assert await client.reauthenticate() is None
        assert await client.reauthenticate("Bearer ada for 300") == 300.0
        tokens.revoked.add("Bearer ada")
        assert await client.request("who/am-i") == ["ada", "Bearer ada for 300"]
        assert server.chsk.stats["sessions"] == 1
        async with reopening(client):
            client.reconnect()
        assert client.state.resumed
        assert await client.request("who/am-i") == ["ada", "Bearer ada for 300"]


@both
async def test_a_function_is_asked_when_the_server_warns(transport: Any) -> None:
    asked: list[int] = []

    async def auth() -> str:
        asked.append(len(asked))
        return f"Bearer ada{' ' * len(asked)}for 0.2"

    async with door(Tokens()) as server, server.client(transport=transport, auth=auth) as client:
        changes = client.state_changes()
        await until(lambda: server.chsk.stats["credentials renewed"] == 5)
        told = [await anext(changes) for _ in range(4)]
        assert all(change.new.open for change in told)
        assert [change.new.auth_expires is None for change in told] == [False, True, False, True]
        assert server.chsk.stats["credentials expired"] == 0
        assert await client.request("who/am-i") == ["ada", f"Bearer ada{' ' * len(asked)}for 0.2"]


@both
async def test_a_value_is_not_renewed_by_itself_and_the_state_says_when_it_ends(transport: Any) -> None:
    async with door(Tokens()) as server, server.client(transport=transport, auth="Bearer ada for 0.3") as client:
        changes = client.state_changes()
        warned = (await anext(changes)).new
        assert warned.open and warned.auth_expires is not None
        state = await reached(client, lambda state: state.refused)
        assert state.refused is not None
        assert state.refused.code == (4401 if transport == "ws" else 401)
        assert state.refused.message.startswith("the credentials have expired: renew them with reauthenticate()")
        assert abs(state.refused.at - warned.auth_expires) < 0.15
        assert (state.open, state.auth_expires, state.next_reconnect) == (False, None, None)
        server.push(1)
        with pytest.raises(Disconnected):
            await client.reauthenticate("Bearer ada")
        events = client.events("test/push")
        client.reconnect()
        state = await reached(client, lambda state: state.open)
        assert (state.resumed, state.lost, state.refused) == (True, 0, None)
        assert (await anext(events)).data == 1
        assert await client.request("who/am-i") == ["ada", "Bearer ada"]


@both
async def test_refused_credentials_change_nothing(transport: Any) -> None:
    tokens = Tokens()
    tokens.revoked.add("Bearer eve")
    async with door(tokens) as server, server.client(transport=transport, auth="Bearer ada") as client:
        before = client.state
        with pytest.raises(RequestFailed, match="not authorized") as failed:
            await client.reauthenticate("Bearer eve")
        assert (failed.value.code, failed.value.data) == ("forbidden", {"status": 401})
        assert client.state == before
        async with reopening(client):
            client.reconnect()
        assert await client.request("who/am-i") == ["ada", "Bearer ada"], "nor what the next hello says"


@both
async def test_a_renewal_that_fails_leaves_one_more_attempt(transport: Any, caplog: pytest.LogCaptureFixture) -> None:
    said = ["Bearer ada for 0.2", "Bearer stale", "Bearer ada"]
    tokens = Tokens()
    tokens.revoked.add("Bearer stale")
    async with door(tokens) as server, server.client(transport=transport, auth=lambda: said.pop(0)) as client:
        async with reopening(client):
            pass
        assert (client.state.resumed, client.state.lost, said) == (True, 0, [])
        assert (server.chsk.stats["rejected 401"], server.chsk.stats["credentials expired"]) == (1, 1)
    assert "the credentials could not be renewed: forbidden: not authorized" in caplog.text


@both
async def test_who_has_no_better_ones_is_refused_for_good(transport: Any, caplog: pytest.LogCaptureFixture) -> None:
    said = ["Bearer ada for 0.2"]
    tokens = Tokens()
    tokens.revoked.add("Bearer stale")
    auth = lambda: said.pop() if said else "Bearer stale"  # noqa: E731
    async with door(tokens) as server, server.client(transport=transport, auth=auth) as client:
        state = await reached(client, lambda state: state.refused)
        assert state.refused is not None
        assert state.refused.message == "not authorized: log in, then reconnect"
        await asyncio.sleep(0.1)
        assert server.chsk.stats["rejected 401"] == 2, "the renewal, and one hello"


@both
async def test_another_user_begins_anew(transport: Any) -> None:
    async with door(Tokens()) as server, server.client(transport=transport, auth="Bearer ada") as client:
        async with reopening(client):
            with pytest.raises(Disconnected, match="the session ended"):
                await client.reauthenticate("Bearer bob")
        assert (client.state.uid, client.state.resumed) == ("bob", False)
        assert await client.request("who/am-i") == ["bob", "Bearer bob"]
        assert (server.chsk.stats["ended user"], server.chsk.stats["sessions"]) == (1, 2)


@both
async def test_nothing_is_said_as_another_user(transport: Any) -> None:
    given_back: list[Any] = []
    said = ["Bearer ada", "Bearer bob"]
    async with door(Tokens()) as server:
        client = server.client(transport=transport, auth=lambda: said.pop(0), on_unconfirmed=given_back.extend)
        async with client:
            server.line.deaf = True
            asked = asyncio.create_task(client.request("test/echo", "as ada"))
            assert client.send("test/note", "as ada")
            await asyncio.sleep(0.05)
            server.line.deaf = False
            async with reopening(client):
                server.line.cut()
            assert (client.state.uid, client.state.resumed) == ("bob", False)
            with pytest.raises(Disconnected):
                await asked
            await until(lambda: given_back)
            assert [(event.id, event.data) for event in given_back] == [("test/note", "as ada")]
            assert await client.request("who/am-i") == ["bob", "Bearer bob"]
        assert server.got == []


async def test_what_is_shown_while_the_line_is_down_counts_from_the_next_attempt_on() -> None:
    client = Client("http://127.0.0.1:9/chsk", auth="Bearer ada")
    with pytest.raises(Disconnected, match="not connected"):
        await client.reauthenticate("Bearer ada 2")
    assert client._driver.auth == "Bearer ada 2"


async def test_a_function_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    said = ["Bearer ada for 0.2"]
    async with door(Tokens()) as server, server.client(auth=lambda: said.pop()) as client:
        await reached(client, lambda state: state.auth_expires)
        await until(lambda: "could not be renewed: pop from empty list" in caplog.text)
        assert client.state.open


async def test_a_client_may_leave_while_its_function_takes_its_time(caplog: pytest.LogCaptureFixture) -> None:
    asked = asyncio.Event()

    async def auth() -> str:
        if asked.is_set():
            return "Bearer ada"
        asked.set()
        return "Bearer ada for 0.2"

    async def slow() -> str:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError("it is stopped")

    async with door(Tokens()) as server:
        client = server.client(auth="Bearer ada for 0.2")
        async with client:
            client._driver.auth = slow
            await asyncio.wait_for(asked.wait(), 5)
        assert client._renewal is not None and client._renewal._task is not None
        assert client._renewal._task.cancelled()
    caplog.set_level(logging.DEBUG)
    assert "could not be renewed" not in caplog.text


async def test_a_sente_server_knows_nothing_like_it() -> None:
    with pytest.raises(ConfigError, match=r"with reconnect\(\) only"):
        await Client("http://127.0.0.1:9/chsk", classic="json").reauthenticate("Bearer ada")


@both
async def test_a_reply_that_says_nothing_means_for_ever(transport: Any) -> None:
    async with door(Tokens()) as server, server.client(transport=transport, auth="Bearer ada") as client:
        server.chsk._dispatcher._handlers["chsk/auth"] = server.chsk._dispatcher._handlers["test/echo"]
        assert await client.reauthenticate() is None
