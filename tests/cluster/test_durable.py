"""Sessions that outlive their process, over a real Redis."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from sente.brokers.redis import RedisBroker
from tests.asgi import TRANSPORTS
from tests.brokers.servers import Server, redis_server
from tests.cluster.several import client_of, several

over_both = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    with redis_server() as server:
        yield server


def broker_of(redis: Server) -> RedisBroker:
    return RedisBroker(f"redis://127.0.0.1:{redis.port}")


@over_both
async def test_as_on_one_process(redis: Server, transport: Any) -> None:
    async with several(broker_of(redis), durable=True) as app, client_of(app, "ada", transport) as ada:
        for number in range(100):
            app.sockets[number % 3].send("ada", "count/down", number)
        got = [event.data for event in await ada.received.at_least(100)]
        assert sorted(got) == list(range(100))
        for turn in range(3):
            assert [number for number in got if number % 3 == turn] == list(range(turn, 100, 3))
        assert await asyncio.gather(*(ada.request("echo/say", number) for number in range(20))) == list(range(20))
        ada.on("add/up")(sum)
        assert await app.sockets[1].request(await ada.request("whoami/ask"), "add/up", [1, 2]) == 3
        receipt = app.sockets[2].send("ada", "count/down", 100)
        delivered = await receipt.delivered()
        assert (delivered.clients, delivered.acknowledged, delivered.unheard) == (1, 1, 0)
