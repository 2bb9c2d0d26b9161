"""A client and a server in memory, at the two ends of lines that fail as planned, on a clock of their own."""

import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from sente.protocol import actions as act
from sente.protocol.messages import Event
from sente.protocol.route import Wanted
from sente.protocol.sessions import Client
from sente.protocol.settings import ClientSettings, ServerSettings
from sente.testing.books import assert_no_loss, assert_ordered
from sente.testing.cores import STEPS
from sente.testing.faults import GOOD, Plan
from sente.testing.lines import Lines, recorded


@dataclass(eq=False, slots=True)
class Question:
    """A request of either side, and what came of it: never more than one outcome, and one in the end.

    >>> Question("count/double", 2).outcomes
    []
    """

    event_id: str
    data: Any
    outcomes: list[tuple[act.Outcome, Any]] = field(default_factory=list)


class ChskPair(Lines):
    """The session of a client and that of its server, with nothing between them but lines that fail as planned.

    Deterministic to the last byte: the same seed and the same calls do the same, and minutes pass in milliseconds.
    Either side replies to a request with what it was asked. ``str(pair)`` is what was done so far, as a test.

    >>> pair = ChskPair("poll", faults=Faults(seed=7, cut=1.0, within=1000))
    >>> pair.connect()
    >>> pair.run(10)
    >>> for number in range(100):
    ...     pair.server_send("count/down", number)
    ...     pair.run(1)
    >>> pair.settle()
    >>> pair.received == list(range(100)), pair.befell["cut"] > 0
    (True, True)
    >>> pair.check()

    Args:
        transport: That of the client.
        faults: What befalls the n-th WebSocket or HTTP exchange.
        client: Its settings.
        server: Likewise.
    """

    def __init__(
        self,
        transport: Wanted = "auto",
        *,
        faults: Plan = GOOD,
        client: ClientSettings | None = None,
        server: ServerSettings | None = None,
    ) -> None:
        super().__init__(transport, client=client, server=server, faults=faults)
        self.said: list[Any] = []
        """Data of the client's events, those that were taken."""
        self.heard: list[Any] = []
        """Data of the client's events and requests that reached the server's application."""
        self.pushed: list[Any] = []
        """Data of the server's events, since the client was open for the first time."""
        self.received: list[Any] = []
        """Data of the server's events and requests that reached the client's application."""
        self.questions: list[Question] = []
        self.unconfirmed: list[Any] = []
        """Data of what the client's application was told may have been lost."""
        self.losses: list[int | None] = []
        """What it was told each time it was open again: how many of the server's events it will never get."""
        self._open_questions: dict[tuple[Client | None, int], Question] = {}
        options = {"faults": faults, "client": client, "server": server}
        words = [f"{name}={value!r}" for name, value in options.items() if value not in (None, GOOD)]
        self._made = f"pair = ChskPair({', '.join([repr(transport), *words])})"

    def __str__(self) -> str:
        steps = self.steps[:STEPS]
        if len(steps) < len(self.steps):
            steps.append(f"# and {len(self.steps) - len(steps)} steps more")
        return "\n    ".join(["def test_again() -> None:", self._made, *steps])

    # -- what the two say

    @recorded
    def connect(self) -> None:
        """The client begins to connect."""
        super().connect()

    @recorded
    def client_send(self, event_id: str, data: Any = None) -> bool:
        """The client says an event; whether it was taken, which it is not while the line is closed."""
        taken = self.core.send(_event(event_id, data))
        if taken:
            self.said.append(data)
        self.run_client()
        return taken

    @recorded
    def client_request(self, event_id: str, data: Any = None, timeout: float = 8.0) -> Question:
        """The client asks the server. Raises ``Disconnected`` while the line is closed."""
        ref = self.core.request(_event(event_id, data), timeout, self.now)
        question = self._ask(None, ref, event_id, data)
        self.run_client()
        return question

    @recorded
    def server_send(self, event_id: str, data: Any = None, *, flush: bool = False, key: Hashable | None = None) -> None:
        """The server says an event to the client's user. Of those with one ``key`` only the latest has to arrive."""
        if key is None:
            self.sessions.addressed(self.uid, self.now)
            if self.core.state.ever_opened:
                self.pushed.append(data)
        for client in list(self.sessions):
            client.session.send(_event(event_id, data, key), self.now, flush=flush)
            self.run_server(client)

    @recorded
    def server_request(self, event_id: str, data: Any = None, timeout: float = 8.0) -> Question | None:
        """The server asks the client, in its newest session; ``None`` if there is none."""
        client = next(reversed(list(self.sessions)), None)
        if client is None:
            return None
        ref = client.session.request(_event(event_id, data), timeout, self.now)
        question = self._ask(client, ref, event_id, data)
        self.run_server(client)
        return question

    def _ask(self, client: Client | None, ref: int, event_id: str, data: Any) -> Question:
        question = self._open_questions[client, ref] = Question(event_id, data)
        self.questions.append(question)
        return question

    @recorded
    def prefer(self, transport: Wanted) -> None:
        """The client uses another transport from now on."""
        self.core.prefer(transport, self.now)
        self.run_client()

    @recorded
    def drain(self) -> None:
        """The server takes leave of its clients."""
        super().drain()

    @recorded
    def restart_server(self) -> None:
        """The server's process is gone, with all it knew, and another one is there."""
        super().restart_server()

    # -- what must hold

    def check(self) -> None:
        """Nothing was lost without a word, came twice or out of order, and each request has one outcome.

        Data must be numbers, or what else has an order, and each side's ascending. Raises ``AssertionError``.
        """
        assert self.core.state.open, f"not connected: {self.core.state.last_close}"
        answered = {question.data for question in self.questions}
        assert_ordered(self.heard)
        assert_ordered(self.received)
        assert_no_loss(self.said, (data for data in self.heard if data not in answered), told=self.unconfirmed)
        missing = len(set(self.pushed) - set(self.received))
        if None not in self.losses:
            told = sum(loss or 0 for loss in self.losses)
            assert missing == told, f"{missing} events are missing, and the client was told of {told}"
        for question in self.questions:
            assert len(question.outcomes) == 1, f"one outcome each: {question}"
            if question.outcomes[0][0] == "reply":
                assert question.outcomes[0][1] == question.data, f"the answer to another: {question}"

    # -- the applications

    def client_did(self, action: act.ClientAction) -> None:
        """Note what the client's application gets, and reply."""
        match action:
            case act.Deliver(event, ref):
                self.received.append(event.data)
                if ref is not None:
                    self.core.reply(ref, event.data, size=_size(event.data))
                self.core.delivered(self.now)
            case act.Settle(ref, outcome, value):
                self._open_questions.pop((None, ref)).outcomes.append((outcome, value))
            case act.Unconfirmed(events):
                self.unconfirmed += [event.data for event in events]
            case act.StateChanged(old, new) if new.open and not old.open:
                self.losses.append(new.lost)
            case _:
                pass

    def server_did(self, client: Client, action: act.ServerAction) -> None:
        """Note what the server's application gets, and reply."""
        match action:
            case act.Deliver(event, ref):
                self.heard.append(event.data)
                if ref is not None:
                    client.session.reply(ref, event.data, self.now, size=_size(event.data))
                client.session.handled(self.now, event.size, action.number)
            case act.Settle(ref, outcome, value):
                self._open_questions.pop((client, ref)).outcomes.append((outcome, value))
            case _:
                pass


def _size(value: Any) -> int:
    """Bytes of a value packed."""
    return len(json.dumps(value))


def _event(event_id: str, data: Any, key: Hashable | None = None) -> Event:
    return Event(event_id, data, _size([event_id, data]), key=key)
