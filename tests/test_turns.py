"""Who is looked after in which turn of the event loop."""

import asyncio
from typing import Any, cast

import pytest

from sente.turns import AT_ONCE, Turns

MANY = 10 * AT_ONCE


class Recorder:
    """Turns, and the numbers that were visited, turn by turn."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.turns = Turns(self.visit)
        self.turns.start(asyncio.get_running_loop())
        self.failing: set[int] = set()

    def visit(self, client: Any) -> None:
        self.seen[-1].append(client)
        if client in self.failing:
            raise RuntimeError(client)

    def soon(self, *numbers: int) -> None:
        for number in numbers:
            self.turns.soon(cast(Any, number))

    def later(self, *numbers: int) -> None:
        for number in numbers:
            self.turns.later(cast(Any, number))

    async def turn(self) -> list[int]:
        self.seen.append([])
        await asyncio.sleep(0)
        return self.seen[-1]


async def test_a_crowd_is_looked_after_in_slices_and_in_order() -> None:
    recorder = Recorder()
    recorder.later(*range(MANY))
    slices = [await recorder.turn() for _ in range(11)]
    assert slices == [[*range(start, start + AT_ONCE)] for start in range(0, MANY, AT_ONCE)] + [[]]


async def test_who_waits_for_an_answer_goes_before_the_crowd() -> None:
    recorder = Recorder()
    recorder.later(*range(MANY))
    await recorder.turn()
    recorder.soon(-1, -2)
    assert await recorder.turn() == [-1, -2, *range(AT_ONCE, 2 * AT_ONCE)]


async def test_the_crowd_gets_as_much_as_those_who_wait() -> None:
    recorder = Recorder()
    recorder.later(*range(MANY))
    recorder.soon(*range(-3 * AT_ONCE, 0))
    assert await recorder.turn() == [*range(-3 * AT_ONCE, 0), *range(3 * AT_ONCE)]


async def test_once_however_often_it_is_asked_for() -> None:
    recorder = Recorder()
    recorder.soon(1, 1)
    recorder.later(2, 2)
    assert await recorder.turn() == [1, 2]
    recorder.later(3)
    assert await recorder.turn() == [3]


async def test_who_is_added_meanwhile_comes_after_the_crowd() -> None:
    recorder = Recorder()
    recorder.later(*range(AT_ONCE + 1))
    await recorder.turn()
    recorder.later(0, 1)
    assert await recorder.turn() == [AT_ONCE, 0, 1]


@pytest.mark.parametrize("failing", [-1, 0, AT_ONCE - 1])
async def test_whatever_happens_to_one_the_rest_are_looked_after(failing: int) -> None:
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context["exception"]))
    recorder = Recorder()
    recorder.failing = {failing}
    recorder.soon(-1, -2)
    recorder.later(*range(AT_ONCE + 1))
    for _ in range(4):
        await recorder.turn()
    assert sorted(number for turn in recorder.seen for number in turn) == [-2, -1, *range(AT_ONCE + 1)]
    assert len(raised) == 1


async def test_all_of_them_when_it_ends() -> None:
    recorder = Recorder()
    recorder.seen.append([])
    recorder.later(*range(MANY))
    recorder.soon(-1)
    recorder.turns.finish()
    assert sorted(recorder.seen[-1]) == [-1, *range(MANY)]
    assert await recorder.turn() == []
