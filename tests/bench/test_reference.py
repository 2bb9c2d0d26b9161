"""The page of the reference run shows what the run found."""

from benchmarks.messaging.plot import svg
from benchmarks.report import PAGE, PICTURE, RESULTS, plain_payloads, read, read_messaging, targets_table, written
from sente.bench.plot import SUFFIXES


def test_the_tables_are_those_of_the_results() -> None:
    page = PAGE.read_text()
    assert written(page, read(), read_messaging()) == page, "run `python -m benchmarks.report`"


def test_the_picture_is_that_of_the_results() -> None:
    assert PICTURE.read_text() == svg(read_messaging()["found"]), "run `python -m benchmarks.report`"


def test_all_were_there() -> None:
    found = read()
    assert found.absent == {}
    assert {codec.runtime for codec in found.codecs} == {"python", "node"}
    assert any(payload.name == "twitter.json" for payload in found.payloads)


def test_the_pictures_are_there() -> None:
    assert [suffix for suffix in SUFFIXES if not RESULTS.with_suffix(suffix).exists()] == []


def test_targets_are_for_plain_payloads() -> None:
    plain = plain_payloads(read())
    assert "table" in plain
    assert {"ack", "typed", "blob", "ids"}.isdisjoint(plain)
    assert len(targets_table(read())) == 8
