"""How many functions of ours a message passes: a number that is the same on every machine, and grows when something
is added to the way of each. Whoever adds to it on purpose raises the limit, and knows what it costs. So it is with what
a client costs that comes, and then only stays."""

import asyncio
import gc
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import sente
from sente import ChannelSocket, Message, ServerSettings
from tests.asgi import TransportName, connect

OURS = str(Path(sente.__file__).parent)
SETTINGS = ServerSettings(batch_ws=0, batch_poll=0)
TIMES = 50

LIMITS = {"ws": 138, "poll": 205}
"""Calls for a request and its reply, those of the test's client, which packs with the same packer, included. A POST
asks for four headers, each by a call: 0.5 µs, and no line holds them twice."""
PER_DELIVERY = 36
"""Calls for each client that a broadcast goes to."""
PER_COMING = 158
"""Calls for each client that comes, the test's own included."""
PER_STAYING = 6_400
"""Bytes kept for each client, on CPython 3.11; objects of other versions are a little smaller or larger."""


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count calls of functions of this package; a generator that goes on is called again."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            calls[f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}"] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def told(calls: Counter[str], times: int) -> str:
    return ", ".join(f"{name} {count / times:.2g}" for name, count in calls.most_common())


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("transport", LIMITS)
async def test_what_a_request_costs(transport: TransportName) -> None:
    async with ChannelSocket(settings=SETTINGS) as chsk:
        chsk.on("cost/echo")(echo)
        client = await connect(chsk, transport)
        await client.ask("cost/echo", "warm")
        with counted() as calls:
            for _ in range(TIMES):
                await client.ask("cost/echo", "hi")
    assert 50 < calls.total() / TIMES <= LIMITS[transport], told(calls, TIMES)


async def echo(msg: Message) -> object:
    return msg.data


async def test_what_one_more_delivery_costs() -> None:
    async def broadcast(clients: int) -> Counter[str]:
        async with ChannelSocket(settings=SETTINGS) as chsk:
            for number in range(clients):
                await connect(chsk, "ws", f"c{number}")
            await settle()
            with counted() as calls:
                chsk.broadcast("cost/said", "hi")
                await settle()
        return calls

    few, many = await broadcast(10), await broadcast(10 + TIMES)
    many.subtract(few)
    assert 10 < many.total() / TIMES <= PER_DELIVERY, told(many, TIMES)


async def test_what_a_client_costs_that_comes() -> None:
    async with ChannelSocket(settings=SETTINGS) as chsk:
        await connect(chsk, "ws", "warm")
        await settle()
        with counted() as calls:
            for number in range(TIMES):
                await connect(chsk, "ws", f"c{number}")
            await settle()
    assert 50 < calls.total() / TIMES <= PER_COMING, told(calls, TIMES)


async def test_what_is_kept_for_a_client_that_stays() -> None:
    """And that what its request said is not among it, however long: the server's scope has it."""

    async def kept(headers: dict[str, str]) -> float:
        async with ChannelSocket(settings=SETTINGS) as chsk:
            clients = [await connect(chsk, "ws", "warm")]
            tracemalloc.start()
            try:
                for number in range(TIMES):
                    clients.append(await connect(chsk, "ws", f"c{number}", headers=headers))
                await settle()
                gc.collect()
                ours = tracemalloc.Filter(True, f"{OURS}/*")
                traces = tracemalloc.take_snapshot().filter_traces([ours])
            finally:
                tracemalloc.stop()
        return sum(trace.size for trace in traces.traces) / TIMES

    little = await kept({})
    assert 2_000 < little <= PER_STAYING * 1.3  # coverage keeps some, too
    assert await kept({f"x-{number}": "x" * 200 for number in range(20)}) < little + 500
