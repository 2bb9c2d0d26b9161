"""Pairs of client and server core on a line that a test breaks."""

from typing import Literal

import pytest

from tests.protocol.world import World


@pytest.mark.parametrize("transport", ["ws", "poll", "auto"])
def test_both_ways(transport: Literal["ws", "poll", "auto"]) -> None:
    world = World(transport)
    world.connect()
    world.settle(1)
    assert world.core.state.open
    world.say()
    ref = world.ask()
    world.push()
    world.push()
    world.settle(10)
    world.check_settled()
    assert world.got == [1, 2]
    assert world.handled == [1, 2]
    assert ref is not None and world.outcomes[ref] == [("reply", 2)]
