"""A server that is killed, or suspended, and a clock that jumps: clients hang nowhere and learn what became of it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from sente import ChannelSocket, Client, ClientSettings, Disconnected, RequestTimeout
from tests.asgi import TransportName, until
from tests.e2e.ports import accepts, free_port
from tests.faults.server import faulty_server

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])
IMPATIENT = ClientSettings(backoff_base=0.02, backoff_cap=0.1, ping=0.3, ping_timeout=0.3, poll_margin=0.5)
HOUR = 3600.0


@asynccontextmanager
async def running(port: int) -> AsyncIterator[Process]:
    """A server in a process of its own."""
    command = f"uvicorn tests.faults.killed_app:app --port {port} --log-level critical"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command.split()), stdout=DEVNULL, stderr=DEVNULL, cwd=Path(__file__).parents[2]
    )
    try:
        while not await accepts(port):
            assert process.returncode is None, "it has ended"
            await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def client_of(port: int, transport: Literal["ws", "poll"], **options: Any) -> Client:
    return Client(f"http://127.0.0.1:{port}/chsk", transport=transport, settings=IMPATIENT, **options)


@pytest.mark.e2e
@over_both
async def test_a_server_that_is_killed(transport: TransportName) -> None:
    port = free_port()
    async with asyncio.timeout(30):
        async with running(port) as server:
            client = client_of(port, transport)
            await client.__aenter__()
            hanging = asyncio.create_task(client.request("test/hang", timeout=20))
            assert await client.request("test/ready") is None
            server.send_signal(signal.SIGKILL)
            await server.wait()
            await until(lambda: not client.state.open)
            assert client.send("test/echo", "not kept") is False
            with pytest.raises(Disconnected):
                await client.request("test/echo")
        async with running(port):
            await until(lambda: client.state.open)
            assert (client.state.resumed, client.state.lost, client.state.first_open) == (False, None, False)
            with pytest.raises(Disconnected):
                await hanging
            assert await client.request("test/echo", 2) == 2
        await client.aclose()


@pytest.mark.e2e
@over_both
async def test_a_process_that_is_suspended(transport: TransportName) -> None:
    """Its clients find the line dead, wait, and go on in their session as soon as it wakes up."""
    port = free_port()
    async with asyncio.timeout(30), running(port) as server, client_of(port, transport) as client:
        os.kill(server.pid, signal.SIGSTOP)
        await until(lambda: not client.state.open)
        os.kill(server.pid, signal.SIGCONT)
        await until(lambda: client.state.open)
        assert (client.state.resumed, client.state.lost) == (True, 0)
        assert await client.request("test/echo", 1) == 1


@asynccontextmanager
async def jumping() -> AsyncIterator[Any]:
    """A loop whose clock can be put forward, as it is when a computer has slept."""
    loop = asyncio.get_running_loop()
    real, ahead = loop.time, 0.0

    def jump(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    loop.time = lambda: real() + ahead  # type: ignore[method-assign]
    try:
        yield jump
    finally:
        loop.time = real  # type: ignore[method-assign]


@over_both
@pytest.mark.parametrize("seconds", [1.0, HOUR])
async def test_a_clock_that_jumps(transport: TransportName, seconds: float) -> None:
    """Lines that live are kept, whoever waited longer than allowed is told so, and everybody goes on."""
    chsk: ChannelSocket = faulty_server()
    async with jumping() as jump, chsk, Client(app=chsk, transport=transport, settings=IMPATIENT) as client:
        heard = client.events("test/push")
        asked = asyncio.create_task(client.request("test/hang", timeout=0.5))
        assert await client.request("test/ready") is None
        jump(seconds)
        with pytest.raises(RequestTimeout):
            await asked
        chsk.send("mallory", "test/push", 1)
        await until(lambda: client.state.open)
        assert await client.request("test/echo", 2) == 2
        chsk.send("mallory", "test/push", 3)
        assert [(await anext(heard)).data for _ in range(2)] == [1, 3]
        assert client.state.lost == 0
