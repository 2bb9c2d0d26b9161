"""Events for the clients of other processes, and those of others for the clients of this one."""

from typing import Any

from sente.cluster.durable import Durable
from sente.cluster.letters import Letters
from sente.cluster.node import Node
from sente.cluster.notices import EVERYONE, Notice, user_channel
from sente.cluster.settling import Settling
from sente.cluster.stored_items import read_numbers
from sente.errors import ConfigError, EventError, PackError, ProtocolError
from sente.hub import Hub
from sente.interfaces import UserId
from sente.protocol.messages import VOLATILE, is_event_id
from sente.push import Push, pack_event
from sente.receipts import Letter, Waits
from sente.sending import Sending
from sente.typed import Typed


class Fanout:
    """Implements ``Afar`` for ``Sending``. An event is packed once for all other processes and published once: those
    that serve its user hear it."""

    def __init__(self, node: Node, hub: Hub, sending: Sending, letters: Letters, typed: Typed) -> None:
        self._node = node
        self._hub = hub
        self._sending = sending
        self._letters = letters
        self._typed = typed
        self._settling = Settling(node, hub)
        self.durable: Durable | None = None
        node.on |= {
            "event": self._on_event,
            "stored": self._on_stored,
            "unstored": self._on_unstored,
            "disconnect": self._on_disconnect,
        }
        node.surely.gap = self._gap

    # -- to others

    def pack(self, push: Push, form: str | None, *, flush: bool) -> Letter:
        """The event as it will be said to others. From any thread. Raises ``PackError``."""
        place, wire = self._letters.close(push.data)
        head: dict[str, Any] = {"event": push.id, "packer": place}
        if flush:
            head["flush"] = True
        if form is not None:
            head["form"] = form
        if push.key is not None:
            head["delivery"] = "volatile" if push.key is VOLATILE else "latest"
        return Letter(head, wire)

    def post(self, letter: Letter, push: Push, *, flush: bool) -> None:
        """Say it; also to clients of this process, if it is stored for them first."""
        if self.durable is not None and push.key is not VOLATILE:
            return self.durable.say(letter, push, flush=flush)
        channel = EVERYONE if push.everyone else user_channel(push.uid)
        head = letter.head if push.everyone else {**letter.head, "uid": push.uid}
        if push.key is VOLATILE:
            self._node.say(channel, "event", head, [letter.wire])
        else:
            letter.n = self._node.surely.say(channel, "event", head, [letter.wire])
            letter.refused = letter.n is None

    def disconnect(self, uid: UserId, reason: str) -> None:
        """Say that a user has to go."""
        self._node.surely.say(user_channel(uid), "disconnect", {"uid": uid, "reason": reason})

    def deliveries(self, letter: Letter) -> Waits:
        """Who knows what becomes of it."""
        return self._settling.of(letter)

    # -- from others

    def _on_event(self, notice: Notice) -> None:
        if self.durable is not None and notice.head.get("delivery") != "volatile":
            raise ProtocolError("it was not stored for the sessions here: have all processes durable=True?")
        push = self.read(notice)
        push.everyone = "uid" not in notice.head
        push.uid = notice.uid()
        self._sending.put(push, notice.head.get("flush") is True)
        if "n" in notice.head:
            self._settling.know(notice.sender, notice.number("n"), push)

    def _on_stored(self, notice: Notice) -> None:
        if self.durable is None:
            raise ProtocolError("it is stored for sessions of other processes: have all durable=True?")
        if len(notice.frames) != 2:
            raise ProtocolError("an event and its numbers are missing")
        numbers = read_numbers(notice.frames[1])
        push = self.read(notice)
        push.everyone = "uid" not in notice.head
        push.uid = notice.uid()
        push.addressed = self.durable.arrived(numbers, push, flush=notice.head.get("flush") is True)
        self._settling.know(notice.sender, notice.number("of"), push)

    def _on_unstored(self, notice: Notice) -> None:
        if self.durable is not None:
            self.durable.unstored(notice.uid(), everyone="uid" not in notice.head)

    def read(self, notice: Notice) -> Push:
        """The event of a notice, packed anew. Raises ``ProtocolError``."""
        event_id, form = notice.text("event"), notice.head.get("form")
        if not is_event_id(event_id) or not isinstance(form, str | None):
            raise ProtocolError("event must be namespace/name, and form text")
        data = self._letters.open(notice.number("packer"), notice.frames[0] if notice.frames else b"")
        try:
            push = pack_event(event_id, data, self._hub.spoken.packers, self._hub.settings.limits.packet, form)
            match notice.head.get("delivery"):
                case "volatile":
                    push.key = VOLATILE
                case "latest":
                    push.key = self._typed.key(event_id, event_id, data)
        except (PackError, EventError, ConfigError) as error:
            raise ProtocolError(f"{event_id}: {error}; have all processes the same packers and events?") from error
        return push

    def _on_disconnect(self, notice: Notice) -> None:
        self._sending.end(notice.uid(), notice.text("reason"))

    def _gap(self) -> None:
        """Whoever is served here may have missed something, and nobody knows how much: their sessions end, and they are
        told that it is not known."""
        for client in self._hub.peers.everyone():
            client.session.close(4410, "what other processes said was lost", self._hub.now, word="broker gap")
            self._hub.run(client)
        self._hub.sessions.forget()
