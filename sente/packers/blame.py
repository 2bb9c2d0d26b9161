"""Where in a value the part is that cannot be packed: for the message of the error, so it may take its time."""

from collections.abc import Callable
from typing import Any

from sente.errors import PackError
from sente.packers.limits import DEPTH
from sente.values import TaggedValue


def blame(value: Any, pack: Callable[[Any], Any], lower: Callable[[Any], Any], error: PackError) -> PackError:
    """The error of the innermost part that cannot be packed, with its path: found by trying.

    Args:
        value: What could not be packed.
        pack: Packs a part, or raises ``PackError``.
        lower: One step down, for what is neither list nor map.
        error: What ``pack`` said about ``value``.
    """
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
