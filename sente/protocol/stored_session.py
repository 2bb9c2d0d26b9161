"""A session that outlives its process: what it says has its number from a store, and leaves once it is kept there."""

from sente.protocol.actions import Link, Note, PresenceChanged, ServerAction, Store
from sente.protocol.conversation import Conversation
from sente.protocol.greeting import PeerLimits
from sente.protocol.messages import AUTH, Event, Events, Packet
from sente.protocol.outbox import UNLIMITED, Item, Outbox, Withdrawn
from sente.protocol.server_session import ServerSession
from sente.protocol.settings import ServerSettings

TRIM = 16
"""Acknowledged items that are kept in the store before it is told: with everything it is told of what was heard."""


class StoredOutbox(Outbox):
    """An outbox whose items are numbered in the order in which the store has them.

    So nothing passes the window, and nothing is taken back: what has a number is said. Only the first ``window`` of
    what is kept, in so many bytes, is under way at once.
    """

    __slots__ = ("_actions", "coming")

    def __init__(self, actions: list[ServerAction], acked: int = 0) -> None:
        super().__init__()
        self._actions = actions
        self.acked, self.cursor, self._mark = acked, acked + 1, acked
        self.coming: list[Item] = []
        """What the store has been given, and has not numbered yet."""

    def __len__(self) -> int:
        return len(self._sent) + len(self.coming)

    @property
    def unsent(self) -> bool:
        """Whether something has a number and must leave on this link."""
        return self.cursor < self.next

    def put(self, item: Item) -> None:
        """Have the store take what is to be said next."""
        self.expect(item)
        self._actions.append(Store(item))

    def put_latest(self, event: Event) -> bool:
        """All are kept: none has left that could be taken back."""
        self.put(event)
        return False

    def withdraw(self, ref: int) -> None:
        """A request is no longer wanted: it has a number already, or will have."""
        self.put(Withdrawn(ref))

    def shed(self) -> int:
        """There is no room."""
        return 0

    def expect(self, item: Item) -> None:
        """The store has been given something for this session."""
        self.coming.append(item)
        self.bytes += item.size

    def came(self, number: int, item: Item) -> None:
        """The store has given an item this number, which may be known already: then this takes the place of its copy,
        as somebody may want to know what becomes of this very one."""
        for at, coming in enumerate(self.coming):
            if coming is item:
                del self.coming[at]
                self.bytes -= item.size
                break
        if self.acked < number < self.next:
            self._sent[number - self.acked - 1] = item

    def stored(self, item: Item) -> None:
        """An item with the number ``next``."""
        self._sent.append(item)
        self.bytes += item.size

    def take(self, *, window: int, window_bytes: int, max_bytes: float = UNLIMITED) -> list[tuple[int, Item]]:
        """What may leave now, in order, up to ``max_bytes`` (but at least one item)."""
        at = self.cursor - self.acked - 1
        room = window_bytes - sum(item.size for item in self._sent[:at])
        taken: list[tuple[int, Item]] = []
        for item in self._sent[at:window]:
            if (self.cursor > self.acked + 1 and item.size > room) or (taken and item.size > max_bytes):
                break
            taken.append((self.cursor, item))
            self.cursor += 1
            room -= item.size
            max_bytes -= item.size
        return taken

    def items(self) -> list[Item]:
        """Everything kept."""
        return self._sent + self.coming


class StoredConversation(Conversation):
    """Acknowledges only what has been handled, and is known to have been in the store."""

    secured = 0
    """How far that goes."""

    @property
    def _tellable(self) -> int:
        return max(self._told, self.secured)


class StoredSession(ServerSession):
    """See the module. Its driver carries out ``Store`` and ``Note``, and calls ``stored`` and ``secured``."""

    _talk: StoredConversation
    _conversation = StoredConversation

    def __init__(self, settings: ServerSettings, limits: PeerLimits, now: float) -> None:
        super().__init__(settings, limits, now)
        self._talk.outbox = StoredOutbox(self.actions)
        self._noted = 0, 0  # what was acknowledged, and heard, when the store was told
        self._early: dict[int, Item] = {}
        self._open: set[int] = set()  # what is being handled
        self._numbered = True

    def restore(self, acked: int, heard: int, items: list[Item]) -> None:
        """Go on where another process has left it: ``items`` have the numbers from ``acked + 1`` on."""
        self._talk.outbox = StoredOutbox(self.actions, acked)
        for item in items:
            self._outbox.stored(item)
        self._talk.inbox.top = self._talk.secured = heard
        self._noted = acked, heard

    @property
    def gap(self) -> int | None:
        """The number that is missing, if something came early."""
        return self._outbox.next if self._early and not self.ended else None

    @property
    def known(self) -> int:
        """Up to this number all is known here."""
        return self._outbox.next - 1

    def expect(self, event: Event) -> None:
        """The store has been given an event for this session, with those of others."""
        if not self.ended:
            self._outbox.expect(event)

    def stored(self, number: int, item: Item, now: float, *, flush: bool = False) -> None:
        """The store has given an item this number. It may be known already, or come before others."""
        if self.ended:
            return
        self._outbox.came(number, item)
        if number >= self._outbox.next:
            self._early[number] = item
        leaves_by = now + self._batch_window if isinstance(item, Event) and not flush else now
        while not self.ended and (found := self._early.pop(self._outbox.next, None)) is not None:
            self._outbox.stored(found)
            self._leave_by(leaves_by, now)

    def secured(self, heard: int, now: float) -> None:
        """The store knows that everything up to ``heard`` has been handled."""
        self._talk.secured = max(self._talk.secured, heard)
        self._advance(now)

    def handled(self, now: float, size: int, number: int = 0) -> None:
        """The application is done with a delivery."""
        self._open.discard(number)
        super().handled(now, size, number)

    def drain(self, retry_after: float, now: float) -> None:
        """Let another process go on with it: the client comes back there."""
        self.links.drop(1001, "the server restarts", now)
        if self._present:
            self._present = None
            self.actions.append(PresenceChanged(None))

    @property
    def _outbox(self) -> StoredOutbox:
        assert isinstance(self._talk.outbox, StoredOutbox), "the session goes on"
        return self._talk.outbox

    def _hear(self, packet: Packet, link: Link, size: int, now: float) -> None:
        self._numbered = not (isinstance(packet, Events) and packet.seq == 0)
        super()._hear(packet, link, size, now)

    def _deliver(self, event: Event, ref: int | None, link: Link, number: int) -> None:
        if self._numbered and event.id != AUTH:
            self._open.add(number)
        super()._deliver(event, ref, link, number)

    def _advance(self, now: float) -> None:
        if not self.ended:
            acked, heard = self._talk.outbox.acked, min(self._open) - 1 if self._open else self._talk.inbox.top
            if heard > self._noted[1] or acked >= self._noted[0] + TRIM:
                self._noted = acked, heard
                self.actions.append(Note(acked, heard))
        super()._advance(now)
