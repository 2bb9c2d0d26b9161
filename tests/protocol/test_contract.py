"""Contracts as hashes: what the server tells, what the client finds out."""

import json

import pytest

from sente.errors import ProtocolError
from sente.protocol.contract import Contract, ContractDifference
from sente.protocol.greeting import Hello, read_first, write_hello
from sente.protocol.settings import Limits

MINE = Contract.of({"chat/say": "11", "chat/said": "22"})
THEIRS = Contract.of({"chat/said": "23", "chat/typing": "33"})


def test_the_hash_of_a_contract_is_as_the_protocol_says() -> None:
    """Made with ``printf 'chat/said 22\\nchat/say 11' | sha256sum``."""
    assert MINE.hash == "b2cb30d69fec6086"
    assert Contract.of({"chat/said": "22", "chat/say": "11"}) == MINE
    assert THEIRS.hash != MINE.hash


def test_what_the_same_contract_is_told() -> None:
    info = MINE.told(MINE.hash)
    assert info == {"contract": MINE.hash}
    assert MINE.differs(info) is None


def test_what_another_contract_is_told() -> None:
    info = json.loads(json.dumps(THEIRS.told(MINE.hash)))
    assert info == {"contract": THEIRS.hash, "events": {"chat/said": "23", "chat/typing": "33"}}
    assert MINE.differs(info) == ContractDifference(("chat/typing",), ("chat/say",), ("chat/said",))


def test_a_server_without_contract_tells_nothing() -> None:
    assert MINE.differs({"v": 1}) is None


@pytest.mark.parametrize("events", [7, ["chat/say"], {7: "11"}, "chat/say"])
def test_events_that_are_none(events: object) -> None:
    with pytest.raises(ProtocolError):
        MINE.differs({"contract": "x", "events": events})


@pytest.mark.parametrize("contract", [MINE, None])
def test_a_hello_names_it(contract: Contract | None) -> None:
    hello = read_first(json.dumps(write_hello(None, 1, 0, 0, Limits(), contract, None)))
    assert isinstance(hello, Hello)
    assert hello.contract == (contract and contract.hash)


@pytest.mark.parametrize("contract", ["", "x" * 65, 7, ["x"], "\ud800"])
def test_a_hello_that_names_none(contract: object) -> None:
    with pytest.raises(ProtocolError, match="contract"):
        read_first(json.dumps({"hello": 1, "n": 1, "ack": 0, "contract": contract}))
