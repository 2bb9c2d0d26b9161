"""Our client as one of Sente's own, over real sockets, and from one server to another."""

import asyncio
from typing import Any

import pytest

from sente import ClientSettings, ServerSettings
from sente.client import Client
from tests.asgi import until
from tests.classic.server import observed
from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e

SETTINGS = ServerSettings(poll=0.5)


def talking(port: int, transport: Any) -> Client:
    url = f"http://127.0.0.1:{port}/chsk"
    quick = ClientSettings(backoff_base=0.02, backoff_cap=0.1)
    return Client(url, classic="json", transport=transport, params={"uid": "ada"}, settings=quick)


@pytest.mark.parametrize("transport", ["ws", "poll"])
async def test_requests_pushes_and_another_server(transport: Any) -> None:
    async with observed(SETTINGS) as (first, _), observed(SETTINGS) as (second, _):
        servers = [first]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await servers[-1](scope, receive, send)

        async with serving(app) as port, talking(port, transport) as client:
            assert (client.state.uid, client.state.transport, client.state.lost) == ("ada", transport, 0)
            pushes = client.events("bench/push")
            assert await client.request("bench/echo", {"text": "先手"}) == {"text": "先手"}
            assert await client.request("bench/push-me", 2) == {"pushed": 2}
            assert [(await anext(pushes)).data for _ in range(2)] == [{"i": 0}, {"i": 1}]
            await asyncio.sleep(0.6)  # a poll without news is followed by the next
            assert await client.request("bench/push-me", 1) == {"pushed": 1}
            assert (await anext(pushes)).data == {"i": 0}
            servers.append(second)
            first.disconnect("ada")
            await until(lambda: client.state.open and client.state.lost is None)
            assert not client.state.resumed
            assert await client.request("bench/echo", 3) == 3
