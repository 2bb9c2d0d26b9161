"""Who is looked after in which turn of the event loop."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice
from operator import length_hint

from sente.peers import AnyClient

AT_ONCE = 64
"""Clients that are looked after in one turn although they can wait: about 5 ms."""


class Turns:
    """Calls ``visit`` with each client that something happened to, at the end of this turn of the event loop: once,
    however much happens until then. So what is said in one turn leaves together.

    Those who wait for an answer come first, and all of them. Of the rest, to whom a broadcast is said or whose timer is
    due, it is ``AT_ONCE``, or as many as of the others if those are more. So what a thousand are told keeps nobody
    waiting, and is not kept waiting itself.
    """

    def __init__(self, visit: Callable[[AnyClient], None]) -> None:
        self._visit = visit
        self._soon: dict[AnyClient, None] = {}
        self._later: dict[AnyClient, None] = {}
        self._rest: Iterator[AnyClient] = iter(())  # of those who were in _later before
        self._called = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin anew, on another event loop perhaps."""
        self._loop = loop
        self._soon, self._later, self._rest, self._called = {}, {}, iter(()), False

    def soon(self, client: AnyClient) -> None:
        """The client is to be looked after in this turn."""
        self._soon[client] = None
        if not self._called:
            self._call()

    def later(self, client: AnyClient) -> None:
        """The client is to be looked after in this turn, or in one of the next if there are many."""
        self._later[client] = None
        if not self._called:
            self._call()

    def finish(self) -> None:
        """Look after everybody now."""
        while self._soon or self._waits:
            self._turn()

    @property
    def _waits(self) -> bool:
        return bool(self._later) or length_hint(self._rest) > 0

    def _call(self) -> None:
        self._called = True
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._called = False
        soon, many = iter(self._soon), max(AT_ONCE, len(self._soon))
        self._soon = {}
        try:
            for client in soon:
                self._visit(client)
            for client in islice(self._waiting(), many):
                self._visit(client)
        finally:  # whatever happens to one, the rest are looked after
            for client in soon:
                self.soon(client)
            if self._waits and not self._called:
                self._call()

    def _waiting(self) -> Iterator[AnyClient]:
        while self._waits:
            if not length_hint(self._rest):
                self._rest, self._later = iter(self._later), {}
            yield from self._rest
