"""Which part of a value cannot be packed, and where it is: for the message of the error, so it may take its time."""

from collections.abc import Callable
from typing import Any, TypeVar

from sente.errors import PackError
from sente.packers.limits import DEPTH, too_deep
from sente.values import TaggedValue

T = TypeVar("T")


def packed(value: Any, pack: Callable[[Any], T], lower: Callable[[Any], Any]) -> T:
    """``pack(value)``, with an error that says where.

    Args:
        value: What is to be packed.
        pack: Packs it, or a part of it, or raises ``PackError``.
        lower: One step down, for what is neither list nor map.

    Raises:
        PackError: that of the innermost part that cannot be packed, with its path.
    """
    try:
        return pack(value)
    except (PackError, RecursionError) as error:
        reason = error if isinstance(error, PackError) else too_deep()
        raise _blame(value, pack, lower, reason) from None


def _blame(value: Any, pack: Callable[[Any], Any], lower: Callable[[Any], Any], error: PackError) -> PackError:
    """Found by trying; ``error`` is what ``pack`` said about ``value``."""
    path = "value"
    for _ in range(DEPTH):  # a value may hold itself
        for step, part in _parts(value, lower):
            try:
                pack(part)
            except PackError as inner:
                value, path, error = part, path + step, inner
                break
            except RecursionError:  # the stack ends here: this is as far as one can say
                return PackError(error.reason, path=path)
        else:
            break
    return PackError(error.reason, path=path)


def _parts(value: Any, lower: Callable[[Any], Any]) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(_step(key), part) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    if isinstance(value, TaggedValue):
        return _parts(value.rep, lower) if isinstance(value.rep, list | dict) else [("", value.rep)]
    try:
        return _parts(lower(value), lower)
    except (PackError, RecursionError):  # it is the culprit itself
        return []


def _step(key: Any) -> str:
    return f".{key}" if type(key) is str and key.isidentifier() else f"[{key!r:.40}]"
