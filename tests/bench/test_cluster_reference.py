"""The page on scale shows what was measured."""

from benchmarks.cluster.report import PAGE, written


def test_the_page_shows_the_reference_run() -> None:
    page = PAGE.read_text()
    assert written(page) == page, "run `python -m benchmarks.cluster.report`"
