"""The JavaScript client core and Python's server core, on the line that Python's client core has to endure.

Both client cores get every input, so each step also shows that they want the same done, at the same time, and are in
the same state.
"""

from collections.abc import Iterator

import pytest
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from tests.protocol.test_lossy_line import LossyLine
from tests.protocol.twin import Node, Twin
from tests.protocol.world import World

pytestmark = pytest.mark.timeout(600)

STEPS, LIVES = 100, 250
"""Steps of a life of the two at most, and lives."""


class TwinWorld(World):
    """A world whose client is in JavaScript, too."""

    client_core = Twin

    def climb_now(self) -> None:
        assert isinstance(self.core, Twin)
        self.core.climb_now(self.now)


class JavaScriptLossyLine(LossyLine):
    World = TwinWorld
    steps = 0

    @rule(pushed=st.booleans())
    def poison(self, pushed: bool) -> None:
        """The JavaScript client gives nothing up."""

    @invariant()
    def counted(self) -> None:
        JavaScriptLossyLine.steps += 1


@pytest.fixture
def node() -> Iterator[Node]:
    Twin.node = Node()
    yield Twin.node
    Twin.node.close()


def test_the_cores_are_one_machine_and_lose_nothing(node: Node) -> None:
    lives = settings(stateful_step_count=STEPS, max_examples=LIVES, phases=[Phase.generate])
    run_state_machine_as_test(seed(8)(JavaScriptLossyLine), settings=lives)
    assert JavaScriptLossyLine.steps >= 10_000
