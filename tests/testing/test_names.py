"""What ``sente.testing`` offers is there, and each name shows how it is used with an example that runs."""

import doctest
import inspect
import sys
from types import FunctionType

import pytest

from sente import testing as lab

DOCUMENTED = [name for name in lab.__all__ if isinstance(getattr(lab, name), type | FunctionType)]


def test_names_are_there() -> None:
    assert len(set(lab.__all__)) == len(lab.__all__)
    assert {"ChskPair", "FaultProxy", "assert_no_loss"} <= set(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_has_an_example_that_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    thing = getattr(lab, name)
    text = inspect.cleandoc(thing.__doc__)
    assert ">>> " in text or "::\n\n" in text, f"the docstring of {name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    names = {**vars(sys.modules[thing.__module__]), **vars(lab)}
    for example in doctest.DocTestFinder().find(thing, name, module=False, globs=names):
        runner.run(example)
    assert runner.failures == 0, capsys.readouterr().out
