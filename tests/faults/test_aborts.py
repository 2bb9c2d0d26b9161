"""Clients that break off at any moment, in the middle of a request, a frame, a hook or a handler, leave nothing."""

import asyncio
import json
import os

import pytest

from sente import ChannelSocket, Connection, Message, ServerSettings
from tests.asgi import HELLO, QUERY, row, until
from tests.e2e.serving import serving
from tests.faults.bystanders import bystanders

pytestmark = pytest.mark.e2e

HOOK = 0.02  # seconds that a hook takes, and a handler
TIMES = 2_500
AT_ONCE = 250


def masked(packet: object) -> bytes:
    """A text frame as a client sends it; a mask of zeros leaves the payload as it is."""
    payload = json.dumps(packet).encode()
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def upgrade(query: str) -> bytes:
    return (
        f"GET /chsk?{query} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
    ).encode()


def post(query: str, body: bytes) -> bytes:
    return f"POST /chsk?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


ASK = masked([["work/do"], 1, 1, None, "request"])
CLASSIC = "client-id=c1"
PLACES = {
    "ws": (upgrade(QUERY), masked(HELLO) + ASK),
    "poll": (post(QUERY, row(HELLO)), b""),
    "classic-ws": (upgrade(CLASSIC), masked([["work/do"], "cb"])),
    "classic-poll": (post(CLASSIC, b"ppstr=" + b"%5B%5B%22work%2Fdo%22%5D%2C%22cb%22%5D"), b""),
}
"""What a client says before it is answered, and what it says then."""


async def break_off(port: int, first: bytes, then: bytes, seconds: float) -> None:
    """Say so much, wait so long, and cut the line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    if then:  # before the upgrade is answered it is not heard
        await reader.readuntil(b"\r\n\r\n")
        writer.write(then)
    await asyncio.sleep(seconds)
    writer.transport.abort()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(("place", "server"), [*((place, "uvicorn") for place in PLACES), ("ws", "uvicorn, directly")])
async def test_who_breaks_off_leaves_nothing(place: str, server: str) -> None:
    """Each of these breaks off 2,500 times, evenly spread over all that there is to be said."""
    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))

    async def user_id(connection: Connection) -> str:
        await asyncio.sleep(HOOK)
        return connection.query.get("uid", "mallory")

    settings = ServerSettings(resume=2, grace_ws=0.5, grace_poll=1, hello_timeout=0.5, graves=5)
    chsk = ChannelSocket(user_id=user_id, settings=settings, classic="json")

    @chsk.on("work/do")
    async def work(msg: Message) -> None:
        await asyncio.sleep(HOOK)

    @chsk.on("test/echo")
    async def echo(msg: Message) -> object:
        return msg.data

    first, then = PLACES[place]
    words = first + then

    async def some(numbers: range) -> None:
        for number in numbers:
            said = words[: 1 + number * len(words) // TIMES]
            await break_off(port, said[: len(first)], said[len(first) :], (0, HOOK / 2, 2 * HOOK)[number % 3])

    async with serving(chsk, server) as port:
        before = len(asyncio.all_tasks()), descriptors()
        async with bystanders(chsk, f"http://127.0.0.1:{port}/chsk"):
            await asyncio.gather(*(some(range(number, TIMES, AT_ONCE)) for number in range(AT_ONCE)))
        hub = chsk._hub
        await until(lambda: chsk.stats["sessions"] > 2 and not len(hub.sessions) and not hub.classic and not hub.peers)
        await until(lambda: len(asyncio.all_tasks()) <= before[0] and descriptors() <= before[1])
        assert (hub.links, hub.peers.everyone(), chsk.connected_uids.any) == ({}, [], frozenset())
        assert len(hub.sessions._graves) <= 5
    assert noise == []
