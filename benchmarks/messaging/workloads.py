"""What is measured, and at which servers: add a row here for another of either."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

What: TypeAlias = Literal["echo", "poll", "push", "pollPush", "tell", "open", "idle", "rest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server, and how to speak to it."""

    title: str
    dialect: str = "bare"
    app: str = ""
    """The factory in ``apps.py``, for uvicorn; or the library, for ``raw.py`` and ``raw.mjs``."""
    on: Literal["uvicorn", "direct", "raw", "node"] = "uvicorn"
    """``direct``: uvicorn with the class of ``sente.integrations.uvicorn``."""
    packer: str = "json"
    spared: bool = False
    """Whether the garbage collector is spared what is there for good, as docs/guides/deployment.md says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A load of ``load.mjs``."""

    what: What
    unit: str
    servers: tuple[str, ...]
    connections: int
    depth: int = 1
    """How many requests of a connection wait for their reply at once."""
    burst: int = 1
    """How often the server speaks, each time it is told to."""
    size: int = 100
    """Characters that it says."""
    devices: int = 1
    """How many connections are one user's."""
    typed: bool = False
    """Whether what is said is an object, as a model needs it."""
    seconds: float = 0.0
    """How long it is measured, if not as long as the others."""
    once: bool = False
    """Measured in the first round only, as it takes long."""


@dataclass(frozen=True, slots=True)
class Target:
    """What this project set out for: a server's figure in relation to a peer's, or as it is."""

    load: str
    server: str
    goal: float
    peer: str = ""
    note: str = field(default="", kw_only=True)


PACKERS = ("auto", "cbor", "edn", "msgpack", "transit", "transit-json", "transit-msgpack")

SERVERS = {
    "sente": Server(title="sente", dialect="sente", app="sente"),
    "direct": Server(title="sente, with its class for uvicorn", dialect="sente", app="sente", on="direct"),
    "direct gc": Server(
        title="the same, its garbage collector spared", dialect="sente", app="sente", on="direct", spared=True
    ),
    "direct typed": Server(title="the same, with an `EventRegistry`", dialect="sente", app="sente_typed", on="direct"),
    **{
        f"direct {packer}": Server(
            title=f"the same, `{packer}`", dialect="sente", app="sente", on="direct", packer=packer
        )
        for packer in PACKERS
    },
    "socketio": Server(title="python-socketio", dialect="socketio", app="socketio"),
    "socketio-msgpack": Server(
        title="python-socketio, MessagePack", dialect="socketio-msgpack", app="socketio_msgpack"
    ),
    "socketio-node": Server(title="Socket.IO, on Node", dialect="socketio", app="socketio-node", on="node"),
    "asgi": Server(title="bare ASGI", app="asgi"),
    "starlette": Server(title="bare Starlette", app="starlette"),
    "fastapi": Server(title="bare FastAPI", app="fastapi"),
    "websockets": Server(title="bare websockets", app="websockets", on="raw"),
    "aiohttp": Server(title="bare aiohttp", app="aiohttp", on="raw"),
    "picows": Server(title="bare picows", app="picows", on="raw"),
    "ws": Server(title="bare ws, on Node", app="ws", on="node"),
}

OURS = ("sente", "direct")
SOME = (*OURS, "socketio", "socketio-node", "asgi", "picows")
POLLING = ("sente", "socketio")
"""The class for uvicorn is one for WebSockets."""
ALL = (
    *OURS,
    "socketio",
    "socketio-msgpack",
    "socketio-node",
    "asgi",
    "starlette",
    "fastapi",
    "websockets",
    "aiohttp",
    "picows",
    "ws",
)

