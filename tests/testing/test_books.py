"""Books that do not balance say why, in few words."""

from typing import Any

import pytest

from sente import ConfigError
from sente.testing import Cut, Delay, Faults, Jump, Repeat, Script, Silence, Slow, assert_no_loss, assert_ordered
from sente.testing.fate import Fate
from sente.testing.first_request import LONGEST, FirstRequest


@pytest.mark.parametrize(
    ("sent", "received", "says"),
    [
        ([1, 2], [1], "of 2 sent 1 is missing: 2"),
        ([1], [1, 1], "of 1 sent 1 came more than once: 1"),
        ([1], [1, 2, 3], "of 1 sent 2 were never sent: 2, 3"),
        (range(1000), [], "of 1000 sent 1000 are missing: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 990 more"),
        ([{"n": 1}, {"n": 2}], [{"n": 2}], "of 2 sent 1 is missing: {'n': 1}"),
        (["x" * 10_000], [], f"of 1 sent 1 is missing: '{'x' * 99}"),
        ([1, 2], [2, 2, 3], "of 2 sent 1 is missing: 1; 1 came more than once: 2; 1 was never sent: 3"),
    ],
)
def test_what_was_lost(sent: Any, received: Any, says: str) -> None:
    with pytest.raises(AssertionError) as wrong:
        assert_no_loss(sent, received)
    assert str(wrong.value) == says


def test_what_was_told_may_be_missing_or_not() -> None:
    assert_no_loss([1, 2, 3], iter([1, 3]), told=iter([2, 3]))
    with pytest.raises(AssertionError, match="1 is missing: 1"):
        assert_no_loss([1, 2, 3], [], told=[2, 3])


def test_order() -> None:
    assert_ordered([])
    assert_ordered([1, 5, 7])
    with pytest.raises(AssertionError, match=r"of 3 received 1 is out of order: 1 after 5 \(the 2nd\)"):
        assert_ordered([5, 1, 2])
    with pytest.raises(AssertionError) as wrong:
        assert_ordered([0] * 113)
    assert "0 after 0 (the 11th) and 102 more" in str(wrong.value)


# -- the language


def test_chance_is_in_its_bounds_and_repeats() -> None:
    faults = Faults(seed=5, cut=1, silence=1, delay=1, slow=1, repeat=1, jump=1, within=100, seconds=2, rate=10)
    for line in range(1, 200):
        cut, silence, delay, slow, repeat, jump = faults(line)
        assert isinstance(cut, Cut) and isinstance(silence, Silence) and isinstance(jump, Jump)
        assert 0 <= cut.after == silence.after == jump.after <= 100
        assert isinstance(delay, Delay) and isinstance(repeat, Repeat) and isinstance(slow, Slow)
        assert 0 <= delay.seconds == repeat.late <= 2
        assert 10 <= slow.rate <= 100
        assert faults(line) == (cut, silence, delay, slow, repeat, jump)
    assert len({faults(line) for line in range(50)}) == 50
    assert Faults(seed=5)(1) == Script()(1) == ()
    share = sum(bool(Faults(seed=1, cut=0.25)(line)) for line in range(1000))
    assert 200 < share < 300


@pytest.mark.parametrize("wrong", [{"cut": 1.5}, {"jump": -0.1}, {"within": -1}, {"seconds": -1.0}])
def test_no_share_and_no_length(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=f"Faults: {next(iter(wrong))}="):
        Faults(seed=1, **wrong)


def test_of_two_faults_of_a_kind_the_worst_counts() -> None:
    fate = Fate.of([Cut(10), Cut(5), Silence(7), Delay(1), Delay(2), Slow(9), Slow(3)])
    assert (fate.delay, fate.rate, fate.repeat) == (2, 3, None)
    assert (fate.carry(4), fate.end) == (4, None)
    assert (fate.carry(4), fate.end) == (1, "cut")
    assert fate.carry(4) == 0


def test_a_jump_comes_once() -> None:
    fate = Fate.of([Jump(after=5, seconds=2), Jump(after=6, seconds=3)])
    assert [fate.carry(4), fate.jump(), fate.carry(4), fate.jump(), fate.jump()] == [4, 0, 4, 5, 0]


# -- which request is made twice


def test_the_first_request_and_no_other() -> None:
    whole = b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc"
    for size in (1, 7, len(whole)):
        first = FirstRequest()
        fed = [first.feed(whole[at : at + size]) for at in range(0, len(whole), size)]
        assert fed == [None] * (len(fed) - 1) + [whole]
        assert first.feed(whole) is None
    assert FirstRequest().feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") is not None


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", b"POST / HTTP/1.1\r\n" + b"x" * LONGEST]
)
def test_what_is_let_be(said: bytes) -> None:
    first = FirstRequest()
    assert first.feed(said) is None
    assert first.feed(b"GET / HTTP/1.1\r\n\r\n") is None
