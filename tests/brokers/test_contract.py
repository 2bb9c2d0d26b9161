"""Every broker keeps what ``BrokerLine`` promises, and the proof of that can fail."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from sente.brokers.memory import MemoryBroker
from sente.interfaces import Broker, BrokerLine
from sente.testing import check_broker


async def test_contract(broker: Broker) -> None:
    await check_broker(broker)


class Flawed(MemoryBroker):
    """A broker with one flaw."""

    def __init__(self, flaw: str) -> None:
        super().__init__()
        self.flaw = flaw

    async def connect(self, heard: Callable[[str, bytes], None], state: Callable[[bool], None]) -> BrokerLine:
        def told(channel: str, body: bytes) -> None:
            if self.flaw == "twice":
                heard(channel, body)
            if self.flaw != "empty bodies" or body:
                heard(channel, body[:1_000_000] if self.flaw == "short" else body)

        if self.flaw == "silent":
            return await super().connect(told, lambda whole: None)
        line: Any = await super().connect(told, state)
        match self.flaw:
            case "deaf":
                line.subscribe = _nothing
            case "clings":
                line.unsubscribe = lambda channels: None
            case "cries":
                publish = line.publish
                line.publish = lambda channel, body, unheard=None: (unheard and unheard(), publish(channel, body))[1]
        flawed: BrokerLine = line
        return flawed


async def _nothing(channels: Collection[str]) -> None:
    pass


@pytest.mark.parametrize("flaw", ["twice", "empty bodies", "short", "deaf", "clings", "cries", "silent"])
async def test_flaws_are_found(flaw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sente.testing.broker.PATIENCE", 0.3)
    with pytest.raises(AssertionError):
        await check_broker(Flawed(flaw))


async def test_what_is_no_broker_is_refused() -> None:
    with pytest.raises(AssertionError, match="has not the methods"):
        await check_broker(object())  # type: ignore[arg-type]
