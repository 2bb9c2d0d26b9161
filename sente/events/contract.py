"""What is agreed about one event."""

import inspect
import sys
import typing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args, get_origin

from pydantic import TypeAdapter

from sente.errors import ConfigError
from sente.events.delivery import Delivery
from sente.events.validation import Checked, Extra
from sente.interfaces import Request

D = TypeVar("D")


class NotYetDefined(ConfigError):
    """A reply's type names another that does not exist yet; it may later."""


Direction: TypeAlias = Literal["both", "to-server", "to-client"]
"""Who says an event: either side, the clients, or the server."""


@dataclass(frozen=True, eq=False)
class EventContract(Generic[D]):
    """What is agreed about one event; read it from ``registry.contracts``.

    >>> from sente.events import EventRegistry
    >>> events = EventRegistry()
    >>> typing = events.event("chat/typing", of=list[str], doc="Who is typing.")
    >>> typing.id, typing.type, events.contracts["chat/typing"].doc
    ('chat/typing', list[str], 'Who is typing.')
    """

    id: str
    type: Any
    """What its data is."""
    reply: Any = None
    """What its reply is; ``None`` for an event that is not replied to. Whoever asks all the same gets ``None``."""
    direction: Direction = "both"
    delivery: Delivery = "reliable"
    deadline: float | None = None
    """Seconds that a request waits for its reply."""
    doc: str = ""
    """What it is about."""
    idempotent: bool = False
    """Whether it may be handled twice: then a request is asked again if a session ends before its reply came."""
    strict: bool | None = field(default=None, repr=False)
    extra: Extra | None = field(default=None, repr=False)

    @property
    def adapter(self) -> TypeAdapter[D]:
        """Pydantic's view of the data: its JSON schema, say."""
        return self.data_check.adapter

    @property
    def reply_adapter(self) -> TypeAdapter[Any]:
        """Pydantic's view of the reply."""
        return self.reply_check.adapter

    @cached_property
    def data_check(self) -> Checked:
        """Loads and dumps the data. Raises ``ConfigError`` while the type names another that is not defined."""
        return Checked(self.id, f"event {self.id!r}", self.type, self.strict, self.extra)

    @cached_property
    def reply_check(self) -> Checked:
        """Loads and dumps the reply."""
        where = f"the reply to {self.id!r}"
        reply = _resolved(self.reply, self.type, where)
        return Checked(self.id, where, reply, self.strict, self.extra)


def reply_of(type_: Any) -> Any:
    """The ``R`` of a class that is a ``Request[R]``; ``None`` if it is none.

    >>> class Say(Request[int]): ...
    >>> reply_of(Say)
    <class 'int'>
    """
    if not isinstance(type_, type):
        return None
    for base in type_.__mro__:
        for generic in base.__dict__.get("__orig_bases__", ()):
            if get_origin(generic) is Request:
                return _filled(get_args(generic)[0], type_)
    if issubclass(type_, Request):
        raise ConfigError(
            f"{type_.__name__}: say what the reply is, as in Request[int]; Request[None] if there is none"
        )
    return None


def _filled(reply: Any, type_: Any) -> Any:
    """The reply of a generic model, ``Page[int]``, with what fills its parameters."""
    generic = getattr(type_, "__pydantic_generic_metadata__", {"args": ()})
    if not generic["args"]:
        return reply
    filling = dict(zip(generic["origin"].__pydantic_generic_metadata__["parameters"], generic["args"], strict=True))
    if isinstance(reply, TypeVar):
        return filling[reply]
    parameters = getattr(reply, "__parameters__", None)
    return reply[tuple(filling[parameter] for parameter in parameters)] if parameters else reply


def doc_of(type_: Any) -> str:
    """The docstring that somebody wrote for this very type."""
    text = type_.__dict__.get("__doc__") if isinstance(type_, type) else None
    if not isinstance(text, str) or text.startswith(f"{type_.__name__}("):  # which dataclasses make up
        return ""
    return inspect.cleandoc(text)


def _resolved(reply: Any, owner: Any, where: str) -> Any:
    """The reply's type with the names in it, ``Request["Ack"]``, looked up where the event's class stands."""
    module = getattr(owner, "__module__", "")
    names = vars(sys.modules[module]) if module in sys.modules else {}
    holder = type("Reply", (), {"__annotations__": {"reply": reply}, "__module__": module})
    try:
        resolved: Any = typing.get_type_hints(holder, names, include_extras=True)["reply"]
    except NameError as error:
        raise NotYetDefined(f"{where}: {error.name!r} is not defined yet, or not in its module") from error
    if isinstance(resolved, TypeVar) or getattr(resolved, "__parameters__", None):
        raise ConfigError(f"{where} is {resolved}: give a whole type as reply=")
    return resolved
