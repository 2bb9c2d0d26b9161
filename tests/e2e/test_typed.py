"""Typed events over real servers, to our clients in Python and in Node and back: types survive plain JSON, too."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, create_model

from sente import ChannelSocket, Client, EventRegistry, Message, RequestFailed
from tests.e2e.serving import serving
from tests.events.contract import PLAIN, Ack, Say, contract
from tests.packers.examples import MONEY, VALUES, same

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

ECHO = Path(__file__).parents[2] / "js" / "e2e" / "echo.mjs"
NAMES = [name for name in PLAIN if name != "datetime with microseconds"]  # of which a Date in JavaScript has none
FIELDS: Any = {f"field_{number}": (PLAIN[name], ...) for number, name in enumerate(NAMES)}
Everything: type[BaseModel] = create_model("Everything", **FIELDS)
EVERYTHING = Everything.model_construct(**{f"field_{number}": VALUES[name] for number, name in enumerate(NAMES)})

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])


def check_everything(value: Any) -> None:
    assert type(value) is Everything
    for number, name in enumerate(NAMES):
        field = getattr(value, f"field_{number}")
        assert same(field, VALUES[name]), (name, field)


@over_both
@pytest.mark.parametrize("packers", ["json", "auto,json", "auto+msgpack,json", "msgpack"])
async def test_every_type_goes_to_javascript_and_back(transport: str, packers: str) -> None:
    node = shutil.which("node")
    assert node, "this test needs Node"
    events = EventRegistry(strict=True)
    events.event("echo/there", of=Everything, direction="to-client")
    events.event("echo/back", of=Everything, direction="to-server")
    served = packers.partition("+")[0].partition(",")[0]
    chsk = ChannelSocket(events=events, user_id=lambda _: "ada", packers=served, types=[MONEY])
    came: asyncio.Queue[Any] = asyncio.Queue()
    there = asyncio.Event()
    chsk.on_error = lambda error, msg: came.put_nowait(error)

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
                chsk.send("ada", "echo/there", EVERYTHING)
                check_everything(await came.get())
        finally:
            client.kill()
            await client.wait()


@over_both
@pytest.mark.parametrize("packers", ["json", "auto", "msgpack", "transit"])
async def test_every_type_goes_to_python_and_back(transport: Any, packers: str) -> None:
    events = EventRegistry(strict=True)
    events.event("echo/ask", of=Everything, reply=Everything)
    chsk = ChannelSocket(events=events, packers=packers, types=[MONEY])

    @chsk.on("echo/ask")
    async def echo(msg: Message) -> Any:
        check_everything(msg.data)
        return await msg.request("echo/ask", msg.data)

    async with serving(chsk) as port:
        url = f"http://127.0.0.1:{port}/chsk"
        async with Client(url, events=events, transport=transport, packers=packers, types=[MONEY]) as client:
            client.on("echo/ask", lambda data: data)
            check_everything(await client.request("echo/ask", EVERYTHING))


@over_both
async def test_errors_come_back_with_their_paths(transport: Any) -> None:
    chsk = ChannelSocket(events=contract())

    @chsk.on(Say)
    async def say(msg: Message[Say]) -> Ack:
        raise AssertionError("not reached")

    async with serving(chsk) as port, Client(f"http://127.0.0.1:{port}/chsk", transport=transport) as client:
        with pytest.raises(RequestFailed) as failed:
            await client.request("chat/say", {"text": ["hi"] * 10_000, "tags": [[]] * 5_000})
    assert failed.value.code == "invalid_event"
    assert failed.value.data["errors"][0]["loc"] == ["text"]
    assert len(failed.value.data["errors"]) + failed.value.data["more"] == 5_001
