"""The proof that a broker keeps what ``BrokerLine`` promises."""

import asyncio
from collections.abc import Callable
from typing import Any

from sente.interfaces import Broker, BrokerLine

PATIENCE = 5.0
"""Seconds that anything may take."""

ODD = ('user:"ada"', "user:7", "client:a.b*c>d e", "all", "é先手😀", "x" * 200)
"""Names of channels that a broker may have to write in another way."""


async def check_broker(broker: Broker) -> None:
    """Check that a broker carries what is published once, in order, to whoever has subscribed. To be awaited, with
    whatever server it needs running, and nobody else on its channels::

        async def test_my_broker():
            await check_broker(MyBroker("..."))

    Raises:
        AssertionError: it does not; says what was heard.
    """
    assert isinstance(broker, Broker), f"{broker!r} has not the methods of Broker"
    assert broker.name and isinstance(broker.name, str), "a broker has a name"
    one, other = await _Hearer.of(broker), await _Hearer.of(broker)
    try:
        await _what_is_published_arrives(one, other)
        await _who_has_not_subscribed_hears_nothing(one, other)
        await _order_is_kept_over_channels(one, other)
        await _bodies_are_bytes_of_any_kind(one, other)
        await _nobody_heard_it(one)
    finally:
        await one.line.aclose()
        await other.line.aclose()
    await _what_waits_leaves_at_the_end(broker)


class _Hearer:
    line: BrokerLine

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.states: list[bool] = []

    @classmethod
    async def of(cls, broker: Broker) -> "_Hearer":
        hearer = cls()
        hearer.line = await broker.connect(lambda *heard: hearer.heard.append(heard), hearer.states.append)
        await _until(lambda: hearer.states == [True], lambda: f"the line is not there: {hearer.states}")
        return hearer

    async def hears(self, *expected: tuple[str, bytes]) -> None:
        await _until(lambda: len(self.heard) >= len(expected), lambda: f"too little was heard: {_short(self.heard)}")
        assert self.heard == list(expected), f"heard {_short(self.heard)}, not {_short(expected)}"
        self.heard.clear()

    def says(self, channel: str, body: bytes, unheard: Callable[[], None] | None = None) -> None:
        assert self.line.publish(channel, body, unheard), "a line that is there takes what is published"


async def _what_is_published_arrives(one: _Hearer, other: _Hearer) -> None:
    await one.line.subscribe(ODD)
    for channel in ODD:
        other.says(channel, channel.encode())
    await one.hears(*((channel, channel.encode()) for channel in ODD))
    await other.line.subscribe(["all"])
    one.says("all", b"to both")
    await one.hears(("all", b"to both"))
    await other.hears(("all", b"to both"))


async def _who_has_not_subscribed_hears_nothing(one: _Hearer, other: _Hearer) -> None:
    one.line.unsubscribe(["user:7", "never"])
    await other.line.subscribe(["user:7"])
    one.says("user:7", b"not for one")
    await other.hears(("user:7", b"not for one"))
    await one.line.subscribe(["user:7"])
    other.says("user:7", b"again")
    await one.hears(("user:7", b"again"))
    await other.hears(("user:7", b"again"))


async def _order_is_kept_over_channels(one: _Hearer, other: _Hearer) -> None:
    channels = [f"many:{number}" for number in range(500)]
    await one.line.subscribe(channels)
    expected = [(channels[number * 7 % 500], str(number).encode()) for number in range(2_000)]
    for at, (channel, body) in enumerate(expected):
        other.says(channel, body)
        if at % 100 == 0:
            await asyncio.sleep(0)
    await one.hears(*expected)
    one.line.unsubscribe(channels)


async def _bodies_are_bytes_of_any_kind(one: _Hearer, other: _Hearer) -> None:
    bodies = [b"", b"\r\n", bytes(range(256)), b"x" * (3 * 1024 * 1024), b"after"]
    for body in bodies:
        other.says("client:a.b*c>d e", body)
    await one.hears(*(("client:a.b*c>d e", body) for body in bodies))


async def _nobody_heard_it(one: _Hearer) -> None:
    unheard: list[str] = []
    one.says("nobody", b"?", lambda: unheard.append("nobody"))
    one.says("all", b"!", lambda: unheard.append("all"))
    await one.hears(("all", b"!"))
    await asyncio.sleep(0.1)
    assert unheard in ([], ["nobody"]), f"unheard: {unheard}"


async def _what_waits_leaves_at_the_end(broker: Broker) -> None:
    one, other = await _Hearer.of(broker), await _Hearer.of(broker)
    await one.line.subscribe(["last"])
    other.says("last", b"words")
    await other.line.aclose()
    await one.hears(("last", b"words"))
    await one.line.aclose()


async def _until(condition: Callable[[], bool], complaint: Callable[[], str]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(complaint()) from None


def _short(heard: Any) -> str:
    return ", ".join(f"{channel:.20} {body!r:.20}" for channel, body in list(heard)[:10]) or "nothing"
