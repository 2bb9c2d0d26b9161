"""Who is there: several rosters over a line that loses what is on its way to whoever is cut off."""

import json
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sente.cluster.roster import BEAT, CHUNK, EXPIRY, Roster
from sente.errors import ProtocolError

USERS = ("ada", "bob", 7)


class World:
    """Processes by name, what is on its way, and what was announced."""

    def __init__(self, names: str) -> None:
        self.now = 0.0
        self.rosters: dict[str, Roster] = {}
        self.born: dict[str, float] = {}
        self.cut: set[str] = set()
        self.ways: dict[tuple[str, str], deque[tuple[str, Any]]] = {}
        self.announced: list[tuple[str, str, Any, set[str]]] = []
        """By whom, what, of whom, and which living processes know of it."""
        for name in names:
            self.start(name)

    def start(self, name: str) -> None:
        def announce(what: str, uid: Any) -> None:
            self.announced.append((name, what, uid, {name}))

        def say(to: str | None, op: str, head: Mapping[str, Any]) -> None:
            self.say(name, to, op, head)

        self.rosters[name] = Roster(name, announce, say)
        self.born[name] = self.now
        self.beat(name, back=True)

    def say(self, name: str, to: str | None, op: str, head: Mapping[str, Any]) -> None:
        if name in self.rosters and name not in self.cut:
            for other in [to] if to else list(self.rosters):
                if other != name and other in self.rosters and other not in self.cut:
                    self.ways.setdefault((name, other), deque()).append((op, json.loads(json.dumps(head))))

    def beat(self, name: str, *, back: bool = False) -> None:
        self.say(name, None, "beat", {**self.rosters[name].beat(), "back": back})

    def user(self, name: str, uid: Any, how: int) -> None:
        self.rosters[name].here(uid, how, self.now)
        self.rosters[name].flush()

    def deliver(self, which: int = 0) -> bool:
        """One thing that is on its way, the oldest of its way."""
        ways = [way for way, waiting in self.ways.items() if waiting]
        if not ways:
            return False
        sender, hearer = ways[which % len(ways)]
        op, head = self.ways[sender, hearer].popleft()
        roster = self.rosters.get(hearer)
        if roster is not None and hearer not in self.cut:
            match op:
                case "beat":
                    if head["back"]:
                        self.beat(hearer)
                    roster.on_beat(sender, head, self.now)
                case "who":
                    roster.on_who(sender)
                case "state":
                    roster.on_state(sender, head, self.now)
                case "told":
                    for by, what, uid, witnesses in self.announced:
                        if (by, what, uid) == (sender, head["what"], head["uid"]):
                            witnesses.add(hearer)
                    roster.on_told(sender, head, self.now)
                case "delta":
                    roster.on_delta(sender, head, self.now)
        return True

    def cut_off(self, name: str) -> None:
        self.cut.add(name)
        for way, waiting in self.ways.items():
            if name in way:
                waiting.clear()

    def heal(self, name: str) -> None:
        self.cut.discard(name)
        self.rosters[name].excuse(self.now)
        self.beat(name, back=True)

    def crash(self, name: str) -> None:
        for _, _, _, witnesses in self.announced:
            witnesses.discard(name)
        del self.rosters[name]
        self.cut.discard(name)

    def wait(self, seconds: float) -> None:
        """Time goes by, with beats, and what is on its way arrives."""
        until = self.now + seconds
        while self.now < until:
            self.now += BEAT / 4
            for name, roster in self.rosters.items():
                if roster.may_settle and self.now >= self.born[name] + BEAT / 2:
                    roster.settle(self.now)
                if self.now % BEAT == 0:
                    self.beat(name)
                if name not in self.cut:
                    for gone in roster.expired(self.now):
                        roster.gone(gone, self.now)
                    if self.now % BEAT == 0:
                        roster.announce_late(self.now)
            while self.deliver():
                pass

    @property
    def there(self) -> dict[Any, int]:
        """Who is there, in truth."""
        found: dict[Any, int] = {}
        for roster in self.rosters.values():
            for uid, how in roster.users.items():
                found[uid] = found.get(uid, 0) | how
        return found


