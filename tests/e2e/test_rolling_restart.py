"""Two restarts behind a proxy while clients talk: each event is handled once or reported, each request has an outcome.

A session lives in one process. So a client of the one that goes begins anew at the next, with what it had not said.
"""

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sente import Client, ClientSettings, Disconnected, RequestTimeout
from sente.client import Event
from sente.testing import FaultProxy, assert_no_loss, assert_ordered
from tests.asgi import TRANSPORTS
from tests.e2e.test_draining import Server, running

pytestmark = pytest.mark.e2e

APP = "tests.e2e.rolling_app:app"
CLIENTS = 20
BUSY = 0.05
"""Seconds of work in a request with which handlers never come to rest: so the server cuts them off at its deadline."""
EAGER = ClientSettings(backoff_base=0.05, backoff_cap=0.2)


@dataclass
class Talker:
    """One client, and its books."""

    work: float
    client: Client = field(init=False)
    said: list[int] = field(default_factory=list)
    unconfirmed: list[int] = field(default_factory=list)
    outcomes: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    lost: list[int | None] = field(default_factory=list)

    def note(self, events: list[Event]) -> None:
        self.unconfirmed += [event.data for event in events]

    async def watch(self) -> None:
        async for old, new in self.client.state_changes():
            if new.open and not old.open:
                self.lost.append(new.lost)

    async def talk(self, over: asyncio.Event) -> None:
        self.client.on("count/down", lambda said: self.heard[said[0]].append(said[1]))
        watching = asyncio.create_task(self.watch())
        number = 0
        asking: list[asyncio.Task[None]] = []
        while not over.is_set():
            number += 1
            if number % 5 == 0:
                asking.append(asyncio.create_task(self.ask(number)))
            elif self.client.send("count/up", number):
                self.said.append(number)
            await asyncio.sleep(0.01 if self.work == BUSY else 0.05)  # peace is for who has time, on a busy machine too
        await asyncio.gather(*asking)
        watching.cancel()

    async def ask(self, number: int) -> None:
        try:
            assert await self.client.request("count/ask", [number, self.work], timeout=20) == number
        except (Disconnected, RequestTimeout) as error:
            self.outcomes[number].append(type(error).__name__)
        else:
            self.outcomes[number].append("reply")


async def restart(old: Server, proxy: FaultProxy, stack: AsyncExitStack, handled: Path) -> Server:
    """Start the new one, send whoever comes there, and tell the old one to go."""
    new = await stack.enter_async_context(running(app=APP, handled=str(handled)))
    proxy.targets = [new.host]
    await asyncio.sleep(0.3)
    old.terminate()
    await old.exit_code()
    await asyncio.sleep(1.0)
    return new


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("work", [0.002, BUSY])
async def test_two_restarts_lose_nothing_without_a_word(transport: Any, work: float, tmp_path: Path) -> None:
    handled = tmp_path / "handled"
    async with asyncio.timeout(50), AsyncExitStack() as stack:
        server = await stack.enter_async_context(running(app=APP, handled=str(handled)))
        proxy = await stack.enter_async_context(FaultProxy(server.host))
        talkers: list[Talker] = []
        for number in range(CLIENTS):
            talker = Talker(work)
            client = Client(
                f"http://{proxy.address}/chsk",
                transport=transport,
                params={"uid": number},
                settings=EAGER,
                connect_timeout=30,
                on_unconfirmed=talker.note,
            )
            talker.client = await stack.enter_async_context(client)
            talkers.append(talker)
        over = asyncio.Event()
        tasks = [asyncio.create_task(talker.talk(over)) for talker in talkers]
        for _ in range(2):
            await asyncio.sleep(0.5)
            server = await restart(server, proxy, stack, handled)
        over.set()
        await asyncio.gather(*tasks)
        for talker in talkers:  # the last of what was said has come once this has
            assert await talker.client.request("count/ask", [0, 0], timeout=20) == 0
    came: dict[str, list[int]] = defaultdict(list)
    for line in handled.read_text().splitlines():
        uid, value = line.split()
        came[uid].append(int(value))
    for number, talker in enumerate(talkers):
        check(talker, came[str(number)][:-1])
        if work < BUSY and transport == "ws":  # a connection opened for a POST leads to the process that is new already
            check_peace(talker)


def check(talker: Talker, came: list[int]) -> None:
    assert_ordered(came)
    asked = talker.outcomes.keys()
    assert_no_loss(talker.said, [number for number in came if number not in asked], told=talker.unconfirmed)
    assert len(talker.said) > 30
    for number, outcomes in talker.outcomes.items():
        assert len(outcomes) == 1, f"request {number}: {outcomes}"
        assert outcomes != ["reply"] or number in came
    for numbers in talker.heard.values():
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), "a hole in what one process said"
    assert len(talker.heard) == 3


def check_peace(talker: Talker) -> None:
    """Whoever is let go in time has nothing to ask: what the new process said before it came is all it missed."""
    assert talker.unconfirmed == []
    _, *later = talker.heard.values()
    assert talker.lost == [numbers[0] - 1 for numbers in later]
