"""A keyword is the string of its name, and remembers that it is a keyword."""

import copy
import pickle

import pytest

from sente import Keyword


def test_it_is_the_string_of_its_name() -> None:
    word = Keyword("user/id")
    assert word == "user/id" and hash(word) == hash("user/id")
    ages: dict[str, int] = {word: 1}
    assert ages["user/id"] == {"user/id": 1}[word] == 1
    assert type(word.name) is str and f"{word}" == word.name == "user/id"
    match word:
        case Keyword(name):
            assert name == "user/id"


def test_it_is_a_keyword_when_copied() -> None:
    for word in (copy.deepcopy([Keyword("a")])[0], pickle.loads(pickle.dumps(Keyword("a")))):
        assert type(word) is Keyword and repr(word) == "Keyword('a')"


def test_it_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Keyword("a").name = "b"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Keyword("a").more = 1  # type: ignore[attr-defined]
