"""Whatever comes in, on any way: the short form of ``python -m tests.fuzz``."""

import gc

import pytest

from tests.asgi import until
from tests.e2e.serving import serving
from tests.faults.bystanders import UIDS
from tests.fuzz.chaos import Chaos, Outcome, server, watched
from tests.fuzz.lines import SERVERS, LineChaos, descriptors, lines_only

ACTS = 200


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_is_said_to_the_whole_server(seed: int) -> None:
    outcome = Outcome()
    chsk = server()
    async with watched(chsk, outcome):
        chaos = Chaos(chsk, seed, outcome)
        for _ in range(ACTS):
            await chaos.act()
    assert outcome.odd == []
    assert len(outcome.answers) > 6, "it comes to little but refusals at the door"
    assert chsk.stats["received"] > ACTS / 4


@pytest.mark.e2e
@pytest.mark.parametrize("way", SERVERS)
async def test_whatever_is_said_over_real_sockets(way: str) -> None:
    outcome, chsk = Outcome(), server()
    async with serving(lines_only(chsk), way) as port, watched(chsk, outcome):
        before = descriptors()
        chaos = LineChaos(chsk, port, 5, outcome)
        for _ in range(ACTS // 2):
            await chaos.act()
        await until(lambda: descriptors() <= before)
    assert outcome.odd == []
    assert {200, 400, 403, 4400, 1002} <= outcome.answers.keys(), "it comes to little but refusals at the door"
    assert chsk.stats["received"] > ACTS / 8


async def test_nothing_piles_up() -> None:
    counts = []
    chsk, outcome = server(), Outcome()
    async with watched(chsk, outcome):
        for seed in (4, 4, 4):
            chaos = Chaos(chsk, seed, outcome)
            for _ in range(ACTS):
                await chaos.act()
            await until(lambda: len(chsk._hub.peers) <= len(UIDS))  # only the bystanders are left
            gc.collect()
            counts.append(len(gc.get_objects()))
    assert outcome.odd == []
    assert counts[2] - counts[1] < ACTS, counts  # less than one object for each thing that was done
