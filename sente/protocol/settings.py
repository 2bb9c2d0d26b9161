"""Every time and limit, with its default and the reason for it. Times are seconds, sizes are bytes."""

from dataclasses import dataclass, field

from sente.protocol.rates import Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class AckPolicy:
    """When an acknowledgement is sent alone, if no other packet takes it along (§5).

    >>> AckPolicy(delay=1.0).items
    64
    """

    items: int = 64
    """After so many packets: one acknowledgement serves them all."""
    bytes: int = 256 * 1024
    """After so many bytes: a quarter of the window, so that the sender never waits on a good line."""
    delay: float = 5.0
    """After so long: until then nothing but memory on the other side waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one side of a session keeps, and lets the other side have under way (§3, §5).

    >>> Limits(packet=64 * 1024).packet
    65536
    """

    packet: int = 1024 * 1024
    """Longest frame taken from the other side: uvicorn's default WebSocket limit is 16 MiB, chat needs a thousandth."""
    body: int = 4 * 1024 * 1024
    """Longest HTTP body taken: a row of packets, so a few times the longest packet."""
    window: int = 256
    """Events and requests that may be unacknowledged at once; replies and control packets always pass."""
    window_bytes: int = 1024 * 1024
    """The same in bytes: at 100 ms round trip this still lets 10 MB/s through."""
    outbox: int = 4096
    """Items kept for the other side, sent or not, before the session closes as slow."""
    outbox_bytes: int = 4 * 1024 * 1024
    """The same in bytes: what one client that never reads can cost."""
    backlog: int = 256
    """Delivered but unhandled events before acknowledgements are held back, which in time makes the sender wait."""
    backlog_bytes: int = 1024 * 1024
    """The same in bytes, at the server. Who goes on regardless is cut off when as much as the window and a body is
    there beyond it."""
    requests: int = 64
    """Requests of one client that may wait for a reply at once."""
    ack: AckPolicy = field(default_factory=AckPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Times and limits of a server session.

    >>> ServerSettings(poll=25.0).poll
    25.0
    """

    batch_ws: float = 0.030
    """Events for one client wait so long for others to join them (Sente's default)."""
    batch_poll: float = 0.100
    """The same while polling: an exchange is more work than a frame (Sente: 90 ms)."""
    poll: float = 20.0
    """How long an empty poll is held: below the 30 s after which Heroku and others cut an idle response (Sente)."""
    ping: float = 12.5
    """A WebSocket silent for so long is pinged: below the idle limits of common proxies, 25 s in Sente halved because
    it also finds dead lines."""
    ping_timeout: float = 10.0
    """Silence after a ping that means the line is dead."""
    grace_ws: float = 2.5
    """How long a client without a link still counts as present (Sente: 2.5 s on WebSocket)."""
    grace_poll: float = 5.0
    """The same between polls (Sente: 5 s)."""
    resume: float = 120.0
    """How long a session without a link can be resumed; a closed one is remembered as long, to say what was lost."""
    sessions: int = 50_000
    """Sessions at once, before new clients are told to come back later."""
    sessions_per_user: int = 100
    """The same of one user: more than anyone has tabs and devices, those of the last two minutes included. Clients
    without a user are not counted."""
    sessions_per_address: int = 2_000
    """The same of one public address: a large company behind its router, and a small part of all. An address
    of a private network is a proxy's, and is not counted."""
    graves: int = 10_000
    """Closed sessions remembered at most; of one forgotten earlier the client learns that nothing is known."""
    retry_after: float = 2.0
    """When the server restarts, its clients are told to come back within so long, spread by chance."""
    drain: float = 5.0
    """How long handlers and clients get to finish before the server stops, of the 10 s or more that process managers
    usually wait."""
    hello_timeout: float = 10.0
    """How long a new WebSocket may take to say hello."""
    hello_pings: int = 3
    """Pings that it may send before: a client tries the line with one before it gives polling up for it."""
    hello_size: int = 8192
    """Longest hello: nothing longer is read before a client has passed the checks."""
    auth_warning: float = 30.0
    """A client is told so long before its credentials expire, or after half of their life if that is later: time for a
    slow token server, and for a second try."""
    outbox_age: float = 120.0
    """How long an acknowledgement may take, on a line, before the session closes as slow: as long as one without a line
    is waited for. Clients acknowledge within 5 s, those in hidden tabs when they are pinged."""
    memory: int = 256 * 1024 * 1024
    """Bytes, packed, that are kept for all clients together, what is kept for many counting once: a quarter of a small
    server. Above it the sessions that keep most are closed as slow, until an eighth of it is free."""
    body_timeout: float = 30.0
    """How long the body of a POST may take to arrive: as long as a client waits for its answer."""
    rates: Rates = field(default_factory=Rates)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Times and limits of a client session.

    >>> ClientSettings().handshake_timeout
    5.0
    """

    handshake_timeout: float = 5.0
    """Wait for the first frame, and again for the handshake, before the way is held to be broken."""
    ping: float = 10.0
    """A WebSocket silent for so long is pinged; shorter than the server's, so that clients find dead lines first."""
    ping_timeout: float = 5.0
    """Silence after a ping that means the line is dead."""
    wake_timeout: float = 3.0
    """The same after a sleep or a change of network: then silence is hardly a mere delay."""
    poll_margin: float = 10.0
    """How much longer than the server's hold a poll may take before it is given up."""
    backoff_base: float = 0.5
    """The second attempt waits up to so long (the first is made at once), each further one twice as long."""
    backoff_cap: float = 30.0
    """Longest wait: a server that is back is found within half a minute."""
    stable: float = 2.0
    """A line that lived so long was good: if it breaks, the next attempt is made at once again."""
    climb_base: float = 10.0
    """A client that fell back to polling tries a WebSocket beside it after so long: a page that is just looked at
    briefly does not pay for it. After each failure it waits twice as long."""
    climb_cap: float = 300.0
    """Longest wait between two such attempts: a network that lets WebSockets through again is found in minutes."""
    climb_stable: float = 60.0
    """A WebSocket reached that way that lived so long was good; proxies that cut idle or long connections show it
    within a minute. One that broke earlier is followed by polling."""
    restart: float = 10.0
    """Longest time between a server's goodbye and the start of its successor for which that one is taken to know all
    that was said in between; after a longer one the client says that it may have missed something."""
    posts: int = 2
    """POSTs under way at once: browsers open six connections per host, and the poll and other pages need some."""
    limits: Limits = field(default_factory=Limits)
