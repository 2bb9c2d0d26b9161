"""A clock that waits for nobody: the real client and the real server, and no second of the tester's time."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from sente import ChannelSocket, Client, RequestTimeout
from sente.testing import FakeClock
from tests.asgi import TRANSPORTS, TransportName

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
HOUR = 3600.0


def run(clock: FakeClock, work: Coroutine[Any, Any, None]) -> float:
    """Seconds of the tester's time that it took."""
    began = time.perf_counter()
    clock.run(work)
    return time.perf_counter() - began


def never() -> ChannelSocket:
    chsk = ChannelSocket(user_id=lambda connection: connection.query.get("name"))

    @chsk.on("test/never")
    async def hang(msg: Any) -> None:
        await asyncio.Event().wait()

    @chsk.on("test/echo", concurrent=True)
    async def echo(msg: Any) -> Any:
        return msg.data

    return chsk


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock()


def test_time_passes_when_there_is_nothing_else_to_do() -> None:
    clock = FakeClock()
    began, wall = clock.now, clock.wall
    order: list[str] = []

    async def wait(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        order.append(name)

    async def both() -> None:
        await asyncio.gather(wait(2 * HOUR, "later"), wait(HOUR, "sooner"))
        assert time.time() == clock.wall

    assert run(clock, both()) < 1
    assert order == ["sooner", "later"]
    assert (clock.now - began, clock.wall - wall) == (2 * HOUR, 2 * HOUR)
    assert abs(time.time() - wall) < 100, "outside it is what it was"


def test_what_is_ready_is_done_first() -> None:
    clock = FakeClock()
    began = clock.now

    async def scenario() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        assert clock.now == began
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, lambda: 1) == 1, "with nothing planned it waits for other threads"

    clock.run(scenario())


@over_both
def test_a_client_stays_for_hours_and_waits_for_no_reply(fake_clock: FakeClock, transport: TransportName) -> None:
    async def scenario() -> None:
        chsk = never()
        async with chsk, Client(app=chsk, transport=transport, params={"name": "ada"}) as client:
            with pytest.raises(RequestTimeout):
                await client.request("test/never", timeout=HOUR)
            await asyncio.sleep(6 * HOUR)
            assert client.state.last_close is None
            assert await client.request("test/echo", 1) == 1

    fake_clock.run(scenario())


@over_both
def test_a_computer_that_slept(fake_clock: FakeClock, transport: TransportName) -> None:
    async def scenario() -> None:
        chsk = never()
        async with chsk, Client(app=chsk, transport=transport, params={"name": "ada"}) as client:
            heard = client.events("test/push")
            await asyncio.sleep(1)
            fake_clock.jump(HOUR)
            chsk.send("ada", "test/push", 1)
            assert (await asyncio.wait_for(anext(heard), 60)).data == 1
            assert client.state.lost == 0

    fake_clock.run(scenario())


@over_both
@pytest.mark.parametrize("seconds", [-1e6, 1e6])
def test_a_clock_that_people_set_changes_dates_only(
    fake_clock: FakeClock, transport: TransportName, seconds: float
) -> None:
    async def scenario() -> None:
        chsk = never()
        async with chsk, Client(app=chsk, transport=transport, params={"name": "ada"}) as client:
            asked = asyncio.create_task(client.request("test/never", timeout=60))
            await asyncio.sleep(1)
            fake_clock.wall += seconds
            assert await client.request("test/echo", 1) == 1
            before = fake_clock.now
            with pytest.raises(RequestTimeout):
                await asked
            assert 58 < fake_clock.now - before < 60
            assert client.state.last_close is None

    fake_clock.run(scenario())
