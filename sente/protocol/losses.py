"""What a client is told of events that it will never get (§4)."""

from sente.protocol.greeting import Info
from sente.protocol.requests import NEVER


class Losses:
    """Takes off what it has been told already: a server counts all of a session each time, as it cannot know which of
    its handshakes arrived.

    ``restart`` is that of ``ClientSettings``.
    """

    def __init__(self, restart: float) -> None:
        self._restart = restart
        self._told = 0  # of the session, so far
        self.server_left = -NEVER
        """When the server took leave, with nothing lost; to be set by who hears it."""

    def resumed(self, info: Info) -> int:
        """What was lost since the last handshake of a session that goes on."""
        before, self._told = self._told, info.lost or 0
        return max(0, self._told - before)

    def begun(self, info: Info, now: float, *, after: bool, known: bool) -> int | None:
        """What was lost, or ``None`` for not known, until a session began: ``after`` another of this client's, which
        the hello named if it was still ``known``."""
        before, self._told = self._told, 0
        if not after:
            return 0
        if not known:
            return None
        if info.lost is None and now - self.server_left - info.uptime <= self._restart:
            return info.since_start  # it took leave with nothing lost, and this is its successor
        return None if info.lost is None else max(0, info.lost - before)
