"""A client that is refused over real sockets: its state says why, in the server's words, and it asks no more."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

from sente import ChannelSocket, Client, Rejected
from sente.interfaces import Wire
from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e

NODE_CLIENT = Path(__file__).parents[2] / "js" / "e2e" / "node_client.mjs"
EVIL = "https://evil.example"

Transport: TypeAlias = Literal["ws", "poll", "auto"]
Told: TypeAlias = tuple[int, str]
"""The status that the client was refused with, and the sentence."""


class Morse:
    name = "morse"

    def pack(self, value: Any, /) -> Wire:
        raise AssertionError("nothing is said to a server that speaks another language")

    def unpack(self, wire: Wire, /) -> Any:
        raise AssertionError("nothing comes from a server that speaks another language")


async def python_client(port: int, transport: Transport, *, packer: str | None, origin: str | None) -> Told:
    client = Client(
        f"http://127.0.0.1:{port}/chsk",
        transport=transport,
        packers="json" if packer is None else Morse(),
        headers=None if origin is None else {"origin": origin},
    )
    with pytest.raises(Rejected) as rejected:
        await client.__aenter__()
    refused = client.state.refused
    assert refused is not None
    assert (refused.reason, refused.message, client.state.open) == ("refused", rejected.value.reason, False)
    return rejected.value.status, refused.message


async def node_client(port: int, transport: Transport, *, packer: str | None, origin: str | None) -> Told:
    node = shutil.which("node")
    assert node, "these tests need Node"
    options: dict[str, Any] = {} if packer is None else {"packers": [{"name": packer}]}
    options["origin"] = origin
    command = [node, str(NODE_CLIENT), f"http://127.0.0.1:{port}/chsk", transport, json.dumps(options)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        async for line in process.stdout:
            state = json.loads(line)["state"]
            if refused := state["refused"]:
                assert (refused["reason"], state["open"], state["nextReconnect"]) == ("refused", False, None)
                return refused["code"] % 4000, refused["message"]
        raise AssertionError("it was not refused")
    finally:
        process.stdin.close()
        await process.wait()


@pytest.mark.parametrize("client", [python_client, node_client])
@pytest.mark.parametrize("transport", ["ws", "poll", "auto"])
@pytest.mark.parametrize(
    ("hooks", "options", "told"),
    [
        ({"reject": lambda _: "closed on Mondays"}, {}, (403, "closed on Mondays")),
        ({"csrf": True}, {}, (403, "give the client what csrf_token(request) returns")),
        ({}, {"origin": EVIL}, (403, "add allowed_origins=['https://evil.example'] at")),
        ({"authorize": lambda _: False}, {}, (401, "not authorized: log in, then reconnect")),
        ({}, {"packer": "morse"}, (406, "the server speaks packers=auto,json")),
    ],
    ids=["reject", "csrf", "origin", "authorize", "packers"],
)
async def test_the_state_of_a_refused_client_says_why(
    client: Callable[..., Awaitable[Told]],
    transport: Transport,
    hooks: dict[str, Any],
    options: dict[str, str],
    told: Told,
) -> None:
    chsk = ChannelSocket(**hooks)
    async with serving(chsk) as port:
        status, sentence = await client(port, transport, **{"packer": None, "origin": None, **options})
        assert (status, told[1] in sentence) == (told[0], True), sentence
        assert chsk.stats == {f"rejected {status}": 1}, "asking again would not have helped"
