"""What may befall a line: one language for the lines of ``ChskPair`` in memory and of ``FaultProxy`` on sockets."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TypeAlias

from sente.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Cut:
    """The line breaks once ``after`` bytes have passed, both ways together: in the middle of whatever is under way.

    >>> Cut(after=4_711)
    Cut(after=4711)
    """

    after: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """A half-open line: after so many bytes nothing passes either way, and neither side is told.

    >>> Silence(after=100)
    Silence(after=100)
    """

    after: int = 0


@dataclass(frozen=True, slots=True)
class Delay:
    """Everything takes so many seconds longer. Other lines overtake this one: POSTs and answers come out of order.

    >>> Delay(0.5)
    Delay(seconds=0.5)
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Slow:
    """The client reads so many bytes a second, so that what is sent to it piles up at the server.

    >>> Slow(rate=1000)
    Slow(rate=1000)
    """

    rate: float


@dataclass(frozen=True, slots=True)
class Repeat:
    """The first HTTP request of the line is made a second time, ``late`` seconds after; the answer goes to nobody.

    A WebSocket is let be: whatever repeats requests does not repeat frames, and TCP loses none.

    >>> Repeat(late=2.0)
    Repeat(late=2.0)
    """

    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Jump:
    """After so many bytes all clocks are found so many seconds later: the computer slept. For ``ChskPair`` only.

    >>> Jump(after=0, seconds=3600)
    Jump(after=0, seconds=3600)
    """

    after: int
    seconds: float


Fault: TypeAlias = Cut | Silence | Delay | Slow | Repeat | Jump

Plan: TypeAlias = Callable[[int], Sequence[Fault]]
"""What befalls the n-th line of a run, counted from 1: ``Faults``, ``Script``, or a function of yours."""


@dataclass(frozen=True, slots=True)
class Script:
    """Exactly these faults, by the number of the line.

    >>> Script({2: [Cut(after=100)]})(2)
    [Cut(after=100)]
    >>> Script()(1)
    ()
    """

    lines: Mapping[int, Sequence[Fault]] = field(default_factory=dict)

    def __call__(self, line: int) -> Sequence[Fault]:
        """What befalls this line."""
        return self.lines.get(line, ())


GOOD = Script()
"""Nothing befalls any line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Faults by chance: the same for the same seed, in every process, however the lines follow each other.

    >>> Faults(seed=7, cut=1.0, delay=0.5)(1)
    (Cut(after=1243),)

    Raises:
        ConfigError: a share is not between 0 and 1, or a length is negative.
    """

    seed: int
    cut: float = 0.0
    """The share of lines that are cut, 0 to 1; likewise the next five."""
    silence: float = 0.0
    delay: float = 0.0
    slow: float = 0.0
    repeat: float = 0.0
    jump: float = 0.0
    within: int = 12_000
    """Bytes after which a cut, silence or jump comes at the latest: a WebSocket's greeting takes about 1,000."""
    seconds: float = 0.2
    """Longest delay, lateness and jump: below every timeout, so that it is not another fault as well."""
    rate: float = 20_000.0
    """Bytes a second that a slow line takes at least; at most ten times as many."""

    def __post_init__(self) -> None:
        for each in fields(self)[1:]:
            value = getattr(self, each.name)
            if value < 0 or (each.name not in ("within", "seconds", "rate") and value > 1):
                raise ConfigError(f"Faults: {each.name}={value!r}: shares are 0 to 1, lengths 0 or more")

    def __call__(self, line: int) -> tuple[Fault, ...]:
        """What befalls this line."""
        chance = random.Random(f"{self.seed}:{line}")
        after, seconds = chance.randint(0, self.within), round(chance.uniform(0, self.seconds), 3)
        drawn: list[tuple[float, Fault]] = [
            (self.cut, Cut(after)),
            (self.silence, Silence(after)),
            (self.delay, Delay(seconds)),
            (self.slow, Slow(round(self.rate * chance.uniform(1, 10)))),
            (self.repeat, Repeat(seconds)),
            (self.jump, Jump(after, seconds)),
        ]
        return tuple(fault for share, fault in drawn if chance.random() < share)
