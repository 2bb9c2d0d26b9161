"""What an application sees of its connection: Sente's state keys under Python names."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Literal, TypeAlias

from sente.protocol.contract import ContractDifference

CloseReason: TypeAlias = Literal[
    "requested-disconnect", "requested-reconnect", "downgrading-ws-to-poll", "refused", "replaced", "bye", "unexpected"
]


class Phase(Enum):
    """Where a client stands."""

    IDLE = auto()  # nothing wanted, or refused
    WAITING = auto()  # until the next attempt
    OPENING = auto()  # a link is opening; the server speaks first
    GREETING = auto()  # hello said
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class Closed:
    """Why and when a line ended; ``code`` is a WebSocket close code or an HTTP status, if there was one.

    >>> Closed(at=0.0, reason="unexpected", code=1006).message
    ''
    """

    at: float
    """Seconds since the epoch."""
    reason: CloseReason
    code: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class ClientState:
    """A connection at one moment; states are compared and replaced, never changed.

    >>> ClientState(client_id="c1").open
    False
    """

    client_id: str
    """Names this client to the server. A twin (a duplicated page) takes another one."""
    transport: Literal["ws", "poll"] | None = None
    """How it is, or is being, connected."""
    open: bool = False
    """Whether events leave now; ``send`` returns False otherwise."""
    ever_opened: bool = False
    first_open: bool = False
    """True in the first open state only: the moment to load what the page starts with."""
    uid: Any = None
    """Who the server says this is."""
    handshake_data: Any = None
    contract: ContractDifference | None = None
    """How the typed events of the server differ from this client's: it is of another version. None: they do not, or
    one of the two has none."""
    packer: str | None = None
    resumed: bool = False
    """Whether the session went on after the last interruption."""
    lost: int | None = 0
    """Events this client missed since it was last open: 0 none, None not known. Fetch anew unless it is 0."""
    last_ws_error: Closed | None = None
    """The last WebSocket that could not be used."""
    last_ws_close: Closed | None = None
    """The last WebSocket that ended after it had been open."""
    last_close: Closed | None = None
    auth_expires: float | None = None
    """The server warns: then it closes this line, in seconds since the epoch, unless the client is given new
    credentials (``reauthenticate``). None: it did not, or that is done."""
    next_reconnect: float | None = None
    """When the next attempt is made, in seconds since the epoch."""
    refused: Closed | None = None
    """The server said no and asking again would not help: ``message`` says what to do. ``reconnect()`` tries again."""
