"""``chsk/uidport-open`` and ``-close`` on their way to their handlers: who came and went, told in order."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from sente.dispatch import Dispatcher, Lane, Message
from sente.interfaces import UserId

BESIDE = 64
"""Words under way at once to a handler that opted out of their order; more wait."""


class Comings:
    """One word at a time, or ``BESIDE`` if its handler is ``concurrent``; at most one of each user waits.

    A user who goes while it still waits to be told that he came is not spoken of: what was told last is right again.
    So a handler that hangs costs no more than the users there are, and one that is slow is told how things stand, not
    every step to it.
    """

    def __init__(self, dispatcher: Dispatcher, send: Callable[..., Any], stats: Counter[str]) -> None:
        self._dispatcher = dispatcher
        self._send = send
        self._stats = stats
        self._lane = Lane(dispatcher, self._told)
        self._waiting: dict[UserId, Literal["open", "close"]] = {}
        self._under_way = 0

    def put(self, what: Literal["open", "close"], uid: UserId) -> None:
        """A user came, or went."""
        if self._waiting.pop(uid, None) is not None:
            self._stats["presence untold"] += 2
        elif self._dispatcher.wants(f"chsk/uidport-{what}"):
            self._waiting[uid] = what
            self._tell()

    def _told(self, *_: int) -> None:
        self._under_way -= 1
        self._tell()

    def _tell(self) -> None:
        while self._waiting:
            uid, what = next(iter(self._waiting.items()))
            message = Message(f"chsk/uidport-{what}", uid, uid, "", None, self._send)
            if self._under_way >= (BESIDE if self._dispatcher.is_concurrent(message) else 1):
                return
            del self._waiting[uid]
            self._under_way += 1
            self._lane.put(message)
