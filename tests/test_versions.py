"""Clients that were made for another contract: what the server tells, counts and logs, and what they find out."""

import logging
from collections import Counter
from typing import Any

import pytest
from pydantic import BaseModel

from sente import ChannelSocket, Client, ContractDifference, EventRegistry
from sente.events import Untyped
from sente.versions import REMEMBERED, Versions, contract_of


class Say(BaseModel):
    text: str


class Say2(BaseModel):
    text: str
    to: str


def registry(**types: Any) -> EventRegistry:
    events = EventRegistry()
    for name, type_ in types.items():
        events.event(f"chat/{name}", of=type_)
    return events


OLD = registry(say=Say, left=str, said=str)
NEW = registry(say=Say2, said=str, typing=list[str])
DIFFERENCE = ContractDifference(added=("chat/typing",), removed=("chat/left",), changed=("chat/say",))

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])


@over_both
async def test_a_client_of_another_version(transport: Any) -> None:
    chsk = ChannelSocket(events=NEW)
    async with chsk, Client(app=chsk, events=OLD, transport=transport) as client:
        assert client.state.contract == DIFFERENCE
        client.reconnect()
        async for _, new in client.state_changes():
            if new.open:
                break
        assert client.state.resumed and client.state.contract == DIFFERENCE
        assert chsk.stats["other contract"] == 2


@over_both
async def test_a_client_of_the_same_version(transport: Any) -> None:
    chsk = ChannelSocket(events=registry(said=str, say=Say2, typing=list[str]))
    async with chsk, Client(app=chsk, events=NEW, transport=transport) as client:
        assert client.state.contract is None
        assert not chsk.stats["other contract"]


@pytest.mark.parametrize(("server", "client"), [(None, OLD), (OLD, None), (None, None)])
async def test_one_that_is_not_typed(server: Any, client: Any) -> None:
    chsk = ChannelSocket(events=server)
    async with chsk, Client(app=chsk, events=client) as untyped:
        assert untyped.state.contract is None
        assert not chsk.stats["other contract"]


def test_a_version_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    stats: Counter[str] = Counter()
    versions = Versions(NEW, stats)
    own = contract_of(NEW)
    assert own
    with caplog.at_level(logging.INFO, "sente"):
        for theirs in ("a", "b\n", "a", own.hash):
            assert versions.tell(theirs)["contract"] == own.hash
        for number in range(2 * REMEMBERED):
            versions.tell(f"made up {number}")
    assert stats["other contract"] == 3 + 2 * REMEMBERED
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == REMEMBERED
    assert f"'a'; this server has {own.hash}" in texts[0] and "'b\\n'" in texts[1]


def test_without_a_contract_nothing_is_told() -> None:
    assert not Versions(Untyped(), Counter()).tell("a")
    assert not Versions(NEW, Counter()).tell(None)
