"""The pair of cores over lines that fail by chance: nothing is lost without a word, whatever the seed."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sente
from sente import ClientSettings, Disconnected
from sente import testing as lab
from sente.protocol.route import Wanted
from sente.testing import GOOD, ChskPair, Cut, Delay, Faults, Jump, Repeat, Script, Silence, Slow
from tests.asgi import TRANSPORTS, TransportName

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
SHARES = {"cut": 0.3, "silence": 0.05, "delay": 0.4, "slow": 0.1, "repeat": 0.3, "jump": 0.05}
EVERYTHING: dict[str, Any] = SHARES | {"within": 3000, "seconds": 0.5}


def talk(pair: ChskPair, turns: int = 20) -> None:
    """Both say numbers and ask for some, while time passes, and then until all is well."""
    pair.connect()
    pair.run(3)
    numbers = iter(range(1, 10_000))
    for turn in range(turns):
        pair.server_send("count/down", next(numbers))
        pair.client_send("count/up", next(numbers))
        if turn % 4 == 0:
            pair.server_request("count/down?", next(numbers))
        if turn % 4 == 2 and pair.core.state.open:
            pair.client_request("count/up?", next(numbers))
        pair.run(0.3)
    pair.settle()


@given(seed=st.integers(0, 10**6), transport=st.sampled_from(["auto", "ws", "poll"]))
def test_nothing_is_lost_without_a_word(seed: int, transport: Wanted) -> None:
    pair = ChskPair(transport, faults=Faults(seed=seed, **EVERYTHING))
    talk(pair)
    pair.check()


@pytest.mark.parametrize("transport", ["ws", "poll"])
def test_lines_that_break_within_a_batch_carry_it_all_the_same(transport: Wanted) -> None:
    """Else they would carry nothing, for ever: the same batch would begin on each, and end on none."""
    pair = ChskPair(transport, faults=Faults(seed=7, cut=1.0, within=3000))
    pair.connect()
    pair.run(20)
    for number in range(250):
        pair.server_send("count/down", f"{number:050}")
        pair.client_send("count/up", f"{number:050}")
    pair.run(1800)
    assert (len(pair.received), len(pair.heard)) == (250, 250)
    pair.check()


def test_the_same_seed_does_the_same() -> None:
    first, second, other = (ChskPair("poll", faults=Faults(seed=seed, **EVERYTHING)) for seed in (1, 1, 2))
    for pair in (first, second, other):
        talk(pair)
    assert (first.befell, first.now, first.received) == (second.befell, second.now, second.received)
    assert first.befell != other.befell


def test_every_fault_comes_about() -> None:
    befell: Counter[str] = Counter()
    for seed in range(20):
        pair = ChskPair("poll", faults=Faults(seed=seed, **EVERYTHING))
        talk(pair)
        befell += pair.befell
    assert befell.keys() == {"cut", "silence", "repeat", "jump"}


# -- one fault at a time


def opened(transport: Wanted, **options: Any) -> ChskPair:
    pair = ChskPair(transport, **options)
    pair.connect()
    pair.run(5)
    assert pair.core.state.open
    return pair


@over_both
def test_a_good_line(transport: TransportName) -> None:
    pair = opened(transport)
    assert pair.client_send("a/b", 1)
    asked = pair.client_request("a/b", 2)
    pair.server_send("a/b", 1)
    question = pair.server_request("a/b", 2)
    pair.run(1)
    assert (pair.heard, pair.received, pair.befell) == ([1, 2], [1, 2], {})
    assert question is not None
    assert asked.outcomes == question.outcomes == [("reply", 2)]
    pair.check()


def test_a_line_is_cut_at_a_byte() -> None:
    pair = opened("ws", faults=Script({1: [Cut(after=800)]}))
    began = pair.now
    for number in range(100):
        pair.server_send("a/b", number, flush=True)
        pair.run(0.01)
    assert pair.befell == {"cut": 1}
    assert pair.core.state.resumed
    assert pair.now - began < 1.1, "the network says so at once"
    pair.settle()
    pair.check()
    assert pair.received == list(range(100))


def test_late_lines_are_overtaken() -> None:
    pair = opened("poll")
    pair.faults = Script({pair._number + 1: [Delay(2.0)]})
    pair.client_send("a/b", 1)
    pair.run(0)
    pair.client_send("a/b", 2)
    pair.run(1)
    assert pair.heard == [], "the second came first, and waits"
    pair.run(2)
    assert pair.heard == [1, 2]


def test_a_post_that_is_made_twice_is_handled_once() -> None:
    pair = opened("poll")
    pair.faults = Script({pair._number + 1: [Repeat(late=3.0)]})
    pair.client_send("a/b", 1)
    pair.run(2)
    pair.client_send("a/b", 2)
    pair.run(5)
    assert pair.befell == {"repeat": 1}
    assert pair.heard == [1, 2]
    pair.check()


def test_a_slow_reader() -> None:
    pair = opened("ws", faults=Script({1: [Slow(rate=200)]}))
    for number in range(100):
        pair.server_send("a/b", number, flush=True)
        pair.run(0.01)
    assert 1 < len(pair.received) < 90
    pair.run(20)
    assert len(pair.received) == 100


def test_a_jump_of_every_clock() -> None:
    pair = opened("ws", faults=Script({1: [Jump(after=900, seconds=3600)]}))
    began = pair.now
    pair.server_send("a/b", "x" * 1000)
    pair.server_request("a/b", 1, timeout=60)
    pair.run(1)
    pair.settle()
    assert pair.befell == {"jump": 1}
    assert pair.now - began > 3600
    assert pair.losses == [0] or pair.core.state.resumed


def test_what_was_said_while_closed_is_not_taken() -> None:
    pair = opened("ws", client=ClientSettings(stable=10_000.0))
    pair.break_lines()
    assert not pair.client_send("a/b", 1)
    with pytest.raises(Disconnected):
        pair.client_request("a/b", 2)
    pair.settle()
    pair.check()
    assert pair.said == pair.heard == []


def test_before_there_is_a_client_nobody_is_asked() -> None:
    assert ChskPair("ws").server_request("a/b") is None


def test_up_and_down_the_transports() -> None:
    pair = opened("ws")
    pair.prefer("poll")
    pair.server_send("a/b", 1)
    pair.settle()
    assert (pair.core.state.transport, pair.received) == ("poll", [1])
    pair.check()


def test_a_restart_in_peace_loses_what_is_said_after_it_only() -> None:
    pair = opened("poll")
    pair.server_send("a/b", 1)
    pair.run(1)
    pair.drain()
    pair.run(0.1)
    pair.restart_server()
    pair.server_send("a/b", 2)
    pair.settle()
    pair.check()
    assert (pair.received, pair.losses) == ([1], [0, 1])


# -- what it says


def test_what_was_done_can_be_shown_as_a_test() -> None:
    faults = Faults(seed=3, cut=1.0, within=900)
    pair = ChskPair("poll", faults=faults, client=ClientSettings(posts=1))
    pair.connect()
    pair.run(2)
    for number in range(20):
        pair.server_send("a/b", {"n": number}, flush=True)
        pair.run(1)
    pair.settle()
    source = str(pair).replace("    pair = ", "    global pair\n    pair = ")
    exec(source, again := {**vars(sente), **vars(lab)})
    assert str(pair).startswith("def test_again() -> None:\n    pair = ChskPair('poll', faults=Faults(seed=3, cut=1.0")
    again["test_again"]()
    copy = again["pair"]
    assert (copy.received, copy.befell, copy.now) == (pair.received, pair.befell, pair.now)
    assert pair.befell["cut"]


def test_a_long_story_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sente.testing.pair.STEPS", 2)
    pair = ChskPair("ws")
    for _ in range(5):
        pair.run(0.1)
    assert str(pair).splitlines()[-2:] == ["    pair.run(0.1)", "    # and 3 steps more"]
    assert GOOD(1) == ()


def lose(pair: ChskPair) -> None:
    pair.said.append(99)


def mislay(pair: ChskPair) -> None:
    pair.pushed.append(99)


def double(pair: ChskPair) -> None:
    pair.received.append(pair.received[-1])


def forget(pair: ChskPair) -> None:
    pair.questions[0].outcomes.clear()


def mix_up(pair: ChskPair) -> None:
    pair.questions[0].outcomes[0] = ("reply", 99)


def leave(pair: ChskPair) -> None:
    pair.core.disconnect(pair.now)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lose, "of 2 sent 1 is missing: 99"),
        (mislay, "1 events are missing, and the client was told of 0"),
        (double, "out of order: 2 after 2"),
        (forget, "one outcome each: Question"),
        (mix_up, "the answer to another"),
        (leave, "not connected"),
    ],
)
def test_what_is_wrong_is_said(harm: Any, says: str) -> None:
    pair = opened("ws")
    pair.client_send("a/b", 1)
    pair.server_send("a/b", 2)
    pair.client_request("a/b", 3)
    pair.settle()
    pair.check()
    harm(pair)
    with pytest.raises(AssertionError, match=says):
        pair.check()


def test_silence_is_not_healed() -> None:
    pair = opened("ws", faults=Script({1: [Silence(after=900)]}))
    pair.server_send("a/b", "x" * 1000, flush=True)
    pair.run(1)
    pair.heal()
    pair.run(1)
    assert pair.received == []
    pair.settle()
    assert pair.received == ["x" * 1000]


def test_two_that_never_come_to_rest_are_told_from_a_long_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sente.testing.lines.STEPS", 100)
    pair = opened("poll")
    pair.run(3_000)
    monkeypatch.setattr(pair, "_carry_all", lambda: 1)
    with pytest.raises(AssertionError, match="never come to rest"):
        pair.run(1)


@over_both
def test_whoever_only_listens_acknowledges_and_is_never_waited_for(transport: TransportName) -> None:
    """Three windows of events one way, and nothing the other way that could take an acknowledgement along."""
    pair = opened(transport)
    for number in range(800):
        pair.server_send("a/b", number)
    pair.run(4)
    assert pair.received == list(range(800))
    pair.run(6)
    (client,) = pair.sessions
    assert client.session.kept == (0, 0)
    for number in range(200):
        assert pair.client_send("a/b", number)
    pair.run(6)
    assert len(pair.core._dialogue.talk.outbox) == 0
    pair.check()


def test_a_flood_waits_for_the_window() -> None:
    """On a line with a second each way no more than a window comes before the first acknowledgement can be back."""
    pair = opened("ws", faults=Script({1: [Delay(1.0)]}))
    for number in range(2000):
        pair.server_send("a/b", number, flush=True)
        pair.client_send("a/b", number)
    pair.run(1.5)
    assert len(pair.received) == len(pair.heard) == 256
    pair.settle()
    assert pair.received == pair.heard == list(range(2000))
    pair.check()


@over_both
def test_of_events_with_a_key_only_the_latest_arrives(transport: TransportName) -> None:
    pair = opened(transport)
    pair.break_lines()
    for number in range(1, 50):
        pair.server_send("a/price", number, key="a")
    pair.server_send("a/b", 50)
    pair.settle()
    pair.check()
    assert pair.received == [49, 50]
