"""Drain before the server stops: ASGI servers close every socket before they say that they will (§5)."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def drain_on_signals(drain: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """On SIGTERM or SIGINT call ``drain``, and only then whoever would have been called; returns how to undo that.

    A second signal does not wait. Several sockets of a process drain at once. Outside the main thread Python takes no
    signal handlers, so nothing is done there.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    current = signal.getsignal(signal.SIGTERM)
    handler = current if isinstance(current, _Handler) and current.loop is loop else _Handler(loop)
    handler.drains.append(drain)

    def undo() -> None:
        handler.drains.remove(drain)
        if not handler.drains:
            handler.uninstall()

    return undo


class _Handler:
    """What is called instead of the signal handlers that were there before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.drains: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            signal.signal(number, self)

    def uninstall(self) -> None:
        for number, previous in self._before.items():
            if signal.getsignal(number) is self:
                signal.signal(number, previous)

    def __call__(self, number: int, frame: Any) -> None:
        if self._task is None:
            self.loop.call_soon_threadsafe(self._start, number, frame)
        else:
            self._pass_on(number, frame)

    def _start(self, number: int, frame: Any) -> None:
        if self._task is None:
            self._task = asyncio.ensure_future(self._drain())
            self._task.add_done_callback(lambda _: self._pass_on(number, frame))

    async def _drain(self) -> None:
        await asyncio.gather(*(drain() for drain in self.drains))

    def _pass_on(self, number: int, frame: Any) -> None:
        previous = self._before[signal.Signals(number)]
        if callable(previous):
            previous(number, frame)
        elif previous is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
