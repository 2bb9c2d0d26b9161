"""What a run comes to, and the line it ends with."""

import pytest

from sente.bench.results import Run, geometric_mean
from sente.bench.summary import advice, cost, standings, wire_ratio
from tests.bench.runs import failed, row, run

SPELLINGS = {"auto": '"auto"', "auto+gzip": '"auto"', "json": '"json"', "msgpack": '"msgpack"', "shop:Mine": "Mine()"}


def test_ratios_are_to_the_yardstick_of_the_same_payload() -> None:
    found = run(row("json", 20, 100), row("json", 40, 100, payload="table"))
    standing = next(each for each in standings(found) if each.codec.name == "json")
    assert standing.pack == pytest.approx(geometric_mean([2, 4]))
    assert (standing.same, standing.lossy, standing.failed) == (2, 0, 0)


def test_node_has_a_yardstick_of_its_own() -> None:
    found = run(row("JSON (Node)", 100, 100), row("msgpackr", 50, 80), node=("JSON (Node)", "msgpackr"))
    standing = next(each for each in standings(found) if each.codec.name == "msgpackr")
    assert standing.unpack == pytest.approx(0.5)


def test_a_codec_that_carries_nothing_has_no_mean() -> None:
    standing = standings(run(failed("json")))[0]
    assert (standing.pack, standing.unpack, standing.wire, standing.failed) == (None, None, None, 1)


def test_bytes_are_in_relation_to_the_smallest_form_that_loses_nothing() -> None:
    small = row("json", 1, 10, keeps="lossy")
    found = run(small, row("msgpack", 1, 80))
    assert wire_ratio(found, found.rows[1]) == 80 / 40  # 40: the same, compressed
    assert wire_ratio(found, small) == 10 / 40
    assert wire_ratio(found, failed("auto")) is None


def test_cost_is_time_and_bytes() -> None:
    assert cost(row("json", 10, 1000)) == 10 + 10 + 80
    assert cost(failed("json")) is None


def advised(found: Run) -> str:
    result = advice(found, SPELLINGS)
    assert result
    return result.line


def test_the_cheapest_is_named_and_auto_behind_it() -> None:
    assert advised(run(row("auto", 20, 100), row("msgpack", 10, 80), row("json", 30, 100))) == 'packers="msgpack,auto"'


def test_auto_is_named_where_it_is_close() -> None:
    result = advice(run(row("auto", 10.5, 80), row("msgpack", 10, 80)), SPELLINGS)
    assert result
    assert result.line == 'packers="auto"'
    assert "within 10% of the cheapest" in result.why


def test_the_best_form_of_auto_counts() -> None:
    assert advised(run(row("auto", 100, 500), row("auto+gzip", 10, 50), row("msgpack", 10, 80))) == 'packers="auto"'


def test_who_loses_types_comes_after_who_does_not() -> None:
    found = run(row("json", 1, 10, keeps="lossy"), row("auto", 10, 100))
    assert advised(found) == 'packers="auto"'
    result = advice(found, SPELLINGS)
    assert result
    assert result.why == (
        "auto costs 28 µs (pack, send at 100 Mb/s, unpack; geometric mean); "
        "json costs 2.8 µs and loses types in 1 of 1."
    )


def test_who_fails_is_not_named() -> None:
    found = run(
        row("json", 1, 10), failed("json", payload="blob"), row("auto", 9, 90), row("auto", 9, 90, payload="blob")
    )
    assert advised(found) == 'packers="auto"'


def test_a_packer_of_the_user_is_written_as_an_object() -> None:
    assert advised(run(row("shop:Mine", 1, 10), row("auto", 10, 100))) == 'packers=[Mine(), "auto"]'


def test_a_packer_alone_is_named_alone() -> None:
    assert advised(run(row("json", 1, 10))) == 'packers="json"'


def test_without_success_there_is_no_advice() -> None:
    assert advice(run(failed("json")), SPELLINGS) is None
