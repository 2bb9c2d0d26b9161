"""What the lines of all brokers over a network have in common: they are cut, and come back."""

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import suppress

from sente.protocol.backoff import backoff

log = logging.getLogger("sente")

RETRY_BASE = 0.1
"""Seconds before the third attempt to reach the broker; then doubled."""

RETRY_CAP = 5.0
"""Seconds between attempts at most: a broker that is back is found soon."""

PING = 1.0
"""Seconds of silence after which a line is tried."""

SILENCE = 4.0
"""Seconds of silence that mean it is dead: with ``PING``, less than it takes others to think this process gone."""

WAITING = 32 * 1024 * 1024
"""Bytes that may wait to leave: a broker that is so far behind is cut off, and what it missed is said again."""

Unheard = Callable[[], None]


class BrokerCut(Exception):
    """The line to a broker does not work any more; says why."""


class Line(ABC):
    """Implements ``BrokerLine``. What it carries waits in one list until the broker's ``_carry`` takes it, so that what
    is said while that is busy leaves together."""

    def __init__(self, name: str, heard: Callable[[str, bytes], None], state: Callable[[bool], None]) -> None:
        self._name = name
        self._heard = heard
        self._state = state
        self._channels: dict[str, None] = {}
        self._confirmed: dict[str, asyncio.Future[None]] = {}
        self._changes: list[tuple[bool, str]] = []  # channels to subscribe (True) or not to
        self._waiting: list[tuple[str, bytes, Unheard | None]] = []
        self._size = 0
        self._due = asyncio.Event()
        self._whole = False
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def _carry(self) -> None:
        """Connect, subscribe to all of ``_channels``, call ``_up``, and carry until that fails, in whatever way."""

    async def start(self) -> None:
        """Begin; it returns when the line is there, or the first attempt has failed."""
        self._task = asyncio.create_task(self._run())
        await self._tried.wait()

    # -- BrokerLine

    async def subscribe(self, channels: Collection[str]) -> None:
        """Hear these from now on."""
        futures = []
        for channel in channels:
            if channel not in self._channels:
                self._channels[channel] = None
                if self._whole:
                    self._changes.append((True, channel))
                    self._confirmed[channel] = asyncio.get_running_loop().create_future()
            if channel in self._confirmed:
                futures.append(self._confirmed[channel])
        if futures:
            self._due.set()
            await asyncio.wait(futures)

    def unsubscribe(self, channels: Collection[str]) -> None:
        """Hear these no longer."""
        for channel in channels:
            if channel in self._channels:
                del self._channels[channel]
                if self._whole:
                    self._changes.append((False, channel))
        self._due.set()

    def publish(self, channel: str, body: bytes, unheard: Unheard | None = None) -> bool:
        """Tell whoever has subscribed."""
        if not self._whole:
            return False
        self._waiting.append((channel, body, unheard))
        self._size += len(body)
        self._due.set()
        return True

    async def aclose(self) -> None:
        """Send what waits, for a second at most, and let go."""
        assert self._task is not None, "it has been started"
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self._whole and (self._waiting or self._busy):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        self._state = lambda whole: None
        self._task.cancel()
        await asyncio.wait([self._task])

    # -- for the brokers

    _busy = False
    """Whether what was taken is still on its way."""

    def _up(self) -> None:
        """The line is there, and all channels are subscribed."""
        self._whole = True
        self._tried.set()
        self._state(True)

    def _take(self) -> tuple[list[tuple[bool, str]], list[tuple[str, bytes, Unheard | None]]]:
        """What is to be carried now."""
        if self._size > WAITING:
            raise BrokerCut(f"{self._size} bytes wait to leave")
        self._due.clear()
        taken = self._changes, self._waiting
        self._changes, self._waiting, self._size = [], [], 0
        return taken

    def _confirm(self, channel: str) -> None:
        if (future := self._confirmed.pop(channel, None)) is not None and not future.done():
            future.set_result(None)

    # -- cut, and back

    async def _run(self) -> None:
        failures = 0
        said = ""
        try:
            while True:
                try:
                    await self._carry()
                except Exception as error:
                    failures = 1 if self._whole else failures + 1
                    if (why := _reason(error)) != said:
                        said = why
                        log.warning("the broker %s cannot be reached: %s", self._name, why)
                if self._whole:
                    said = ""
                self._down()
                await asyncio.sleep(backoff(failures + 1, base=RETRY_BASE, cap=RETRY_CAP, jitter=random.random()))
        finally:
            self._down()

    def _down(self) -> None:
        was_whole, self._whole = self._whole, False
        self._busy = False
        self._changes, self._waiting, self._size = [], [], 0
        for channel in list(self._confirmed):
            self._confirm(channel)
        self._tried.set()
        if was_whole:
            self._state(False)


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
