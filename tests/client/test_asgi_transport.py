import asyncio
import json
from typing import Any

import pytest

from sente.interfaces import LinkClosed
from sente.transports import client_asgi
from sente.transports.client_asgi import AsgiLink, AsgiTransport
from tests.client.line import until

URL = "http://testserver/a%20b?x=1&y=%2F"


async def respond(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes], prefix: str = "http") -> None:
    await send({"type": f"{prefix}.response.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": body[:3], "more_body": True})
    await send({"type": f"{prefix}.response.body", "body": body[3:]})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Echoes frames and bodies; a frame or body ``close`` ends it."""
    if scope["type"] == "http":
        message = await receive()
        assert not message["more_body"]
        shown = {key: scope[key] for key in ("method", "path", "root_path", "scheme", "server", "client")}
        shown |= {"query": scope["query_string"].decode(), "body": message["body"].decode()}
        shown |= {"headers": [[a.decode(), b.decode()] for a, b in scope["headers"]]}
        return await respond(send, 200, json.dumps(shown).encode())
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4401, "reason": "log in first"})
            return
        await send({**message, "type": "websocket.send"})


async def open_link(app: Any, limit: int = 1000) -> tuple[AsgiTransport, AsgiLink]:
    transport = AsgiTransport(app)
    return transport, await transport.open(URL.replace("http", "ws"), {"X-A": "1"}, limit)


async def test_a_request_and_its_answer() -> None:
    transport = AsgiTransport(echo)
    answer = json.loads(await transport.fetch("POST", URL, {"X-A": "1"}, b"hello", 1000))
    assert answer == {
        "method": "POST",
        "path": "/a b",
        "root_path": "",
        "scheme": "http",
        "server": ["testserver", 80],
        "client": ["127.0.0.1", 50000],
        "query": "x=1&y=%2F",
        "body": "hello",
        "headers": [["host", "testserver"], ["x-a", "1"], ["content-length", "5"]],
    }
    await transport.aclose()


async def test_frames_of_both_kinds_travel_in_order() -> None:
    transport, link = await open_link(echo)
    for wire in ("one", b"two", "three"):
        await link.send(wire)
    assert [await link.receive() for _ in range(3)] == ["one", b"two", "three"]
    await link.close(1000, "")
    await transport.aclose()


async def test_a_close_by_the_application_comes_after_its_frames_with_code_and_reason() -> None:
    transport, link = await open_link(echo)
    await link.send("last")
    await link.send("close")
    assert await link.receive() == "last"
    with pytest.raises(LinkClosed) as closed:
        await link.receive()
    assert (closed.value.code, closed.value.message) == (4401, "log in first")
    with pytest.raises(LinkClosed):
        await link.send("too late")
    await transport.aclose()


async def test_a_close_by_the_client_reaches_the_application_after_its_frames() -> None:
    heard: list[Any] = []

    async def listen(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(message)
        heard.append(message)
        with pytest.raises(OSError, match="gone"):
            await send({"type": "websocket.send", "text": "too late"})
        assert (await receive())["type"] == "websocket.disconnect"
        heard.append("end")

    transport, link = await open_link(listen)
    await link.send("one")
    await link.close(4000, "away")
    await transport.aclose()
    assert heard == [
        {"type": "websocket.receive", "text": "one"},
        {"type": "websocket.disconnect", "code": 4000, "reason": "away"},
        "end",
    ]
    with pytest.raises(LinkClosed):
        await link.receive()


async def test_an_application_that_sends_faster_than_it_is_read_waits() -> None:
    sent: list[int] = []

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        for number in range(100):
            await send({"type": "websocket.send", "text": str(number)})
            sent.append(number)

    transport, link = await open_link(flood)
    await asyncio.sleep(0.01)
    assert len(sent) == client_asgi.ROOM
    assert [await link.receive() for _ in range(100)] == [str(number) for number in range(100)]
    with pytest.raises(LinkClosed) as closed:
        await link.receive()
    assert closed.value.code is None
    await transport.aclose()


async def test_a_client_that_hangs_up_ends_the_wait_of_an_application_that_floods(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def flood(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "bytes": b"x"})

    transport, link = await open_link(flood)
    await asyncio.sleep(0.01)
    await link.close(1000, "")
    await until(lambda: not transport._tasks)
    await transport.aclose()
    assert caplog.text == ""


async def test_a_frame_beyond_the_limit_closes_the_line() -> None:
    transport, link = await open_link(echo, limit=3)
    await link.send("long")
    with pytest.raises(LinkClosed) as closed:
        await link.receive()
    assert closed.value.code == 1009
    await transport.aclose()


async def test_an_answer_beyond_the_limit_is_no_answer() -> None:
    with pytest.raises(LinkClosed, match="longer than 10 bytes"):
        await AsgiTransport(echo).fetch("GET", URL, {}, b"", 10)


@pytest.mark.parametrize(
    ("status", "body", "headers", "message"),
    [
        (401, b'{"error": "log in first"}', [], "log in first"),
        (401, b'{"detail": "no"}', [], "the server answered with HTTP 401"),
        (502, b"<html>", [], "the server answered with HTTP 502"),
        (500, b'["error"]', [], "the server answered with HTTP 500"),
        (400, b'{"error": {"a": 1}}', [], "the server answered with HTTP 400"),
        (503, b'{"error": "busy"}', [(b"Retry-After", b"3")], "retry_after=3000"),
        (429, b"", [(b"retry-after", b"1")], "retry_after=1000"),
        (503, b'{"error": "busy"}', [(b"Retry-After", b"Wed, 21 Oct 2015 07:28:00 GMT")], "busy"),
        (403, b'{"error": "no"}', [(b"Retry-After", b"3")], "no"),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_refusal_has_its_status_and_its_sentence(
    kind: str, status: int, body: bytes, headers: Any, message: str
) -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, status, body, *headers, prefix="http" if kind == "http" else "websocket.http")

    transport = AsgiTransport(refuse)
    with pytest.raises(LinkClosed) as closed:
        await (transport.open(URL, {}, 9) if kind == "websocket" else transport.fetch("GET", URL, {}, b"", 9))
    assert (closed.value.code, closed.value.message) == (status, message)
    await transport.aclose()


async def test_a_websocket_closed_before_it_was_accepted_is_forbidden() -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 4400, "reason": "no"})

    with pytest.raises(LinkClosed) as closed:
        await AsgiTransport(refuse).open(URL, {}, 9)
    assert (closed.value.code, closed.value.message) == (403, "no")


@pytest.mark.parametrize("raises", [True, False])
async def test_an_application_that_fails_is_an_internal_error(raises: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        if raises:
            raise ValueError("oh")

    transport = AsgiTransport(fail)
    for attempt in (transport.open(URL, {}, 9), transport.fetch("GET", URL, {}, b"", 9)):
        with pytest.raises(LinkClosed) as closed:
            await attempt
        assert closed.value.code == 500
    assert ("oh" in caplog.text) is raises


async def test_a_request_that_is_given_up_is_a_disconnect() -> None:
    heard: list[str] = []

    async def hold(scope: Any, receive: Any, send: Any) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])

    transport = AsgiTransport(hold)
    fetching = asyncio.create_task(transport.fetch("POST", URL, {}, b"x", 9))
    await until(lambda: heard or transport._tasks)
    await asyncio.sleep(0.01)
    fetching.cancel()
    await transport.aclose()
    assert heard == ["http.request", "http.disconnect"]


async def test_a_websocket_that_is_given_up_while_it_opens_is_a_disconnect() -> None:
    heard: list[Any] = []

    async def hang(scope: Any, receive: Any, send: Any) -> None:
        heard.extend([await receive(), await receive()])

    transport = AsgiTransport(hang)
    opening = asyncio.create_task(transport.open(URL, {}, 9))
    await asyncio.sleep(0.01)
    opening.cancel()
    await transport.aclose()
    assert [message["type"] for message in heard] == ["websocket.connect", "websocket.disconnect"]


async def test_an_application_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_asgi, "CLOSE_TIMEOUT", 0.01)

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, 200, b"ok")
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        await asyncio.sleep(60)

    transport = AsgiTransport(endless)
    assert await transport.fetch("GET", URL, {}, b"", 9) == b"ok"
    async with asyncio.timeout(1):
        await transport.aclose()
