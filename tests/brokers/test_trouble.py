"""Real brokers that are not there, restart, stand still, refuse or are flooded."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from sente import ConfigError
from sente.brokers import line as lines
from sente.brokers.nats import NatsBroker
from sente.brokers.redis import RedisBroker
from sente.interfaces import Broker, BrokerLine
from tests.brokers.servers import Server, nats_server, redis_server

SERVERS: dict[str, Callable[..., AbstractContextManager[Server]]] = {"redis": redis_server, "nats": nats_server}


class Heard:
    """A line, and what it heard and was told."""

    line: BrokerLine

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.states: list[bool] = []

    @classmethod
    async def of(cls, broker: Broker) -> "Heard":
        hearer = cls()
        hearer.line = await broker.connect(lambda _, body: hearer.bodies.append(body), hearer.states.append)
        return hearer

    async def is_told(self, *states: bool) -> None:
        async with asyncio.timeout(15):
            while self.states != list(states):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def broker_at(server: Server, password: str = "") -> Broker:
    if server.name == "redis":
        return RedisBroker(f"redis://{f':{password}@' if password else ''}127.0.0.1:{server.port}")
    return NatsBroker(f"nats://{f'{password}@' if password else ''}127.0.0.1:{server.port}")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One that a test may do with as it likes."""
    with SERVERS[request.param]() as server:
        yield server


async def test_a_line_comes_back_with_what_was_subscribed(server: Server) -> None:
    one, other = await Heard.of(broker_at(server)), await Heard.of(broker_at(server))
    await one.line.subscribe(["a", "b"])
    await other.line.subscribe(["b"])
    server.stop()
    await one.is_told(True, False)
    await other.is_told(True, False)
    assert not one.line.publish("b", b"nobody takes it")
    await one.line.subscribe(["c"])  # at once
    one.line.unsubscribe(["a"])
    server.start()
    await one.is_told(True, False, True)
    await other.is_told(True, False, True)
    for channel in ("a", "b", "c"):
        assert other.line.publish(channel, channel.encode())
    await asyncio.sleep(0.2)
    assert (one.bodies, other.bodies) == ([b"b", b"c"], [b"b"])
    for hearer in (one, other):
        await hearer.line.aclose()
    assert one.states == [True, False, True]  # closing is no news


async def test_a_server_that_stands_still_is_noticed(server: Server) -> None:
    one = await Heard.of(broker_at(server))
    await one.line.subscribe(["a"])
    server.pause()
    await one.is_told(True, False)
    server.go_on()
    await one.is_told(True, False, True)
    assert one.line.publish("a", b"again")
    await asyncio.sleep(0.2)
    assert one.bodies == [b"again"]
    await one.line.aclose()


async def test_a_server_that_comes_later_is_found(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.stop()
    one = await Heard.of(broker_at(server))
    assert one.states == []
    await one.line.subscribe(["a"])
    await asyncio.sleep(0.5)
    server.start()
    await one.is_told(True)
    assert one.line.publish("a", b"there")
    await asyncio.sleep(0.2)
    assert one.bodies == [b"there"]
    await one.line.aclose()
    assert len([record for record in caplog.records if "cannot be reached" in record.message]) == 1


@pytest.mark.parametrize("name", SERVERS)
async def test_who_may_not_in_is_told_why(name: str, caplog: pytest.LogCaptureFixture) -> None:
    options = ["--requirepass", "s3cret"] if name == "redis" else ["--auth", "s3cret"]
    with SERVERS[name](*options) as server:
        refused, admitted = await Heard.of(broker_at(server, "wrong")), await Heard.of(broker_at(server, "s3cret"))
        await admitted.is_told(True)
        await asyncio.sleep(0.3)
        assert refused.states == []
        (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "uthoriz" in record.message or "Authentication" in record.message or "password" in record.message
        assert "s3cret" not in caplog.text
        for hearer in (refused, admitted):
            await hearer.line.aclose()


async def test_a_server_that_takes_nothing_any_more_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "WAITING", 1_000_000)
    one = await Heard.of(broker_at(server))
    server.pause()
    for _ in range(300):
        one.line.publish("a", bytes(100_000))
    await one.is_told(True, False)
    server.go_on()
    await one.is_told(True, False, True)
    await one.line.aclose()


async def test_redis_carries_on_when_its_memory_is_full() -> None:
    with redis_server("--maxmemory", "1mb", "--maxmemory-policy", "noeviction") as server:
        one = await Heard.of(broker_at(server))
        await one.line.subscribe(["a"])
        for _ in range(100):
            assert one.line.publish("a", bytes(100_000))
        async with asyncio.timeout(10):
            while len(one.bodies) < 100:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert one.states == [True]
        await one.line.aclose()


def test_settings_that_cannot_be_right_are_refused() -> None:
    with pytest.raises(ConfigError, match="URL"):
        RedisBroker("localhost:6379")
    with pytest.raises(ConfigError, match="nats://"):
        NatsBroker("localhost:4222")
    with pytest.raises(ConfigError, match="prefix"):
        NatsBroker(prefix="a.b")
