"""One place for custom types: a ``TypeHandler`` serves every packer."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from sente.errors import ConfigError, PackError, UnpackError
from sente.packers.builtin import LOWER, RAISE, Lower
from sente.values import PACKING, Kept, TaggedValue

T = TypeVar("T")

OWN_FORMS = {type(None), bool, int, float, str, bytes, list, dict, TaggedValue}
"""What every packer writes as it stands, so that no handler can be asked about it. Their subclasses are asked about."""

ADOPTED = RAISE.keys() - {"m", "n", "cmap", "list"}
"""The built-in tags whose decoder a handler may replace."""


@dataclass(frozen=True, slots=True)
class TypeHandler(Generic[T]):
    """How values of a type are packed and unpacked, in every format.

    >>> class Money:
    ...     def __init__(self, currency, cents):
    ...         self.currency, self.cents = currency, cents
    >>> MONEY = TypeHandler(
    ...     tag="app/money",
    ...     type=Money,
    ...     encode=lambda money: [money.currency, money.cents],
    ...     decode=lambda rep: Money(*rep),
    ... )
    >>> from sente.packers import get
    >>> get("transit", types=[MONEY]).pack([Money("EUR", 500)])
    '[{"~#app/money":["EUR",500]}]'

    It serves subclasses of ``type`` too, unless one of them has a handler of its own; what they add is lost. ``encode``
    may return values that have handlers themselves. As ``Annotated[Money, MONEY]`` it is the field of a pydantic model.

    Raises:
        ConfigError: the tag is malformed, or the type is one that needs no handler.
    """

    tag: str | None
    """Names the type on the wire: ``app/money``, with a slash, so that it meets no tag of others. ``None``: what
    ``encode`` returns is written as if it stood there, and nobody will know the difference. A tag of the table of
    formats (``t``, a moment, say): ``encode`` returns and ``decode`` takes what Python has for it, a ``datetime``."""
    type: type[T]
    encode: Callable[[T], Any]
    """To values that are packed in its place."""
    decode: Callable[[Any], T] | None = None
    """What makes a value again. Whatever it raises is an ``UnpackError``: it gets what strangers send. ``None``: it
    arrives as ``TaggedValue``."""

    def __post_init__(self) -> None:
        if self.type in OWN_FORMS or self.type is object:
            raise ConfigError(f"TypeHandler(type={self.type.__name__}): this type is written as it is, in every format")
        if self.tag is None and self.decode is not None:
            raise ConfigError("TypeHandler(tag=None, decode=...): without a tag nothing says what is to be decoded")
        if self.tag is not None and self.tag not in ADOPTED and "/" not in TaggedValue(self.tag, None).tag:
            raise ConfigError(f"TypeHandler(tag={self.tag!r}): give a name with a slash, like 'app/money'")

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """``Annotated[Money, MONEY]``: takes a Money or what ``encode`` makes of one; JSON schema is that of any."""
        from pydantic_core import core_schema

        read = core_schema.no_info_plain_validator_function(self._from_plain)
        write = core_schema.plain_serializer_function_ser_schema(self._to_plain, info_arg=True)
        ready = core_schema.is_instance_schema(self.type)
        return core_schema.json_or_python_schema(
            json_schema=read,
            python_schema=core_schema.union_schema([ready, read], mode="left_to_right"),
            serialization=write,
        )

    def _to_plain(self, value: T, info: Any) -> Any:
        if info.mode == "json":
            return self.encode(value)
        return Kept(value) if info.context is PACKING else value

    def _from_plain(self, rep: Any) -> T:
        if self.decode is None:
            raise ValueError(f"{self.type.__name__} cannot be made of plain values: its handler has no decode")
        try:
            return self.decode(rep)
        except Exception as error:  # whatever it is, for pydantic it is a wrong value
            raise ValueError(f"this is no {self.type.__name__}") from error


class Types:
    """The handlers of one packer together with what is built in.

    Raises:
        ConfigError: a type or a tag has two handlers, or one of them is no ``TypeHandler``.
    """

    def __init__(self, handlers: Iterable["TypeHandler[Any]"] = ()) -> None:
        self.handlers: Sequence[TypeHandler[Any]] = tuple(handlers)
        self._table: dict[type, Lower] = dict(LOWER)
        self._known: dict[type, Lower] = {**LOWER, Kept: lambda kept: kept.value}
        self._raise: dict[str, Callable[[Any], Any]] = dict(RAISE)
        self._adopted: dict[str, Callable[[Any], Any]] = {}
        for index, handler in enumerate(self.handlers):
            if not isinstance(handler, TypeHandler):
                raise ConfigError(f"types: give a TypeHandler for each of your types, not {handler!r}")
            for other in self.handlers[:index]:
                if handler.type is other.type or handler.tag == other.tag is not None:
                    raise ConfigError(f"types: two handlers for {handler.type.__name__} or tag {handler.tag!r}")
            self._known[handler.type] = self._table[handler.type] = _lower_by(handler)
            if handler.tag is not None and handler.decode is not None:
                (self._adopted if handler.tag in ADOPTED else self._raise)[handler.tag] = handler.decode

    def overrides(self, *natives: type) -> bool:
        """Whether there is a handler for one of these types, which a library writes without asking."""
        return any(issubclass(handler.type, natives) for handler in self.handlers)

    def handles(self, kind: type) -> bool:
        """Whether there is a handler for exactly this type."""
        return any(handler.type is kind for handler in self.handlers)

    def adopts(self, tag: str) -> bool:
        """Whether a handler has taken over this built-in tag."""
        return tag in self._adopted

    def lower(self, value: Any) -> Any:
        """One step down: to a plainer value, or a ``TaggedValue``.

        Raises:
            PackError: there is no handler for its type, or the handler raised.
        """
        kind = type(value)
        lower = self._known.get(kind) or self._resolve(kind)
        try:
            return lower(value)
        except (PackError, RecursionError):
            raise
        except Exception as error:
            raise PackError(f"{kind.__name__} cannot be packed: its handler raised {error!r}") from error

    def raise_(self, tag: str, rep: Any) -> Any:
        """The value that a tag stands for; a ``TaggedValue`` if nobody knows it.

        Raises:
            UnpackError: it is not what the tag promises.
        """
        decode = self._raise.get(tag)
        return self.adopt(tag, partial(TaggedValue, tag) if decode is None else decode, rep)

    def adopt(self, tag: str, decode: Callable[[Any], Any], rep: Any) -> Any:
        """What ``decode`` makes of ``rep``, and then the handler that has taken over the tag, if one has.

        Raises:
            UnpackError: one of them raised.
        """
        try:
            value = decode(rep)
            return self._adopted[tag](value) if tag in self._adopted else value
        except UnpackError:
            raise
        except Exception as error:  # of whatever kind: the bytes were at fault
            raise UnpackError(f"tag {tag[:40]!r}: {type(error).__name__}") from error

    def _resolve(self, kind: type) -> Lower:
        lower = next((self._table[base] for base in kind.__mro__ if base in self._table), None)
        if lower is None and dataclasses.is_dataclass(kind):
            lower = _fields
        elif lower is None and hasattr(kind, "model_dump"):
            lower = _model
        if lower is None:
            raise PackError(f"{kind.__name__} cannot be packed: give the packer a TypeHandler for it")
        if len(self._known) < 1000:  # types that are made without end are not remembered
            self._known[kind] = lower
        return lower


def _lower_by(handler: TypeHandler[Any]) -> Lower:
    tag = handler.tag
    if tag is None or tag in ADOPTED:
        return handler.encode
    return lambda value: TaggedValue(tag, handler.encode(value))


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _model(value: Any) -> Any:
    return value.model_dump(context=PACKING)
