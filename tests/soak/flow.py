"""Numbered events both ways with requests among them, over lines that a proxy cuts; and the books at the end."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sente import Client
from sente.packers.negotiation import BUILT_IN
from sente.testing import FaultProxy, Faults, assert_no_loss, assert_ordered
from tests.e2e.test_nothing_is_lost import PythonSpeaker, Speaker, Transport, node_client, python_client

WITHIN = 16_000
"""Bytes after which a line is cut at the latest: on average a window of events each way, and the greeting."""

BATCH = 100
ASKING = 4
"""Requests of the client that are open at once."""

Way: TypeAlias = Literal["ws", "poll", "mixed"]
WAYS: tuple[Way, ...] = ("ws", "poll", "mixed")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Who speaks, and how."""

    client: Literal["python", "node"] = "python"
    way: Way
    packer: str

    def __str__(self) -> str:
        return f"{self.client} {self.way} {self.packer}"


VARIANTS = [Variant(way=way, packer=packer) for way in WAYS for packer in BUILT_IN]
VARIANTS.append(Variant(client="node", way="mixed", packer="json"))


async def soak(
    variant: Variant, port: int, *, seed: int, events: int, cuts: int, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """At least so many events each way and so many cuts; what happened.

    Raises:
        AssertionError: something was lost, came twice or out of order, or a request had no outcome, or two.
    """
    began = time.monotonic()
    uid = f"{variant} {seed}".replace(" ", "-")
    connect: Any = python_client if variant.client == "python" else node_client
    packers = variant.packer if variant.client == "python" else [variant.packer]
    first: Transport = "poll" if variant.way == "poll" else "ws"
    faults = Faults(seed=seed, cut=1.0, within=WITHIN)
    async with FaultProxy(port, faults=faults) as proxy, Client(f"http://127.0.0.1:{port}/chsk") as control:
        options = {} if variant.client == "node" else {"packers": packers}
        async with connect(proxy.address, first, uid=uid, **options) as speaker, switching(speaker, variant.way, seed):
            if isinstance(speaker, PythonSpeaker):
                speaker.client.on("count/reached", lambda _: speaker.got[-1])
            said, asked = await _say_all(speaker, proxy, events, cuts, progress)
            book = await control.request("soak/stop", uid, timeout=120)
            proxy.heal()
            while len(speaker.got) < book["pushed"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.2)  # nothing more may come
    assert_no_loss(range(1, book["pushed"] + 1), speaker.got)
    assert_ordered(speaker.got)
    assert book["wrong"] == [], book["wrong"]
    assert book["heard"] == said, f"{book['heard']} of {said} events were handled"
    assert (book["asked"], book["asked twice"]) == (asked, 0), "each request is handled once"
    answer = "reply" if variant.client == "python" else "no_handler"  # which is an outcome, too
    assert book["outcomes"].keys() == {answer}, book["outcomes"]
    return {
        "variant": str(variant),
        "seed": seed,
        "cuts": proxy.befell["cut"],
        "events up": said,
        "events down": book["pushed"],
        "requests": asked + book["outcomes"][answer],
        "seconds": round(time.monotonic() - began, 1),
    }


async def _say_all(
    speaker: Speaker, proxy: FaultProxy, events: int, cuts: int, progress: Callable[[str], None]
) -> tuple[int, int]:
    """Say numbers until there were enough of everything; how many events and requests that took."""
    number = 0
    asking: list[tuple[int, asyncio.Task[Any]]] = []
    asked = 0
    while number < events or len(speaker.got) < events or proxy.befell["cut"] < cuts:
        for _ in range(BATCH):
            number += 1
            while not await speaker.say(number):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        asked += 1
        asking.append((number, asyncio.create_task(speaker.ask(number))))
        while len(asking) >= ASKING:
            await _settle(*asking.pop(0))
        progress(f"{number} up, {len(speaker.got)} down, {proxy.befell['cut']} cuts")
    for each in asking:
        await _settle(*each)
    return number, asked


async def _settle(number: int, task: "asyncio.Task[Any]") -> None:
    reply = await task
    assert reply == 2 * number, f"asked for twice {number}: {reply}"


@asynccontextmanager
async def switching(speaker: Speaker, way: Way, seed: int) -> AsyncIterator[None]:
    """Where it is mixed: now WebSocket, now polling."""
    chance = random.Random(seed)

    async def switch() -> None:
        while way == "mixed":
            await asyncio.sleep(chance.uniform(0.1, 0.4))
            speaker.prefer(chance.choice(["ws", "poll"]))

    task = asyncio.create_task(switch())
    try:
        yield
    finally:
        task.cancel()
