"""Values of every type from a server to a client in Node and back, over each transport and packer."""

import asyncio
import shutil
from pathlib import Path

import pytest

from sente import ChannelSocket, Message
from tests.e2e.serving import serving
from tests.packers.examples import MONEY, VALUES, expected, same

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

ECHO = Path(__file__).parents[2] / "js" / "e2e" / "echo.mjs"
LOSSY = {"datetime with microseconds", "dict with scalar keys", "dict with other keys"}
"""A Date has milliseconds, and the order of keys is JavaScript's: tests/packers/test_javascript.py looks at those."""


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize("packers", ["auto,json", "auto+msgpack,json", "msgpack", "cbor", "transit", "transit-json"])
async def test_values_keep_their_type(transport: str, packers: str) -> None:
    node = shutil.which("node")
    assert node, "this test needs Node"
    chsk = ChannelSocket(user_id=lambda _: "ada", packers="auto,msgpack,cbor,transit,transit-json", types=[MONEY])
    came: asyncio.Queue[object] = asyncio.Queue()
    there = asyncio.Event()

    @chsk.on("echo/back")
    async def back(msg: Message) -> None:
        came.put_nowait(msg.data)

    @chsk.on("chsk/uidport-open")
    async def is_there(msg: Message) -> None:
        there.set()

    async with serving(chsk) as port:
        url = f"http://127.0.0.1:{port}/chsk"
        client = await asyncio.create_subprocess_exec(node, str(ECHO), url, transport, packers, stdin=-1)
        try:
            async with asyncio.timeout(20):
                await there.wait()
                for name in VALUES.keys() - LOSSY:
                    chsk.send("ada", "echo/there", expected(name))
                    value = await came.get()
                    assert same(value, expected(name)), (name, value)
        finally:
            client.kill()
            await client.wait()
