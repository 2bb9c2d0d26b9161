"""How often something may happen: token buckets, without a clock of their own (§6)."""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from sente.errors import ConfigError

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
WORDS = re.compile(r"(\d+(?:\.\d+)?)/(s|min|h)(?: burst (\d+))?")
NEVER_MORE = 100_000
"""Keys that a table of buckets remembers at most: some 15 MB."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many on average, and ``burst`` of them at once by whoever was silent for long enough.

    >>> Rate.read("5/s burst 10")
    Rate(interval=0.2, burst=10)
    >>> Rate.read("30/min").burst
    30
    """

    interval: float
    """Seconds after which there may be another one."""
    burst: int

    @classmethod
    def read(cls, text: str) -> "Rate":
        """A rate from words: ``5/s burst 10``, ``30/min``, ``1000/h``. Without ``burst`` it is what comes in one unit.

        Raises:
            ConfigError: these are no such words, or allow nothing.
        """
        match = WORDS.fullmatch(text) if isinstance(text, str) else None
        burst = 0 if match is None else int(match[3] or max(1, float(match[1])))
        if match is None or float(match[1]) <= 0 or burst < 1:
            raise ConfigError(f"the rate {text!r}: write it like '5/s burst 10', '30/min' or '1000/h'")
        return cls(UNITS[match[2]] / float(match[1]), burst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often clients may do what, in words: ``5/s burst 10``, ``30/min``, ``1000/h``; ``None``: as they like (§6).

    >>> Rates(events={"chat/say": "5/s burst 10"}).client is None
    True
    """

    client: str | None = None
    """Events and requests of one client. Only the application knows what is too often: memory is bounded without it,
    and the events of one client are handled one at a time."""
    user: str | None = None
    """The same of all clients of a user together; clients without a user are not counted here."""
    events: Mapping[str, str] = field(default_factory=dict)
    """The same of one client, by the id of the event."""
    refused: str = "10/s burst 1000"
    """How many more than it may a client may go on to say, before its line is closed with 4429: a loop that ran wild
    does in seconds, a person never."""
    hellos: str | None = "100/s burst 2000"
    """Handshakes of one public address: all sessions that it may have can be back at once after a restart."""

    def __post_init__(self) -> None:
        if not isinstance(self.events, Mapping):
            raise ConfigError(f'rates.events={self.events!r}: write it like {{"chat/say": "5/s burst 10"}}')
        for text in (self.client, self.user, *self.events.values(), self.refused, self.hellos):
            if text is not None:
                Rate.read(text)


class Buckets:
    """One bucket for each key: a client, a user, an address. Full ones are forgotten, so that keys which somebody makes
    up cost nothing for long; above ``most`` of them the one used longest ago is.

    >>> chat = Buckets(Rate.read("1/s burst 2"))
    >>> [chat.take("ada", now=10.0) for _ in range(3)]
    [0.0, 0.0, 1.0]
    """

    __slots__ = ("_full_at", "_most", "_rate")

    def __init__(self, rate: Rate, most: int = NEVER_MORE) -> None:
        self._rate = rate
        self._most = most
        self._full_at: dict[Hashable, float] = {}  # the one used longest ago first

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, now: float) -> float:
        """Take one; 0 if there was one, else the seconds until there is."""
        full_at = max(self._full_at.pop(key, now), now)
        late = full_at + self._rate.interval * (1 - self._rate.burst) - now
        if late > 1e-9:  # what adding up intervals loses is nobody's fault
            self._full_at[key] = full_at
            return late
        self._full_at[key] = full_at + self._rate.interval
        self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Two that are full, if they are the oldest: so the table shrinks faster than it grows."""
        for key in [*islice(self._full_at, 2)]:
            if self._full_at[key] <= now or len(self._full_at) > self._most:
                del self._full_at[key]
