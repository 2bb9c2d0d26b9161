"""Which transport a client tries next, and after how long."""

from typing import Literal, TypeAlias

from sente.protocol.actions import TransportName
from sente.protocol.backoff import backoff
from sente.protocol.client_state import CloseReason
from sente.protocol.settings import ClientSettings

Wanted: TypeAlias = Literal["auto", "ws", "poll"]

TERMINAL = {401, 403, 406}
"""HTTP statuses, and close codes less 4000, after which asking again would not help."""


def retry_after(message: str) -> float:
    """Seconds from a close reason ``retry_after=<ms>``."""
    word, _, digits = message.partition("=")
    return int(digits) / 1000 if word == "retry_after" and digits.isdecimal() and len(digits) < 8 else 0.0


class Route:
    """With ``auto``, a WebSocket that cannot be used is followed by polling, and the other way round (§7).

    A server that was down is not mistaken for a proxy without WebSocket: where one had worked before, it gets a second
    chance as soon as the server answers again.
    """

    def __init__(self, settings: ClientSettings, wanted: Wanted, *, renewable: bool) -> None:
        self._settings = settings
        self._renewable = renewable  # credentials are asked anew: one refusal may have met stale ones
        self._renewed = False
        self._failures = 0
        self._ws_worked = False
        self._ws_again = False
        self.prefer(wanted)

    def prefer(self, wanted: Wanted) -> None:
        """Use this transport from now on."""
        self._wanted = wanted
        self._failures = self._climb_failures = 0
        self._climbed = False  # whether the WebSocket in use was opened beside polls
        self.next: TransportName = "poll" if wanted == "poll" else "ws"
        """What the next attempt is made with."""

    def reset(self) -> None:
        """The next attempt is the first one."""
        self._failures = 0
        self._renewed = False

    def opened(self) -> None:
        """The handshake came."""
        self._renewed = self._ws_again = False
        self._ws_worked |= self.next == "ws"

    def server_is_there(self) -> bool:
        """The server answered a poll; whether to try its WebSocket once more before settling for that."""
        if self._wanted != "auto" or not self._ws_worked or self._ws_again:
            return False
        self._ws_again = True
        self.next = "ws"
        return True

    @property
    def falls_back(self) -> bool:
        """Whether an attempt that fails now is followed by polling."""
        return self._wanted == "auto" and self.next == "ws"

    def why(self, was_open: bool, status: int | None) -> CloseReason:
        """Why a line ended that was or never got open."""
        if status in TERMINAL:
            return "refused"
        if status == 409:
            return "replaced"
        return "downgrading-ws-to-poll" if self.falls_back and not was_open else "unexpected"

    def lost(self, open_for: float | None, status: int | None, *, answered: bool) -> bool:
        """A line is lost after it was open for so long, or never (``None``); whether to try again.

        ``answered``: these were the server's own words, so the transport is not at fault.
        """
        if status in TERMINAL and (self._renewed or not self._renewable):
            self._renewed = False
            return False
        self._renewed = status in TERMINAL
        self._failures = 1 if open_for is not None and open_for >= self._settings.stable else self._failures + 1
        if open_for is None and self._wanted == "auto" and not answered:
            self.next = "poll" if self.next == "ws" else "ws"
        elif open_for is not None and self._climbed and self.next == "ws":
            if open_for >= self._settings.climb_stable:
                self._climb_failures = 0
            elif not answered:
                self.fell()
            self._climbed = False
        return True

    # -- up again from polling

    def climb(self) -> None:
        """A WebSocket beside the polls works: it is the way from now on."""
        self.next = "ws"
        self._climbed = True

    def fell(self) -> None:
        """It did not work, or not for long: polling again, and more patience with the next one."""
        self._climbed = self._ws_worked = False
        self._climb_failures += 1
        self.next = "poll"

    def climb_delay(self, jitter: float) -> float:
        """Seconds until a client that polls tries a WebSocket again; infinite if it wants none."""
        if self._wanted != "auto" or self.next != "poll":
            return float("inf")
        settings = self._settings
        failures = self._climb_failures + 2  # where backoff begins with its base
        return backoff(failures, base=settings.climb_base, cap=settings.climb_cap, jitter=jitter)

    def took_leave(self) -> None:
        """The server said goodbye: it is going down, so the next attempt will need patience if it fails."""
        self._failures = 1

    def delay(self, jitter: float) -> float:
        """Seconds until the next attempt."""
        settings = self._settings
        return backoff(self._failures, base=settings.backoff_base, cap=settings.backoff_cap, jitter=jitter)
