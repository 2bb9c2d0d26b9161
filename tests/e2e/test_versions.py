"""A server comes to another version of its events while clients of Python and Node are connected."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sente import ChannelSocket, Client
from sente.versions import contract_of
from tests.e2e.serving import serving
from tests.test_versions import DIFFERENCE, NEW, OLD

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

NODE_CLIENT = Path(__file__).parents[2] / "js" / "e2e" / "node_client.mjs"

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])


@asynccontextmanager
async def deployed() -> AsyncIterator[tuple[int, list[ChannelSocket], ChannelSocket]]:
    """The port of a server; what serves it, first of all the old version; and the new one."""
    async with ChannelSocket(events=OLD) as old, ChannelSocket(events=NEW) as new:
        current = [old]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                await current[0](scope, receive, send)

        async with serving(app) as port, asyncio.timeout(30):
            yield port, current, new


@over_both
async def test_a_client_in_python_finds_out(transport: Any) -> None:
    async with deployed() as (port, current, new):
        async with Client(f"http://127.0.0.1:{port}/chsk", events=OLD, transport=transport) as client:
            assert client.state.contract is None
            current[0] = new
            changes = client.state_changes()
            client.reconnect()
            while not (client.state.open and client.state.contract):
                await anext(changes)
            assert client.state.contract == DIFFERENCE
        assert new.stats["other contract"] >= 1


@over_both
async def test_a_client_in_node_finds_out(transport: str) -> None:
    node, contract = shutil.which("node"), contract_of(OLD)
    assert node and contract, "this test needs Node"
    options = json.dumps({"contract": {"hash": contract.hash, "events": dict(contract.events)}})
    async with deployed() as (port, current, new):
        command = [node, str(NODE_CLIENT), f"http://127.0.0.1:{port}/chsk", transport, options]
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        assert process.stdin and process.stdout
        try:
            state = await open_state(process.stdout)
            assert state["contract"] is None
            current[0] = new
            process.stdin.write(b'{"cmd": "reconnect"}\n')
            state = await open_state(process.stdout)
            assert state["contract"] == {word: list(ids) for word, ids in asdict(DIFFERENCE).items()}
        finally:
            process.kill()
            await process.wait()


async def open_state(lines: asyncio.StreamReader) -> Any:
    async for line in lines:
        state = json.loads(line).get("state")
        if state and state["open"]:
            return state
    raise AssertionError("the client ended")
