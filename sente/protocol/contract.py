"""What two sides call their events, as hashes: compared in the handshake, so that a stale client knows (§4)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sente.errors import ProtocolError

LONGEST = 64
"""Characters of a hash: a client's is kept until its hello is answered, and logged."""


@dataclass(frozen=True, slots=True)
class ContractDifference:
    """How the server's contract differs from the client's, by the ids of events, sorted.

    >>> ContractDifference(added=("chat/said",)).removed
    ()
    """

    added: tuple[str, ...] = ()
    """What the server has, and this client does not know."""
    removed: tuple[str, ...] = ()
    """What this client knows, and the server has no more."""
    changed: tuple[str, ...] = ()
    """What is another type there than here."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One side's events by id, each with a short hash, and the hash of them all.

    >>> Contract.of({"chat/say": "5d41402a"}).hash
    '2ea0876ce8544ce1'
    """

    hash: str
    events: Mapping[str, str]

    @classmethod
    def of(cls, events: Mapping[str, str]) -> "Contract":
        """The contract that consists of these events, in whatever order."""
        lines = "\n".join(f"{event_id} {events[event_id]}" for event_id in sorted(events))
        return cls(hashlib.sha256(lines.encode()).hexdigest()[:16], events)

    def told(self, theirs: str) -> dict[str, Any]:
        """What the handshake's info says to a client whose contract has the hash ``theirs``."""
        return {"contract": self.hash} if theirs == self.hash else {"contract": self.hash, "events": dict(self.events)}

    def differs(self, info: Mapping[str, Any]) -> ContractDifference | None:
        """How the server's events differ, as it told them; ``None`` if they do not, or it has no contract.

        Raises:
            ProtocolError: what it told is none.
        """
        theirs = info.get("events")
        if theirs is None:
            return None
        if not isinstance(theirs, dict) or not all(isinstance(name, str) for name in theirs):
            raise ProtocolError("events must be an object with a hash for each event")
        mine = self.events
        return ContractDifference(
            added=tuple(sorted(theirs.keys() - mine.keys())),
            removed=tuple(sorted(mine.keys() - theirs.keys())),
            changed=tuple(sorted(name for name in mine.keys() & theirs.keys() if mine[name] != theirs[name])),
        )


def check_hash(theirs: str | None) -> str | None:
    """The hash of a stranger's contract. Raises ``ProtocolError``."""
    if theirs is not None and not 0 < len(theirs) <= LONGEST:
        raise ProtocolError(f"contract must be text of at most {LONGEST} characters")
    return theirs
