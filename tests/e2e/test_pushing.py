"""Whatever runs beside the socket pushes with a plain call: routes, tasks and threads, under a real uvicorn."""

import asyncio
import threading
from typing import Annotated

import httpx2
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Header, Request

from sente import ChannelSocket, Client, Message
from sente.integrations.fastapi import channel_router
from tests.e2e.serving import serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

ROUTES = ("sync", "async", "task", "sync-task", "thread", "dependency", "executor")


def make_app(chsk: ChannelSocket) -> FastAPI:
    app = FastAPI()
    app.include_router(channel_router(chsk))

    @app.post("/sync/{uid}")
    def sync(uid: str) -> int:
        assert threading.current_thread() is not threading.main_thread()
        return chsk.send(uid, "from/sync").clients

    @app.post("/async/{uid}")
    async def in_loop(uid: str) -> int:
        return chsk.send(uid, "from/async").clients

    @app.post("/task/{uid}")
    async def task(uid: str, tasks: BackgroundTasks) -> int:
        async def later() -> None:
            chsk.send(uid, "from/task")

        tasks.add_task(later)
        return 1

    @app.post("/sync-task/{uid}")
    def sync_task(uid: str, tasks: BackgroundTasks) -> int:
        tasks.add_task(chsk.send, uid, "from/sync-task")
        return 1

    @app.post("/thread/{uid}")
    def thread(uid: str) -> int:
        threading.Thread(target=chsk.send, args=(uid, "from/thread")).start()
        return 1

    def pushed(uid: str) -> int:
        return chsk.send(uid, "from/dependency").clients

    @app.post("/dependency/{uid}")
    async def dependency(clients: Annotated[int, Depends(pushed)]) -> int:
        return clients

    @app.post("/executor/{uid}")
    async def executor(uid: str) -> int:
        receipt = await asyncio.get_running_loop().run_in_executor(None, chsk.send, uid, "from/executor")
        return receipt.clients

    return app


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize("server", ["uvicorn", "uvicorn, directly"])
async def test_everything_pushes(server: str, transport: str) -> None:
    chsk = ChannelSocket(user_id=lambda connection: connection.query.get("name"))
    async with serving(make_app(chsk), server) as port, httpx2.AsyncClient() as http, asyncio.timeout(30):
        url = f"http://127.0.0.1:{port}"
        async with Client(f"{url}/chsk", transport=transport, params={"name": "ada"}) as ada:  # type: ignore[arg-type]
            heard = ada.events()
            for route in ROUTES:
                answer = await http.post(f"{url}/{route}/ada")
                assert (answer.status_code, answer.json()) == (200, 1)
                assert (await anext(heard)).id == f"from/{route}"


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize("server", ["uvicorn", "uvicorn, directly"])
async def test_dependencies_under_a_server(server: str, transport: str) -> None:
    chsk = ChannelSocket()
    closed: list[str] = []

    def current_user(request: Request, authorization: Annotated[str, Header()]):  # type: ignore[no-untyped-def]
        assert request.client is not None
        yield f"{authorization} at {request.client.host}, {request.url}".partition("?")[0]
        closed.append(authorization)

    @chsk.on("who/ami")
    async def who(msg: Message, user: Annotated[str, Depends(current_user)]) -> str:
        return user

    async with serving(make_app(chsk), server) as port, asyncio.timeout(30):
        url = f"http://127.0.0.1:{port}/chsk"
        async with Client(url, transport=transport, auth="Bearer ada") as ada:  # type: ignore[arg-type]
            assert await ada.request("who/ami") == f"Bearer ada at 127.0.0.1, {url}"
            assert closed == ["Bearer ada"]
