"""What a client says and hears, whichever links it travels on: events, and requests both ways (§5, §6)."""

from sente.errors import OutboxFull, PackError
from sente.protocol.actions import Cancelled, ClientAction, Deliver, Link, Unconfirmed
from sente.protocol.conversation import ENVELOPE, Conversation
from sente.protocol.greeting import PeerLimits
from sente.protocol.messages import AUTH_DUE, BYE, CANCEL, RATE_LIMITED, VOLATILE, Event, Packet, Reply, Request
from sente.protocol.outbox import Answered, Asked, Item, Nothing
from sente.protocol.requests import NEVER, Requests
from sente.protocol.settings import Limits

UNREADABLE = (400, 413, 1009, 4400, 4413)
"""How a server says that it cannot read, or take, what was said."""


class Dialogue:
    """Outlives sessions: what the server had not received goes on in the next one."""

    def __init__(self, limits: Limits, actions: list[ClientAction]) -> None:
        self._limits = limits
        self._actions = actions
        self.requests = Requests(actions)
        self._n = self._greeted = 0  # of the last hello, and of the last one that was answered
        self.unread = False
        """Whether something came on the last line that could not be read."""
        self.refused = False
        """Whether the server could not read what was said on it."""
        self.talk = self._new_talk()

    def _new_talk(self) -> Conversation:
        limits = self._limits
        peer = PeerLimits(limits.packet, limits.window, limits.window_bytes)
        return Conversation(limits, acks=limits.ack, peer=peer, server=False)

    # -- the application's side

    def put(self, item: Event | Asked) -> None:
        """Say an event, or ask.

        Raises:
            PackError: the server takes no packet that large.
            OutboxFull: too much waits for the server.
        """
        if item.size > self.talk.peer.packet - ENVELOPE:
            raise PackError(f"{item.size} bytes packed; the server takes {self.talk.peer.packet} at most")
        if isinstance(item, Event) and item.key is VOLATILE:
            self.talk.let_pass(item)
            return
        if self.talk.full:
            raise OutboxFull(
                "too many events wait for the server: slow down, or wait for a request's reply now and then"
            )
        self._add(item)

    def _add(self, item: Item) -> None:
        if isinstance(item, Event) and item.key is not None:
            self.talk.outbox.put_latest(item)
        else:
            self.talk.outbox.put(item)

    def ask(self, event: Event, deadline: float, *, idempotent: bool = False) -> int:
        """Put a request; its reference. ``idempotent``: it is asked again in the next session. Raises as ``put``."""
        asked = Asked(event, self.requests.next)
        self.put(asked)
        return self.requests.add(deadline, asked if idempotent else None)

    def cancel(self, ref: int) -> None:
        """The asker no longer waits for ``ref``."""
        self.requests.cancel(ref, self.talk.outbox)

    def handle_timer(self, now: float) -> None:
        """Settle the requests whose time is up."""
        self.requests.handle_timer(now, self.talk.outbox)

    # -- the server's side

    def hear(self, packet: Packet, link: Link, size: int, now: float) -> list[Event]:
        """Take what the packet put in order; returns the server's own words for the session: that credentials are
        about to expire, and its goodbye, after which nothing is taken.

        Raises:
            ProtocolError: its numbers cannot be.
        """
        words: list[Event] = []
        for heard, _ in self.talk.hear(packet, link, size, now):
            match heard:
                case Reply(value, ref, failed=failed):
                    self.requests.settle(ref, "error" if failed else "reply", value)
                case Request(event, ref):
                    if self.talk.take_request(ref):
                        self._deliver(event, ref)
                case Event(id, ref) if id == CANCEL:
                    if self.talk.take_cancel(ref):
                        self._actions.append(Cancelled(ref))
                case Event(id, dict()) as word if id in (AUTH_DUE, BYE):
                    words.append(word)
                    if id == BYE:
                        break
                case Event(id) as event if id == RATE_LIMITED or not id.startswith("chsk/"):
                    self._deliver(event, None)
                case _:
                    pass  # a dropped number, or a word of a later version: counted, that is all
        return words

    def _deliver(self, event: Event, ref: int | None) -> None:
        self.talk.backlog += 1
        self._actions.append(Deliver(event, ref))

    def hello(self, n: int) -> int | None:
        """The hello ``n`` leaves: the ``n`` of the one before, if something came after it that could not be read."""
        self._n = n
        return self._greeted if self.unread else None

    def resume(self, ack: int, got: int) -> None:
        """The session goes on: what the server has not acknowledged leaves again, as ``got`` is how far it has
        received; but for what it could not read a second time.
        """
        item = self.talk.outbox.refused(got) if self.refused else None
        if isinstance(item, Asked):
            self.requests.settle(item.ref, "refused")
        elif isinstance(item, Event):
            self._actions.append(Unconfirmed((item,)))
        self._greeted, self.unread, self.refused = self._n, False, False
        self.talk.outbox.rewind(ack)

    # -- the end of a session

    def start_anew(self, prev: int | None, *, same_user: bool = True, packet: float = NEVER) -> None:
        """The session is gone: carry over what the server had not received, above ``prev``; ``None``: nobody knows.
        And requests without reply that may be asked twice.

        Nothing goes over to another user, and nothing that is larger than the next server's ``packet``, which would end
        each session anew: the application gets back what it had said.
        """
        self._greeted, self.unread, self.refused = self._n, False, False
        old = self.talk
        sent: list[Item] = [item for _, item in old.outbox.sent_above(0 if prev is None else prev)]
        waiting = list(old.outbox.waiting())
        if same_user:
            kept, doubtful = ([] if prev is None else sent) + waiting, sent if prev is None else []
        else:
            kept, doubtful = [], sent + waiting
        most = packet - ENVELOPE
        doubtful += [item for item in kept if item.size > most]
        # a reply is for the session that asked: it is not carried over
        carried = [item for item in kept if item.size <= most and not isinstance(item, Answered | Nothing)]
        refs = {item.ref for item in carried if isinstance(item, Asked)}
        if same_user:  # what had arrived, or may have, and may be asked again
            again = [item for item in self.requests.repeatable() if item.ref not in refs and item.size <= most]
            carried[:0] = again
            refs.update(asked.ref for asked in again)
        self._replace_talk()
        self.talk.backlog = old.backlog  # what was delivered is still to be handled
        for item in carried:
            self._add(item)
        self.requests.disconnected(refs)
        if events := tuple(item for item in doubtful if isinstance(item, Event)):
            self._actions.append(Unconfirmed(events))

    def end(self) -> None:
        """The session is over, and nothing of it goes on."""
        self._replace_talk()
        self.requests.disconnected()

    def _replace_talk(self) -> None:
        self._actions += [Cancelled(ref) for ref in sorted(self.talk.asked)]  # nobody waits for a reply any more
        self.talk = self._new_talk()
