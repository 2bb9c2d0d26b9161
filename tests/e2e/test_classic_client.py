"""Our clients as some of Sente's own, over real sockets, and from one server to another."""

import asyncio
import json
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sente import ClientSettings, ServerSettings
from sente.client import Client
from tests.asgi import until
from tests.classic.server import observed
from tests.e2e.ports import accepts, free_port
from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e

NODE_CLIENT = Path(__file__).parents[2] / "js" / "e2e" / "node_client.mjs"
CHAT = Path(__file__).parents[1] / "classic" / "chat.py"
SETTINGS = ServerSettings(poll=0.5)


def talking(port: int, transport: Any, classic: str = "json") -> Client:
    url = f"http://127.0.0.1:{port}/chsk"
    quick = ClientSettings(backoff_base=0.02, backoff_cap=0.1)
    return Client(url, classic=classic, transport=transport, params={"uid": "ada"}, settings=quick)


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize("form", ["json", "edn", "transit+gzip", "msgpack"])
async def test_requests_pushes_and_another_server(form: str, transport: Any) -> None:
    async with observed(SETTINGS, classic=form) as (first, _), observed(SETTINGS, classic=form) as (second, _):
        servers = [first]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await servers[-1](scope, receive, send)

        async with serving(app) as port, talking(port, transport, form) as client:
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


class NodeClient:
    """The JavaScript client in Node, and what it has told so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.state: dict[str, Any] = {}
        self.events: list[Any] = []
        self._replies: list[dict[str, Any]] = []

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            match json.loads(line):
                case {"state": state}:
                    self.state = state
                case {"event": event}:
                    self.events.append(event)
                case {"n": _} as reply:
                    self._replies.append(reply)

    async def request(self, event_id: str, data: Any, **options: Any) -> Any:
        """The reply, or the name of the error."""
        count = len(self._replies)
        self.command(cmd="request", id=event_id, data=data, **options)
        await until(lambda: len(self._replies) > count)
        return self._replies[-1].get("reply", self._replies[-1].get("failed"))

    def command(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")


@asynccontextmanager
async def node_client(port: int, transport: str, **options: Any) -> AsyncIterator[NodeClient]:
    node = shutil.which("node")
    assert node, "these tests need Node"
    options = {"classic": True, "params": {"uid": "ada"}, "settings": {"backoffBase": 20, "backoffCap": 100}, **options}
    url = f"http://127.0.0.1:{port}/chsk"
    command = [node, str(NODE_CLIENT), url, transport, json.dumps(options)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    client = NodeClient(process)
    listening = asyncio.create_task(client.listen())
    try:
        await until(lambda: client.state.get("open") or client.state.get("refused"))
        yield client
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening


@pytest.mark.parametrize("transport", ["auto", "ws", "poll"])
async def test_in_node_requests_pushes_and_another_server(transport: str) -> None:
    async with observed(SETTINGS) as (first, handled), observed(SETTINGS) as (second, _):
        servers = [first]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await servers[-1](scope, receive, send)

        async with serving(app) as port, node_client(port, transport) as client:
            line = "poll" if transport == "poll" else "ws"
            state = client.state
            assert (state["uid"], state["transport"], state["packer"], state["lost"]) == ("ada", line, "json", 0)
            assert await client.request("bench/echo", {"text": "先手 &+%"}) == {"text": "先手 &+%"}
            assert await client.request("bench/push-me", 2) == {"pushed": 2}
            await until(lambda: client.events == [["bench/push", {"i": 0}], ["bench/push", {"i": 1}]])
            await asyncio.sleep(0.6)  # a poll without news is followed by the next
            first.send("ada", "bench/push", 3)
            await until(lambda: client.events[2:] == [["bench/push", 3]])
            for number in range(5):
                client.command(cmd="send", id="test/note", data=number)
            await until(lambda: [said[1] for said in handled if said[0] == "test/note"] == list(range(5)))
            assert await client.request("test/no-reply", 1, timeout=50) == "RequestTimeout"
            servers.append(second)
            first.disconnect("ada")
            await until(lambda: client.state["open"] and client.state["lost"] is None)
            assert not client.state["resumed"]
            assert await client.request("bench/echo", 3) == 3
            client.command(cmd="disconnect")
            await until(lambda: client.state["lastClose"]["reason"] == "requested-disconnect")
            await until(lambda: not second.connected_uids.any)


@asynccontextmanager
async def chat(port: int) -> AsyncIterator[None]:
    """The chat of tests/classic, in a process of its own."""
    command = [sys.executable, "-m", "uvicorn", "chat:app", "--port", str(port), "--log-level", "warning"]
    process = await asyncio.create_subprocess_exec(*command, cwd=CHAT.parent)
    try:
        while not await accepts(port):
            assert process.returncode is None
            await asyncio.sleep(0.02)
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_in_node_a_server_that_restarts_is_found_again_over_a_websocket() -> None:
    port = free_port()
    async with AsyncExitStack() as stack:
        async with chat(port):
            client = await stack.enter_async_context(node_client(port, "auto"))
            assert await client.request("chat/say", {"text": "before"}) == 1
        await until(lambda: not client.state["open"])
        assert await client.request("chat/say", {"text": "meanwhile"}) == "Disconnected"
        async with chat(port):
            await until(lambda: client.state["open"])
            assert (client.state["transport"], client.state["lost"], client.state["resumed"]) == ("ws", None, False)
            reached = await client.request("chat/say", {"text": "after"})
            assert reached in (1, 2), "the poll that found the server may still count as a client"


async def test_in_node_a_proxy_without_websocket_is_polled_through() -> None:
    async with observed(SETTINGS) as (chsk, _):

        async def proxy(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close"})
            else:
                await chsk(scope, receive, send)

        async with serving(proxy) as port, node_client(port, "auto") as client:
            assert client.state["transport"] == "poll"
            assert await client.request("bench/echo", 2) == 2


@pytest.mark.parametrize("transport", ["auto", "ws", "poll"])
async def test_in_node_the_csrf_token_is_found(transport: str) -> None:
    async with (
        observed(SETTINGS, csrf=lambda _, token: token == "to&ken") as (chsk, _),
        serving(chsk) as port,
        node_client(port, transport, csrf="to&ken") as client,
    ):
        assert await client.request("bench/echo", 2) == 2


@pytest.mark.parametrize("transport", ["auto", "poll"])
async def test_in_node_a_refusal_of_a_poll_is_final(transport: str) -> None:
    async with (
        observed(SETTINGS, csrf=lambda _, token: False) as (chsk, _),
        serving(chsk) as port,
        node_client(port, transport, csrf="bad") as client,
    ):
        assert (client.state["refused"]["code"], client.state["nextReconnect"]) == (403, None)
