"""Headers that are read when they are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente.transports.headers import Headers

PAIRS = [(b"Host", b"a.example"), (b"cookie", b"a=1"), (b"X-A", b"\xe9"), (b"cookie", b"b=2"), (b"x-a", b"")]
ALL = {"host": "a.example", "cookie": "a=1; b=2", "x-a": "é, "}


def test_they_are_a_mapping() -> None:
    headers = Headers(iter(PAIRS))  # ASGI promises no list
    assert headers == ALL
    assert dict(headers) == ALL
    assert (len(headers), list(headers), repr(headers)) == (3, list(ALL), repr(ALL))


@pytest.mark.parametrize("name", ["Host", "accept", "", "先手", "authorization"])
def test_a_name_that_is_not_there(name: str) -> None:
    headers = Headers(PAIRS)
    assert name not in headers
    assert headers.get(name) is None
    assert headers.get(name, "-") == "-"
    with pytest.raises(KeyError, match=f"^{name!r}$"):
        headers[name]


def test_auth_stands_for_a_header_once() -> None:
    for pairs in ([(b"Authorization", b"Basic x"), *PAIRS], PAIRS):
        headers = Headers(pairs, "Bearer y")
        assert headers["authorization"] == "Bearer y"
        assert headers == {**ALL, "authorization": "Bearer y"}
        assert len(headers) == 4


@given(st.lists(st.tuples(st.sampled_from([b"a", b"A", b"cookie", b"b"]), st.binary(max_size=3)), max_size=6))
def test_each_is_what_a_dict_of_all_would_hold(pairs: list[tuple[bytes, bytes]]) -> None:
    joined: dict[str, str] = {}
    for raw, value in pairs:
        name, text = raw.decode().lower(), value.decode("latin-1")
        joined[name] = text if name not in joined else f"{joined[name]}{'; ' if name == 'cookie' else ', '}{text}"
    assert Headers(pairs) == joined
