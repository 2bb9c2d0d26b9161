"""The WebSocket gate, frame by frame: welcome, hello, what a client may not send, and what it may not cost."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sente import ChannelSocket, Limits, Refusal, ServerSettings
from sente.packers.json import JsonPacker
from sente.protocol.settings import AckPolicy
from sente.transports import websocket as gate
from sente.transports.asgi import Connection
from sente.workers import Workers
from tests.asgi import HELLO, QUERY, WebSocket, WsClient, connect, make_scope, until


@pytest.fixture
async def chsk() -> AsyncIterator[ChannelSocket]:
    async with ChannelSocket(user_id=lambda _: "ada") as chsk:
        yield chsk


async def ws_client(chsk: ChannelSocket, client_id: str = "c1", **options: Any) -> WsClient:
    client = await connect(chsk, "ws", client_id, **options)
    assert isinstance(client, WsClient)
    return client


# -- before the hello


async def test_the_server_speaks_first(chsk: ChannelSocket) -> None:
    assert await WebSocket(chsk).accepted() == {"sente": 1, "packer": "json", "hello": 10000}


async def test_a_hello_is_answered_with_the_handshake(chsk: ChannelSocket) -> None:
    socket = WebSocket(chsk)
    await socket.accepted()
    socket.say(HELLO)
    [event_id, [uid, nothing, data, info]], ref, seq = json.loads(await socket.frame())
    assert (event_id, uid, nothing, data, ref, seq) == ("chsk/handshake", "ada", None, None, None, 0)
    assert (info["v"], info["resumed"], info["lost"], info["prev"], info["ack"]) == (1, False, 0, None, 0)
    assert info["limits"]["packet"] == Limits().packet


@pytest.mark.parametrize(
    "query", ["v=1&packers=json", "packers=json&client-id=", f"packers=json&client-id={'x' * 129}"]
)
@pytest.mark.parametrize("client_id", ["", "a b", "ü", "a/b", "%00"])
async def test_without_client_id_the_upgrade_is_refused(chsk: ChannelSocket, query: str, client_id: str) -> None:
    if client_id:
        query = f"packers=json&client-id={client_id}"
    socket = WebSocket(chsk, query)
    start, body = await socket.next(), await socket.next()
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 400)
    assert (b"cache-control", b"no-store, no-transform") in start["headers"]
    assert body["type"] == "websocket.http.response.body"
    assert "client-id is missing" in json.loads(body["body"])["error"]
    assert await socket.next() is None


async def test_without_the_denial_extension_the_upgrade_is_refused_by_close(chsk: ChannelSocket) -> None:
    socket = WebSocket(chsk, "packers=json", denial=False)
    message = await socket.next()
    assert (message["type"], message["code"]) == ("websocket.close", 4400)
    assert "client-id" in message["reason"]


@pytest.mark.parametrize("query", [QUERY.replace("json", "morse,semaphore"), "client-id=c1"])
async def test_without_common_packer_the_reason_lists_the_servers(chsk: ChannelSocket, query: str) -> None:
    socket = WebSocket(chsk, query)
    assert (await socket.next())["type"] == "websocket.accept"  # a browser reads no status of a refused upgrade
    assert await socket.closed() == (4406, "no common packer: the server speaks packers=auto,json")
    assert chsk.stats["rejected 406"] == 1


async def test_a_refusal_before_the_hello_can_be_put_in_own_words() -> None:
    async with ChannelSocket(on_reject=lambda _, rejected: Refusal(rejected.status, "ask Ada")) as chsk:
        socket = WebSocket(chsk, "client-id=c1")
        assert (await socket.next())["type"] == "websocket.accept"
        assert await socket.closed() == (4406, "ask Ada")


async def test_a_client_that_leaves_before_the_upgrade_is_forgotten(chsk: ChannelSocket) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await chsk({"type": "websocket", "path": "/chsk", "headers": []}, receive, send)


@pytest.mark.parametrize("messages", [0, 1, 2, 3])
async def test_a_client_that_leaves_early_is_no_error(chsk: ChannelSocket, messages: int) -> None:
    """Before the accept, the welcome, the hello, the handshake."""
    socket = WebSocket(chsk)
    for _ in range(min(messages, 2)):
        await socket.next()
    if messages == 3:
        socket.say(HELLO)
    socket.disconnect()
    await socket.ended()


# -- the hello


async def refused_hello(chsk: ChannelSocket, first: Any) -> tuple[int, str]:
    socket = WebSocket(chsk)
    await socket.accepted()
    socket.say(first)
    closed = await socket.closed()
    assert not chsk.stats["sessions"]
    return closed


PING = [["chsk/ws-ping"], "ping", 0]


async def test_a_few_pings_may_come_before_the_hello(chsk: ChannelSocket) -> None:
    socket = WebSocket(chsk)
    await socket.accepted()
    for _ in range(3):
        socket.say(PING)
        assert json.loads(await socket.frame()) == ["pong", "ping", 0]
    assert chsk.stats["sessions"] == 0
    socket.say({**HELLO, "n": 1})
    assert json.loads(await socket.frame())[0][0] == "chsk/handshake"


@pytest.mark.parametrize(
    "hello",
    [
        '{"n": 1, "ack": 0, "session": null, "hello": 1}',
        ' {"hello": 1, "n": 1, "ack": 0}',
    ],
)
async def test_a_hello_may_begin_otherwise_than_ours(chsk: ChannelSocket, hello: str) -> None:
    socket = WebSocket(chsk)
    await socket.accepted()
    socket.say(hello)
    assert json.loads(await socket.frame())[0][0] == "chsk/handshake"


async def test_pings_do_not_hold_a_socket(chsk: ChannelSocket) -> None:
    socket = WebSocket(chsk)
    await socket.accepted()
    for _ in range(4):
        socket.say(PING)
    for _ in range(3):
        assert json.loads(await socket.frame()) == ["pong", "ping", 0]
    refused = await socket.next()
    assert (refused["type"], refused["code"]) == ("websocket.close", 4400)
    async with ChannelSocket(settings=ServerSettings(hello_timeout=0.05)) as hasty:
        socket = WebSocket(hasty)
        await socket.accepted()
        socket.say(PING)
        await socket.frame()
        assert await socket.closed() == (4408, "no hello came in time")


async def test_a_ping_before_the_hello_is_no_longer_than_one() -> None:
    async with ChannelSocket(settings=ServerSettings(hello_size=100)) as chsk:
        socket = WebSocket(chsk)
        await socket.accepted()
        socket.say([["chsk/ws-ping"], "ping", 0, None, " " * 100])
        assert (await socket.closed())[0] == 4400


async def test_a_hello_may_not_be_late() -> None:
    async with ChannelSocket(settings=ServerSettings(hello_timeout=0.01)) as chsk:
        socket = WebSocket(chsk)
        assert (await socket.accepted())["hello"] == 10
        assert await socket.closed() == (4408, "no hello came in time")


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (HELLO | {"auth": "x" * 8192}, "at most 8192 bytes"),
        (HELLO | {"auth": "先" * 3000}, "at most 8192 bytes"),
        (json.dumps(HELLO).encode(), "must be a hello: JSON text"),
        ("{", "must be JSON text"),
        ("[" * 8000, "must be JSON text"),
        ([], "must be a hello"),
        ({"hello": 2}, "must be a hello"),
        (HELLO | {"n": 0}, "n must be a whole number"),
        (HELLO | {"ack": -1}, "ack must be a whole number"),
        (HELLO | {"ack": True}, "ack must be a whole number"),
        (HELLO | {"auth": 7}, "auth must be text or null"),
        (HELLO | {"limits": [1]}, "limits must be an object"),
        ({"session": "s", "n": 1, "ack": 0, "seq": 1, "wait": 0}, "must be a hello"),
        ({"wait": 0}, "a body begins with its head"),
    ],
)
async def test_what_is_no_hello_is_refused(chsk: ChannelSocket, first: Any, reason: str) -> None:
    code, text = await refused_hello(chsk, json.dumps(first, ensure_ascii=False) if isinstance(first, dict) else first)
    assert code == 4400
    assert reason in text


async def test_reasons_fit_into_a_close_frame() -> None:
    async with ChannelSocket(reject=lambda _: "先" * 100) as chsk:
        code, reason = await refused_hello(chsk, HELLO)
        assert code == 4403
        assert reason == "先" * 41  # 123 bytes, and no half character


# -- frames


@pytest.mark.parametrize("frame", ["", "{", "null", "7", "[]", "[1,2,3]", "[[],1,2,3,4,5]", '[["a/b",1],"x"]', b"\xff"])
async def test_an_unreadable_frame_costs_the_link_but_not_the_session(chsk: ChannelSocket, frame: str | bytes) -> None:
    client = await ws_client(chsk)
    client.socket.say(frame)
    code, reason = await client.socket.closed()
    assert code == 4400 and reason
    assert chsk.stats["unreadable"] == 1
    await client.open()
    assert client.info["resumed"] is True


async def test_numbers_that_cannot_be_end_the_session(chsk: ChannelSocket) -> None:
    client = await ws_client(chsk)
    await client.push([None, None, 0, 99])
    assert (await client.socket.closed())[0] == 4400
    await client.open()
    assert client.info["resumed"] is False


@pytest.mark.parametrize("text", ["x" * 500, "先" * 250])
async def test_a_frame_that_is_too_large_costs_the_link(text: str) -> None:
    async with ChannelSocket(settings=ServerSettings(limits=Limits(packet=500))) as chsk:
        client = await ws_client(chsk)
        await client.send("chat/say", text)
        code, reason = await client.socket.closed()
        assert (code, reason) == (4413, "the server takes packets of 500 bytes")
        await client.open()
        assert client.info["resumed"] is True


async def test_what_follows_an_unreadable_frame_on_its_link_is_not_heard(chsk: ChannelSocket) -> None:
    client = await ws_client(chsk)
    client.socket.say("{")
    await client.send("chat/say")
    await client.socket.closed()
    assert chsk.stats["received"] == 0


async def test_a_ping_is_answered_and_silence_is_asked_about(chsk: ChannelSocket) -> None:
    client = await ws_client(chsk)
    await client.push([["chsk/ws-ping"], "ping", 0])
    assert json.loads(await client.socket.frame()) == ["pong", "ping", 0]
    async with ChannelSocket(settings=ServerSettings(ping=0.01, ping_timeout=0.01)) as impatient:
        silent = await ws_client(impatient)
        assert json.loads(await silent.socket.frame()) == ["chsk/ws-ping", None, 0]
        assert await silent.socket.closed() == (1001, "no sign of life")


# -- the end


async def test_goodbye_ends_the_session(chsk: ChannelSocket) -> None:
    client = await ws_client(chsk)
    client.socket.disconnect(1000)
    await client.socket.ended()
    assert chsk.stats["ended goodbye"] == 1
    await client.open()
    assert client.info["resumed"] is False


@pytest.mark.parametrize("code", [1001, 1005, 1006, 1009, 4000])
async def test_any_other_end_leaves_the_session_to_be_resumed(chsk: ChannelSocket, code: int) -> None:
    client = await ws_client(chsk)
    client.socket.disconnect(code)
    await client.socket.ended()
    chsk.send("ada", "chat/said", "while away", flush=True)
    await client.open()
    assert client.info["resumed"] is True
    assert await client.event() == ["chat/said", "while away"]


async def test_a_line_that_fails_before_its_end_is_known_is_no_error(chsk: ChannelSocket) -> None:
    noise: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    client = await ws_client(chsk)
    client.socket.gone = True  # sends fail, and the application is not told yet
    chsk.send("ada", "chat/said", 1, flush=True)
    await asyncio.sleep(0.01)
    chsk.send("ada", "chat/said", 2, flush=True)
    await client.go_away()
    gc.collect()  # what nobody asked a task for is reported then
    assert noise == []
    await client.open()
    assert [await client.event(), await client.event()] == [["chat/said", 1], ["chat/said", 2]]


async def test_bye_ends_the_session_and_the_link(chsk: ChannelSocket) -> None:
    client = await ws_client(chsk)
    await client.push([["chsk/bye"], None, 0])
    assert (await client.socket.closed())[0] == 1000
    assert chsk.stats["ended goodbye"] == 1


async def test_a_newer_link_replaces_the_older(chsk: ChannelSocket) -> None:
    client = await ws_client(chsk)
    older = client.socket
    await client.open()
    assert (await older.closed())[0] == 4409
    late = WebSocket(chsk)
    await late.accepted()
    late.say(HELLO | {"session": client.info["session"]})  # n = 1: sent before the others, arrived after them
    assert (await late.closed())[0] == 4409
    assert await client.ask("chat/say") == (
        "error",
        {"code": "no_handler", "message": "nobody handles chat/say", "data": None},
    )


# -- what a client may cost


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "CLOSE_TIMEOUT", 0.05)


SMALL = ServerSettings(limits=Limits(outbox=20, requests=8, window=16, ack=AckPolicy(items=1)))


@pytest.mark.usefixtures("hurry")
async def test_a_client_that_never_reads_is_cut_off() -> None:
    async with ChannelSocket(user_id=lambda _: "ada", settings=SMALL) as chsk:
        client = await ws_client(chsk)
        client.socket.reading.clear()
        for number in range(100):
            chsk.send("ada", "chat/said", number, flush=True)
        assert chsk.stats["ended slow"] == 1
        await client.socket.ended()  # cut, though its send still blocks
        await client.open()
        assert client.info["resumed"] is False
        assert client.info["lost"] == 100


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("packet", [[["chsk/ws-ping"], "ping", 0], [None, None, 0, 0, "ack"]])
async def test_a_client_that_asks_and_never_reads_is_cut_off(packet: Any) -> None:
    async with ChannelSocket(settings=SMALL) as chsk:
        client = await ws_client(chsk)
        client.socket.reading.clear()
        for _ in range(1000):
            await client.push(packet)
        await client.socket.ended()


@pytest.mark.usefixtures("hurry")
async def test_a_client_that_does_not_close_is_cut_off(chsk: ChannelSocket) -> None:
    client = await ws_client(chsk)
    client.socket.reading.clear()
    chsk.disconnect("ada")
    await client.socket.ended()


@pytest.mark.usefixtures("hurry")
async def test_what_is_called_around_the_socket_is_not_cancelled(chsk: ChannelSocket) -> None:
    after: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await chsk(scope, receive, send)
        await asyncio.sleep(0.1)  # longer than the close may take
        after.append("done")

    await connect(app)
    chsk.disconnect("ada")
    await until(lambda: after)


@pytest.mark.usefixtures("hurry")
async def test_a_cut_leaves_no_cancellation_behind(chsk: ChannelSocket) -> None:
    """``asyncio.timeout`` and task groups around the socket count cancellations."""
    left: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await chsk(scope, receive, send)
        task = asyncio.current_task()
        assert task is not None
        left.append(task.cancelling())

    client = await connect(app)
    assert isinstance(client, WsClient)
    client.socket.reading.clear()
    chsk.disconnect("ada")
    await client.socket.ended()
    assert left == [0]


async def test_a_server_that_stops_may_cancel(chsk: ChannelSocket) -> None:
    client = await ws_client(chsk)
    client.socket.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.socket.task
    assert client.socket.task.cancelled()
    await client.open()
    assert client.info["resumed"] is True


# -- a line that takes messages by a call


class Line:
    """What a server offers beside ASGI; its ``send`` waits while it is full."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.room = asyncio.Event()
        self.full = False
        self.heard: Any = None

    def listen(self, heard: Any) -> None:
        self.heard = heard

    def write(self, wire: str | bytes) -> bool:
        if not self.full:
            self.got.append(str(wire))
        return not self.full

    async def send(self, message: Any) -> None:
        if self.full:
            await self.room.wait()
        self.got.append(message.get("text") or message["type"])


