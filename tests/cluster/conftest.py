"""The brokers that join the sockets of a test."""

import uuid
from collections.abc import Iterator

import pytest

from sente.brokers.memory import MemoryBroker
from sente.brokers.nats import NatsBroker
from sente.brokers.redis import RedisBroker
from sente.interfaces import Broker
from tests.brokers.servers import Server, nats_server, redis_server


@pytest.fixture(scope="session")
def redis() -> Iterator[Server]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def nats() -> Iterator[Server]:
    with nats_server() as server:
        yield server


@pytest.fixture(params=["memory", "redis", "nats"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each, with channels of its own."""
    if request.param == "memory":
        return MemoryBroker()
    server: Server = request.getfixturevalue(request.param)
    if request.param == "redis":
        return RedisBroker(f"redis://127.0.0.1:{server.port}", prefix=f"{uuid.uuid4()}:")
    return NatsBroker(f"nats://127.0.0.1:{server.port}", prefix=f"{uuid.uuid4()}")
