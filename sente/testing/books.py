"""Whether what was said is what came: with messages that say which, and stay short."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from itertools import pairwise
from typing import Any

SHOWN = 10
"""Values that a message names of each kind; it counts the rest."""


def assert_no_loss(sent: Iterable[Any], received: Iterable[Any], *, told: Iterable[Any] = ()) -> None:
    """Everything that was sent has been received, once; in any order.

    >>> assert_no_loss([1, 2, 3], [3, 1, 2])
    >>> assert_no_loss([1, 2, 3], [1, 2], told=[3])
    >>> assert_no_loss([1, 2, 3, 4], [1, 4, 4, 5])
    Traceback (most recent call last):
    AssertionError: of 4 sent 2 are missing: 2, 3; 1 came more than once: 4; 1 was never sent: 5

    Args:
        sent: Values, each of which can be told from the others.
        received: What came of them.
        told: Those that were reported as perhaps lost, as *unconfirmed* say: they may be missing, and may have come.

    Raises:
        AssertionError: names what is missing, came more than once, or was never sent; ten of each at most.
    """
    received = list(received)
    expected, came, excused = ({_key(value): value for value in values} for values in (sent, received, told))
    often = Counter(map(_key, received))
    missing = [value for key, value in expected.items() if key not in came and key not in excused]
    doubled = [value for key, value in came.items() if often[key] > 1]
    strange = [value for key, value in came.items() if key not in expected]
    faults = [
        _say(missing, "is missing", "are missing"),
        _say(doubled, "came more than once", "came more than once"),
        _say(strange, "was never sent", "were never sent"),
    ]
    if said := "; ".join(filter(None, faults)):
        raise AssertionError(f"of {len(expected)} sent {said}")


def assert_ordered(received: Iterable[Any], *, key: Callable[[Any], Any] = lambda value: value) -> None:
    """Each value is above the one before it: nothing out of order, nothing twice.

    >>> assert_ordered([1, 2, 5])
    >>> assert_ordered([{"n": 1}, {"n": 2}], key=lambda data: data["n"])
    >>> assert_ordered([1, 3, 2, 2])
    Traceback (most recent call last):
    AssertionError: of 4 received 2 are out of order: 2 after 3 (the 3rd), 2 after 2 (the 4th)

    Raises:
        AssertionError: names those that are not, ten at most, and where they stand.
    """
    values = list(received)
    wrong = [
        _Plain(f"{after!r:.40} after {before!r:.40} (the {_ordinal(number)})")
        for number, (before, after) in enumerate(pairwise(values), 2)
        if not key(before) < key(after)
    ]
    if wrong:
        raise AssertionError(f"of {len(values)} received {_say(wrong, 'is out of order', 'are out of order')}")


class _Plain(str):
    """Text that is shown as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _key(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value  # type: ignore[no-any-return]


def _say(values: list[Any], one: str, more: str) -> str:
    if not values:
        return ""
    shown = ", ".join(f"{value!r:.100}" for value in values[:SHOWN])
    rest = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return f"{len(values)} {one if len(values) == 1 else more}: {shown}{rest}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
