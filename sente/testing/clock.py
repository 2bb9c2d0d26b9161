"""A clock that waits for nobody: hours of timeouts pass as soon as there is nothing else to do."""

import asyncio
import time
from collections.abc import Coroutine
from selectors import SelectorKey, SelectSelector
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")


class FakeClock:
    """The clock of an event loop whose time passes at once whenever every task waits for it::

        def test_a_client_is_gone_after_two_minutes(fake_clock: FakeClock) -> None:
            async def scenario() -> None:
                async with chsk, Client(app=chsk, params={"name": "ada"}):
                    await asyncio.sleep(120)

            fake_clock.run(scenario())

    For what happens within one process and one thread: it does not see what other threads and other ends of sockets
    are doing, and lets time pass meanwhile.

    >>> clock = FakeClock()
    >>> began = clock.now
    >>> clock.run(asyncio.sleep(3600))
    >>> clock.now - began
    3600.0
    """

    def __init__(self) -> None:
        self.now = float(round(time.monotonic()))
        """What the loop takes for the time, in seconds."""
        self.wall = float(round(time.time()))
        """What ``time.time()`` says within ``run``. Set it, as people set clocks: only dates may depend on it."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on a new loop whose clock this is. For tests that are no coroutines themselves."""
        with patch("time.time", lambda: self.wall), asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(work)

    def jump(self, seconds: float) -> None:
        """Put both clocks forward at once: the computer slept, and every timer that was due meanwhile is late."""
        self.now += seconds
        self.wall += seconds


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__(_Selector(clock))
        self._fake_clock = clock

    def time(self) -> float:
        return self._fake_clock.now


class _Selector(SelectSelector):
    """A loop asks its selector how long to sleep, and it does not."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if timeout and not ready:
            self._clock.jump(timeout)
        return ready