def direct_link() -> tuple[gate.WebSocketLink, Line]:
    line = Line()
    connection = Connection({"type": "websocket", "path": "/", "query_string": b"", "headers": []})
    link = gate.WebSocketLink(line.send, JsonPacker(), connection, Limits(), Workers())
    link.line = line
    return link, line


async def test_a_direct_line_is_written_to_at_once() -> None:
    link, line = direct_link()
    link.transmit(["one", "two"])
    assert line.got == ["one", "two"]


async def test_what_waits_for_a_full_line_is_not_overtaken() -> None:
    link, line = direct_link()
    line.full = True
    link.transmit(["one", "two"])
    await asyncio.sleep(0)
    link.transmit(["three"])
    line.full = False  # there is room, and who waits for it has not gone on yet
    line.room.set()
    link.transmit(["four"])
    await until(lambda: len(line.got) == 4)
    link.transmit(["five"])
    async with link.deadline:
        link.close(4410, "gone")
    link.transmit(["too late"])
    await until(lambda: len(line.got) == 6)
    assert line.got == ["one", "two", "three", "four", "five", "websocket.close"]


async def test_one_message_that_waits_is_not_overtaken() -> None:
    link, line = direct_link()
    line.full = True
    link.transmit(["one"])
    await asyncio.sleep(0)
    line.full = False
    line.room.set()
    link.transmit(["two"])
    await until(lambda: len(line.got) == 2)
    assert line.got == ["one", "two"]


async def test_a_server_that_has_closed_the_line_by_itself_is_told_nothing_more() -> None:
    """As uvicorn does when no frame follows what is no hello; to say more is a RuntimeError there."""
    heard = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "no hello"}])
    told: list[str] = []

    async def receive() -> Any:
        return next(heard)

    async def send(message: Any) -> None:
        told.append(message["type"])
        if message["type"] == "websocket.close":
            raise RuntimeError("Unexpected ASGI message 'websocket.close', after sending 'websocket.close'.")

    async with ChannelSocket() as chsk:
        await chsk(make_scope("websocket", "/chsk", QUERY, {}), receive, send)
    assert told == ["websocket.accept", "websocket.send", "websocket.close"]
