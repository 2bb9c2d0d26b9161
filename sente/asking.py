"""Requests that somebody awaits: from the core's ``Settle`` to a value or an exception. The same on both sides."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, assert_never, overload

from sente.errors import ConfigError, Disconnected, PackError, RequestFailed, RequestTimeout
from sente.interfaces import Request
from sente.protocol.actions import Settle

R = TypeVar("R")


class Ask(Protocol):
    """``msg.request``: with an object of a ``Request`` class it is known what the reply is."""

    @overload
    async def __call__(
        self,
        event: Request[R],
        *,
        timeout: float | None = None,
        form: str | None = None,
        idempotent: bool | None = None,
    ) -> R: ...
    @overload
    async def __call__(
        self,
        event: str,
        data: Any = None,
        *,
        timeout: float | None = None,
        form: str | None = None,
        idempotent: bool | None = None,
    ) -> Any: ...


class Asking:
    """The requests of one session that are awaited, by their ``ref``."""

    def __init__(self) -> None:
        self._awaited: dict[int, asyncio.Future[Settle]] = {}

    def __len__(self) -> int:
        return len(self._awaited)

    async def outcome(self, ref: int, event_id: str, timeout: float, cancel: Callable[[], None]) -> Any:
        """Wait for the reply; ``cancel`` is called if the waiting is cancelled.

        Raises:
            RequestTimeout: no reply came in time.
            RequestFailed: the other side answered with an error.
            Disconnected: the session ended before the reply came.
            PackError: the other side cannot read what was asked.
        """
        future = self._awaited[ref] = asyncio.get_running_loop().create_future()
        try:
            settled = await future
        except asyncio.CancelledError:
            cancel()
            raise
        finally:
            del self._awaited[ref]
        match settled.outcome:
            case "reply":
                return settled.value
            case "error":
                raise read_failure(settled.value)
            case "timeout":
                raise RequestTimeout(f"no reply to {event_id} within {timeout:g} s")
            case "refused":
                raise PackError(f"the other side cannot read {event_id}, be it alone")
            case "disconnected":
                raise Disconnected(f"the session ended before {event_id} was replied to")
            case _:
                assert_never(settled.outcome)

    def settle(self, settled: Settle) -> None:
        """The outcome is known."""
        future = self._awaited.get(settled.ref)
        if future is not None and not future.done():
            future.set_result(settled)


def check_timeout(timeout: float) -> float:
    """A time to wait for a reply.

    Raises:
        ConfigError: it is not a finite number of seconds above 0.
    """
    if not 0 < timeout < math.inf:
        raise ConfigError(f"timeout={timeout!r}: give a finite number of seconds above 0")
    return timeout


def write_failure(error: RequestFailed) -> dict[str, Any]:
    """What crosses the wire of a refusal."""
    return {"code": error.code, "message": error.message, "data": error.data}


def read_failure(value: Any) -> RequestFailed:
    """The refusal that the other side sent."""
    error = value if isinstance(value, dict) else {}
    return RequestFailed(str(error.get("code", "unknown")), str(error.get("message") or ""), error.get("data"))
