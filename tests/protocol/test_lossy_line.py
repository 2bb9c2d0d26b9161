"""A client and a server core on a line that loses, delays, repeats, cuts and overtakes, with restarts and switches.

At any moment nothing is handled twice or out of order; after the line has been good for a while, everything that was
said has been handled, or the side that said it was told.
"""

from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sente.protocol.settings import AckPolicy, Limits, ServerSettings
from tests.protocol.world import Wire, World

SMALL = Limits(window=6, window_bytes=200, backlog=3, ack=AckPolicy(items=3, delay=1.0), requests=4)
"""Small enough that a few steps reach every limit."""

indices = st.integers(0, 1000)


class LossyLine(RuleBasedStateMachine):
    @initialize(transport=st.sampled_from(["auto", "ws", "poll"]), small=st.booleans(), lazy=st.booleans())
    def begin(self, transport: Literal["auto", "ws", "poll"], small: bool, lazy: bool) -> None:
        self.world = World(transport, server=ServerSettings(limits=SMALL) if small else None)
        self.world.lazy_client = lazy
        self.world.connect()

    # -- the applications

    @rule()
    def push(self) -> None:
        self.world.push()

    @rule()
    def push_at_once(self) -> None:
        self.world.push(flush=True)

    @rule()
    def say(self) -> None:
        self.world.say()

    @rule(timeout=st.sampled_from([0.5, 8.0, 60.0]))
    def ask(self, timeout: float) -> None:
        self.world.ask(timeout)

    @rule()
    def handle(self) -> None:
        self.world.handle_one()

    @rule()
    def client_handles(self) -> None:
        self.world.client_handle_one()

    # -- the line

    def wire(self, index: int) -> Wire:
        return self.world.wires[index % len(self.world.wires)]

    @precondition(lambda self: self.world.wires)
    @rule(index=indices)
    def up(self, index: int) -> None:
        self.world.move_up(self.wire(index))

    @precondition(lambda self: self.world.wires)
    @rule(index=indices)
    def down(self, index: int) -> None:
        self.world.move_down(self.wire(index))

    @rule(rounds=st.integers(1, 6))
    def good_line(self, rounds: int) -> None:
        for _ in range(rounds):
            for wire in list(self.world.wires):
                self.world.move_up(wire)
                self.world.move_down(wire)

    @precondition(lambda self: self.world.wires)
    @rule(index=indices)
    def cut(self, index: int) -> None:
        self.world.cut(self.wire(index))

    @precondition(lambda self: self.world.wires)
    @rule(index=indices)
    def client_notices(self, index: int) -> None:
        self.world.client_notices(self.wire(index))

    @precondition(lambda self: self.world.wires)
    @rule(index=indices)
    def server_notices(self, index: int) -> None:
        self.world.server_notices(self.wire(index))

    @precondition(lambda self: self.world.wires)
    @rule(index=indices)
    def duplicate(self, index: int) -> None:
        self.world.duplicate(self.wire(index))

    @rule(seconds=st.sampled_from([0.03, 0.2, 1.1, 6.0, 15.0, 31.0, 130.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(blocked=st.booleans())
    def websocket_blocked(self, blocked: bool) -> None:
        self.world.ws_blocked = blocked

    # -- what people do

    @rule(transport=st.sampled_from(["auto", "ws", "poll"]))
    def switch(self, transport: Literal["auto", "ws", "poll"]) -> None:
        self.world.prefer(transport)

    @rule()
    def reconnect(self) -> None:
        self.world.core.reconnect(self.world.now)
        self.world.run_client()

    @rule()
    def restart_server(self) -> None:
        self.world.restart_server()

    @rule()
    def drain(self) -> None:
        self.world.drain()

    # -- what must hold

    @invariant()
    def sane(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.check_settled()


TestLossyLine = LossyLine.TestCase
