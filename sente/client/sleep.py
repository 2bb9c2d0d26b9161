"""How a client notices that time has passed without it: its machine slept, or its process was stopped."""

import time
from collections.abc import Callable

from sente.protocol.requests import NEVER


class SleepDetector:
    """Compares two clocks and a timer: the loop's clock stands still while a machine sleeps, the wall's does not, and a
    timer that comes far too late was held up with everything else.

    >>> detector = SleepDetector(threshold=10.0, wall=lambda: 1000.0)
    >>> detector.slept(now=5.0), detector.slept(now=5.1), detector.slept(now=60.0, due=20.0)
    (False, False, True)
    """

    def __init__(self, threshold: float, *, wall: Callable[[], float] = time.time) -> None:
        """``threshold``: seconds that a clock may jump, or a timer be late, without meaning anything."""
        self._threshold = threshold
        self._wall = wall
        self._offset: float | None = None

    def slept(self, now: float, due: float = NEVER) -> bool:
        """Whether time has passed unnoticed since the last call; ``due`` is when a timer was to fire that fires now."""
        offset = self._wall() - now
        jump = 0.0 if self._offset is None else abs(offset - self._offset)
        self._offset = offset
        return max(jump, now - due) > self._threshold
