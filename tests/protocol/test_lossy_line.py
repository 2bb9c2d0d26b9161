"""A client and a server core on a line that loses, delays, repeats, cuts and overtakes, with restarts and switches.

At any moment nothing is handled twice or out of order; after the line has been good for a while, everything that was
said has been handled, or the side that said it was told.
"""

from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sente.protocol.settings import AckPolicy, ClientSettings, Limits, ServerSettings
from tests.protocol.world import POISON, Wire, World

SMALL = Limits(window=6, window_bytes=200, backlog=3, ack=AckPolicy(items=3, delay=1.0), requests=4)
"""Small enough that a few steps reach every limit."""

PEOPLE = ["reconnect", "auto", "ws", "poll", "blocked", "sleep", "long sleep", "wake"]
PROCESSES = ["restart", "drain", "deploy", "expire"]

some = st.integers(1, 4)
index = st.integers(0, 5)


class LossyLine(RuleBasedStateMachine):
    World = World

    @initialize(
        transport=st.sampled_from(["poll", "ws", "auto"]),
        connected=st.sampled_from([True, True, False]),
        small=st.booleans(),
        lazy=st.booleans(),
    )
    def begin(self, transport: Literal["auto", "ws", "poll"], connected: bool, small: bool, lazy: bool) -> None:
        limits = SMALL if small else Limits()
        client = ClientSettings(limits=limits, climb_base=2.0)  # so that it goes up and down a few times
        self.world = self.World(transport, server=ServerSettings(limits=limits), client=client)
        self.forgetful = False  # whether the server may have forgotten a session
        self.world.lazy_client = lazy
        self.world.connect()
        if connected:
            self.world.settle(1)

    # -- the applications

    @rule(times=some, flush=st.booleans())
    def push(self, times: int, flush: bool) -> None:
        for _ in range(times):
            self.world.push(flush=flush)
        self.world.advance(0)

    @rule(times=some, pushed=st.booleans(), leaves=st.booleans())
    def only_the_latest(self, times: int, pushed: bool, leaves: bool) -> None:
        for _ in range(times):
            (self.world.push_latest if pushed else self.world.say_latest)()
        if leaves:
            self.world.advance(0)

    @rule(times=some, pushed=st.booleans(), behind=st.booleans(), leaves=st.booleans())
    def what_gets_through(self, times: int, pushed: bool, behind: bool, leaves: bool) -> None:
        """Volatile events have no number, so whatever becomes of them, the numbers of the others go on."""
        self.world.behind = behind
        for _ in range(times):
            (self.world.push_volatile if pushed else self.world.say_volatile)()
        if leaves:
            self.world.advance(0)

    @rule(times=some, leaves=st.booleans())
    def say(self, times: int, leaves: bool) -> None:
        for _ in range(times):
            self.world.say()
        if leaves:
            self.world.advance(0)

    @rule(timeout=st.sampled_from([60.0, 8.0, 0.5]), idempotent=st.booleans())
    def ask(self, timeout: float, idempotent: bool) -> None:
        self.world.ask(timeout, idempotent=idempotent)
        self.world.advance(0)

    @rule(timeout=st.sampled_from([60.0, 8.0, 0.5]), leaves=st.booleans())
    def ask_client(self, timeout: float, leaves: bool) -> None:
        self.world.ask_client(timeout)
        if leaves:
            self.world.advance(0)

    @rule(index=index, leaves=st.booleans())
    def give_up(self, index: int, leaves: bool) -> None:
        """An asker no longer waits for one of its newest requests, be that answered or not."""
        if refs := list(self.world.outcomes)[-6:]:
            self.world.give_up(refs[index % len(refs)])
        if asked := list(self.world.answers)[-6:]:
            self.world.server_gives_up(*asked[index % len(asked)])
        if leaves:
            self.world.advance(0)

    @rule(times=some)
    def handle(self, times: int) -> None:
        for _ in range(times):
            self.world.handle_one()
            self.world.client_handle_one()

    @rule(pushed=st.booleans())
    def poison(self, pushed: bool) -> None:
        """Something that its receiver cannot read. Each costs two lines, after longer and longer waits: few will do."""
        self.poisons = getattr(self, "poisons", 0) + 1
        if self.poisons > 3:
            return
        if pushed:
            self.world.push(id=POISON)
        else:
            self.world.say(POISON)
        self.world.advance(0)

    # -- the line

    def wire(self, index: int, *, up: bool = False, down: bool = False) -> Wire:
        """One of the newest wires, of those with something under way if asked."""
        wires = [wire for wire in self.world.wires if (not up or wire.up) and (not down or wire.down)]
        return wires[-1 - index % len(wires)] if wires else Wire(0, ws=True)

    @rule(index=index)
    def up(self, index: int) -> None:
        self.world.move_up(self.wire(index, up=True))

    @rule(index=index)
    def down(self, index: int) -> None:
        self.world.move_down(self.wire(index, down=True))

    @rule(rounds=some)
    def good_line(self, rounds: int) -> None:
        for _ in range(rounds):
            for wire in list(self.world.wires):
                self.world.move_up(wire)
                self.world.move_down(wire)

    @rule(index=index, back=st.booleans())
    def lose(self, index: int, back: bool) -> None:
        """An exchange is lost on its way there, or back."""
        wire = self.wire(index, up=not back, down=back)
        self.world.cut(wire)
        self.world.client_notices(wire)

    @rule(index=index)
    def repeat(self, index: int) -> None:
        self.world.duplicate(self.wire(index, up=True))
        self.forgetful = True  # whose repetition comes first is taken for a twin, and begins anew

    @rule(client=st.booleans(), server=st.booleans())
    def cut_everything(self, client: bool, server: bool) -> None:
        for wire in list(self.world.wires):
            self.world.cut(wire)
            if client:
                self.world.client_notices(wire)
            if server:
                self.world.server_notices(wire)

    @rule(seconds=st.sampled_from([0.03, 0.2, 1.1, 6.0, 15.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(moves=st.integers(0, 5), answered=st.booleans())
    def climb(self, moves: int, answered: bool) -> None:
        """A client that polls tries a WebSocket now, and gets so far with it; its poll has its answer under way."""
        world = self.world
        if world.core.state.open and world.core._climb_at < float("inf"):
            for wire in list(world.wires):
                world.move_up(wire)
            world.climb_now()
            world.advance(0)
            if answered:
                world.push(flush=True)
                world.advance(0)
            probe = self.wire(0, up=True)
            for _ in range(moves):
                if not world.move_up(probe):
                    world.move_down(probe)

    # -- what people and processes do

    @rule(what=st.sampled_from(PEOPLE + PROCESSES))
    def something_happens(self, what: str) -> None:
        world = self.world
        match what:
            case "reconnect":
                world.core.reconnect(world.now)
                world.run_client()
            case "auto" | "ws" | "poll" as transport:
                world.prefer(transport)
            case "blocked":
                world.ws_blocked = not world.ws_blocked
            case "sleep" | "long sleep":
                world.advance(31.0 if what == "sleep" else 130.0)
                self.forgetful |= what == "long sleep"
            case "wake":
                world.wake()
            case "expire":  # the client is warned if there is time, and its line closed
                world.expire(2.0)
            case "restart":
                self.forgetful = True
                world.restart_server()
            case "drain":
                world.drain()
            case "deploy":  # in peace if all goes well; the new server speaks before its client is back
                self.forgetful = True
                world.drain()
                self.good_line(3)
                world.restart_server()
                world.push(flush=True)

    # -- what must hold

    @invariant()
    def sane(self) -> None:
        if hasattr(self, "world"):
            self.world.check()
            if not self.forgetful:
                assert self.world.core.state.client_id == "client-1", "taken for a twin"
                assert None not in self.world.losses, "a server that knows did not say"
                assert self.world.unconfirmed <= self.world.poison, "a server that knows did not say"

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.check_settled()


LossyLine.TestCase.settings = settings(stateful_step_count=60, max_examples=3 * settings().max_examples)
TestLossyLine = pytest.mark.timeout(300)(LossyLine.TestCase)  # a minute, where the machine is busy
