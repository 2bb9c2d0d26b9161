"""The requests that wait for their one outcome, and until when (§6)."""

from collections.abc import Collection
from typing import Any

from sente.protocol.actions import ClientAction, Outcome, Settle

NEVER = float("inf")


class Requests:
    """Puts a ``Settle`` into ``actions`` for each request, once."""

    def __init__(self, actions: list[ClientAction]) -> None:
        self._actions = actions
        self._deadlines: dict[int, float] = {}
        self._last = 0

    @property
    def next(self) -> int:
        """The reference of the next request."""
        return self._last + 1

    def add(self, deadline: float) -> int:
        """A request was put; its reference."""
        self._last += 1
        self._deadlines[self._last] = deadline
        return self._last

    def forget(self, ref: int) -> None:
        """The asker no longer waits for ``ref``."""
        self._deadlines.pop(ref, None)

    def settle(self, ref: int, outcome: Outcome, value: Any = None) -> None:
        """This came of ``ref``; unless it is late: then the asker has had its outcome."""
        if self._deadlines.pop(ref, None) is not None:
            self._actions.append(Settle(ref, outcome, value))

    def disconnected(self, kept: Collection[int] = ()) -> None:
        """The session ended; only the requests in ``kept`` go on in the next one."""
        for ref in [ref for ref in self._deadlines if ref not in kept]:
            self.settle(ref, "disconnected")

    def next_timer(self) -> float:
        """When the first of them runs out of time."""
        return min(self._deadlines.values(), default=NEVER)

    def handle_timer(self, now: float) -> None:
        """Settle those whose time is up."""
        for ref in [ref for ref, deadline in self._deadlines.items() if now >= deadline]:
            self.settle(ref, "timeout")
