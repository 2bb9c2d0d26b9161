"""The typed edge: a contract of events, written once as pydantic models, dataclasses or any type pydantic knows."""

from sente.events.contract import Direction, EventContract
from sente.events.delivery import Latest, latest
from sente.events.registry import EventRegistry
from sente.events.untyped import Untyped

__all__ = ["Direction", "EventContract", "EventRegistry", "Latest", "Untyped", "latest"]
