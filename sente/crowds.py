"""Too many from one place: handshakes and sessions of an address, sessions of a user (§8)."""

import ipaddress
import math
from collections.abc import Callable
from functools import lru_cache

from sente.errors import Rejected
from sente.interfaces import UserId
from sente.protocol.rates import Buckets, Rate
from sente.protocol.settings import ServerSettings


@lru_cache(maxsize=1024)
def public_address(host: str | None) -> str | None:
    """What clients of one place have in common: an IPv4 address, or the /64 of an IPv6 one, which is what a household
    is given. ``None`` for what is not public: a proxy in a private network stands for everyone behind it.

    >>> public_address("8.8.8.8"), public_address("10.0.0.1"), public_address("2606:4700::7")
    ('8.8.8.8', None, '2606:4700::/64')
    """
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:  # the path of a Unix socket, say
        return None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if not address.is_global:
        return None
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


class Crowds:
    """Asked before any work is done for a client. Raises ``Rejected`` with 429 and when to come back."""

    def __init__(
        self,
        settings: ServerSettings,
        sessions_of: Callable[[UserId], int],
        sessions_from: Callable[[str | None], int],
    ) -> None:
        hellos = settings.rates.hellos
        self._hellos = None if hellos is None else Buckets(Rate.read(hellos))
        self._settings = settings
        self._sessions_of = sessions_of
        self._sessions_from = sessions_from

    def knock(self, host: str | None, now: float) -> None:
        """Somebody wants a handshake."""
        address = public_address(host)
        if address is not None and self._hellos is not None and (late := self._hellos.take(address, now)):
            raise Rejected(429, f"retry_after={math.ceil(late * 1000)}", check="hellos")

    def enter(self, host: str | None, uid: UserId) -> None:
        """A client that passed the checks wants a session of its own."""
        address, settings = public_address(host), self._settings
        if uid is not None and self._sessions_of(uid) >= settings.sessions_per_user:
            raise Rejected(429, "retry_after=5000", check="sessions_per_user")
        if address is not None and self._sessions_from(address) >= settings.sessions_per_address:
            raise Rejected(429, "retry_after=5000", check="sessions_per_address")
