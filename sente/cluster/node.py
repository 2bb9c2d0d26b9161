"""This process as one of many: its line to the others, its beat, and who says what to whom."""

import asyncio
import math
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from sente.cluster.notices import EVERYONE, Notice, node_channel, read, write
from sente.cluster.roster import BEAT, EXPIRY, Roster, What
from sente.cluster.surely import Surely
from sente.dispatch import log
from sente.errors import ProtocolError
from sente.hub import Hub
from sente.interfaces import Broker, BrokerLine, UserId, Wire

PACE = 0.1
"""Seconds from one word on who came and went to the next: the first is said at once, and all processes hear it."""

PROBE = 0.5
"""Seconds from one probe to the next of a process that this one depends on. After so long a new process takes part in
announcing, too: by then the others have said who is there."""

SUSPICION = 1.0
"""Seconds for which nobody must hear what is said to a process until it is taken for gone: it may be coming back to
the broker."""

FRESH = 30.0
"""Seconds that a channel is heard at least: a client that is being let in is served only when its checks are done."""


class Node:
    """The others hear ``say``; what they say is handed to whoever has put itself ``on`` its op. Made anew at each
    start, with a name that nobody else has and nobody can guess."""

    def __init__(
        self, hub: Hub, broker: Broker, announce: Callable[[What, UserId], None], *, announces: bool = True
    ) -> None:
        self.name = secrets.token_urlsafe(12)
        self._loop = asyncio.get_running_loop()
        self.roster = Roster(self.name, announce, self._say_to)
        self.surely = Surely(self, hub.stats)
        self.on: dict[str, Callable[[Notice], None]] = {
            "beat": self._on_beat,
            "probe": lambda _: None,
            "who": lambda notice: self.roster.on_who(notice.sender),
            "state": lambda notice: self.roster.on_state(notice.sender, notice.head, self.now),
            "delta": lambda notice: self.roster.on_delta(notice.sender, notice.head, self.now),
            "told": lambda notice: self.roster.on_told(notice.sender, notice.head, self.now),
            "gone": lambda notice: self._forget(notice.sender, "stopped"),
            "again": self.surely.on_again,
            "kept": self.surely.on_kept,
            "caught up": self.surely.on_caught_up,
        }
        """What is done with a notice, by its op. Raises ``ProtocolError``."""
        self.lost: list[Callable[[str | None], None]] = []
        """Called with a process that is gone; ``None``: nobody can be reached, or what was under way is lost."""
        self.depends_on: list[Callable[[], Collection[str]]] = []
        """Who says which processes are to be probed, as something waits for them."""
        self.sweep: Callable[[], None] = lambda: None
        """Called with each beat, to ``serve_only`` what is wanted."""
        self.back: Callable[[], None] = lambda: None
        """Called when the line is there again."""
        self.whole = False
        """Whether there is a line to the broker."""
        self._hub = hub
        self._broker = broker
        self._announces = announces
        self._line: BrokerLine | None = None
        self._channels: dict[str, float] = {}  # subscribed, and when
        self._suspects: dict[str, float] = {}  # whom nobody hears, and since when
        self._born = self.now
        self._back = -math.inf  # when its line came back the last time
        self._flushing = False
        self._flushed = 0.0
        self._ticking: asyncio.Task[None] | None = None

    # -- life

    async def start(self) -> None:
        """Say that this process is there. It serves its own clients also while the broker is not. Raises as
        ``Broker.connect``."""
        if not self._announces:
            self.roster.leave()
        self._line = await self._broker.connect(self._hear, self._state)
        if not self.whole:
            log.warning("the broker %s is not there yet: other processes do not hear from this one", self._broker.name)
            self.surely.cut()
        await self._line.subscribe([EVERYONE, node_channel(self.name)])
        self._beat(new=True)
        self._ticking = asyncio.create_task(self._tick())

    async def aclose(self) -> None:
        """Say goodbye."""
        if self._ticking is not None:
            self._ticking.cancel()
        if self._line is not None:
            self.roster.flush()
            self.say(EVERYONE, "gone", {})
            await self._line.aclose()

    def leave(self) -> None:
        """This process is about to stop, and leaves announcing to others; what it serves for them goes back to them."""
        self.roster.leave()
        self._beat()

    def may_be_there(self, node: str) -> bool:
        """Whether this other process is there, or was not heard yet though it may be."""
        return node in self.roster.others or self.now < max(self._born, self._back) + EXPIRY

    def is_gone(self, node: str) -> bool:
        """Nobody has heard what was said to this process: whether it is gone. One that is known may be about to come
        back to the broker, above all if this one has itself."""
        if node not in self.roster.others:
            return True
        since = self._suspects.setdefault(node, self.now)
        return self.now >= since + SUSPICION and self.now >= self._back + EXPIRY

    def _probe(self) -> None:
        for node in {node for depends_on in self.depends_on for node in depends_on()}:
            self.say(node_channel(node), "probe", {}, unheard=partial(self._unheard, node))

    def _unheard(self, node: str) -> None:
        if self.is_gone(node):
            for lost in self.lost:
                lost(node)

    @property
    def now(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    # -- saying

    def say(
        self,
        channel: str,
        op: str,
        head: Mapping[str, Any],
        frames: Iterable[Wire] = (),
        unheard: Callable[[], None] | None = None,
    ) -> bool:
        """Say something once; False: it was not taken. ``unheard`` as in ``BrokerLine.publish``."""
        if self._line is None or not self.whole:
            return False
        return self._line.publish(channel, write(op, self.name, head, frames), unheard)

    def publish(self, channel: str, body: bytes) -> bool:
        """Have a body carried; False: it was not taken."""
        return self._line is not None and self.whole and self._line.publish(channel, body)

    def _say_to(self, node: str | None, op: str, head: Mapping[str, Any]) -> None:
        self.say(EVERYONE if node is None else node_channel(node), op, head)

    async def serve(self, channels: Iterable[str]) -> None:
        """Hear these channels; it returns when that is so."""
        new = [channel for channel in channels if channel not in self._channels]
        for channel in new:
            self._channels[channel] = self.now
        if new and self._line is not None:
            await self._line.subscribe(new)

    def hears(self, channel: str) -> bool:
        """Whether the channel is heard."""
        return channel == EVERYONE or channel in self._channels

    def serve_only(self, wanted: Collection[str]) -> None:
        """Hear no other channels any more, but those that are so new that their client may still be coming."""
        old = [channel for channel, at in self._channels.items() if at < self.now - FRESH and channel not in wanted]
        for channel in old:
            del self._channels[channel]
        if old and self._line is not None:
            self._line.unsubscribe(old)

    # -- hearing

    def _state(self, whole: bool) -> None:
        if whole == self.whole:
            return
        self.whole = whole
        name = self._broker.name
        if not whole:
            log.warning("the broker %s is gone: other processes do not hear from this one", name)
            self._hub.stats["broker lost"] += 1
            self.surely.cut()
            for lost in self.lost:
                lost(None)
            return
        self.surely.ring.whole()
        if self._line is not None:
            self._back = self.now
            self.roster.excuse(self.now)
            log.warning("the broker %s is back", name)
            self._beat(back=True)
            self.surely.back()
            self.back()

    def _hear(self, channel: str, body: bytes) -> None:
        try:
            notice = read(body)
            if notice.sender != self.name:
                self._take(channel, notice)
        except ProtocolError as error:
            self._hub.stats["broker unreadable"] += 1
            log.warning("unreadable, from the broker on %s: %s", channel, error)

    def _take(self, channel: str, notice: Notice) -> None:
        self._suspects.pop(notice.sender, None)
        if "n" not in notice.head or self.surely.take(notice):
            self.handle(notice)

    def handle(self, notice: Notice) -> None:
        """Do what a notice says. Raises ``ProtocolError``."""
        if (handler := self.on.get(notice.op)) is None:
            raise ProtocolError(f"nobody knows the op {notice.op[:40]!r}")
        handler(notice)

    def _on_beat(self, notice: Notice) -> None:
        node, back = notice.sender, notice.head.get("back") is True
        self.surely.on_beat(node, notice.number("last"), back=back)
        if notice.head.get("new") is True or back:
            self._beat()
        self.roster.on_beat(node, notice.head, self.now)

    # -- time

    async def _tick(self) -> None:
        while True:
            self._beat()
            begun = self.now
            for _ in range(round(BEAT / PROBE)):
                await asyncio.sleep(PROBE)
                self._probe()
                if self.roster.may_settle:
                    self.roster.settle(self.now)
                    self._beat()
            self.sweep()
            if self.now > begun + 2 * BEAT:  # it was this process that stood still
                self.roster.excuse(self.now)
            if self.whole:
                for node in self.roster.expired(self.now):
                    self._forget(node, f"silent for {EXPIRY:g} s")
                self.roster.announce_late(self.now)

    def _beat(self, **more: bool) -> None:
        self.say(EVERYONE, "beat", {"last": self.surely.ring.n, **self.roster.beat(), **more})

    def _forget(self, node: str, why: str) -> None:
        log.info("process %s is gone: %s", node, why)
        self._suspects.pop(node, None)
        self.roster.gone(node, self.now)
        for lost in self.lost:
            lost(node)
        self.surely.gone(node)

    def changed(self, uid: UserId, how: int) -> None:
        """A user of this process came, went, or goes on otherwise."""
        self.roster.here(uid, how, self.now)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_at(max(self.now, self._flushed + PACE), self._flush)

    def _flush(self) -> None:
        self._flushing, self._flushed = False, self.now
        self.roster.flush()
