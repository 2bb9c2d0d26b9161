"""This process as one of many: its line to the others, its beat, and who says what to whom."""

import asyncio
import math
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from sente.cluster.notices import EVERYONE, Notice, node_channel, read, write
from sente.cluster.replay import Heard, Ring
from sente.cluster.roster import BEAT, EXPIRY, Roster, What
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

ON_ITS_WAY = 5.0
"""Seconds that a question may take to another process: how long this one has been there is told with so much more."""

DEPARTED = 60.0
"""Seconds for which a process that is gone is named to those who come back: as long as what was said is kept."""

PROCESSES = 10_000
"""Processes, those of earlier starts included, of which it is remembered how much was heard."""

FRESH = 30.0
"""Seconds that a channel is heard at least: a client that is being let in is served only when its checks are done."""


class Node:
    """The others hear ``say``; what they say is handed to whoever has put itself ``on`` its op. Made anew at each
    start, with a name that nobody else has and nobody can guess."""

    def __init__(
        self, hub: Hub, broker: Broker, announce: Callable[[What, UserId], None], *, announces: bool = True
    ) -> None:
        self.name = secrets.token_urlsafe(12)
        self.roster = Roster(self.name, announce, self._say_to)
        self.on: dict[str, Callable[[Notice], None]] = {
            "beat": self._on_beat,
            "probe": lambda _: None,
            "who": lambda notice: self.roster.on_who(notice.sender),
            "state": lambda notice: self.roster.on_state(notice.sender, notice.head, self.now),
            "delta": lambda notice: self.roster.on_delta(notice.sender, notice.head, self.now),
            "told": lambda notice: self.roster.on_told(notice.sender, notice.head, self.now),
            "gone": lambda notice: self._forget(notice.sender, "stopped"),
            "again": self._on_again,
            "kept": self._on_kept,
            "caught up": self._on_caught_up,
        }
        """What is done with a notice, by its op. Raises ``ProtocolError``."""
        self.lost: list[Callable[[str | None], None]] = []
        """Called with a process that is gone; ``None``: nobody can be reached, or what was under way is lost."""
        self.gap: Callable[[], None] = lambda: None
        """Called when something was said that this process has missed for good."""
        self.depends_on: list[Callable[[], Collection[str]]] = []
        """Who says which processes are to be probed, as something waits for them."""
        self.sweep: Callable[[], None] = lambda: None
        """Called with each beat, to ``serve_only`` what is wanted."""
        self.whole = False
        """Whether there is a line to the broker."""
        self.ring = Ring()
        self._hub = hub
        self._broker = broker
        self._announces = announces
        self._line: BrokerLine | None = None
        self._heard: dict[str, Heard] = {}
        self._channels: dict[str, float] = {}  # subscribed, and when
        self._departed: dict[str, float] = {}  # who is gone, and since when
        self._suspects: dict[str, float] = {}  # whom nobody hears, and since when
        self._was_cut = False
        self._born = 0.0
        self._back = -math.inf  # when its line came back the last time
        self._flushing = False
        self._flushed = 0.0
        self._ticking: asyncio.Task[None] | None = None

    # -- life

    async def start(self) -> None:
        """Say that this process is there. It serves its own clients also while the broker is not. Raises as
        ``Broker.connect``."""
        self._born = self.now
        if not self._announces:
            self.roster.leave()
        self._line = await self._broker.connect(self._hear, self._state)
        if not self.whole:
            log.warning("the broker %s is not there yet: other processes do not hear from this one", self._broker.name)
            self._was_cut = True
            self.ring.cut()
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

    def is_behind(self, node: str) -> bool:
        """Whether something that this other process has said may be missing here for now."""
        return node in self._heard and self._heard[node].behind

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
        return self._hub.now

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

    def say_surely(self, channel: str, op: str, head: Mapping[str, Any], frames: Iterable[Wire] = ()) -> int | None:
        """Say something that nobody misses without being told; its number, or ``None``: too much waits already."""
        n = self.ring.n + 1
        body = write(op, self.name, {**head, "n": n}, frames)
        if not self.ring.take(channel, body, n, self.now):
            self._hub.stats["not published"] += 1
            return None
        self._hub.stats["published"] += 1
        if self.whole and self._line is not None:
            self._line.publish(channel, body, None)
        return n

    def _say_to(self, node: str | None, op: str, head: Mapping[str, Any]) -> None:
        self.say(EVERYONE if node is None else node_channel(node), op, head)

    async def serve(self, channels: Iterable[str]) -> None:
        """Hear these channels; it returns when that is so."""
        new = [channel for channel in channels if channel not in self._channels]
        for channel in new:
            self._channels[channel] = self.now
        if new and self._line is not None:
            await self._line.subscribe(new)

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
            self._was_cut = True
            self._hub.stats["broker lost"] += 1
            self.ring.cut()
            for heard in self._heard.values():
                heard.behind = True
            for lost in self.lost:
                lost(None)
            return
        self.ring.whole()
        if self._line is not None:
            self._back = self.now
            self.roster.excuse(self.now)
            log.warning("the broker %s is back", name)
            self._beat(back=True)
            for node in self._heard:
                self._ask_again(node)

    def _met(self, node: str, n: int) -> Heard:
        """How much was heard of a process. Of one that was never heard before all up to ``n`` is known, or was said
        before this one began, unless this one was cut off since: then it may be anything since."""
        if node not in self._heard:
            self._heard[node] = Heard(0, behind=True) if self._was_cut else Heard(n)
            if len(self._heard) > PROCESSES:
                del self._heard[next(iter(self._heard))]
        return self._heard[node]

    def _ask_again(self, node: str) -> None:
        heard = self._heard[node]
        heard.asked += 1
        head = {"since": heard.n, "ms": round((self.now - self._born + ON_ITS_WAY) * 1000), "ask": heard.asked}
        self.say(node_channel(node), "again", head)

    def _hear(self, channel: str, body: bytes) -> None:
        try:
            notice = read(body)
            if notice.sender != self.name:
                self._take(channel, notice)
        except ProtocolError as error:
            self._hub.stats["broker unreadable"] += 1
            log.warning("unreadable, from the broker on %s: %s", channel, error)

    def _take(self, channel: str, notice: Notice) -> None:
        for those in (self._suspects, self._departed):
            those.pop(notice.sender, None)
        if "n" in notice.head:  # it was said surely
            n = notice.number("n")
            if not self._met(notice.sender, n - 1).take(n):
                return
        self._handle(notice)

    def _handle(self, notice: Notice) -> None:
        if (handler := self.on.get(notice.op)) is None:
            raise ProtocolError(f"nobody knows the op {notice.op[:40]!r}")
        handler(notice)

    def _on_beat(self, notice: Notice) -> None:
        """It is alive. What it said while either of the two was cut off is asked for, again if the answer was lost."""
        node, n, back = notice.sender, notice.number("last"), notice.head.get("back") is True
        heard = self._met(node, n)
        heard.told(n, back=back)
        if heard.behind:
            self._ask_again(node)
        if notice.head.get("new") is True or back:
            self._beat()
        self.roster.on_beat(node, notice.head, self.now)

    def _on_again(self, notice: Notice) -> None:
        to, ask = node_channel(notice.sender), notice.number("ask")
        begun = self.now - notice.number("ms") / 1000
        kept = self.ring.since(notice.number("since"), begun)
        if all(self.say(to, "kept", {"channel": one.channel, "ask": ask}, [one.body]) for one in kept or ()):
            head = {"last": self.ring.n, "gap": kept is None, "ask": ask, "departed": self._departed_since(begun)}
            self.say(to, "caught up", head)  # else it asks again

    def _departed_since(self, begun: float) -> list[str]:
        """The processes that had said something, and are gone since then and for less than a minute: who was cut off
        meanwhile may never have heard of them."""
        self._departed = {node: at for node, at in self._departed.items() if at > self.now - DEPARTED}
        return [node for node, at in self._departed.items() if at >= begun]

    def _on_kept(self, notice: Notice) -> None:
        body = notice.frame()
        if not isinstance(body, bytes):
            raise ProtocolError("what was kept must be binary")
        kept, channel, heard = read(body), notice.text("channel"), self._heard.get(notice.sender)
        if kept.sender != notice.sender:
            raise ProtocolError("what was kept is somebody else's")
        if heard is None or heard.asked != notice.number("ask"):
            return
        if heard.again(kept.number("n")) and (channel == EVERYONE or channel in self._channels):
            self._hub.stats["heard again"] += 1
            self._handle(kept)

    def _on_caught_up(self, notice: Notice) -> None:
        heard = self._heard.get(notice.sender)
        if heard is not None and heard.behind and heard.asked == notice.number("ask"):
            departed = notice.head.get("departed")
            if not isinstance(departed, list) or not all(isinstance(node, str) for node in departed):
                raise ProtocolError("departed must be a list of processes")
            heard.caught_up(notice.number("last"))
            if notice.head.get("gap") is True:
                self._missed(notice.sender)
            for node in departed:
                if node != self.name and node not in self._heard:
                    self._heard[node] = Heard(0)
                    self._missed(node)

    def _missed(self, node: str) -> None:
        self._hub.stats["broker gaps"] += 1
        log.warning("process %s said more than it keeps while this one did not hear it: clients are told so", node)
        self.gap()

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
        self.say(EVERYONE, "beat", {"last": self.ring.n, **self.roster.beat(), **more})

    def _forget(self, node: str, why: str) -> None:
        log.info("process %s is gone: %s", node, why)
        heard = self._heard.get(node)  # which is kept: it may have been cut off, and come back
        self._suspects.pop(node, None)
        if heard is not None and heard.n:
            self._departed[node] = self.now
        self.roster.gone(node, self.now)
        for lost in self.lost:
            lost(node)
        if heard is not None and heard.behind:  # nobody can say any more what was missed
            self._missed(node)

    def changed(self, uid: UserId, how: int) -> None:
        """A user of this process came, went, or goes on otherwise."""
        self.roster.here(uid, how, self.now)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_at(max(self.now, self._flushed + PACE), self._flush)

    def _flush(self) -> None:
        self._flushing, self._flushed = False, self.now
        self.roster.flush()
