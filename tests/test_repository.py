"""What no file of the repository may hold, and what some must."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
MAKEFILE = ROOT / "Makefile"

REGISTRY = re.compile(
    r"registry\.(?:npmjs|yarnpkg)|pypi\.org/simple|files\.pythonhosted|index-url\s*=|\bregistry\s*=\s*http"
)
HOME = re.compile(r"(?<![\w.:/-])/(?:home|root|Users)/\w")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
INSTALL_HINT = re.compile(r"\b(?:pip|pipx|uv|poetry|pdm)\s+(?:pip\s+)?(?:install|add)\s+[^\n]*?\bsente\b(?!-channels)")


def tracked() -> Iterator[tuple[str, str]]:
    """Name and text of each file that git has or would take, but for this one, which has to spell what it forbids."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    for name in done.stdout.split("\0"):
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            yield name, path.read_text(errors="replace")


def findings(pattern: re.Pattern[str], *, but: str = "") -> list[str]:
    return [f"{name}: {found[0]}" for name, text in tracked() if name != but for found in pattern.finditer(text)]


def test_no_file_names_a_package_registry() -> None:
    assert findings(REGISTRY) == []


def test_no_file_holds_the_path_of_somebodys_home() -> None:
    assert findings(HOME) == []


def test_nothing_is_left_unfinished() -> None:
    # The hashes of a lock file may spell anything.
    assert findings(UNFINISHED, but="js/package-lock.json") == []


def test_install_hints_name_the_distribution() -> None:
    assert findings(INSTALL_HINT) == []


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_exist_and_are_shown(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE.read_text(), re.MULTILINE)
    assert f"make {target}" in README.read_text()
