"""What the server asks on its way to a handler, and what the handler returns or raises on its way back."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sente.asking import write_failure
from sente.client.frames import PackedValue, pack_value
from sente.client.streams import Inbox
from sente.errors import EventError, PackError, RequestFailed
from sente.interfaces import Packer, is_plain_json
from sente.protocol.messages import Event
from sente.typed import Typed, refusal

log = logging.getLogger("sente.client")


@dataclass(slots=True, eq=False)
class _Question:
    event: Event
    ref: int
    task: asyncio.Task[None] | None = None


class Answers:
    """Hands requests to handlers, which start in the order of the events and then run beside them: the server waits for
    each, and a handler that asks it something must not stand in the way of what it asks in return."""

    def __init__(
        self,
        inbox: Inbox,
        typed: Typed,
        packer: Callable[[], Packer],
        reply: Callable[[int, PackedValue, bool], None],
        delivered: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._typed = typed
        self._packer = packer
        self._reply = reply
        self._delivered = delivered
        self._open: dict[int, _Question] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, event: Event, ref: int) -> None:
        """The server asks."""
        question = self._open[ref] = _Question(event, ref)
        self._inbox.put(lambda: self._begin(question))

    def cancel(self, ref: int) -> None:
        """Nobody waits for the reply any more; after a session's end another question may have the same ``ref``."""
        question = self._open.pop(ref, None)
        task = None if question is None else question.task
        if task is not None and task is not asyncio.current_task():  # a handler may disconnect its own client
            task.cancel()

    async def aclose(self) -> None:
        """Wait until the handlers have ended that were stopped with the session, except for one that asks for this."""
        stopped = [task for task in self._tasks if task is not asyncio.current_task()]
        await asyncio.gather(*stopped, return_exceptions=True)

    def _begin(self, question: _Question) -> None:
        if self._open.get(question.ref) is question:
            question.task = asyncio.create_task(self._answer(question))
            self._tasks.add(question.task)
            question.task.add_done_callback(self._tasks.discard)
        else:
            self._delivered()

    async def _answer(self, question: _Question) -> None:
        try:
            packed, failed = await self._outcome(question.event)
        finally:
            self._delivered()
        if self._open.get(question.ref) is question:
            del self._open[question.ref]
            self._reply(question.ref, packed, failed)

    async def _outcome(self, event: Event) -> tuple[PackedValue, bool]:
        try:
            return pack_value(await self._handle(event), self._packer()), False
        except RequestFailed as failed:
            failure = failed
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            log.warning("the handler of %s was cancelled", event.id)  # what it waited for was, not the handler
            failure = RequestFailed("internal", "the client could not handle this")
        except Exception:
            log.exception("the handler of %s raised", event.id)
            failure = RequestFailed("internal", "the client could not handle this")
        try:
            return pack_value(write_failure(failure), self._packer()), True
        except PackError:
            return pack_value({**write_failure(failure), "data": None}, self._packer()), True

    async def _handle(self, event: Event) -> Any:
        try:
            data = self._typed.load(event.id, event.data, is_plain_json(self._packer()))
        except EventError as misfit:
            raise refusal(misfit) from misfit
        handler = self._inbox.handler(event.id)
        if handler is None:
            raise RequestFailed("no_handler", f"nobody handles {event.id}")
        result = handler(data)
        return self._typed.reply(event.id, await result if inspect.isawaitable(result) else result)
