"""Short jobs without a task for each: they share one, and only a job that waits keeps it to itself.

Most handlers, and most writes to a line, never wait. To make a task, run it once and forget it takes longer than they
do. So a worker, which is a task, takes one job after the other in the same turn of the event loop. When a job waits,
its worker waits with it, and what is left goes to the next worker: to a job it looks as if it had a task of its own,
``asyncio.timeout`` and cancellation included.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from sys import getrefcount
from typing import Any, TypeAlias

Worker: TypeAlias = asyncio.Task[None]
Job: TypeAlias = Callable[[Worker], Awaitable[None]]
"""What is called with the task that awaits it. It deals with its own errors."""


class Workers:
    """Jobs begin in the order in which they are put, in the next turn of the loop.

    A worker runs in an empty ``contextvars`` context. One whose job left something in it, or that was cancelled, takes
    no other job, so that nothing passes from one to the next. Nor does one that somebody still refers to: who cancels
    the task of a handler that is done must not stop another's.

    >>> async def main() -> None:
    ...     workers = Workers()
    ...     for name in ("one", "two"):
    ...         workers.put(partial(say, name))
    ...     await asyncio.sleep(0)
    >>> from functools import partial
    >>> async def say(name: str, worker: Worker) -> None:
    ...     print(name)
    >>> asyncio.run(main())
    one
    two
    """

    def __init__(self) -> None:
        self._ready: deque[Job] = deque()
        self._called: Worker | None = None  # a worker that has not begun
        self._tasks: set[Worker] = set()

    def put(self, job: Job) -> None:
        """Have a job done."""
        self._ready.append(job)
        if self._called is None:
            self._call()

    async def aclose(self) -> None:
        """Cancel what waits, and drop what has not begun."""
        self._ready.clear()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _call(self) -> None:
        self._called = task = asyncio.create_task(self._work(), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self._called is task:  # cancelled before it began
            self._called = None

    async def _work(self) -> None:
        worker, self._called = self._called, None
        assert worker is not None
        clean, alone = copy_context(), getrefcount(worker)
        try:
            while self._ready:
                job = self._ready.popleft()
                if self._ready and self._called is None:
                    self._call()  # in case this one waits
                await job(worker)
                if worker.cancelling() or copy_context() != clean or getrefcount(worker) > alone:
                    return
        finally:
            if self._ready and self._called is None:
                self._call()
