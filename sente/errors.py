"""Every error of sente, in one tree. This module imports nothing of the project.

::

    SenteError
    ├─ ConfigError (ValueError)          a setting is wrong; says which and what to write instead
    ├─ PackError (ValueError)            a value cannot be packed; says where in the value
    ├─ UnpackError (ValueError)          bytes from outside are not what the packer reads
    ├─ ProtocolError(close_code)         the other side broke the protocol
    ├─ Rejected(status, reason)          a connection was refused
    ├─ EventError
    │  ├─ UnknownEvent(event_id)         the registry has no such event
    │  └─ InvalidEvent(event_id, errors) it is not of its event's type; says what is wrong where
    ├─ RequestError
    │  ├─ RequestTimeout (TimeoutError)  no reply before the deadline
    │  └─ RequestFailed(code, message)   the other side answered with an error
    ├─ Disconnected(reason)              there is no line, or the session ended first
    └─ OutboxFull                        a bounded buffer is full

Facts are attributes, never something to parse out of a message.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class SenteError(Exception):
    """The base of every error that sente raises on purpose.

    >>> issubclass(PackError, SenteError)
    True
    """


class ConfigError(SenteError, ValueError):
    """A setting is wrong. The message names the setting and what would be right.

    >>> raise ConfigError("packers=[]: name at least one packer, for example 'json'")
    Traceback (most recent call last):
    sente.errors.ConfigError: packers=[]: name at least one packer, for example 'json'
    """


class PackError(SenteError, ValueError):
    """A value cannot be written by a packer.

    ``path`` says where in the value the offender sits (``data.items[3]``).

    >>> PackError("bytes cannot be written as JSON", path="data.photo").path
    'data.photo'
    """

    def __init__(self, reason: str, *, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path


class UnpackError(SenteError, ValueError):
    """Bytes from outside are not what the packer reads.

    >>> isinstance(UnpackError("not JSON"), ValueError)
    True
    """


class ProtocolError(SenteError):
    """The other side sent something the protocol does not allow.

    ``close_code`` is the WebSocket close code that answers it (protocol reference, "Errors").

    >>> ProtocolError("seq must be a whole number").close_code
    4400
    """

    def __init__(self, reason: str, close_code: int = 4400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.close_code = close_code


class Rejected(SenteError):
    """A connection was refused: on HTTP an answer with ``status``, on a WebSocket close code ``4000 + status``.

    Raise it in a hook to refuse with a sentence of your own. ``check`` names the check of the pipeline that failed:
    ``"csrf"``, ``"origin"``, ``"authorize"`` or ``"expires_in"``; else it is empty.

    >>> Rejected(401, "log in first").status
    401
    """

    def __init__(self, status: int, reason: str, *, check: str = "") -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason
        self.check = check


class EventError(SenteError):
    """What is said, or was heard, is not what the event registry knows.

    >>> issubclass(InvalidEvent, EventError)
    True
    """


class UnknownEvent(EventError):
    """The registry has no such event.

    >>> UnknownEvent("chat/sya").event_id
    'chat/sya'
    """

    def __init__(self, event_id: str, reason: str = "there is no such event in the registry") -> None:
        super().__init__(f"{event_id:.100}: {reason}")
        self.event_id = event_id
        self.reason = reason


class InvalidEvent(EventError):
    """The data of an event, or a reply, is not of the type that its event has.

    ``errors`` says what is wrong, as pydantic does: for each error ``type``, ``loc`` (the path to it) and ``msg``.
    ``more`` errors are not listed.

    >>> print(InvalidEvent("chat/say", [{"type": "missing", "loc": ["text"], "msg": "Field required"}], more=2))
    chat/say: text: Field required (and 2 more)
    """

    def __init__(self, event_id: str, errors: Sequence[Mapping[str, Any]], *, more: int = 0) -> None:
        parts = [f"{event_id:.100}"]
        for first in errors[:1]:
            parts += [".".join(map(str, first["loc"]))] * bool(first["loc"]) + [first["msg"]]
        further = len(errors[1:]) + more
        super().__init__(": ".join(parts) + (f" (and {further} more)" if further else ""))
        self.event_id = event_id
        self.errors = [dict(error) for error in errors]
        self.more = more


class RequestError(SenteError):
    """A request did not get the reply it asked for.

    >>> issubclass(RequestTimeout, RequestError)
    True
    """


class RequestTimeout(RequestError, TimeoutError):
    """No reply came before the asker's deadline; a late one is dropped.

    >>> issubclass(RequestTimeout, TimeoutError)
    True
    """


class RequestFailed(RequestError):
    """The other side answered with an error; raised in a handler, exactly this goes to the asker.

    >>> RequestFailed("room_full", "the room holds 20 people", {"limit": 20}).code
    'room_full'
    """

    def __init__(self, code: str, message: str = "", data: Any = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.data = data


class Disconnected(SenteError):
    """There is no line, or the session ended before the outcome was known.

    >>> Disconnected("the client is not connected").reason
    'the client is not connected'
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OutboxFull(SenteError):
    """A bounded buffer of unsent events is full.

    >>> issubclass(OutboxFull, SenteError)
    True
    """


class BrokerError(SenteError):
    """The broker that joins processes cannot be reached, and that matters.

    >>> issubclass(BrokerError, SenteError)
    True
    """
