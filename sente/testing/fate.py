"""The faults of one line, as whatever carries it asks for them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias, assert_never

from sente.testing.faults import Cut, Delay, Fault, Jump, Repeat, Silence, Slow

NEVER = float("inf")

End: TypeAlias = Literal["cut", "silence"]


@dataclass(slots=True, eq=False)
class Fate:
    """What is in store for one line, and how many bytes it has carried."""

    cut: float = NEVER
    silence: float = NEVER
    delay: float = 0.0
    rate: float = NEVER
    repeat: float | None = None
    jumps: list[Jump] = field(default_factory=list)
    passed: int = 0

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> Self:
        """Of several faults of one kind the worst counts."""
        fate = cls()
        for fault in faults:
            match fault:
                case Cut(after):
                    fate.cut = min(fate.cut, after)
                case Silence(after):
                    fate.silence = min(fate.silence, after)
                case Delay(seconds):
                    fate.delay = max(fate.delay, seconds)
                case Slow(rate):
                    fate.rate = min(fate.rate, rate)
                case Repeat(late):
                    fate.repeat = late
                case Jump():
                    fate.jumps.append(fault)
                case _:
                    assert_never(fault)
        return fate

    def carry(self, size: int) -> int:
        """How many of the next ``size`` bytes get through; ``end`` says whether anything comes after them."""
        room = max(0, min(self.cut, self.silence) - self.passed)
        self.passed += size
        return size if room >= size else int(room)

    @property
    def end(self) -> End | None:
        """Whether the line is over, and how."""
        if self.passed < min(self.cut, self.silence):
            return None
        return "cut" if self.cut <= self.silence else "silence"

    def jump(self) -> float:
        """How far the clocks jump now."""
        due = [jump for jump in self.jumps if jump.after <= self.passed]
        self.jumps = [jump for jump in self.jumps if jump not in due]
        return sum(jump.seconds for jump in due)

    def heal(self) -> None:
        """Nothing befalls the line any more."""
        self.cut = self.silence = self.rate = NEVER
        self.delay, self.repeat = 0.0, None
        self.jumps.clear()
