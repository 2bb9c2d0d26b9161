"""For how long a client's credentials are good, and when it is told that they are about to expire (§6)."""

from typing import Any

from sente.errors import ProtocolError
from sente.protocol.greeting import text
from sente.protocol.messages import AUTH_DUE, Event
from sente.protocol.requests import NEVER

EXPIRED = (4401, "the credentials have expired: renew them with reauthenticate() in time, or reconnect() with new ones")


class Credentials:
    """Those of one session, which the server's application has accepted. Times are seconds of the driver's clock.

    >>> credentials = Credentials(warning=30.0)
    >>> credentials.renew(300.0, now=1000.0)
    >>> credentials.due
    1270.0
    """

    def __init__(self, warning: float) -> None:
        self._warning = warning
        self._expires_at = NEVER
        self.due = NEVER
        """When there is something to tell, or they expire."""

    def renew(self, expires_in: float | None, now: float) -> None:
        """They are good for so many seconds from now on; ``None``: for ever."""
        self.due = self._expires_at = NEVER
        if expires_in is not None:
            self._expires_at = now + expires_in
            # not before half of their life: a client that renews them when warned would be warned again at once
            self.due = self._expires_at - min(self._warning, expires_in / 2)

    def expired(self, now: float) -> bool:
        """Whether nothing may be said or heard with them any more."""
        return now >= self._expires_at

    def expires_in(self, now: float) -> int | None:
        """For how many milliseconds they are still good; ``None``: for ever."""
        return None if self._expires_at == NEVER else max(0, round((self._expires_at - now) * 1000))

    def warning(self, now: float) -> Event:
        """What the client is to be told when they are ``due`` and have not expired; once."""
        self.due = self._expires_at
        return Event(AUTH_DUE, {"in": self.expires_in(now)})


def read_auth(plain: Any) -> str | None:
    """The credentials in the data of a ``chsk/auth``.

    Raises:
        ProtocolError: they are no text.

    >>> read_auth({"auth": "Bearer t"})
    'Bearer t'
    """
    if not isinstance(plain, dict):
        raise ProtocolError('chsk/auth takes {"auth": text or null}')
    return text(plain, "auth")
