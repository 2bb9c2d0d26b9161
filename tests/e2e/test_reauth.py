"""Credentials that are renewed, expire, change hands or are taken away, over real sockets, from Python and Node."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import httpx2
import pytest
from fastapi import FastAPI, Request
from starlette.middleware.sessions import SessionMiddleware

from sente import ChannelSocket, Client, Connection, Disconnected, RequestFailed, ServerSettings
from sente.integrations.fastapi import channel_router
from tests.client.line import until
from tests.e2e.serving import serving
from tests.tokens import Tokens

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

NODE_CLIENT = Path(__file__).parents[2] / "js" / "e2e" / "node_client.mjs"
SECONDS = 30.0

Transport: TypeAlias = Literal["ws", "poll"]
both = pytest.mark.parametrize("transport", ["ws", "poll"])
every_client = pytest.mark.parametrize("kind", ["python", "node"])


class Person(Protocol):
    """What both kinds of client do in these tests."""

    @property
    def state(self) -> dict[str, Any]: ...
    async def ask(self, event_id: str) -> Any: ...
    async def renew(self, auth: str | None = None) -> Any: ...
    def reconnect(self) -> None: ...


class PythonPerson:
    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def state(self) -> dict[str, Any]:
        state = self.client.state
        refused = state.refused and {"code": state.refused.code, "message": state.refused.message}
        warned = state.auth_expires is not None
        return {"open": state.open, "uid": state.uid, "resumed": state.resumed, "refused": refused, "warned": warned}

    async def ask(self, event_id: str) -> Any:
        return await self.client.request(event_id)

    async def renew(self, auth: str | None = None) -> Any:
        try:
            return await self.client.reauthenticate(auth)
        except (RequestFailed, Disconnected) as error:
            return type(error).__name__

    def reconnect(self) -> None:
        self.client.reconnect()


class NodePerson:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._outcomes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.state: dict[str, Any] = {"open": False, "refused": None}

    async def read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            match json.loads(line):
                case {"state": state}:
                    refused = state["refused"] and {name: state["refused"][name] for name in ("code", "message")}
                    kept = {name: state[name] for name in ("open", "uid", "resumed")}
                    self.state = {**kept, "refused": refused, "warned": state["authExpires"] is not None}
                case {"n": _} as outcome:
                    self._outcomes.put_nowait(outcome)

    def _command(self, **command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def ask(self, event_id: str) -> Any:
        self._command(cmd="request", id=event_id)
        return (await self._outcomes.get())["reply"]

    async def renew(self, auth: str | None = None) -> Any:
        self._command(cmd="reauthenticate", **({} if auth is None else {"auth": auth}))
        outcome = await self._outcomes.get()
        if "failed" in outcome:
            return outcome["failed"]
        return None if outcome["good_for"] is None else outcome["good_for"] / 1000

    def reconnect(self) -> None:
        self._command(cmd="reconnect")


@asynccontextmanager
async def person(
    kind: str, port: int, transport: Transport, *tokens: str, headers: dict[str, str] | None = None
) -> AsyncIterator[Person]:
    """A client that is open; more than one token are what its function says, one after the other."""
    url, left = f"http://127.0.0.1:{port}/chsk", list(tokens)
    auth: Any = (lambda: left.pop(0) if left[1:] else left[0]) if left[1:] else left[0] if left else None
    if kind == "python":
        async with Client(url, transport=transport, auth=auth, headers=headers) as client:
            yield PythonPerson(client)
        return
    node = shutil.which("node")
    assert node, "these tests need Node"
    settings = {"headers": headers or {}, **({"tokens": left} if left[1:] else {"auth": auth})}
    command = [node, str(NODE_CLIENT), url, transport, json.dumps(settings)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    there = NodePerson(process)
    reading = asyncio.create_task(there.read())
    try:
        await until(lambda: there.state["open"] or there.state["refused"], SECONDS)
        yield there
    finally:
        process.stdin.close()
        await process.wait()
        await reading


@asynccontextmanager
async def door(tokens: Tokens) -> AsyncIterator[tuple[ChannelSocket, int]]:
    chsk = tokens.socket(settings=ServerSettings())
    async with serving(chsk) as port:
        yield chsk, port


@both
@every_client
async def test_credentials_are_renewed_by_themselves_and_nobody_notices(kind: str, transport: Transport) -> None:
    said = [f"Bearer ada{' ' * n}for 1" for n in range(1, 4)]
    async with door(Tokens()) as (chsk, port), person(kind, port, transport, *said, "Bearer ada") as ada:
        await until(lambda: chsk.stats["credentials renewed"] == 3, SECONDS)
        assert await ada.ask("who/am-i") == ["ada", "ada", "Bearer ada"]
        await until(lambda: not ada.state["warned"])
        expected = {"sessions": 1, "credentials renewed": 3, "credentials expired": 0}
        assert {name: chsk.stats[name] for name in expected} == expected
        assert ada.state["open"]


@both
@every_client
async def test_credentials_that_expire_close_the_line_and_new_ones_resume(kind: str, transport: Transport) -> None:
    async with door(Tokens()) as (chsk, port), person(kind, port, transport, "Bearer ada for 1") as ada:
        await until(lambda: ada.state["warned"], SECONDS)
        assert ada.state["open"]
        await until(lambda: ada.state["refused"], SECONDS)
        assert ada.state["refused"]["code"] % 4000 == 401
        assert ada.state["refused"]["message"].startswith("the credentials have expired")
        assert await ada.renew("Bearer ada") == "Disconnected"
        ada.reconnect()
        await until(lambda: ada.state["open"], SECONDS)
        assert ada.state["resumed"] and chsk.stats["sessions"] == 1
        assert await ada.ask("who/am-i") == ["ada", "ada", "Bearer ada"]


@both
@every_client
async def test_new_credentials_by_hand_refused_ones_and_those_of_another(kind: str, transport: Transport) -> None:
    tokens = Tokens()
    tokens.revoked.add("Bearer eve")
    async with door(tokens) as (chsk, port), person(kind, port, transport, "Bearer ada") as ada:
        assert await ada.renew("Bearer ada for 300") == 300.0
        assert await ada.renew("Bearer eve") == "RequestFailed"
        assert await ada.ask("who/am-i") == ["ada", "ada", "Bearer ada for 300"]
        assert await ada.renew("Bearer bob") == "Disconnected"
        await until(lambda: ada.state["open"] and ada.state["uid"] == "bob", SECONDS)
        assert not ada.state["resumed"]
        assert await ada.ask("who/am-i") == ["bob", "bob", "Bearer bob"]
        assert (chsk.stats["sessions"], chsk.stats["ended user"]) == (2, 1)


def application() -> tuple[FastAPI, ChannelSocket]:
    """Logins that the server keeps, as docs/faq.md has them."""
    logins: dict[str, str] = {}

    def user_id(connection: Connection) -> str | None:
        return logins.get(connection.session.get("login", ""))

    chsk = ChannelSocket(user_id=user_id, authorize=lambda connection: user_id(connection) is not None)
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key="change me")
    app.include_router(channel_router(chsk, "/chsk"))

    @app.post("/login")
    async def login(request: Request, name: str) -> None:
        request.session["login"] = f"login {len(logins)}"
        logins[request.session["login"]] = name

    @app.post("/logout")
    async def logout(request: Request) -> None:
        name = logins[request.session["login"]]
        for login in [login for login, user in logins.items() if user == name]:
            del logins[login]
        chsk.disconnect(name, "logged out")

    return app, chsk


async def test_logout_ends_every_session_of_the_user_on_every_device() -> None:
    app, chsk = application()
    async with serving(app) as port, AsyncExitStack() as stack:
        devices: list[Person] = []
        browsers: list[httpx2.AsyncClient] = []
        for name in ("ada", "ada", "bob"):
            browser = await stack.enter_async_context(httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}"))
            await browser.post("/login", params={"name": name})
            browsers.append(browser)
        ways = [(kind, transport) for kind in ("python", "node") for transport in ("ws", "poll")]
        for number, (kind, transport) in enumerate([*ways, ("python", "ws")]):
            cookie = {"cookie": f"session={browsers[2 if number == 4 else number % 2].cookies['session']}"}
            client = person(kind, port, transport, headers=cookie)  # type: ignore[arg-type]
            devices.append(await stack.enter_async_context(client))
        await until(lambda: chsk.connected_uids.any == {"ada", "bob"})
        assert chsk.stats["sessions"] == 5
        *of_ada, bob = devices
        assert (await browsers[0].post("/logout")).status_code == 200
        await until(lambda: all(device.state["refused"] for device in of_ada), SECONDS)
        told = Counter((device.state["refused"]["code"], device.state["refused"]["message"]) for device in of_ada)
        why = "not authorized: log in, then reconnect"
        assert told == {(4401, why): 2, (401, why): 2}
        await until(lambda: chsk.connected_uids.any == {"bob"}, SECONDS)
        assert bob.state["open"]
        assert (chsk.stats["ended disconnected"], chsk.stats["rejected 401"]) == (4, 4)
        assert not any(device.state["open"] for device in of_ada)