LOADS = {
    "echo": Load(what="echo", unit="requests/s, 50 connections", servers=ALL, connections=50),
    "latency": Load(what="echo", unit="requests/s, 1 connection", servers=SOME, connections=1),
    "echo 32": Load(what="echo", unit="requests/s, 50 connections × 32", servers=SOME, connections=50, depth=32),
    "push": Load(what="push", unit="deliveries/s, bursts of 10 to 500", servers=ALL, connections=500, burst=10),
    "single": Load(what="push", unit="deliveries/s, one to 500", servers=SOME, connections=500),
    "single 1 KB": Load(what="push", unit="deliveries/s, one of 1 KB to 500", servers=SOME, connections=500, size=1000),
    "push 1 KB": Load(
        what="push", unit="deliveries/s, bursts of 1 KB to 500", servers=SOME, connections=500, burst=10, size=1000
    ),
    **{
        name: Load(
            what="push", unit=unit, servers=(*OURS, "socketio", "asgi"), connections=5000, burst=burst, size=size
        )
        for name, unit, burst, size in (
            ("push 5000", "deliveries/s, bursts of 10 to 5,000", 10, 100),
            ("single 5000", "deliveries/s, one to 5,000", 1, 100),
            ("single 5000 1 KB", "deliveries/s, one of 1 KB to 5,000", 1, 1000),
            ("push 5000 1 KB", "deliveries/s, bursts of 1 KB to 5,000", 10, 1000),
        )
    },
    "user 1": Load(
        what="tell",
        unit="pushes/s to a user with 1 device",
        servers=(*OURS, "socketio", "asgi"),
        connections=50,
    ),
    "user 3": Load(
        what="tell",
        unit="pushes/s to a user with 3 devices",
        servers=(*OURS, "socketio", "asgi"),
        connections=150,
        devices=3,
    ),
    "poll": Load(what="poll", unit="requests/s, 50 clients that poll", servers=POLLING, connections=50),
    "poll 1": Load(what="poll", unit="requests/s, 1 client that polls", servers=POLLING, connections=1),
    "poll push": Load(what="pollPush", unit="deliveries/s to 50 clients that poll", servers=POLLING, connections=50),
    "open": Load(what="open", unit="new connections/s", servers=(*ALL, "direct gc"), connections=2000),
    "idle": Load(what="idle", unit="KB per idle connection", servers=ALL, connections=2000),
    "rest": Load(
        what="rest",
        unit="% of a core, 5,000 idle connections",
        servers=(*OURS, "socketio", "asgi"),
        connections=5000,
        seconds=30.0,
        once=True,
    ),
    "packers": Load(
        what="echo",
        unit="requests/s by packer",
        servers=("direct", *(f"direct {packer}" for packer in PACKERS)),
        connections=50,
    ),
    "typed": Load(
        what="echo", unit="requests/s, an object", servers=("direct", "direct typed"), connections=50, typed=True
    ),
}

TABLES = {
    "requests": ("echo", "latency", "echo 32"),
    "pushes": ("push", "single", "single 1 KB", "push 1 KB"),
    "crowds": ("push 5000", "single 5000", "single 5000 1 KB", "push 5000 1 KB"),
    "users": ("user 1", "user 3"),
    "polling": ("poll", "poll 1", "poll push"),
    "standing": ("open", "idle", "rest"),
    "by packer": ("packers", "typed"),
}

TARGETS = (
    Target("echo", "sente", 0.65, "asgi"),
    Target("echo", "sente", 2.5, "socketio"),
    Target("echo", "direct", 5, "socketio"),
    Target("echo", "direct", 1.3, "socketio-node"),
    Target("single", "sente", 0.8, "asgi"),
    Target("single", "sente", 5, "socketio"),
    Target("single", "direct", 10, "socketio"),
    Target("single", "direct", 0.6, "picows"),
    Target("push", "sente", 5, "asgi"),
    Target("push", "direct", 3, "socketio-node"),
    Target("poll", "sente", 6, "socketio"),
    Target("open", "sente", 2.5, "socketio"),
    Target("open", "direct", 5, "socketio"),
    Target("idle", "sente", 22),
    Target("idle", "direct", 10),
    Target("rest", "sente", 2),
    Target("rest", "direct", 2),
)
"""Without a peer: at most so much."""
