"""The page shows the last result, and every one of its kind."""

import json

from tests.soak.flow import VARIANTS
from tests.soak.run import PAGE, RESULTS, table


def test_the_page_shows_the_last_result() -> None:
    result = json.loads(RESULTS.read_text())
    assert f"<!-- soak -->\n{table(result)}\n<!-- end -->" in PAGE.read_text()
    assert result["command"].startswith("python -m tests.soak.run --events ")
    assert {str(variant) for variant in VARIANTS} >= {each["variant"] for each in result["flows"]}
