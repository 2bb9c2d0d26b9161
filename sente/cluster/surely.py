"""What is said surely, over a line that is cut now and then: numbers, answers to who missed something, and gaps."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from sente.cluster.notices import Notice, node_channel, read, write
from sente.cluster.replay import Heard, Ring
from sente.dispatch import log
from sente.errors import ProtocolError
from sente.interfaces import Wire

ON_ITS_WAY = 5.0
"""Seconds that a question may take to another process: how long this one has been there is told with so much more."""

DEPARTED = 60.0
"""Seconds for which a process that is gone is named to those who come back: as long as what was said is kept."""

PROCESSES = 10_000
"""Processes, those of earlier starts included, of which it is remembered how much was heard."""


class Here(Protocol):
    """This process, as far as it is needed here. Implemented by ``Node``."""

    name: str

    @property
    def now(self) -> float:
        """The loop's clock."""
        ...

    def say(self, channel: str, op: str, head: Mapping[str, Any], frames: Iterable[Wire] = (), /) -> bool:
        """Say something once; False: it was not taken."""
        ...

    def publish(self, channel: str, body: bytes, /) -> bool:
        """Have a body carried; False: it was not taken."""
        ...

    def hears(self, channel: str, /) -> bool:
        """Whether the channel is heard."""
        ...

    def handle(self, notice: Notice, /) -> None:
        """Do what a notice says. Raises ``ProtocolError``."""
        ...


class Surely:
    """``say`` what nobody misses without being told; ``take`` what others say so."""

    def __init__(self, here: Here, stats: Counter[str]) -> None:
        self.ring = Ring()
        self.gap: Callable[[], None] = lambda: None
        """Called when something was said that this process has missed for good."""
        self._here = here
        self._stats = stats
        self._born = here.now
        self._was_cut = False
        self._heard: dict[str, Heard] = {}
        self._departed: dict[str, float] = {}  # who is gone, and since when

    # -- saying

    def say(self, channel: str, op: str, head: Mapping[str, Any], frames: Iterable[Wire] = ()) -> int | None:
        """Say it; its number, or ``None``: too much waits already."""
        n = self.ring.n + 1
        body = write(op, self._here.name, {**head, "n": n}, frames)
        if not self.ring.take(channel, body, n, self._here.now):
            self._stats["not published"] += 1
            return None
        self._stats["published"] += 1
        self._here.publish(channel, body)
        return n

    def cut(self) -> None:
        """The line is cut, or is not there yet."""
        self._was_cut = True
        self.ring.cut()
        for heard in self._heard.values():
            heard.behind = True

    def back(self) -> None:
        """The line is there again, and the others have been told."""
        for node in self._heard:
            self._ask(node)

    # -- hearing

    def take(self, notice: Notice) -> bool:
        """Whether what was said surely is new, and its turn has come. Raises ``ProtocolError``."""
        n = notice.number("n")
        return self._met(notice.sender, n - 1).take(n)

    def on_beat(self, node: str, n: int, *, back: bool) -> None:
        """A process is alive, and has said so much. What it said while either of the two was cut off is asked for, once
        more if the answer was lost."""
        self._departed.pop(node, None)
        heard = self._met(node, n)
        heard.told(n, back=back)
        if heard.behind:
            self._ask(node)

    def is_behind(self, node: str) -> bool:
        """Whether something that this process has said may be missing here for now."""
        return node in self._heard and self._heard[node].behind

    def gone(self, node: str) -> None:
        """A process is gone, or thought so. How much was heard is kept: it may have been cut off, and come back."""
        heard = self._heard.get(node)
        if heard is not None and heard.n:
            self._departed[node] = self._here.now
        if heard is not None and heard.behind:  # nobody can say any more what was missed
            self._missed(node)

    def _met(self, node: str, n: int) -> Heard:
        """How much was heard of a process. Of one that was never heard before all up to ``n`` is known, or was said
        before this one began, unless this one was cut off since: then it may be anything since."""
        if node not in self._heard:
            self._heard[node] = Heard(0, behind=True) if self._was_cut else Heard(n)
            if len(self._heard) > PROCESSES:
                del self._heard[next(iter(self._heard))]
        return self._heard[node]

    def _missed(self, node: str) -> None:
        self._stats["broker gaps"] += 1
        log.warning("what process %s said while this one did not hear it is lost: clients are told so", node)
        self.gap()

    # -- asking, and answers

    def _ask(self, node: str) -> None:
        heard, age = self._heard[node], self._here.now - self._born + ON_ITS_WAY
        heard.asked += 1
        self._here.say(node_channel(node), "again", {"since": heard.n, "ms": round(age * 1000), "ask": heard.asked})

    def on_again(self, notice: Notice) -> None:
        """Another has missed something. Raises ``ProtocolError``."""
        to, ask, begun = node_channel(notice.sender), notice.number("ask"), self._here.now - notice.number("ms") / 1000
        kept = self.ring.since(notice.number("since"), begun)
        if all(self._here.say(to, "kept", {"channel": one.channel, "ask": ask}, [one.body]) for one in kept or ()):
            head = {"last": self.ring.n, "gap": kept is None, "ask": ask, "departed": self._departed_since(begun)}
            self._here.say(to, "caught up", head)  # else it asks again

    def _departed_since(self, begun: float) -> list[str]:
        """The processes that had said something, and are gone since then and for less than a minute: who was cut off
        meanwhile may never have heard of them."""
        self._departed = {node: at for node, at in self._departed.items() if at > self._here.now - DEPARTED}
        return [node for node, at in self._departed.items() if at >= begun]

    def on_kept(self, notice: Notice) -> None:
        """A part of the answer. Raises ``ProtocolError``."""
        body = notice.frame()
        if not isinstance(body, bytes):
            raise ProtocolError("what was kept must be binary")
        kept, channel, heard = read(body), notice.text("channel"), self._heard.get(notice.sender)
        if kept.sender != notice.sender:
            raise ProtocolError("what was kept is somebody else's")
        if heard is None or heard.asked != notice.number("ask"):
            return
        if heard.again(kept.number("n")) and self._here.hears(channel):
            self._stats["heard again"] += 1
            self._here.handle(kept)

    def on_caught_up(self, notice: Notice) -> None:
        """That was the answer. Raises ``ProtocolError``."""
        heard, departed = self._heard.get(notice.sender), notice.head.get("departed")
        if not isinstance(departed, list) or not all(isinstance(node, str) for node in departed):
            raise ProtocolError("departed must be a list of processes")
        if heard is None or not heard.behind or heard.asked != notice.number("ask"):
            return
        heard.caught_up(notice.number("last"))
        if notice.head.get("gap") is True:
            self._missed(notice.sender)
        for node in departed:
            if node != self._here.name and node not in self._heard:
                self._heard[node] = Heard(0)
                self._missed(node)
