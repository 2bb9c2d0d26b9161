"""The requests of this side that wait for their one outcome, and until when (§6)."""

from collections.abc import Collection
from typing import Any

from sente.protocol.actions import Outcome, Settle
from sente.protocol.outbox import Asked, Outbox

NEVER = float("inf")


class Requests:
    """Puts a ``Settle`` into ``actions`` for each request, once."""

    def __init__(self, actions: list[Any]) -> None:
        self._actions = actions
        self._deadlines: dict[int, float] = {}
        self._repeatable: dict[int, Asked] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._deadlines)

    @property
    def next(self) -> int:
        """The reference of the next request."""
        return self._last + 1

    def add(self, deadline: float, repeatable: Asked | None = None) -> int:
        """A request was put; its reference. ``repeatable``: the request, if asking twice does no harm."""
        self._last += 1
        self._deadlines[self._last] = deadline
        if repeatable is not None:
            self._repeatable[self._last] = repeatable
        return self._last

    def repeatable(self) -> list[Asked]:
        """Those without outcome that may be asked again, whatever became of them."""
        self._repeatable = {ref: asked for ref, asked in self._repeatable.items() if ref in self._deadlines}
        return list(self._repeatable.values())

    def cancel(self, ref: int, outbox: Outbox) -> None:
        """The asker no longer waits for ``ref``, and the other side need not either. Nothing if it has its outcome."""
        if self._deadlines.pop(ref, None) is not None:
            self._repeatable.pop(ref, None)
            outbox.withdraw(ref)

    def settle(self, ref: int, outcome: Outcome, value: Any = None) -> bool:
        """This came of ``ref``; False if it is late: then the asker has had its outcome."""
        if self._deadlines.pop(ref, None) is None:
            return False
        if self._repeatable:
            self._repeatable.pop(ref, None)
        self._actions.append(Settle(ref, outcome, value))
        return True

    def disconnected(self, kept: Collection[int] = ()) -> None:
        """The session ended; only the requests in ``kept`` go on in the next one."""
        for ref in [ref for ref in self._deadlines if ref not in kept]:
            self.settle(ref, "disconnected")

    def next_timer(self) -> float:
        """When the first of them runs out of time."""
        return min(self._deadlines.values()) if self._deadlines else NEVER

    def handle_timer(self, now: float, outbox: Outbox) -> None:
        """Settle those whose time is up, and let the other side know."""
        for ref in [ref for ref, deadline in self._deadlines.items() if now >= deadline]:
            outbox.withdraw(ref)
            self.settle(ref, "timeout")
