"""Values that Python has no word for, and Clojure's formats do: immutable, and carried by every packer with types."""

from dataclasses import dataclass
from typing import Any

from sente.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword of Clojure: ``:user/id`` is ``Keyword("user/id")``. It is no string, and not equal to one.

    >>> Keyword("user/id").name
    'user/id'
    """

    name: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of Clojure.

    >>> Symbol("clojure.core/map").name
    'clojure.core/map'
    """

    name: str


@dataclass(frozen=True, slots=True)
class Uri:
    """An address, told apart from a string.

    >>> Uri("https://example.com/go").text
    'https://example.com/go'
    """

    text: str


@dataclass(frozen=True, slots=True)
class Char:
    """A single character, told apart from a string of one.

    >>> Char("先").text
    '先'
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) != 1:
            raise ConfigError(f"Char({self.text!r}): give one character")


@dataclass(frozen=True, slots=True)
class TaggedValue:
    """A value of a type that has no handler here: it is kept, and packed again as it came.

    >>> TaggedValue("app/money", ["EUR", 5]).tag
    'app/money'
    """

    tag: str
    rep: Any
    """What the type's handler wrote in its place."""

    def __post_init__(self) -> None:
        if not self.tag or self.tag[0] in "~^`#'" or len(self.tag) > 128:
            raise ConfigError(f"tag {self.tag[:128]!r}: give a name like 'app/money', at most 128 characters")
