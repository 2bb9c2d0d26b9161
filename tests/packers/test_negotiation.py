"""Which packers a setting names, and which one a connection speaks."""

from typing import Any

import pytest

from sente.errors import ConfigError, Rejected
from sente.interfaces import JoinablePacker, Packer
from sente.packers import Dialect
from sente.packers.json import JsonPacker
from sente.packers.negotiation import choose, classic_packer, packers


class Reversed:
    name = "reversed"

    def pack(self, value: Any, /) -> str:
        return JsonPacker().pack(value)[::-1]

    def unpack(self, wire: Any, /) -> Any:
        return JsonPacker().unpack(wire[::-1])


def names(wanted: Any) -> list[str]:
    return [packer.name for packer in packers(wanted)]


def test_names_objects_or_both() -> None:
    assert names("json") == ["json"]
    assert names(Reversed()) == ["reversed"]
    assert names([Reversed(), "json"]) == ["reversed", "json"]
    assert names([JsonPacker()]) == ["json"]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("", "name at least one"),
        ([], "name at least one"),
        ("xml", "no packer 'xml'; built in: auto, cbor, edn, json, msgpack, transit"),
        ("json,json", "twice"),
    ],
)
def test_what_makes_no_sense(wanted: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        packers(wanted)


def test_the_servers_order_decides() -> None:
    served = packers([Reversed(), "json"])
    assert choose(served, "json,reversed").name == "reversed"
    assert choose(served, "xml, json").name == "json"


@pytest.mark.parametrize("offered", ["", "xml", "JSON"])
def test_without_a_common_packer_the_refusal_lists_the_servers(offered: str) -> None:
    with pytest.raises(Rejected, match="packers=reversed,json") as caught:
        choose(packers([Reversed(), "json"]), offered)
    assert caught.value.status == 406


class Varied(Reversed):
    accepts = ("shouted",)

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def for_peer(self, accepts: Any) -> Any:
        self.asked.append(accepts)
        return self


def test_a_packer_is_asked_only_about_what_it_knows() -> None:
    # A stranger may name anything, and variants are kept.
    packer = Varied()
    assert choose([packer], "reversed+whispered+shouted") is packer
    assert packer.asked == [{"shouted"}]


def test_what_a_packer_is() -> None:
    assert isinstance(Reversed(), Packer)
    assert not isinstance(Reversed(), JoinablePacker)
    assert isinstance(JsonPacker(), JoinablePacker)


def test_classic_clients_speak_what_is_served_under_that_name_or_a_packer_of_their_own() -> None:
    served = packers("json")
    own = Reversed()
    assert classic_packer(None, served) is None
    assert classic_packer("json", served) is served[0]
    assert classic_packer(served[0], served) is served[0]
    assert classic_packer(own, served) is own
    assert isinstance(classic_packer("json", [own]), JsonPacker)
    for name in ("edn", "msgpack"):
        assert isinstance(classic_packer(name, served), Dialect)
        assert isinstance(classic_packer(f"{name}+gzip", served), Dialect)


@pytest.mark.parametrize(
    "wanted",
    [
        True,
        False,
        "",
        "json,json",
        "morse",
        "auto",
        "edn+",
        "edn+zstd",
        "edn+gzip+gzip",
        "json+gzip",
        ["json"],
        JsonPacker(),
    ],
)
def test_what_classic_cannot_be(wanted: Any) -> None:
    with pytest.raises(ConfigError, match="classic"):
        classic_packer(wanted, packers("json"))
