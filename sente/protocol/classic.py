"""The words of Sente's own wire, for clients and servers that speak no sessions (§10).

What Sente writes as a keyword is a ``Keyword`` here: on the wire it is one where the packer's format has a word for it,
and in JSON a string. It is equal to that string either way, so what is read is compared as such.
"""

from dataclasses import dataclass
from typing import Any

from sente.errors import ProtocolError
from sente.protocol.messages import Classic, Event, read_event
from sente.values import Keyword

HANDSHAKE = Keyword("chsk/handshake")
PING = Keyword("chsk/ws-ping")
PONG = Keyword("chsk/ws-pong")
NIL_UID = Keyword("sente/nil-uid")
"""The user-id of clients without a user."""
AJAX = Keyword("ajax")
"""What a client that polls gives as ``ref``: the reply is its POST's answer."""

SERVER_PING = Classic(PING)
"""A bare word, where a client's ping is an event."""
TIMEOUT = Classic(Keyword("chsk/timeout"))
"""Ends a poll without news, or a POST whose reply did not come."""
DUMMY = Classic(Keyword("chsk/dummy-cb-200"))
"""Ends a POST that asked for no reply."""
FAILED = Keyword("chsk/error")
"""The reply that Sente's clients know as a failed one (``cb-error?``): its wire has no place for a reason."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event from a classic client; ``ref`` goes back with the reply, if it ``asks`` for one."""

    event: Event
    ref: Any = None

    @property
    def asks(self) -> bool:
        """Whether there is a callback: anything that is true in Clojure, so 0 and "" are."""
        return self.ref is not None and self.ref is not False


def greeting(uid: Any, data: Any) -> Classic:
    """The handshake: a client's first frame, or the answer to its first poll.

    >>> greeting("ada", None).message
    [Keyword('chsk/handshake'), ['ada', None, None]]
    """
    return Classic([HANDSHAKE, [NIL_UID if uid is None else uid, None, data]])


def read_said(plain: Any, size: int) -> Said:
    """What a classic client said in a frame or POST of ``size`` bytes: ``[event, ref]`` or ``[event]``.

    Raises:
        ProtocolError: it is no list. What is merely no event becomes ``chsk/bad-event``, as null and ``[]`` do.
    """
    if plain is None:
        plain = []
    if not isinstance(plain, list):
        raise ProtocolError("a message is a list [event, callback]")
    event, ref, *_ = [*plain, None, None]
    return Said(read_named(event, size), ref)


def read_named(plain: Any, size: int) -> Event:
    """The event that ``plain`` is the form of, as ``read_event`` has it; its id is a plain string."""
    event = read_event(plain, size)
    event.id = str(event.id)
    return event


def read_handshake(plain: Any) -> tuple[Any, Any] | None:
    """User and data of a server's first words, if they are a handshake of Sente's.

    >>> read_handshake([["chsk/handshake", ["sente/nil-uid", None, {"hi": 1}]], None])
    (None, {'hi': 1})
    """
    match plain:
        case [[word, [uid, _, data]], None] if word == HANDSHAKE:
            return None if uid == NIL_UID else uid, data
    return None


def no_welcome(plain: Any) -> str:
    """What is wrong with first words that are no welcome to a session (§2)."""
    if read_handshake(plain):
        return 'this is a Sente server: connect with classic="json"'
    return "the server's first words are no welcome: is this a sente endpoint?"
