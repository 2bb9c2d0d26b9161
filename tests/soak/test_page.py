"""The page shows the last result, and every one of its kind."""

import json
from inspect import getsource

from tests.soak.calm import calm
from tests.soak.flow import VARIANTS
from tests.soak.run import PAGE, RESULTS, table


def test_the_page_shows_the_last_result() -> None:
    result = json.loads(RESULTS.read_text())
    assert f"<!-- soak -->\n{table(result)}\n<!-- end -->" in PAGE.read_text()
    assert result["command"].startswith("python -m tests.soak.run --events ")
    assert {str(variant) for variant in VARIANTS} >= {each["variant"] for each in result["flows"]}


def test_the_collector_is_set_as_the_guide_says() -> None:
    lines = [line.strip() for line in getsource(calm).splitlines() if line.strip().startswith("gc.")]
    assert len(lines) == 3
    assert "\n    ".join(lines) in (PAGE.parents[1] / "guides" / "deployment.md").read_text()
