"""Many clients at once that do not do their part, at a real server: what they cost, and that nobody else waits."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sente import ChannelSocket, Limits
from tests.asgi import HELLO, QUERY, until
from tests.e2e.serving import serving
from tests.faults.bystanders import bystanders
from tests.faults.server import SETTINGS, faulty_server
from tests.faults.test_aborts import CLASSIC, masked, upgrade

pytestmark = pytest.mark.e2e

CROWD = 1_000
PER_CLIENT = 128 * 1024
"""Bytes of memory that one client which never reads may cost, whatever is sent to it: 64 KB wait in its transport."""

EVENT = "x" * 1024
PATIENT = replace(SETTINGS, hello_timeout=10.0, ping=20.0, ping_timeout=20.0, poll=20.0, body_timeout=1.5)
"""A busy machine is not taken for a bystander that is gone."""
ROOMY = replace(PATIENT, limits=Limits(outbox=1000))


def resident() -> int:
    """Bytes of this process that are in memory: server, bystanders and crowd."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def connected(port: int, words: bytes) -> socket.socket:
    """A connection on which so much has been said."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.sock_sendall(sock, words)
    return sock


async def deaf(port: int, number: int) -> socket.socket:
    """A client that is greeted, and never reads again."""
    query = f"{CLASSIC[:-1]}-{number}" if number % 10 == 0 else f"v=1&packers=json&client-id=c-{number}"
    sock = await connected(port, upgrade(query))
    loop = asyncio.get_running_loop()
    await loop.sock_recv(sock, 1024)
    if number % 10:
        greedy = {"packet": 2**40, "window": 2**40, "bytes": 2**40}
        await loop.sock_sendall(sock, masked_long(HELLO | {"limits": greedy if number % 2 else {}}))
    return sock


def masked_long(packet: object) -> bytes:
    """A text frame of up to 64 KB."""
    payload = json.dumps(packet).encode()
    if len(payload) < 126:
        return masked(packet)
    return bytes([0x81, 0x80 | 126]) + len(payload).to_bytes(2, "big") + bytes(4) + payload


@asynccontextmanager
async def crowd(sockets: list[socket.socket]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for sock in sockets:
            sock.close()


async def broadcast(chsk: ChannelSocket, times: int) -> None:
    for number in range(times):
        chsk.broadcast("test/noise", EVENT)
        if number % 10 == 9:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn, directly"])
async def test_a_thousand_clients_that_never_read_cost_no_more_than_is_allowed(server: str) -> None:
    """Classic ones, ours, and ours that announce a boundless window."""
    chsk = faulty_server(ROOMY)
    async with serving(chsk, server) as port:
        sockets: list[socket.socket] = []
        async with crowd(sockets), bystanders(chsk, f"http://127.0.0.1:{port}/chsk"):
            for start in range(0, CROWD, 100):
                sockets += await asyncio.gather(*(deaf(port, number) for number in range(start, start + 100)))
            await until(lambda: chsk.stats["sessions"] >= CROWD)
            before = highest = resident()
            while chsk.stats["ended slow"] < CROWD * 9 // 10:
                await broadcast(chsk, 50)
                highest = max(highest, resident())
            assert highest - before < CROWD * PER_CLIENT
            await broadcast(chsk, 1000)
            assert resident() - highest < CROWD * PER_CLIENT / 10, "it is flat"


SLOW = 300
BODY = f"POST /chsk?{QUERY} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n".encode()


async def test_bodies_that_do_not_come_to_their_end_are_ended() -> None:
    """They are dribbled for as long as they are taken, and answered with 408 in time."""
    chsk = faulty_server(PATIENT)

    async def dribble(sock: socket.socket) -> bytes:
        loop = asyncio.get_running_loop()
        answer = asyncio.ensure_future(loop.sock_recv(sock, 1024))
        while not answer.done():
            await loop.sock_sendall(sock, b"\x80")
            await asyncio.wait([answer], timeout=0.02)
        return await answer

    async with serving(chsk) as port:
        sockets: list[socket.socket] = []
        async with crowd(sockets), bystanders(chsk, f"http://127.0.0.1:{port}/chsk"):
            sockets += await asyncio.gather(*(connected(port, BODY) for _ in range(SLOW)))
            answers = await asyncio.wait_for(asyncio.gather(*(dribble(sock) for sock in sockets)), 10)
            assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}
            assert chsk.stats["rejected 408"] == SLOW


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
async def test_heads_that_do_not_come_to_their_end_hold_nobody_up(server: str) -> None:
    """The application is not told of them: what ends them is the server, or the proxy in front of it."""
    chsk = faulty_server(PATIENT)
    async with serving(chsk, server) as port:
        sockets: list[socket.socket] = []
        async with crowd(sockets), bystanders(chsk, f"http://127.0.0.1:{port}/chsk"):
            sockets += await asyncio.gather(*(connected(port, BODY[:40]) for _ in range(SLOW)))
            for byte in (b"a", b"b", b"c"):
                await asyncio.sleep(0.1)
                for sock in sockets:
                    await asyncio.get_running_loop().sock_sendall(sock, byte)
            assert chsk.stats["sessions"] == 2, "the bystanders"
