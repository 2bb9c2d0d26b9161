"""Lines that carry what is on them by themselves, and fail as planned."""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from sente.protocol.route import Wanted
from sente.protocol.settings import ClientSettings, ServerSettings
from sente.testing.cores import STEPS, Cores, Wire, size_of
from sente.testing.fate import NEVER, Fate
from sente.testing.faults import GOOD, Plan

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Lines")


def recorded(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Note what a test does, so that it can be shown as a test; not what that does in its turn."""

    @wraps(method)
    def call(lines: S, /, *args: P.args, **options: P.kwargs) -> R:
        if not lines.within:
            words = [*map(repr, args), *(f"{name}={value!r}" for name, value in options.items())]
            lines.steps.append(f"pair.{method.__name__}({', '.join(words)})")
        lines.within += 1
        try:
            return method(lines, *args, **options)
        finally:
            lines.within -= 1

    return call


class Lines(Cores):
    """Both cores, and lines of which the n-th has what ``faults`` says of it."""

    def __init__(
        self,
        transport: Wanted = "auto",
        *,
        faults: Plan = GOOD,
        server: ServerSettings | None = None,
        client: ClientSettings | None = None,
    ) -> None:
        super().__init__(transport, server=server, client=client)
        self.faults = faults
        self.befell: Counter[str] = Counter()
        """How often which fault came about: ``cut``, ``silence``, ``repeat``, ``jump``."""
        self.steps: list[str] = []
        """What was done so far, as Python."""
        self.within = 0
        """How many recorded methods are under way."""
        self._number = 0

    # -- time

    @recorded
    def run(self, seconds: float) -> None:
        """Let time pass, and whatever is under way arrive."""
        until, steps = self.now + seconds, 0
        while True:
            moved = self._carry_all()
            when = self.now if moved else self._next_event()
            if when > until:
                break
            steps = steps + 1 if when <= self.now else 0
            assert steps < STEPS, "the two never come to rest"
            if not moved:
                self.now = max(self.now, when)
                self.fire_timers()
            self._clear_away()
        self.now = max(self.now, until)

    @recorded
    def sleep(self, seconds: float) -> None:
        """The client's computer sleeps for so long: the server's time goes on, the client's does not."""
        self.asleep = True
        self.run(seconds)
        self.asleep = False

    @recorded
    def jump(self, seconds: float) -> None:
        """All clocks are found so much later, as if both processes had been suspended."""
        self.now += seconds

    @recorded
    def settle(self, seconds: float = 400.0) -> None:
        """Heal the lines, and let everything come to its end: longer than any timeout by default."""
        self.heal()
        self.run(seconds)

    # -- what befalls them

    @recorded
    def break_lines(self) -> None:
        """Every line is cut, with what is under way."""
        for wire in self.wires:
            self.cut(wire)
        self._clear_away()

    @recorded
    def silence(self) -> None:
        """Every line is half-open from now on."""
        for wire in self.wires:
            wire.fate.silence = wire.fate.passed
            self.cut(wire)

    @recorded
    def heal(self) -> None:
        """Nothing befalls any line from now on; what is half-open stays so."""
        self.faults = GOOD
        for wire in self.wires:
            if wire.fate.end is None:
                wire.fate.heal()

    # -- carrying

    def add_wire(self, link: int, *, ws: bool) -> Wire:
        """A new line, with what is in store for it."""
        wire = super().add_wire(link, ws=ws)
        self._number += 1
        wire.fate = Fate.of(self.faults(self._number))
        return wire

    def put_up(self, wire: Wire, *messages: Any) -> None:
        """Put messages on their way, where they may take their time, and be made twice."""
        fate = wire.fate
        if not wire.up:
            wire.up_at = self.now + fate.delay
        super().put_up(wire, *messages)
        if fate.repeat is not None and not wire.ws:
            self.duplicate(wire)
            self.wires[-1].up_at = wire.up_at + fate.repeat
            self.befell["repeat"] += 1

    def put_down(self, wire: Wire, *messages: Any) -> None:
        """Put messages on their way back."""
        if not wire.down:
            wire.down_at = self.now + wire.fate.delay + size_of(messages[:1]) / wire.fate.rate
        super().put_down(wire, *messages)

    def _next_event(self) -> float:
        """When the next timer is due, or something arrives."""
        times = [wire.up_at for wire in self.wires if wire.up and not wire.cut]
        times += [wire.down_at for wire in self.wires if wire.down and not (wire.cut or self.asleep)]
        timer = self.next_timer()
        return min(NEVER if timer is None else timer, *times, NEVER)

    def _carry_all(self) -> int:
        return sum(self._carry(wire, "up") + self._carry(wire, "down") for wire in list(self.wires))

    def _carry(self, wire: Wire, way: Literal["up", "down"]) -> bool:
        """Carry one message if it is time; whether that was tried."""
        messages, at = (wire.up, wire.up_at) if way == "up" else (wire.down, wire.down_at)
        if not messages or at > self.now or wire.cut or (way == "down" and self.asleep):
            return False
        size, fate = size_of(messages[0]), wire.fate
        if fate.carry(size) == size and not (self.move_up if way == "up" else self.move_down)(wire):
            messages.clear()  # whom it is for has left
        if way == "down":
            wire.down_at = self.now + size_of(list(wire.down)[:1]) / fate.rate
        if fate.end is not None:
            self.cut(wire)
            self.befell[fate.end] += 1
        if seconds := fate.jump():
            self.befell["jump"] += 1
            self.jump(seconds)
        return True

    def _clear_away(self) -> None:
        """Tell both sides what a network would tell them, and forget lines that are over."""
        for wire in list(self.wires):
            if wire.fate.end != "silence":
                self.client_notices(wire)
                if wire.cut or not wire.up:
                    self.server_notices(wire)
        self.wires = [wire for wire in self.wires if not wire.over]
