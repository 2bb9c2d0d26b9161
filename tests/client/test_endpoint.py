from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sente.client import Client
from sente.client.endpoint import Endpoint, server_address
from sente.errors import ConfigError


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


async def app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody connects")


@pytest.mark.parametrize(
    ("given", "ws", "poll"),
    [
        ("http://h:8000/chsk", "ws://h:8000/chsk?", "http://h:8000/chsk?"),
        ("https://h/chsk", "wss://h/chsk?", "https://h/chsk?"),
        ("ws://h/chsk", "ws://h/chsk?", "http://h/chsk?"),
        ("wss://h", "wss://h/?", "https://h/?"),
        ("http://h/chsk?tenant=a#top", "ws://h/chsk?tenant=a&", "http://h/chsk?tenant=a&"),
    ],
)
def test_one_url_serves_both_transports(given: str, ws: str, poll: str) -> None:
    endpoint = Endpoint(url=given, packers="json")
    assert endpoint.address("ws", "c1", None).startswith(ws + "client-id=c1&v=1&packers=json")
    assert endpoint.address("poll", "c1", None).startswith(poll + "client-id=c1&v=1&packers=json")


def test_the_query_holds_what_the_protocol_and_the_application_need() -> None:
    endpoint = Endpoint(url="http://h/chsk", packers="auto,json")
    url = endpoint.address("poll", "c1", {"room": "先手 & co", "page": 2, "left": None})
    assert query(url) == {
        "client-id": ["c1"],
        "v": ["1"],
        "packers": ["auto,json"],
        "room": ["先手 & co"],
        "page": ["2"],
    }
    assert "packers=auto,json" in url


@pytest.mark.parametrize("url", ["chsk", "/chsk", "localhost:8000/chsk", "ftp://h/chsk", "http:///chsk", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="whole address"):
        Endpoint(url=url, packers="json")


@pytest.mark.parametrize(("url", "address"), [(None, "/"), ("/chsk", "/chsk")])
def test_an_application_needs_a_path_only(url: str | None, address: str) -> None:
    assert server_address(url, app) == f"http://testserver{address}"
    assert server_address("http://example.com/x", app) == "http://example.com/x"


def test_there_must_be_a_server() -> None:
    with pytest.raises(ConfigError, match="where is the channel socket"):
        Client()


def test_params_may_not_take_the_names_of_the_protocol() -> None:
    with pytest.raises(ConfigError, match="'client-id'"):
        Client("http://h/chsk", params={"client-id": "x"})


async def test_options_are_values_or_functions_asked_anew() -> None:
    asked: list[str] = []

    def auth() -> str:
        asked.append("auth")
        return f"Bearer {len(asked)}"

    async def headers() -> dict[str, str]:
        asked.append("headers")
        return {"x-n": str(len(asked))}

    endpoint = Endpoint(url="http://h/chsk", packers="json", params={"a": 1}, headers=headers, csrf="t", auth=auth)
    first, second = await endpoint.attempt("ws", "c1"), await endpoint.attempt("ws", "c1")
    assert first.headers == {"x-n": "1"}
    assert second.headers == {"x-n": "3"}
    assert first.credentials == {"csrf": "t", "auth": "Bearer 2"}
    assert second.credentials == {"csrf": "t", "auth": "Bearer 4"}


async def test_nothing_is_told_that_was_not_given() -> None:
    attempt = await Endpoint(url="http://h/chsk", packers="json").attempt("poll", "c1")
    assert attempt.headers == attempt.credentials == {}


def test_no_secret_shows_when_printed() -> None:
    endpoint = Endpoint(url="http://h/chsk", packers="json", headers={"cookie": "s3cret"}, csrf="s3cret", auth="s3cret")
    assert "s3cret" not in repr(endpoint)


@pytest.mark.parametrize(
    ("option", "renewable"), [("csrf", True), ("auth", True), ("headers", True), ("params", False)]
)
def test_what_is_asked_anew_may_pass_at_the_second_attempt(option: str, renewable: bool) -> None:
    options: dict[str, Any] = {option: lambda: None}
    assert Endpoint(url="http://h", packers="json", **options).renewable is renewable
    assert not Endpoint(url="http://h", packers="json", csrf="t", auth="a", headers={"a": "b"}).renewable
