"""Writes the tables of docs/explanation/scale.md from results/cluster.json and scale.json."""

import json
import re
from pathlib import Path

from benchmarks.cluster import kept, workers
from benchmarks.cluster.run import RESULTS, ROOT, table
from benchmarks.cluster.scale import RESULTS as SCALE
from benchmarks.cluster.scale import Constants, paper
from sente.bench.table import markdown

PAGE = ROOT / "docs" / "explanation" / "scale.md"


def written(page: str, cluster: Path = RESULTS, scale: Path = SCALE) -> str:
    """The page with the tables of the runs between its marks."""
    result, known = json.loads(cluster.read_text()), json.loads(scale.read_text())
    versions = f"{result['machine']}; {', '.join(result['versions'])}; {result['rounds']} rounds, {result['date']}"
    tables = {
        "cluster": f"{markdown(table(result['found']))}\n\n{versions}",
        "scale": markdown(paper(Constants(**known))),
        "workers": markdown(workers.table(json.loads(workers.RESULTS.read_text()))),
        "kept": markdown(kept.table(json.loads(kept.RESULTS.read_text()))),
    }
    for name, text in tables.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, count = mark.subn(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)  # type: ignore[misc]
        assert count == 1, f"the page needs one place <!-- {name} --> ... <!-- end -->, and has {count}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
