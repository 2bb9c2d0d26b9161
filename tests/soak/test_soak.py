"""The short form of ``make soak``: every transport and packer, lines cut at random bytes."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from tests.soak.flow import VARIANTS, Variant, soak
from tests.soak.serving import Serving, served

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with served("tests.soak.app:app") as serving:
        yield serving


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
async def test_nothing_is_lost_twice_or_out_of_order(variant: Variant, server: Serving) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # shown if it fails: soak(variant, seed=seed) is cut at the same bytes
    async with asyncio.timeout(50):
        done = await soak(variant, server.port, seed=seed, events=1000, cuts=10)
    assert done["cuts"] >= 10
