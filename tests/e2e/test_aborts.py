"""Clients that break off at any moment, in the middle of a request, a frame, a hook or a handler, leave nothing."""

import asyncio
import json

import pytest

from sente import ChannelSocket, Connection, Message, ServerSettings
from tests.asgi import HELLO, QUERY, row, until
from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e

HOOK = 0.02  # seconds that a hook takes, and a handler


def masked(packet: object) -> bytes:
    """A text frame as a client sends it; a mask of zeros leaves the payload as it is."""
    payload = json.dumps(packet).encode()
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


UPGRADE = (
    f"GET /chsk?{QUERY} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
).encode()
POST = f"POST /chsk?{QUERY} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(row(HELLO))}\r\n\r\n".encode() + row(HELLO)
ASK = masked([["work/do"], 1, 1, None, "request"])


async def break_off(port: int, words: bytes, seconds: float) -> None:
    """Say so much, wait so long, and cut the line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(words[: len(UPGRADE)])
    if words.startswith(UPGRADE):  # what comes before the upgrade is answered is not heard
        await reader.readuntil(b"\r\n\r\n")
    writer.write(words[len(UPGRADE) :])
    await asyncio.sleep(seconds)
    writer.transport.abort()


@pytest.mark.parametrize("words", [UPGRADE + masked(HELLO) + ASK, POST], ids=["ws", "poll"])
async def test_who_breaks_off_leaves_nothing(words: bytes) -> None:
    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))

    async def user_id(_: Connection) -> str:
        await asyncio.sleep(HOOK)
        return "ada"

    settings = ServerSettings(resume=0.1, grace_ws=0.01, grace_poll=0.01, hello_timeout=0.2, graves=5)
    chsk = ChannelSocket(user_id=user_id, settings=settings)

    @chsk.on("work/do")
    async def work(msg: Message) -> None:
        await asyncio.sleep(HOOK)

    async with serving(chsk) as port:
        before = len(asyncio.all_tasks())
        for seconds in (0, HOOK / 2, 2 * HOOK):
            lengths = range(1, len(words) + 1, 7)
            await asyncio.gather(*(break_off(port, words[:length], seconds) for length in (*lengths, len(words))))
        hub = chsk._hub
        await until(lambda: chsk.stats["sessions"] > 0 and len(hub.sessions) == 0 and not hub.peers)
        await until(lambda: len(asyncio.all_tasks()) <= before)
        assert (hub.links, hub.peers.everyone(), chsk.connected_uids.any) == ({}, [], frozenset())
        assert len(hub.sessions._graves) <= 5
    assert noise == []
