"""``EventRegistry``: events by their ids, and by the classes whose objects are events."""

import math
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar, get_args, overload

from sente.errors import ConfigError, InvalidEvent, UnknownEvent
from sente.events.contract import Direction, EventContract, NotYetDefined, doc_of, reply_of
from sente.events.delivery import Delivery, Latest
from sente.events.hashes import UNDEFINED, event_hash
from sente.events.validation import Extra
from sente.protocol.messages import VOLATILE, Side, is_event_id

D = TypeVar("D")

MARK: Any = object()
SPEAKERS: Mapping[Side, Direction] = {"client": "to-server", "server": "to-client"}


class EventRegistry:
    """The events of an application, each with its type. Not global: hand it to ``ChannelSocket`` and ``Client``.

    >>> from pydantic import BaseModel
    >>> events = EventRegistry()
    >>> @events.event("chat/say")
    ... class Say(BaseModel, Request[int]):
    ...     '''Someone says something; the reply is how many clients it went to.'''
    ...     text: str
    >>> events.load("chat/say", {"text": "hi"}, sender="client")
    Say(text='hi')

    Args:
        strict: Whether a value must have its type already, as in pydantic. ``None``: as the models' own config says.
            A strict type takes the plain form of what packers do not carry: a list for a tuple, an Enum's value, and
            from the packer ``json`` strings for UUIDs, dates and the like.
        extra: What becomes of fields that a type does not have: ``"ignore"``, ``"forbid"`` or ``"allow"``. ``None``:
            as the models' own config says; pydantic ignores them.
    """

    def __init__(self, *, strict: bool | None = None, extra: Extra | None = None) -> None:
        if extra not in (None, *get_args(Extra)):
            raise ConfigError(f"extra={extra!r}: choose one of {', '.join(get_args(Extra))}")
        self._strict = strict
        self._extra: Extra | None = extra
        self._contracts: dict[str, EventContract[Any]] = {}
        self._hashes: dict[str, str] = {}
        self._handles: dict[object, str] = {}  # classes, and contracts as ``event`` has returned them

    # -- what there is

    @property
    def contracts(self) -> Mapping[str, EventContract[Any]]:
        """All events by id, in the order of their registration; read-only."""
        return MappingProxyType(self._contracts)

    @overload
    def event(
        self,
        event_id: str,
        *,
        reply: Any = ...,
        direction: Direction = ...,
        delivery: Delivery = ...,
        deadline: float | None = ...,
        idempotent: bool = ...,
        doc: str | None = ...,
    ) -> Callable[[type[D]], type[D]]: ...
    @overload
    def event(
        self,
        event_id: str,
        *,
        of: type[D],
        reply: Any = ...,
        direction: Direction = ...,
        delivery: Delivery = ...,
        deadline: float | None = ...,
        idempotent: bool = ...,
        doc: str | None = ...,
    ) -> EventContract[D]: ...
    @overload
    def event(
        self,
        event_id: str,
        *,
        of: object,
        reply: Any = ...,
        direction: Direction = ...,
        delivery: Delivery = ...,
        deadline: float | None = ...,
        idempotent: bool = ...,
        doc: str | None = ...,
    ) -> EventContract[Any]: ...
    def event(
        self,
        event_id: str,
        *,
        of: Any = MARK,
        reply: Any = MARK,
        direction: Direction = "both",
        delivery: Delivery = "reliable",
        deadline: float | None = None,
        idempotent: bool = False,
        doc: str | None = None,
    ) -> Any:
        """Register an event: as a decorator of its class, or ``of`` any type, which returns its contract.

        Args:
            event_id: ``namespace/name``.
            of: Any type that pydantic checks: ``list[str]``, a union. Such an event is said by its id, and handled by
                its id or contract.
            reply: What the reply is. Type checkers see it only as ``Request[...]`` among the bases of the class.
            direction: Who says it: ``"to-server"`` or ``"to-client"`` refuses it from the other side.
            delivery: ``"reliable"``: each one arrives, or counts as lost. ``latest("field")``: one that has not left
                is replaced by a newer one with the same key, and none counts as lost. ``"volatile"``: it leaves on
                the line there is, or not at all.
            deadline: Seconds that a request waits for its reply, unless it says otherwise.
            idempotent: Handling it twice does no harm: a request is asked again, unless it says otherwise, if a session
                ends before its reply came.
            doc: What it is about. Default: the docstring of the class.

        Raises:
            ConfigError: the id is malformed or taken, the class has one already, or pydantic knows no such type.
        """
        self._check_options(event_id, direction, delivery, deadline)

        def add(type_: Any, answer: Any) -> EventContract[Any]:
            about = doc_of(type_) if doc is None else doc
            contract: EventContract[Any] = EventContract(
                event_id, type_, answer, direction, delivery, deadline, about, idempotent, self._strict, self._extra
            )
            self._check_new(contract)
            if isinstance(delivery, Latest):
                delivery.check(event_id, type_)
            self._contracts[event_id] = contract
            return contract

        if of is not MARK:
            contract = add(of, reply_of(of) if reply is MARK else reply)
            self._handles[contract] = event_id
            return contract

        def register(type_: type[D]) -> type[D]:
            if not isinstance(type_, type) or type_.__module__ == "builtins":
                raise ConfigError(f"event({event_id!r}): {type_!r} is no class of its own: event({event_id!r}, of=...)")
            if type_ in self._handles:
                raise ConfigError(
                    f"event({event_id!r}): {type_.__name__} is {self._handles[type_]!r} already; "
                    "an object of it could not tell which event it is: use of="
                )
            self._handles[type_] = add(type_, reply_of(type_) if reply is MARK else reply).id
            return type_

        return register

    def include(self, other: "EventRegistry", *, prefix: str = "") -> None:
        """Take over the events that another registry has now, with ``prefix`` in front of their ids.

        They stay as strict as they were there.

        Raises:
            ConfigError: an id or a class is here already, or an id with the prefix is none.
        """
        renamed = {old: replace(contract, id=prefix + old) for old, contract in other._contracts.items()}
        for contract in renamed.values():
            self._check_new(contract)
        if twice := self._handles.keys() & other._handles.keys():
            raise ConfigError(f"include(prefix={prefix!r}): these are events already: {sorted(map(str, twice))}")
        self._contracts |= {contract.id: contract for contract in renamed.values()}
        self._handles |= {handle: prefix + event_id for handle, event_id in other._handles.items()}

    # -- the Registry protocol

    def identify(self, event: object, /) -> str:
        """The id of an event, given as such, as its class or contract, or as an object of its class.

        Raises:
            UnknownEvent: there is none.
        """
        if isinstance(event, str):
            self._find(event)
            return event
        if isinstance(event, EventContract) and self._contracts.get(event.id) is event:
            return event.id
        if isinstance(event, type | EventContract):
            found = self._handles.get(event)
        else:
            found = next((self._handles[base] for base in type(event).__mro__ if base in self._handles), None)
        if found is None:
            name = getattr(event, "__name__", None) or type(event).__name__
            raise UnknownEvent(name, "this type is no event of the registry; name the event by its id, or register it")
        return found

    def load(self, event_id: str, value: Any, /, *, sender: Side, reply: bool = False, plain: bool = False) -> Any:
        """What the application gets of an event's data, or of the reply to it.

        Raises:
            UnknownEvent, InvalidEvent: there is no such event; it is not of its type, or not said by that side.
        """
        contract = self._from(sender, event_id)
        return (contract.reply_check if reply else contract.data_check).load(value, plain=plain)

    def dump(self, event_id: str, value: Any, /, *, sender: Side, reply: bool = False) -> Any:
        """What is packed of it. Raises as ``load``."""
        contract = self._from(sender, event_id)
        return (contract.reply_check if reply else contract.data_check).dump(value)

    def deadline(self, event_id: str, /) -> float | None:
        """Seconds that a request waits for its reply. Raises ``UnknownEvent``."""
        return self._find(event_id).deadline

    def idempotent(self, event_id: str, /) -> bool:
        """Whether it may be handled twice. Raises ``UnknownEvent``."""
        return self._find(event_id).idempotent

    def key(self, event_id: str, value: Any, /) -> Hashable | None:
        """What a newer event must have too to replace this one while it has not left; ``None`` for a reliable one,
        ``VOLATILE`` for a volatile one.

        Raises ``EventError``, as ``dump``.
        """
        contract = self._find(event_id)
        if contract.delivery == "volatile":
            return VOLATILE
        if contract.delivery == "reliable":
            return None
        return event_id, contract.delivery.key(event_id, contract.data_check.load(value, plain=False))

    def hashes(self) -> Mapping[str, str]:
        """A short hash of each event by its id: two sides with the same agree on what it carries."""
        for event_id, contract in self._contracts.items():
            if self._hashes.get(event_id, UNDEFINED) == UNDEFINED:  # else it stays what it is
                self._hashes[event_id] = event_hash(contract)
        return dict(self._hashes)

    # -- within

    def _find(self, event_id: str) -> EventContract[Any]:
        contract = self._contracts.get(event_id)
        if contract is None:
            raise UnknownEvent(event_id)
        return contract

    def _from(self, sender: Side, event_id: str) -> EventContract[Any]:
        contract = self._find(event_id)
        if contract.direction not in ("both", SPEAKERS[sender]):
            flaw = {
                "type": "direction",
                "loc": [],
                "msg": f"the {sender} does not say this event: it goes {contract.direction}",
            }
            raise InvalidEvent(event_id, [flaw])
        return contract

    def _check_new(self, contract: EventContract[Any]) -> None:
        if not is_event_id(contract.id) or contract.id.startswith("chsk/"):
            raise ConfigError(
                f"event({contract.id!r}): an event id is 'namespace/name', like 'chat/say', not 'chsk/...'"
            )
        if contract.id in self._contracts:
            raise ConfigError(f"event({contract.id!r}): this id is taken, by {self._contracts[contract.id].type!r}")
        with suppress(NotYetDefined):  # then it is checked when it is needed
            _ = contract.data_check, contract.reply_check

    def _check_options(self, event_id: str, direction: str, delivery: object, deadline: float | None) -> None:
        if direction not in get_args(Direction):
            raise ConfigError(f"event({event_id!r}, direction={direction!r}): choose one of {get_args(Direction)}")
        if delivery not in ("reliable", "volatile") and not isinstance(delivery, Latest):
            raise ConfigError(f"event({event_id!r}, delivery={delivery!r}): give 'reliable', 'volatile' or latest(...)")
        if deadline is not None and not 0 < deadline < math.inf:
            raise ConfigError(f"event({event_id!r}, deadline={deadline!r}): give a finite number of seconds above 0")
