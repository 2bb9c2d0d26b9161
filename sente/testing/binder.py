"""What a handler binder has to keep, as a check."""

import asyncio
import threading
from typing import Any

from sente.dispatch import Message
from sente.errors import RequestFailed
from sente.interfaces import HandlerBinder


async def check_binder(binder: HandlerBinder) -> None:
    """Prove that a binder keeps the contract of ``HandlerBinder`` for handlers that take the message alone.

    >>> from sente.binding import PlainBinder
    >>> asyncio.run(check_binder(PlainBinder()))

    Raises:
        AssertionError: it does not; says what.
    """
    assert isinstance(binder, HandlerBinder), "a binder has bind"
    message = Message("a/b", {"text": "hi"}, "ada", "c1", None, send=print)
    threads: list[threading.Thread] = []

    async def in_loop(msg: Message) -> Any:
        threads.append(threading.current_thread())
        return [msg]

    def in_thread(msg: Message) -> Any:
        threads.append(threading.current_thread())
        return [msg]

    for handler in (in_loop, in_thread):
        result = await binder.bind(handler)(message)
        assert result == [message], f"what {handler.__name__} returned did not come back"
    assert threads[0] is threading.current_thread(), "an async handler runs in the event loop"
    assert threads[1] is not threading.current_thread(), "a sync handler runs in a thread"
    for error in (RequestFailed("full", "no room"), KeyError("x")):
        await _check_raises(binder, message, error)
    await _check_cancelled(binder, message)


async def _check_raises(binder: HandlerBinder, message: Message, error: Exception) -> None:
    async def in_loop(msg: Message) -> None:
        raise error

    def in_thread(msg: Message) -> None:
        raise error

    for handler in (in_loop, in_thread):
        came: Exception | None = None
        try:
            await binder.bind(handler)(message)
        except Exception as raised:
            came = raised
        assert came is error, f"{handler.__name__} raised {error!r}, and what came was {came!r}"


async def _check_cancelled(binder: HandlerBinder, message: Message) -> None:
    running = asyncio.Event()

    async def wait(msg: Message) -> None:
        running.set()
        await asyncio.Event().wait()

    call = binder.bind(wait)

    async def run() -> None:
        await call(message)

    task = asyncio.create_task(run())
    await running.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled(), "a handler that is called off ends"
