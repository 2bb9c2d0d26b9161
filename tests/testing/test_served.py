"""What ``sente.testing`` gives to users: an application in process, clients that remember, fixtures."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel

from sente import ChannelSocket, EventRegistry, Message, RequestTimeout
from sente.binding import PlainBinder
from sente.integrations.fastapi import channel_router
from sente.testing import Received, Served, check_binder
from tests.asgi import TRANSPORTS, until
from tests.test_docs import ROOT, blocks

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
GUIDE = ROOT / "docs" / "guides" / "testing.md"


def chat(**options: Any) -> ChannelSocket:
    chsk = ChannelSocket(user_id=lambda connection: connection.query.get("name"), **options)

    @chsk.on("chat/say")
    async def say(msg: Message) -> int:
        return chsk.broadcast("chat/said", {"by": msg.uid, "text": msg.data}).clients

    @chsk.on("chat/never")
    async def never(msg: Message) -> None:
        await asyncio.sleep(60)

    return chsk


@over_both
async def test_clients_of_an_application(transport: str) -> None:
    chsk = chat()
    async with (
        Served(chsk, transport=transport) as server,
        server.client(params={"name": "ada"}) as ada,
        server.client(params={"name": "bob"}) as bob,
    ):
        assert ada.state.transport == transport
        assert await ada.request("chat/say", "hi") == await bob.request("chat/say", "ho") == 2
        for client in (ada, bob):
            assert (await client.received.next()).data == {"by": "ada", "text": "hi"}
            assert await client.received.at_least(2) == client.received == [*client.received]
            assert [event.data["by"] for event in client.received] == ["ada", "bob"]
    async with Served(chsk) as server, server.client():
        pass  # it can be started again


async def test_next_goes_on_and_leaves_the_others() -> None:
    chsk = chat()
    async with Served(chsk) as server, server.client() as client:
        for event_id in ("a/one", "a/two", "a/one"):
            chsk.broadcast(event_id, flush=True)
        await client.received.at_least(3)
        assert [(await client.received.next("a/one", "a/two")).id, (await client.received.next("a/one")).id] == [
            "a/one",
            "a/one",
        ]
        assert (await client.received.next()).id == "a/two"
        assert len(client.received) == 3


async def test_what_does_not_come_is_said() -> None:
    chsk = chat()
    async with Served(chsk, timeout=0.05) as server, server.client() as client:
        with pytest.raises(AssertionError, match=r"no chat/said within 0.05 s; came: nothing"):
            await client.received.next("chat/said")
        chsk.broadcast("a/b", "x" * 1000, flush=True)
        await client.received.next("a/b")
        with pytest.raises(AssertionError, match=r"no a/b or chat/said within 0.01 s; came: a/b 'x{78,80}$"):
            await client.received.next("chat/said", "a/b", timeout=0.01)
        with pytest.raises(AssertionError, match="not 2 events within"):
            await client.received.at_least(2)
        with pytest.raises(RequestTimeout):
            await client.request("chat/never")


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sente.testing.served.ROOM", 3)
    chsk = chat()
    async with Served(chsk) as server, server.client() as client:
        for number in range(5):
            chsk.broadcast("a/b", number, flush=True)
        await until(lambda: client.received and client.received[-1].data == 4)
        assert [event.data for event in client.received] == [2, 3, 4]
        assert (await client.received.next()).data == 2


async def test_typed_events() -> None:
    events = EventRegistry()

    @events.event("chat/said")
    class Said(BaseModel):
        text: str

    chsk = ChannelSocket(events=events)
    async with Served(chsk, events=events) as server, server.client() as client:
        chsk.broadcast(Said(text="hi"))
        assert (await client.received.next(Said)).data == Said(text="hi")
    assert isinstance(client.received, Received)


# -- the lifespan


async def test_the_state_of_the_lifespan_is_there() -> None:
    log: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        yield {"pool": "open"}
        log.append("closed")

    app = FastAPI(lifespan=lifespan)
    chsk = chat()

    @chsk.on("a/state")
    async def state(msg: Message, request: Request) -> str:
        pool: str = request.state.pool
        return pool

    app.include_router(channel_router(chsk))
    async with Served(app) as server, server.client() as client:
        assert await client.request("a/state") == "open"
        assert log == []
    assert log == ["closed"]


async def test_what_the_startup_raises_is_raised() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise KeyError("no database")
        yield

    with pytest.raises(KeyError, match="no database"):
        await Served(FastAPI(lifespan=lifespan)).__aenter__()

    async def says_no(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": "not today"})

    async def says_nothing(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(RuntimeError, match="did not start: not today"):
        await Served(says_no).__aenter__()
    with pytest.raises(RuntimeError, match="did not start: its lifespan"):
        await Served(says_nothing).__aenter__()


# -- the fixtures


def run_pytest(folder: Path, source: str, *options: str) -> str:
    (folder / "test_chat.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    command += options or ("-o", "asyncio_mode=auto")
    if "no:asyncio" not in options:
        command += ["-o", "asyncio_default_fixture_loop_scope=function"]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, cwd=folder, check=False)
    return done.stdout + done.stderr


def test_the_tests_of_the_guide_pass(tmp_path: Path) -> None:
    shown = [text for _, text in blocks(GUIDE, "python") if "pytest_plugins" in text]
    assert len(shown) == 1
    assert "4 passed" in run_pytest(tmp_path, shown[0])
    broken = shown[0].replace('"by": "ada"', '"by": "eve"')
    assert broken != shown[0]
    assert "2 failed, 2 passed" in run_pytest(tmp_path, broken)


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ("pytestmark = pytest.mark.asyncio", ["-o", "asyncio_mode=strict"]),
        (
            'pytestmark = pytest.mark.anyio\n\n@pytest.fixture\ndef anyio_backend():\n    return "asyncio"\n',
            ["-p", "no:asyncio"],
        ),
    ],
)
def test_the_fixtures_go_with_every_plugin_for_async_tests(tmp_path: Path, more: str, options: list[str]) -> None:
    (shown,) = [text for _, text in blocks(GUIDE, "python") if "pytest_plugins" in text]
    assert "4 passed" in run_pytest(tmp_path, f"{shown}\n{more}", *options)


def test_fixtures_say_what_they_want(tmp_path: Path) -> None:
    said = run_pytest(
        tmp_path,
        'pytest_plugins = ["sente.testing.plugin"]\n\n'
        "def test_no_app(sente_server):\n    pass\n\n"
        "class TestPlain:\n"
        "    import pytest\n"
        "    @pytest.fixture\n"
        "    def sente_app(self):\n        from sente import ChannelSocket\n        return ChannelSocket()\n\n"
        "    def test_no_overrides(self, sente_overrides):\n        pass\n",
    )
    assert "define a fixture of this name that returns your ASGI application" in said
    assert "sente_app is no FastAPI application" in said
    assert "3 errors" in said


def test_overrides_last_for_one_test(tmp_path: Path) -> None:
    said = run_pytest(
        tmp_path,
        'import pytest\nfrom fastapi import FastAPI\n\npytest_plugins = ["sente.testing.plugin"]\n'
        "app = FastAPI()\napp.dependency_overrides[int] = str\n\n"
        "@pytest.fixture\ndef sente_app():\n    return app\n\n"
        "def test_one(sente_overrides):\n    sente_overrides[len] = max\n    del sente_overrides[int]\n\n"
        "def test_two():\n    assert app.dependency_overrides == {int: str}\n",
    )
    assert "2 passed" in said


# -- the proof for binders


class Blocking:
    def bind(self, handler: Any, /) -> Any:
        async def call(message: Message) -> Any:
            result = handler(message)
            return await result if asyncio.iscoroutine(result) else result

        return call


class Losing(PlainBinder):
    def bind(self, handler: Any, /) -> Any:
        call = super().bind(handler)

        async def lose(message: Message) -> None:
            await call(message)

        return lose


class Hiding(PlainBinder):
    def bind(self, handler: Any, /) -> Any:
        call = super().bind(handler)

        async def hide(message: Message) -> Any:
            try:
                return await call(message)
            except KeyError as error:
                raise ValueError from error

        return hide


class Enduring(PlainBinder):
    def bind(self, handler: Any, /) -> Any:
        call = super().bind(handler)

        async def endure(message: Message) -> Any:
            with suppress(asyncio.CancelledError):
                return await call(message)

        return endure


@pytest.mark.parametrize(
    ("binder", "says"),
    [
        (object(), "a binder has bind"),
        (Blocking(), "a sync handler runs in a thread"),
        (Losing(), "what in_loop returned did not come back"),
        (Hiding(), "raised KeyError"),
        (Enduring(), "called off"),
    ],
)
async def test_a_binder_that_does_not_keep_its_contract(binder: Any, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        await check_binder(binder)
