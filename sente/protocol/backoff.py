"""How long to wait before the next attempt."""


def backoff(failures: int, *, base: float, cap: float, jitter: float) -> float:
    """Seconds to wait after ``failures`` failed attempts in a row.

    The first retry is made at once: most lines that break are back. Then the wait doubles from ``base`` to ``cap``
    and is spread over its upper half by ``jitter`` (0..1), so that the clients of a restarted server do not return
    in step.

    >>> [backoff(n, base=0.5, cap=30, jitter=1.0) for n in (1, 2, 3, 9)]
    [0.0, 0.5, 1.0, 30.0]
    """
    if failures <= 1:
        return 0.0
    longest: float = min(cap, base * 2 ** min(failures - 2, 32))
    return longest * (0.5 + jitter / 2)
