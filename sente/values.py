"""Values that Python has no word for, and Clojure's formats do: immutable, and carried by every packer with types."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from sente.errors import ConfigError

PACKING: Final = object()
"""The context in which models are dumped for packers."""


class Kept:
    """A value in a model that is being packed: pydantic would go on and take a dataclass apart. Packers look inside."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Text:
    """What is one string in JSON, and for pydantic."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """As a field: takes one of these, and from JSON the string that stands for it."""
        from pydantic_core import core_schema

        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(cls, core_schema.str_schema()),
            python_schema=core_schema.is_instance_schema(cls),
            serialization=core_schema.plain_serializer_function_ser_schema(_written, info_arg=True),
        )


def _written(value: Any, info: Any) -> Any:
    if info.mode == "json":
        return getattr(value, value.__match_args__[0])
    return Kept(value) if info.context is PACKING else value


class Keyword(str):
    """A keyword of Clojure: ``:user/id`` is ``Keyword("user/id")``. It is the string of its name, and equal to it, so
    that ``data["name"]`` and models take maps whose keys are keywords; packers that have a word for it keep it apart.

    >>> Keyword("user/id"), {Keyword("name"): "ada"}["name"]
    (Keyword('user/id'), 'ada')
    """

    __slots__ = ()
    __match_args__ = ("name",)

    @property
    def name(self) -> str:
        """The same as a plain string."""
        return str(self)

    def __repr__(self) -> str:
        return f"Keyword({self.name!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """As a field: takes a keyword or a string, and is a keyword."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(_written, info_arg=True),
        )


@dataclass(frozen=True, slots=True)
class Symbol(_Text):
    """A symbol of Clojure.

    >>> Symbol("clojure.core/map").name
    'clojure.core/map'
    """

    name: str


@dataclass(frozen=True, slots=True)
class Uri(_Text):
    """An address, told apart from a string.

    >>> Uri("https://example.com/go").text
    'https://example.com/go'
    """

    text: str


@dataclass(frozen=True, slots=True)
class Char(_Text):
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


@dataclass(frozen=True, slots=True)
class Extension:
    """A value of MessagePack, in Sente's dialect, whose type nobody knows here: it is kept, and packed as it came.

    >>> Extension(106, b"...").code
    106
    """

    code: int
    """-128 to 127."""
    content: bytes

    def __post_init__(self) -> None:
        if not -128 <= self.code < 128:
            raise ConfigError(f"Extension({self.code}, ...): give a code from -128 to 127")
