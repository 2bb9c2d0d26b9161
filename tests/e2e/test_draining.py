"""A server that is told to stop, by a real SIGTERM: its clients are let go before it goes."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed

from sente.protocol.framing import read_row
from tests.asgi import HELLO, PATIENCE, row
from tests.e2e.ports import accepts, free_port
from tests.e2e.serving import COMMANDS

pytestmark = pytest.mark.e2e

QUERY = "v=1&packers=json&client-id="
FOREVER = "3600"


APPLICATION = "tests.e2e.draining_app:app"
ENDS = {"uvicorn": -signal.SIGTERM, "hypercorn": 0, "granian": 0}


class Server:
    """A server in a process of its own."""

    def __init__(self, process: Process, host: str) -> None:
        self.process = process
        self.host = host

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def exit_code(self) -> int:
        assert self.process.stdout is not None
        log = (await asyncio.wait_for(self.process.stdout.read(), PATIENCE)).decode()
        assert "Traceback" not in log, log
        return await self.process.wait()


@asynccontextmanager
async def running(
    name: str = "uvicorn", *, drain: str = "3", app: str = APPLICATION, handled: str = ""
) -> AsyncIterator[Server]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *COMMANDS[name].format(app=app, port=port).split()),
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "DRAIN": drain, "HANDLED": handled},
    )
    try:
        server = Server(process, f"127.0.0.1:{port}")
        while not await accepts(port):
            assert process.returncode is None, "it has ended"
            await asyncio.sleep(0.05)
        yield server
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # granian's worker too
        await process.wait()


@asynccontextmanager
async def websocket(server: Server, path: str = "/chsk", client_id: str = "ws") -> AsyncIterator[ClientConnection]:
    async with connect_websocket(f"ws://{server.host}{path}?{QUERY}{client_id}") as socket:
        await socket.recv()
        await socket.send(json.dumps(HELLO))
        assert "chsk/handshake" in str(await socket.recv())
        yield socket


async def listen(socket: ClientConnection, numbered: int = 0) -> tuple[list[Any], int | None]:
    """All that comes until the socket is closed, and the code of that; ``numbered`` events came before."""
    heard: list[Any] = []
    try:
        while True:
            message, _, seq, *_ = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE)) + [None] * 2
            if message is not None and seq != 0:
                heard.append(message)
                numbered += 1 if seq else len(message)
                await socket.send(json.dumps([None, None, 0, numbered]))
    except ConnectionClosed as closed:
        return heard, closed.rcvd.code if closed.rcvd else None


async def poll(server: Server) -> Any:
    """A session that polls: what its poll is answered with."""
    async with httpx2.AsyncClient(base_url=f"http://{server.host}", timeout=PATIENCE) as http:
        url = f"/chsk?{QUERY}poll"
        hello = await http.post(url, content=row(HELLO))
        [[_, [_, _, _, info]], *_] = json.loads(read_row(hello.content)[1])
        head = {"session": info["session"], "n": 2, "ack": 0, "seq": 1, "wait": 20_000}
        answer = await http.post(url, content=row(head))
        assert answer.status_code == 200
        return [json.loads(frame)[0] for frame in read_row(answer.content)[1:]]


def is_bye(batch: Any) -> bool:
    [[event_id, word]] = batch
    return bool(event_id == "chsk/bye" and word["lost"] == 0 and word["retry_after"] > 0)


async def begin_work(socket: ClientConnection, seconds: float) -> None:
    await socket.send(json.dumps([["work/do", seconds], 1, 1, None, "request"]))
    assert "work/begun" in str(await socket.recv())


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn"])
async def test_clients_are_let_go_in_peace(name: str) -> None:
    async with running(name) as server, websocket(server) as socket, websocket(server, "/other") as other:
        polling = asyncio.create_task(poll(server))
        await begin_work(socket, 0.5)
        await asyncio.sleep(0.1)  # the poll is on its way
        server.terminate()
        heard, code = await listen(socket, 1)
        assert (heard[0], is_bye(heard[1]), code) == ("done", True, 1001)  # the handler may finish
        heard, code = await listen(other)
        assert (is_bye(heard[0]), code) == (True, 1001)
        [batch] = await polling
        assert is_bye(batch)
        assert await server.exit_code() == ENDS[name]  # as it ends by itself


async def test_uvicorn_ends_like_that_by_itself() -> None:
    async with running(app="fastapi:FastAPI --factory") as server:
        server.terminate()
        assert await server.exit_code() == -signal.SIGTERM


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn"])
async def test_clients_that_do_not_cooperate_hold_nothing_up_for_long(name: str) -> None:
    async with running(name, drain="0.3") as server, websocket(server) as socket:
        await begin_work(socket, 3600)
        server.terminate()
        assert await listen(socket) == ([], 1001)  # neither the event nor the handler is waited for
        assert await server.exit_code() == ENDS[name]


async def test_granian_cuts_websockets_off_and_lets_polls_go() -> None:
    async with running("granian") as server, websocket(server) as socket:
        polling = asyncio.create_task(poll(server))
        await begin_work(socket, 0.5)
        await asyncio.sleep(0.1)  # the poll is on its way
        server.terminate()
        assert await listen(socket, 1) == ([], None)  # without a word, and without a close frame
        [batch] = await polling
        assert is_bye(batch)
        assert await server.exit_code() == ENDS["granian"]


async def test_a_second_signal_does_not_wait() -> None:
    async with running(drain=FOREVER) as server, websocket(server) as socket, websocket(server, "/other") as other:
        for each in (socket, other):
            await begin_work(each, 3600)
        server.terminate()
        await asyncio.sleep(0.2)
        assert server.process.returncode is None
        server.terminate()
        assert await server.exit_code() == -signal.SIGTERM


async def test_who_comes_while_it_drains_is_told_to_come_later() -> None:
    async with running(drain=FOREVER) as server, websocket(server) as socket:
        await begin_work(socket, 3600)
        server.terminate()
        await asyncio.sleep(0.1)
        async with httpx2.AsyncClient(base_url=f"http://{server.host}", timeout=PATIENCE) as http:
            late = await http.post(f"/chsk?{QUERY}late", content=row(HELLO))
        assert (late.status_code, late.headers["retry-after"]) == (503, "1")
