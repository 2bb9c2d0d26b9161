"""Which contract each client was made for: told in the handshake, counted, and logged once (§4)."""

import logging
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from sente.interfaces import HashedRegistry, Registry
from sente.protocol.contract import Contract

log = logging.getLogger("sente")

REMEMBERED: Final = 100
"""Versions that are logged: there are as many as deployments with old pages open, and what strangers make up."""


def contract_of(registry: Registry) -> Contract | None:
    """The contract of a registry, if it has one to compare.

    >>> from sente import EventRegistry
    >>> contract_of(EventRegistry()).hash
    'e3b0c44298fc1c14'
    """
    return Contract.of(registry.hashes()) if isinstance(registry, HashedRegistry) else None


class Versions:
    """The versions of the clients that say hello, beside the server's own."""

    def __init__(self, registry: Registry, stats: Counter[str]) -> None:
        self._registry = registry
        self._stats = stats
        self._known: set[str] = set()

    @cached_property
    def _own(self) -> Contract | None:
        return contract_of(self._registry)  # when the first client asks: by then every type is defined

    def tell(self, theirs: str | None) -> Mapping[str, Any]:
        """What the handshake says to a client whose contract has this hash."""
        if theirs is None or self._own is None:
            return {}
        if theirs != self._own.hash:
            self._stats["other contract"] += 1
            self._note(theirs, self._own.hash)
        return self._own.told(theirs)

    def _note(self, theirs: str, own: str) -> None:
        if theirs not in self._known and len(self._known) < REMEMBERED:
            self._known.add(theirs)
            log.info("clients come with another contract of events, %.64r; this server has %s", theirs, own)
