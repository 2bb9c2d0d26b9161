"""The same codecs and payloads for pytest-benchmark, whose ``--benchmark-compare`` shows what a change did.

::

    pytest benchmarks --benchmark-autosave
    pytest benchmarks --benchmark-compare --benchmark-group-by=group
"""

from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from sente.bench.codecs import Codec, built_in
from sente.bench.corpus import Payload, corpus, public_corpus
from sente.bench.peers import YARDSTICK, peers

CODECS = [*built_in([]), *peers([YARDSTICK])[0]]
PAYLOADS = [*corpus(), *public_corpus()]

each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
each_payload = pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.name)


def packed(codec: Codec, payload: Payload) -> Any:
    try:
        return codec.pack(payload.value)
    except Exception as error:
        pytest.skip(f"{codec.name} cannot carry it: {error}")


@each_payload
@each_codec
def test_pack(benchmark: BenchmarkFixture, codec: Codec, payload: Payload) -> None:
    benchmark.group = f"pack {payload.name}"
    benchmark.extra_info["bytes"] = len(packed(codec, payload))
    benchmark(codec.pack, payload.value)


@each_payload
@each_codec
def test_unpack(benchmark: BenchmarkFixture, codec: Codec, payload: Payload) -> None:
    benchmark.group = f"unpack {payload.name}"
    benchmark(codec.unpack, packed(codec, payload))
