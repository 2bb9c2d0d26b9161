"""The brokers that join the sockets of a test."""

import uuid
from collections.abc import Iterator

import pytest

from sente.brokers.memory import MemoryBroker
from sente.brokers.redis import RedisBroker
from sente.interfaces import Broker
from tests.brokers.servers import Server, redis_server


@pytest.fixture(scope="session")
def redis() -> Iterator[Server]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each, with channels of its own."""
    if request.param == "memory":
        return MemoryBroker()
    server: Server = request.getfixturevalue("redis")
    return RedisBroker(f"redis://127.0.0.1:{server.port}", prefix=f"{uuid.uuid4()}:")
