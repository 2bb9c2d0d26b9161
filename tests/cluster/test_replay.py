"""What is said surely: kept for a while, said again, taken once and in order, and its loss known."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sente.cluster.replay import Heard, Ring


def numbers(ring: Ring, since: int) -> list[int] | None:
    kept = ring.since(since)
    return None if kept is None else [one.n for one in kept]


def filled(count: int, ring: Ring) -> Ring:
    for n in range(1, count + 1):
        assert ring.take("all", b"x", n, now=0.0)
    return ring


def test_what_is_kept_is_said_again_from_any_number_on() -> None:
    ring = filled(5, Ring(items=10))
    assert numbers(ring, 0) == [1, 2, 3, 4, 5]
    assert numbers(ring, 3) == [4, 5]
    assert numbers(ring, 5) == []
    assert numbers(Ring(), 0) == []


def test_only_so_many_are_kept() -> None:
    ring = filled(12, Ring(items=10))
    assert numbers(ring, 2) == [*range(3, 13)]
    assert numbers(ring, 1) is None


def test_only_so_many_bytes_are_kept() -> None:
    ring = Ring(size=100)
    for n in range(1, 6):
        assert ring.take("all", bytes(30), n, now=0.0)
    assert numbers(ring, 2) == [3, 4, 5]
    assert numbers(ring, 1) is None


def test_they_are_kept_for_so_long() -> None:
    ring = Ring(age=60.0)
    ring.take("all", b"", 1, now=0.0)
    ring.take("all", b"", 2, now=59.0)
    assert numbers(ring, 0) == [1, 2]
    ring.take("all", b"", 3, now=61.0)
    assert numbers(ring, 1) == [2, 3]
    assert numbers(ring, 0) is None


def test_what_was_said_before_somebody_began_is_none_of_its_business() -> None:
    ring = Ring(items=3)
    for n in range(1, 7):
        ring.take("all", b"", n, now=float(n))
    assert [one.n for one in ring.since(0, 4.0) or ()] == [4, 5, 6]
    assert [one.n for one in ring.since(0, 5.0) or ()] == [5, 6]
    assert ring.since(0, 3.0) is None  # the third is not kept any more
    assert numbers(ring, 0) is None


def test_what_cannot_leave_is_not_pushed_out() -> None:
    ring = filled(8, Ring(items=10))
    ring.cut()
    for n in range(9, 19):
        assert ring.take("all", b"x", n, now=1e9)  # nor does it become too old
    assert not ring.take("all", b"x", 19, now=1e9)
    assert numbers(ring, 8) == [*range(9, 19)]
    ring.whole()
    assert ring.take("all", b"x", 19, now=1e9)
    assert numbers(ring, 8) is None


def test_one_that_is_too_long_for_the_ring_is_still_said() -> None:
    ring = Ring(size=10)
    assert ring.take("all", bytes(11), 1, now=0.0)
    assert ring.take("all", b"x", 2, now=0.0)
    assert numbers(ring, 1) == [2]


class Line:
    """One that says and one that hears, over a line that is cut at either end, and tells both."""

    def __init__(self) -> None:
        self.ring, self.heard = Ring(items=20), Heard(0)
        self.on_way: list[tuple[str, Any]] = []
        self.whole = True
        self.taken: list[int] = []
        self.refused: set[int] = set()
        self.gaps: list[tuple[int, int]] = []

    def say(self) -> None:
        n = self.ring.n + 1
        if self.ring.take("all", b"", n, 0.0) and self.whole:
            self.on_way.append(("live", n))

    def cut(self) -> None:
        if self.whole:
            self.whole = False
            self.on_way.clear()
            self.ring.cut()
            self.heard.behind = True

    def heal(self) -> None:
        if not self.whole:
            self.whole = True
            self.ring.whole()
            self.again()

    def again(self) -> None:
        kept = self.ring.since(self.heard.n)
        self.on_way += [("kept", one.n) for one in kept or ()]
        self.on_way.append(("caught up", (self.ring.n, kept is None)))

    def hear(self) -> None:
        if self.on_way:
            op, what = self.on_way.pop(0)
            if op == "caught up" and self.heard.behind:
                if what[1]:
                    self.gaps.append((self.heard.n, what[0]))
                self.heard.caught_up(what[0])
            elif (op == "live" and self.heard.take(what)) or (op == "kept" and self.heard.again(what)):
                self.taken.append(what)


@given(st.lists(st.sampled_from(["say", "say", "say", "hear", "hear", "cut", "heal", "again"]), max_size=200))
def test_nothing_is_lost_or_taken_twice_or_the_gap_is_known(steps: list[str]) -> None:
    line = Line()
    for step in steps:
        if step != "again" or line.whole:
            getattr(line, step)()
    line.heal()
    while line.on_way:
        line.hear()
    assert line.taken == sorted(set(line.taken))
    known = set(line.taken)
    for first, last in line.gaps:
        known.update(range(first + 1, last + 1))
    assert known == set(range(1, line.ring.n + 1))


def test_a_beat_says_how_far_the_other_has_come() -> None:
    heard = Heard(3)
    heard.told(7)
    assert not heard.take(7)
    assert heard.take(8)
    heard.told(8, back=True)
    assert not heard.behind
    heard.told(9, back=True)  # of which one may not have arrived
    assert heard.behind
    heard.told(20)  # that is no news to one that may have missed something
    assert heard.n == 8
    heard.caught_up(20)
    assert heard.take(21)
