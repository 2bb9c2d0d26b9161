"""The cost of typed events: the page shows what was measured."""

import json

import pytest

from benchmarks import events


def test_the_table_is_that_of_the_results() -> None:
    page = events.PAGE.read_text()
    assert events.written(page, json.loads(events.RESULTS.read_text())) == page, "run `python -m benchmarks.events`"
    with pytest.raises(ValueError, match="needs one place"):
        events.written("", {"found": {}, "with": ""})


@pytest.mark.parametrize("packer", events.PACKERS)
@pytest.mark.parametrize("name", events.EVENTS)
def test_each_step_can_be_timed(name: str, packer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SAMPLE", 0)
    for strict in (False, True):
        for call in events.steps(*events.EVENTS[name], packer, strict=strict).values():
            call()
    assert events.timed(lambda: None) > 0
