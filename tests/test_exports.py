"""What is public stands in ``sente.__all__``, and its docstring shows how to use it with an example that runs."""

import ast
import doctest
import inspect
import re
import sys
import textwrap
from types import FunctionType
from typing import Any

import pytest

import sente

# Not every module exists from the first day on; the test below says so, instead of an error at collection.
NAMES: list[str] = getattr(sente, "__all__", [])
# Constants and type aliases have nowhere to put a docstring.
DOCUMENTED = [name for name in NAMES if isinstance(getattr(sente, name, None), type | FunctionType)]

CODE_BLOCK = re.compile(r"::\n\n((?: +[^\n]*\n|\n)+)|^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def names_in_reach(thing: Any) -> dict[str, Any]:
    """The globals of an example: what its own module sees, and everything public."""
    return {**vars(sys.modules[thing.__module__]), **{name: getattr(sente, name) for name in NAMES}}


def test_there_are_exports() -> None:
    assert NAMES


def test_exports_are_sorted_and_unique() -> None:
    assert sorted(set(NAMES)) == NAMES


def test_nothing_else_is_public() -> None:
    public = {name for name, thing in vars(sente).items() if not (name.startswith("_") or inspect.ismodule(thing))}
    assert public <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_export_exists(name: str) -> None:
    assert hasattr(sente, name)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_export_has_an_example(name: str) -> None:
    text = inspect.cleandoc(getattr(sente, name).__doc__ or "")
    assert text, f"{name} has no docstring"
    assert ">>> " in text or CODE_BLOCK.search(text + "\n"), f"the docstring of {name} has no example"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    thing = getattr(sente, name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in doctest.DocTestFinder().find(thing, name, module=False, globs=names_in_reach(thing)):
        runner.run(example)
        # A block without prompts needs a server or a browser around it, so here it has to be valid Python only.
        for block in CODE_BLOCK.finditer(inspect.cleandoc(example.docstring or "") + "\n"):
            compile(
                textwrap.dedent(block[1] or block[2]), f"<{example.name}>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            )
    assert runner.failures == 0, capsys.readouterr().out
