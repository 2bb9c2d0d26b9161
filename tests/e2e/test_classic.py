"""Sente's own way of talking, over real sockets: uvicorn on one side, a bare WebSocket or HTTP client on the other."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sente import ServerSettings
from tests.asgi import PATIENCE, until
from tests.classic.server import observed
from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e

SETTINGS = ServerSettings(grace_ws=0.05, grace_poll=0.5, poll=0.5)


async def heard(line: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(line.recv(), PATIENCE))


async def test_a_bare_websocket_talks() -> None:
    async with observed(SETTINGS) as (chsk, _), serving(chsk) as port:
        async with connect(f"ws://127.0.0.1:{port}/chsk?client-id=c1&uid=ada&csrf-token=") as line:
            assert await heard(line) == [["chsk/handshake", ["ada", None, None]], None]
            await line.send('[["bench/echo", {"text": "先手"}], "cb0001"]')
            assert await heard(line) == [{"text": "先手"}, "cb0001"]
            await line.send('[["bench/push-me", 2], "cb0002"]')
            assert await heard(line) == [{"pushed": 2}, "cb0002"]
            assert await heard(line) == [[["bench/push", {"i": 0}], ["bench/push", {"i": 1}]], None]
            await line.send('[["chsk/ws-ping"], "cb0003"]')
            assert await heard(line) == ["pong", "cb0003"]
            assert await asyncio.wait_for(await line.ping(), PATIENCE) >= 0
            chsk.disconnect("ada")
            with pytest.raises(ConnectionClosed) as closed:
                await heard(line)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000
        await until(lambda: not chsk.connected_uids.any)


async def test_a_refusal_is_plain_http() -> None:
    async with observed(SETTINGS, csrf=lambda _, token: token == "tok") as (chsk, _), serving(chsk) as port:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port}/chsk?client-id=c1&csrf-token=bad")
        response = refused.value.response
        assert (response.status_code, response.body) == (403, b"Bad CSRF token")
        async with connect(f"ws://127.0.0.1:{port}/chsk?client-id=c1&csrf-token=tok") as line:
            assert (await heard(line))[0][0] == "chsk/handshake"


async def test_polls_and_posts() -> None:
    async with (
        observed(SETTINGS) as (chsk, _),
        serving(chsk) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http,
    ):
        who = {"client-id": "c1"}
        first = await http.get("/chsk", params=who | {"udt": "1", "handshake?": "1"})
        assert first.json() == [["chsk/handshake", ["c1", None, None]], None]
        poll = asyncio.create_task(http.get("/chsk", params=who | {"udt": "2"}))
        await until(lambda: chsk.connected_uids.poll)
        said = await http.post("/chsk", data=who | {"udt": "3", "ppstr": '[["bench/push-me", 1], "ajax"]'})
        assert said.json() == [{"pushed": 1}, None]
        assert (await poll).json() == [[["bench/push", {"i": 0}]], None]
        binary = await http.post("/chsk", params=who | {"binary?": "true"}, content=b'[["test/no-reply"], null]')
        assert binary.json() == ["chsk/dummy-cb-200", None]
        assert (await http.get("/chsk", params=who)).json() == ["chsk/timeout", None]
        poll = asyncio.create_task(http.get("/chsk", params=who))
        await until(lambda: chsk._hub.links)
        poll.cancel()
        await until(lambda: not chsk._hub.links and not chsk.connected_uids.any)
