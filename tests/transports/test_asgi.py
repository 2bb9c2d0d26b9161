"""The connection as an application sees it."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente import Connection
from sente.transports.asgi import wire_size


def connection(*headers: tuple[str, str], query: str = "") -> Connection:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return Connection({"headers": pairs, "query_string": query.encode(), "path": "/chsk"})


@pytest.mark.parametrize(
    ("header", "cookies"),
    [
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ('a={"odd": [1,2]}; id=7', {"a": '{"odd": [1,2]}', "id": "7"}),  # http.cookies stops here
        ('a[b]=1; ü; =2; id="7"', {"a[b]": "1", "": "2", "id": "7"}),
        ("a=1=2;b=", {"a": "1=2", "b": ""}),
        ("", {}),
    ],
)
def test_an_odd_cookie_does_not_hide_the_others(header: str, cookies: dict[str, str]) -> None:
    assert connection(("cookie", header)).cookies == cookies


def test_headers_are_lower_case_and_joined() -> None:
    seen = connection(("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1"), ("cookie", "b=2"))
    assert seen.headers == {"x-a": "1, 2", "cookie": "a=1; b=2"}
    assert seen.cookies == {"a": "1", "b": "2"}


def test_the_query() -> None:
    assert connection(query="client-id=c1&empty=&x=%E5%85%88&x=2").query == {"client-id": "c1", "empty": "", "x": "2"}
    assert connection(query="client-id=c1").client_id == "c1"
    assert connection(query="client-id=c1%0A").client_id == ""


@given(st.text("ab=&%+3D", max_size=12))
def test_a_query_without_escapes_is_read_as_one_with_them(query: str) -> None:
    assert connection(query=query).query == dict(parse_qsl(query, keep_blank_values=True))


def test_what_is_unknown_is_empty() -> None:
    bare = Connection({})
    assert (bare.headers, bare.cookies, bare.query, bare.session) == ({}, {}, {}, {})
    assert (bare.path, bare.host, bare.client_id, bare.uid) == ("", None, "", None)


def test_auth_stands_for_the_authorization_header() -> None:
    scope = {"headers": [(b"authorization", b"Basic x")]}
    assert Connection(scope).headers == {"authorization": "Basic x"}
    assert Connection(scope, "Bearer y").headers == {"authorization": "Bearer y"}


def test_sizes_are_bytes() -> None:
    assert [wire_size(wire) for wire in ("", "ab", "é", "先手", b"\xff")] == [0, 2, 2, 6, 1]
