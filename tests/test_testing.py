"""The contract kits fail those who break the contract."""

from collections.abc import Hashable, Sequence
from typing import Any

import pytest

from sente import EventRegistry, PackError, UnpackError
from sente.events import Untyped
from sente.packers.auto import AutoPacker
from sente.packers.json import JsonPacker
from sente.testing import check_packer, check_registry
from tests.events.contract import Move


class Named(JsonPacker):
    name = "my+json"


class Changing(JsonPacker):
    def pack(self, value: Any, /) -> str:
        packed = super().pack(value)
        if isinstance(value, list):
            value.append(1)
        return packed


class Objects(JsonPacker):
    def pack(self, value: Any, /) -> Any:
        return [super().pack(value)]


class Forgetful(JsonPacker):
    def unpack(self, wire: Any, /) -> Any:
        return super().unpack(wire) and None


class Raising(JsonPacker):
    def unpack(self, wire: Any, /) -> Any:
        try:
            return super().unpack(wire)
        except UnpackError as error:
            raise KeyError from error


class Refusing(JsonPacker):
    def pack(self, value: Any, /) -> str:
        try:
            return super().pack(value)
        except PackError as error:
            raise TypeError from error


class Silent(JsonPacker):
    def pack(self, value: Any, /) -> str:
        try:
            return super().pack(value)
        except PackError:
            return "null"


class Loose(JsonPacker):
    def join(self, parts: Sequence[str], /) -> str:
        return f"[{','.join(parts[:1])}]"


class Wide(JsonPacker):
    def join(self, parts: Sequence[str], /) -> str:
        return f"[{','.join(parts) or '0'}]"


class Fresh(AutoPacker):
    def for_peer(self, accepts: Any) -> Any:
        return AutoPacker()


class Renaming(AutoPacker):
    def for_peer(self, accepts: Any) -> Any:
        variant = super().for_peer(accepts)
        variant.name = "other"
        return variant


@pytest.mark.parametrize(
    ("packer", "says"),
    [
        (object(), "has name, pack and unpack"),
        (Named(), "no plus, comma or space"),
        (Changing(), "changed the value"),
        (Objects(), "returns str"),
        (Forgetful(), "came back as something else"),
        (Raising(), "KeyError.*no UnpackError"),
        (Refusing(), "TypeError.*no PackError"),
        (Silent(), "instead of raising PackError"),
        (Loose(), "not the list of them"),
        (Wide(), "an empty list"),
        (Fresh(), "the same packer for the same peer"),
        (Renaming(), "the same name"),
    ],
)
def test_a_packer_that_breaks_the_contract(packer: Any, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_packer(packer)


class TypesLost(JsonPacker):
    """Keeps the contract, but not what a user wants of it."""


def test_values_of_your_own() -> None:
    check_packer(TypesLost())
    with pytest.raises(AssertionError, match="came back as something else"):
        check_packer(TypesLost(), {"a"})


class PlainBytes:
    name = "bytes"

    def pack(self, value: Any, /) -> bytes:
        return JsonPacker().pack(value).encode()

    def unpack(self, wire: Any, /) -> Any:
        if isinstance(wire, str):
            raise UnpackError("text")
        return JsonPacker().unpack(wire)


def test_name_pack_and_unpack_are_enough() -> None:
    check_packer(PlainBytes())


# -- check_registry


class Lax(EventRegistry):
    """Breaks the contract in one way at a time."""

    def __init__(self, **how: Any) -> None:
        super().__init__()
        self.how = how
        self.event("a/b", of=list[int])
        self.event("a/move")(Move)

    def identify(self, event: object, /) -> str:
        if "identify" in self.how and not isinstance(event, str):
            return str(self.how["identify"])
        return super().identify(event)

    def deadline(self, event_id: str, /) -> float | None:
        return self.how["deadline"] if "deadline" in self.how else super().deadline(event_id)

    def key(self, event_id: str, value: Any, /) -> Hashable | None:
        return self.how["key"](value) if "key" in self.how else super().key(event_id, value)

    def load(self, event_id: str, value: Any, /, **options: Any) -> Any:
        if "load" in self.how:
            return self.how["load"](value)
        return super().load(event_id, value, **options)

    def dump(self, event_id: str, value: Any, /, **options: Any) -> Any:
        if "dump" in self.how:
            return self.how["dump"](value)
        return super().dump(event_id, value, **options)


def test_a_registry_that_keeps_the_contract() -> None:
    check_registry(Lax(), ("a/b", [1, 2]), Move(1, 2))
    check_registry(Untyped(), ("a/b", [1, 2]))


BROKEN_REGISTRIES: list[tuple[dict[str, Any], str]] = [
    ({"identify": "a/b"}, "raises UnknownEvent"),
    ({"deadline": 0}, "finite number of seconds above 0"),
    ({"deadline": float("nan")}, "finite number of seconds above 0"),
    ({"key": lambda value: object()}, "equal events have equal keys"),
    ({"load": lambda value: [*value, 3]}, "came back from json as"),
    ({"load": lambda value: list(map(int, value))}, "which is no EventError"),
    ({"dump": lambda value: value.append(3)}, "dump changed the value"),
    ({"dump": lambda value: object()}, "no packer can carry"),
]


@pytest.mark.parametrize(("how", "message"), BROKEN_REGISTRIES)
def test_a_registry_that_breaks_it(how: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_registry(Lax(**how), ("a/b", [1, 2]))


def test_what_a_registry_has_to_have() -> None:
    with pytest.raises(AssertionError, match="has identify, load, dump and deadline"):
        check_registry({})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(AssertionError, match="neither side may say a/b"):
        check_registry(Lax(), ("a/b", ["x"]))
    with pytest.raises(AssertionError, match="the id of an id is that id"):
        check_registry(Relabelling(), ("a/b", [1]))
    with pytest.raises(AssertionError, match="an event's class has the id of its objects"):
        check_registry(Relabelling(), Move(1, 2))


class Relabelling(Lax):
    def identify(self, event: object, /) -> str:
        return "a/move" if isinstance(event, Move) else f"{super().identify(event)}!"
