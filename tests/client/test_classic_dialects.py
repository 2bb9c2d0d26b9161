"""The Python client as one of Sente's own, in each of its dialects, over both transports."""

from typing import Any

import pytest

from sente import Client, Disconnected, Keyword
from sente.packers import SenteGzip, dialect
from sente.packers.negotiation import DIALECTS
from tests.asgi import until
from tests.classic.server import observed

NAMES = [f"{name}{gzip}" for name in DIALECTS for gzip in ("", "+gzip")]


@pytest.mark.parametrize("transport", ["ws", "poll"])
@pytest.mark.parametrize("name", NAMES)
async def test_events_requests_and_pushes(name: str, transport: Any) -> None:
    data = {Keyword("text"): "先手" * 600, Keyword("tags"): {Keyword("go")}, "plain": [1, 1.5, None]}
    async with observed(classic=name) as (chsk, handled):
        params = {"uid": "ada", "hs": "hello"}
        async with Client("/chsk", app=chsk, classic=name, transport=transport, params=params) as client:
            assert (client.state.uid, client.state.transport) == ("ada", transport)
            assert client.state.handshake_data == {"hs": "hello"}
            pushes = client.events("bench/push")
            assert await client.request("bench/echo", data) == data
            assert await client.request("bench/push-me", 2) == {"pushed": 2}
            assert [(await anext(pushes)).data for _ in range(2)] == [{"i": 0}, {"i": 1}]
            client.send("test/no-reply", Keyword("kw"))
            await until(lambda: any(event[0] == "test/no-reply" for event in handled))
            ((word, heard, *_),) = (event for event in handled if event[0] == "test/no-reply")
            assert heard == "kw" and [type(word), type(heard)] == [str, Keyword]


async def test_a_client_of_no_user_has_none() -> None:
    async with (
        observed(classic="edn", user_id=lambda connection: None) as (chsk, _),
        Client("/chsk", app=chsk, classic="edn") as client,
    ):
        assert client.state.open and client.state.uid is None


async def test_keys_as_keywords() -> None:
    asked = dialect("msgpack", keyword_keys=True)
    async with (
        observed(classic="msgpack", packers="auto") as (chsk, handled),
        Client("/chsk", app=chsk, classic=asked) as client,
    ):
        reply = await client.request("bench/echo", {"by": {"name": "ada"}, 1: ("a",)})
        assert reply == {"by": {"name": "ada"}, 1: ["a"]}
        (heard,) = (event[1] for event in handled if event[0] == "bench/echo")
        keys = [*heard, *heard["by"]]
        assert list(map(type, keys)) == [Keyword, int, Keyword]


def test_gzip_is_put_around_the_format() -> None:
    inner: Any = dialect("edn+gzip")
    assert isinstance(inner._packer, SenteGzip)
    assert inner.pack([inner.event_id("a/b")]) == b"\0[:a/b]"


async def test_an_answer_that_is_no_text() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"\xff"})

    client = Client("/chsk", app=app, classic="edn", transport="poll", connect_timeout=0.1)
    with pytest.raises(Disconnected, match="not UTF-8"):
        await client.__aenter__()
