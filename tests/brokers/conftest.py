"""Brokers that run for all tests of this folder."""

from tests.cluster.conftest import broker, nats, redis

__all__ = ["broker", "nats", "redis"]
