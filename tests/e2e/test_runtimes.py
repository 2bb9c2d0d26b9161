"""The JavaScript client where it is to be at home: Deno, Bun, Node and its workers."""

import asyncio
import json
from asyncio.subprocess import PIPE
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sente import ChannelSocket, Message
from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e

JS = Path(__file__).parents[2] / "js"
BIN = JS / "node_modules" / ".bin"
SCRIPT = str(JS / "e2e" / "runtime.mjs")
RUNTIMES: dict[str, list[str]] = {
    "node": ["node", SCRIPT],
    "deno": [str(BIN / "deno"), "run", "--allow-net", "--allow-read", "--no-lock", SCRIPT],
    "bun": [str(BIN / "bun"), SCRIPT],
}


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize(
    ("runtime", "where"),
    [("node", ""), ("node", "worker"), ("deno", ""), ("deno", "worker"), ("bun", ""), ("bun", "worker")],
)
async def test_the_client_is_at_home(runtime: str, where: str, transport: Any) -> None:
    chsk = ChannelSocket(packers="auto")

    @chsk.on("shop/double")
    async def double(msg: Message[Decimal]) -> Decimal:
        return 2 * msg.data

    @chsk.on("shop/push-me")
    async def push_me(msg: Message[set[str]]) -> None:
        chsk.broadcast("shop/pushed", msg.data)

    async with chsk, serving(chsk) as port:
        command = [*RUNTIMES[runtime], f"http://127.0.0.1:{port}/", transport, *([where] if where else [])]
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=JS)
        out, errors = await asyncio.wait_for(process.communicate(), 30)
    assert out, errors.decode()
    said = {
        "price": "0.20",
        "decimal": True,
        "transport": transport,
        "resumed": True,
        "lost": 0,
        "pushed": ["go", "shogi"],
    }
    assert json.loads(out) == said
    assert process.returncode == 0
