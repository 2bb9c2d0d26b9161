"""Events from a process that serves nobody."""

import asyncio
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from sente import BrokerError, ChannelSocket, ConfigError, EventRegistry, InvalidEvent, Publisher
from sente.brokers.memory import MemoryBroker
from sente.brokers.redis import RedisBroker
from sente.interfaces import Broker
from tests.brokers.servers import Server, redis_server
from tests.cluster.several import client_of, several


async def test_it_says_what_a_socket_would(broker: Broker) -> None:
    async with several(broker, 2) as app, client_of(app, "ada") as ada, client_of(app, "bob", "poll") as bob:
        ada.on("add/up")(sum)
        client_id = await ada.request("whoami/ask")
        async with Publisher(broker) as publisher:
            await asyncio.sleep(0.1)
            delivered = await publisher.send("ada", "job/done", {"id": 7}).delivered()
            assert (delivered.clients, delivered.complete) == (1, True)
            publisher.broadcast("news/told", "all")
            assert await publisher.request(client_id, "add/up", [1, 2]) == 3
            assert await publisher.online("ada")
            assert not await publisher.online("eve")
        assert (await ada.received.next("job/done")).data == {"id": 7}
        assert (await bob.received.next("news/told")).data == "all"


async def test_without_asyncio(redis: Server) -> None:
    """Another thread has no loop of its own, and the application runs on."""
    broker = RedisBroker(f"redis://127.0.0.1:{redis.port}", prefix="blocking:")
    seen: list[Any] = []

    def task() -> None:
        with Publisher(RedisBroker(f"redis://127.0.0.1:{redis.port}", prefix="blocking:")) as publisher:
            for number in range(100):
                publisher.send("ada", "job/done", number)
            seen.append(publisher.wait(publisher.online("ada")))

    async with several(broker, 2) as app, client_of(app, "ada") as ada:
        await asyncio.to_thread(task)
        assert [event.data for event in await ada.received.at_least(100)] == list(range(100))
    assert seen in ([True], [False])  # it may be asked before it has heard who is there
    assert not [thread for thread in threading.enumerate() if thread.name == "sente-publisher"]


async def test_what_is_typed_is_checked() -> None:
    events = EventRegistry()

    @events.event("job/done")
    class Done(BaseModel):
        id: int

    broker = MemoryBroker()
    async with several(broker, 1, events=events) as app, client_of(app, "ada") as ada:
        async with Publisher(broker, events=events) as publisher:
            publisher.send("ada", Done(id=7))
            with pytest.raises(InvalidEvent):
                publisher.send("ada", "job/done", {"id": "seven"})
        assert (await ada.received.next("job/done")).data == {"id": 7}


async def test_a_broker_that_is_not_there() -> None:
    with redis_server() as server:
        server.stop()
        broker = RedisBroker(f"redis://127.0.0.1:{server.port}")
        with pytest.raises(BrokerError, match="not there"):
            async with Publisher(broker, timeout=0.2):
                pass
        with pytest.raises(BrokerError, match="not there"), Publisher(broker, timeout=0.2):
            pass
        server.start()

        async def say() -> None:
            async with Publisher(broker, timeout=0.2) as publisher:
                server.stop()
                await asyncio.sleep(0.2)
                for number in range(3):
                    publisher.send("ada", "job/done", number)

        with pytest.raises(BrokerError, match="3 events were not given"):
            await say()


async def test_it_never_announces_who_came(broker: Broker) -> None:
    seen: list[Any] = []
    async with Publisher(broker), several(broker, 1) as app, Publisher(broker):
        app.sockets[0].on("chsk/uidport-open")(lambda msg: seen.append(msg.uid))
        await asyncio.sleep(0.6)
        for number in range(10):
            async with client_of(app, f"user{number}"):
                pass
        async with asyncio.timeout(5):
            while len(seen) < 10:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def test_it_needs_a_broker() -> None:
    with pytest.raises(ConfigError, match="broker"):
        Publisher.of(ChannelSocket())
    publisher = Publisher(MemoryBroker())
    with pytest.raises(ConfigError, match="with Publisher"):
        publisher.wait(publisher.online("ada"))
