"""What the other side said: each number once, in order."""

from typing import Generic, TypeVar

from sente.errors import ProtocolError

T = TypeVar("T")


class Inbox(Generic[T]):
    """Drops numbers it has seen and keeps those that come early until the gap before them is filled (§5).

    Early numbers exist only on HTTP, where two bodies may overtake each other. No number may be further ahead than
    ``reach``, the sender's window and some replies: that bounds what is kept, here and by the application.
    """

    __slots__ = ("_early", "_reach", "top")

    def __init__(self, reach: int) -> None:
        self._early: dict[int, T] = {}
        self._reach = reach
        self.top = 0
        """Everything up to here has come."""

    @property
    def has_gap(self) -> bool:
        """Whether something came early."""
        return bool(self._early)

    def take(self, seq: int, item: T, ahead_of: int) -> list[T]:
        """The items that are in order now that number ``seq`` has come; empty for a repetition or an early one.

        Raises:
            ProtocolError: ``seq`` is further ahead than anything the sender may have under way.
        """
        if seq <= self.top:
            return []
        if seq > ahead_of + self._reach:
            raise ProtocolError(f"seq {seq} is more than {self._reach} ahead of {ahead_of}")
        if seq == self.top + 1 and not self._early:
            self.top = seq
            return [item]
        self._early.setdefault(seq, item)
        ready = []
        while self.top + 1 in self._early:
            self.top += 1
            ready.append(self._early.pop(self.top))
        return ready
