"""Everything at once, by chance: lines to the broker cut, clients' lines cut, events both ways, no stickiness."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest

from sente import ClientSettings
from sente.brokers.nats import NatsBroker
from sente.brokers.redis import RedisBroker
from sente.interfaces import Broker
from sente.testing import FaultProxy, Faults, ServedClient, assert_no_loss, assert_ordered
from tests.asgi import until
from tests.brokers.servers import Server
from tests.cluster.several import RoundRobin, client_of, several
from tests.cluster.shaky import ShakyBroker

EAGER = ClientSettings(backoff_base=0.01, backoff_cap=0.05)


class Storm:
    """Sockets, clients, and the books of what was said."""

    def __init__(self, app: RoundRobin, clients: list[ServedClient]) -> None:
        self.app = app
        self.clients = clients
        self.up: list[int] = [0] * len(clients)
        self.down = [0] * len(app.sockets)
        self.handled: list[list[int]] = [[] for _ in clients]
        for chsk in app.sockets:

            @chsk.on("count/up")
            async def up(msg: Any) -> None:
                who, number = msg.data
                self.handled[who].append(number)

    def say_up(self, who: int) -> None:
        """A client says its next number, if it is connected."""
        self.up[who] += self.clients[who].send("count/up", [who, self.up[who]])

    def say_down(self, origin: int) -> None:
        """A socket says its next number to the user of all clients."""
        self.app.sockets[origin].send("ada", "count/down", [origin, self.down[origin]])
        self.down[origin] += 1

    async def is_over(self) -> None:
        """All has arrived, once and in order, or somebody was told otherwise: here nobody may be."""
        async with asyncio.timeout(45):
            while [len(each) for each in self.handled] != self.up:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            while any(len(client.received) < sum(self.down) for client in self.clients):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for who, client in enumerate(self.clients):
            assert client.state.lost == 0
            assert_no_loss(range(self.up[who]), self.handled[who])
            assert_ordered(self.handled[who])
            for origin, count in enumerate(self.down):
                heard = [event.data[1] for event in client.received if event.data[0] == origin]
                assert_no_loss(range(count), heard)
                assert_ordered(heard)


@pytest.mark.parametrize("seed", range(8))
async def test_lines_to_a_broker_that_fail_by_chance(seed: int) -> None:
    chance, broker = random.Random(seed), ShakyBroker()
    async with several(broker) as app, AsyncExitStack() as stack:
        clients = [client_of(app, "ada", ["ws", "poll"][n % 2], settings=EAGER) for n in range(4)]
        for client in clients:
            await stack.enter_async_context(client)
        storm, cut = Storm(app, clients), set[int]()
        for _ in range(400):
            which = chance.randrange(3)
            match chance.choice(["up", "up", "down", "down", "cut", "heal", "break", "wait"]):
                case "up":
                    storm.say_up(chance.randrange(4))
                case "down":
                    storm.say_down(which)
                case "cut" if which not in cut and chance.random() < 0.3:
                    cut.add(which)
                    broker.cut(which)
                case "heal" if which in cut:
                    cut.discard(which)
                    broker.heal(which)
                case "break" if chance.random() < 0.3:
                    clients[chance.randrange(4)].break_connection()
                case _:
                    await asyncio.sleep(chance.random() * 0.02)
        broker.heal(*cut)
        await storm.is_over()


@pytest.mark.parametrize("name", ["redis", "nats"])
async def test_real_lines_to_a_real_broker_that_are_cut(name: str, request: pytest.FixtureRequest) -> None:
    """Each socket has a proxy to the broker that cuts every connection somewhere in its first 12,000 bytes."""
    server: Server = request.getfixturevalue(name)
    async with AsyncExitStack() as stack:
        plans = [Faults(seed=seed, cut=1.0) for seed in range(3)]
        proxies = [await stack.enter_async_context(FaultProxy(server.port, faults=plan)) for plan in plans]
        brokers: list[Broker] = [
            RedisBroker(f"redis://{proxy.address}", prefix="storm:")
            if name == "redis"
            else NatsBroker(f"nats://{proxy.address}")
            for proxy in proxies
        ]
        app = await stack.enter_async_context(several(brokers))
        clients = [client_of(app, "ada", ["ws", "poll"][n % 2], settings=EAGER) for n in range(3)]
        for client in clients:
            await stack.enter_async_context(client)
        storm = Storm(app, clients)
        for number in range(100):
            storm.say_up(number % 3)
            for origin in range(3):
                storm.say_down(origin)
            await asyncio.sleep(0.02)
        for proxy in proxies:
            proxy.heal()
        await storm.is_over()
        assert sum(chsk.stats["broker lost"] for chsk in app.sockets) > 3
        await until(lambda: all(chsk.stats["broker gaps"] == 0 for chsk in app.sockets))
