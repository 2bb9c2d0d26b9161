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

    A second signal does not wait. Outside the main thread Python takes no signal handlers, so nothing is done there.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    draining: list[asyncio.Task[None]] = []

    def handle(number: int, frame: Any) -> None:
        if draining:
            pass_on(number, frame)
        else:
            loop.call_soon_threadsafe(start, number, frame)

    def start(number: int, frame: Any) -> None:
        if not draining:
            task = asyncio.ensure_future(drain())
            draining.append(task)
            task.add_done_callback(lambda _: pass_on(number, frame))

    def pass_on(number: int, frame: Any) -> None:
        previous = before[signal.Signals(number)]
        if callable(previous):
            previous(number, frame)
        elif previous is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in SIGNALS:
        signal.signal(number, handle)

    def undo() -> None:
        for number, previous in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, previous)

    return undo
