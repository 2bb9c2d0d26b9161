from collections.abc import Callable
from typing import Any

def look(value: Any, /) -> int:
    """What is in a value beside what every JSON reader takes as it is: flags of ``walks``, 0 if nothing. It ends with
    what is ``OTHER``, and with more than 254 lists and maps within each other."""

def proves(raw: bytes, value: Any, /) -> bool:
    """Whether ``value``, which orjson read from ``raw``, is surely what is written there. No map had a key twice if all
    have as many members as there are colons behind a quote or white space; there is one for each member, at least.
    No whole number became a float if no float is as large as those that would."""

def tree(
    value: Any,
    kinds: frozenset[type],
    written: Callable[[Any], tuple[Any, bool]],
    plain: Callable[[Any, int], Any],
    /,
) -> Any:
    """What orjson is to write for the verbose form of ``value``; parts that stay are the same objects.

    Args:
        value: Of any types.
        kinds: Those of UUID, datetime, Decimal, set and frozenset that have no handler.
        written: Says what stands for another value, and whether that is tagged: if not, it is written in its turn.
        plain: Writes a map with marked keys, or with keys that are no strings; takes it and how deep it may be.

    Raises:
        RecursionError: nested more than 250 deep.
    """

def restore(
    plain: Any,
    tags: str,
    sets: bool,
    scalar: Callable[[str], Any],
    composite: Callable[[str, Any], Any],
    renamed: Callable[[dict[str, Any]], Any],
    /,
) -> Any:
    """What the verbose form says, made of the lists and maps that orjson read it into.

    Args:
        plain: What was read.
        tags: Those of ``~^`bituf`` that have no handler.
        sets: Whether sets have none.
        scalar: Reads another string that begins with a mark.
        composite: Makes a value of a tag with its mark, ``~#ratio``, and of what is behind it.
        renamed: Makes a map of one with marked keys whose values are done.
    """
