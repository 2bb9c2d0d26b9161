"""A client whose machine slept, or whose process was stopped, pings at once."""

import asyncio
import time
from dataclasses import replace

import pytest

from sente.client.sleep import SleepDetector
from tests.client.line import QUICK, serving, until


def test_a_clock_that_jumps_and_a_timer_that_is_late_are_a_sleep() -> None:
    wall = iter([100.0, 109.0, 130.0, 140.0, 150.0, 135.0, 136.0])
    detector = SleepDetector(10.0, wall=lambda: next(wall))
    assert not detector.slept(0.0), "the two clocks begin by chance"
    assert not detector.slept(9.0)
    assert detector.slept(19.0), "the wall's clock went on for 11 s more"
    assert not detector.slept(29.0, due=19.5)
    assert detector.slept(39.0, due=28.0)
    assert detector.slept(39.0, due=39.0), "someone set the clock back"
    assert not detector.slept(40.0, due=39.0)


async def test_a_line_that_died_while_the_machine_slept_is_replaced_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, before = time.time, 0.0
    settings = replace(QUICK, wake_timeout=0.1)
    async with serving() as server, server.client(transport="ws", settings=settings) as client:
        monkeypatch.setattr(client._driver._sleep, "_wall", lambda: wall() + before)
        server.line.deaf = server.line.dumb = True
        client.send("test/note", 1)
        await asyncio.sleep(0.05)
        assert client.state.last_ws_close is None
        before = 60.0  # more than the line's own ping would take
        client.send("test/note", 2)
        await until(lambda: client.state.last_ws_close, seconds=2)
        assert client.state.last_ws_close is not None
        assert client.state.last_ws_close.message == "no sign of life"
        server.line.deaf = server.line.dumb = False
        await until(lambda: server.got == [1, 2])
