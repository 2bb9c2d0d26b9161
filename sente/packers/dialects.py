"""A packer as Sente speaks it: the names of events are keywords there, and frames are of one kind."""

from collections.abc import Sequence
from typing import Any

from sente.errors import UnpackError
from sente.interfaces import JoinablePacker, Packer, Wire, joinable
from sente.packers.limits import DEPTH, too_deep
from sente.values import Keyword


class Dialect:
    """For classic clients and Sente servers: ``dialect("edn")`` makes one of a name.

    The ids of events leave as keywords, and so may be asked of the keys of maps, as ClojureScript looks for ``:name``
    and not for ``"name"``. What comes back is equal to a string anyway.

    >>> from sente.packers import get
    >>> packer = Dialect(get("edn"), keyword_keys=True)
    >>> packer.pack([packer.event_id("chat/said"), {"by": "ada"}])
    '[:chat/said {:by "ada"}]'

    Its parts may be joined if those of ``packer`` may.

    Args:
        packer: What is spoken, one that has a word for keywords.
        keyword_keys: Write the keys of maps that are strings as keywords, in lists and maps at any depth; not what is
            inside other objects.
    """

    name: str

    def __new__(cls, packer: Packer, *, keyword_keys: bool = False) -> "Dialect":
        """One whose parts may be joined, if the packer's may."""
        return object.__new__(_JoinedDialect if joinable(packer) else Dialect)

    def __init__(self, packer: Packer, *, keyword_keys: bool = False) -> None:
        self.name = packer.name if packer.name.startswith("sente-") else f"sente-{packer.name}"
        self._packer = packer
        self._keyword_keys = keyword_keys
        self._text = isinstance(packer.pack(None), str)

    def event_id(self, name: str, /) -> Keyword:
        """What the id of an event is written as."""
        return Keyword(name)

    def pack(self, value: Any, /) -> Wire:
        """Write a value.

        Raises:
            PackError: the packer has no word for something in it.
        """
        return self._packer.pack(self._form(value))

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value.

        Raises:
            UnpackError: it is a binary frame in place of a text one, or the other way round; or the packer raised it.
        """
        if isinstance(wire, str) is not self._text:
            raise UnpackError(f"not {self.name}: a {'binary' if self._text else 'text'} frame")
        return self._packer.unpack(wire)

    def _form(self, value: Any) -> Any:
        return keyed(value) if self._keyword_keys else value


class _JoinedDialect(Dialect):
    _packer: JoinablePacker

    def part(self, value: Any, /) -> Wire:
        """A value to be joined with others."""
        return self._packer.part(self._form(value))

    def join(self, parts: Sequence[Wire], /) -> Wire:
        """The list of values that were packed one by one."""
        return self._packer.join(parts)

    def frame(self, part: Wire, /) -> Wire:
        """What travels of a part that is whole now."""
        return self._packer.frame(part)


def keyed(value: Any, depth: int = DEPTH) -> Any:
    """The same value with keywords in place of the strings that are keys of its maps.

    >>> keyed([{"by": "ada"}])
    [{Keyword('by'): 'ada'}]

    Raises:
        PackError: it is nested too deeply.
    """
    if not depth:
        raise too_deep()
    kind = type(value)
    if kind is dict:
        return {Keyword(key) if type(key) is str else key: keyed(inner, depth - 1) for key, inner in value.items()}
    if kind is list or kind is tuple:
        return [keyed(inner, depth - 1) for inner in value]
    return value