def agrees(world: World) -> None:
    """Every process knows the truth, and what was announced last of each user is true."""
    ws = {uid for uid, how in world.there.items() if how & 1}
    poll = {uid for uid, how in world.there.items() if how & 2}
    for roster in world.rosters.values():
        uids = roster.everywhere.connected_uids
        assert (set(uids.ws), set(uids.poll)) == (ws, poll)
    for uid in USERS:
        announced = [(what, witnesses) for _, what, of, witnesses in world.announced if of == uid]
        last, witnesses = announced[-1] if announced else ("close", {"all"})
        assert last == ("open" if uid in ws | poll else "close") or not witnesses, world.announced


def test_a_new_process_does_not_announce_who_was_there_before() -> None:
    world = World("ab")
    world.wait(2 * BEAT)
    world.user("a", "ada", 1)
    world.wait(BEAT)
    world.start("c")
    world.wait(EXPIRY)
    assert [(what, uid) for _, what, uid, _ in world.announced] == [("open", "ada")]
    agrees(world)


def test_who_has_missed_a_change_asks_for_all() -> None:
    world = World("ab")
    world.wait(2 * BEAT)
    world.cut_off("b")
    world.user("a", "ada", 1)
    world.cut.discard("b")  # which does not know that it was cut off
    world.user("a", "bob", 2)
    while world.deliver():
        pass
    agrees(world)


@pytest.mark.parametrize(
    "plain",
    [{}, {"v": 1, "users": 3}, {"v": -1, "users": []}, {"v": 1, "users": [["ada"]]}, {"v": 1, "users": [["ada", 8]]},
     {"v": 1, "users": [[1.5, 1]]}, {"v": 1, "users": [[True, 1]]}],
)  # fmt: skip
def test_what_is_no_change_is_refused(plain: Any) -> None:
    roster = World("a").rosters["a"]
    for hear in (roster.on_delta, roster.on_state):
        with pytest.raises(ProtocolError):
            hear("b", plain, 0.0)


def test_many_users_are_told_in_parts() -> None:
    world = World("a")
    for uid in range(2 * CHUNK + 1):
        world.rosters["a"].here(uid, 1, 0.0)
    world.rosters["a"].flush()
    world.start("b")
    world.wait(BEAT)
    assert len(world.rosters["b"].everywhere.connected_uids.ws) == 2 * CHUNK + 1


def test_each_process_is_picked_for_as_many() -> None:
    world = World("abcd")
    world.wait(4 * BEAT)
    picked = Counter(world.rosters["a"].pick(repr(uid)) for uid in range(4_000))
    assert min(picked.values()) > 700
    world.rosters["a"].gone("d", world.now)
    moved = sum(world.rosters["a"].pick(repr(uid)) != world.rosters["b"].pick(repr(uid)) for uid in range(4_000))
    assert moved == picked["d"]


names = st.sampled_from("abcdef")  # of which d, e, f begin later: a name is never used again
steps = st.one_of(
    st.tuples(st.just("user"), names, st.sampled_from(USERS), st.integers(0, 3)),
    st.tuples(st.just("deliver"), st.integers(0, 5)),
    st.tuples(st.just("cut_off"), names),
    st.tuples(st.just("heal"), names),
    st.tuples(st.just("crash"), names),
    st.tuples(st.just("start"), names),
    st.tuples(st.just("wait"), st.sampled_from([BEAT / 2, BEAT, EXPIRY, 2 * EXPIRY])),
)


# What was found, and is not found at each run.
@example([("user", "b", "ada", 1), ("wait", 1.0), ("user", "a", "ada", 1), ("crash", "b")], False)
@example([("user", "c", "ada", 1), ("wait", 1.0), ("cut_off", "c"), ("wait", 6.0)], False)
@given(st.lists(steps, max_size=40), st.booleans())
def test_after_any_sequence_quiet_for_a_while_all_know_who_is_there(sequence: list[Any], settled: bool) -> None:
    world = World("abc")
    if settled:
        world.wait(2 * BEAT)
    for what, *args in sequence:
        name = args[0]
        running, cut = name in world.rosters, name in world.cut
        if what in ("user", "cut_off") and not (running and not (cut and what == "cut_off")):
            continue
        if (
            (what == "heal" and not cut)
            or (what == "crash" and not running)
            or (what == "start" and name in world.born)
        ):
            continue
        getattr(world, what)(*args)
    for name in list(world.cut):
        world.heal(name)
    world.wait(2 * EXPIRY + 3 * BEAT)
    agrees(world)
