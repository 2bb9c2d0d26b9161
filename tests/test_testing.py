"""The contract kits fail those who break the contract."""

from collections.abc import Sequence
from typing import Any

import pytest

from sente import PackError, UnpackError
from sente.packers.auto import AutoPacker
from sente.packers.json import JsonPacker
from sente.testing import check_packer


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
