"""How an event is delivered: each one, only the latest of those that say the same thing, or what gets through."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sente.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Latest:
    """What ``latest`` returns: an event that has not left yet is replaced by a newer one with the same key."""

    by: str | Callable[[Any], Hashable] | None

    def key(self, event_id: str, value: Any) -> Hashable:
        """What tells the events of one id apart, of the data as its type.

        Raises:
            ConfigError: it is no key: it cannot be hashed.
        """
        if self.by is None:
            return None
        if callable(self.by):
            key = self.by(value)
        else:
            key = value[self.by] if isinstance(value, Mapping) else getattr(value, self.by)
        try:
            hash(key)
        except TypeError as error:
            raise ConfigError(f"event({event_id!r}, delivery={self}): {key!r} is no key: {error}") from error
        return key

    def check(self, event_id: str, type_: Any) -> None:
        """Raises ``ConfigError`` if the type has no such field."""
        if self.by is None or callable(self.by) or self.by in _fields(type_):
            return
        raise ConfigError(
            f"event({event_id!r}, delivery={self}): {type_!r} has no field {self.by!r}; "
            "name one, or give a function of the data, latest(lambda data: ...)"
        )

    def __str__(self) -> str:
        by = getattr(self.by, "__name__", "function") if callable(self.by) else self.by
        return "latest" if by is None else f"latest({by})"


Delivery: TypeAlias = Literal["reliable", "volatile"] | Latest


def latest(key: str | Callable[[Any], Hashable] | None = None) -> Latest:
    """Of the events with the same key, only the newest of those that have not left yet is sent.

    For what is true only until the next event says otherwise: a price, a position, who is typing.

    >>> from dataclasses import dataclass
    >>> from sente.events import EventRegistry
    >>> events = EventRegistry()
    >>> @events.event("stock/price", delivery=latest("symbol"))
    ... @dataclass
    ... class Price:
    ...     symbol: str
    ...     cents: int
    >>> events.key("stock/price", Price("A", 100)) == events.key("stock/price", Price("A", 101))
    True

    Args:
        key: The name of a field, or a function of the data as its type. ``None``: all events of the id have one key.
    """
    return Latest(key)


def _fields(type_: Any) -> frozenset[str]:
    """The names by which ``Latest.key`` finds something in the data."""
    for names in ("model_fields", "__dataclass_fields__", "_fields"):
        if found := getattr(type_, names, None):
            return frozenset(found)
    is_typed_dict = isinstance(type_, type) and issubclass(type_, dict)
    return frozenset(getattr(type_, "__annotations__", ())) if is_typed_dict else frozenset()
