"""What the tracer is told: which events travelled, for whom, over what; never what was in them."""

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from sente import ChannelSocket, Message, Note, ServerSettings
from tests.asgi import (
    HELLO,
    QUERY,
    TRANSPORTS,
    Exchange,
    TransportName,
    WebSocket,
    WsClient,
    connect,
    fetch,
    row,
    until,
)

SETTINGS = ServerSettings(grace_ws=0.02, grace_poll=0.02, batch_ws=0, batch_poll=0)
over_both = pytest.mark.parametrize("transport", TRANSPORTS)


def traced(tracer: Any, **options: Any) -> ChannelSocket:
    chsk = ChannelSocket(settings=SETTINGS, trace=tracer, user_id=lambda _: "ada", **options)

    @chsk.on("chat/echo")
    async def echo(msg: Message) -> object:
        return msg.data

    return chsk


def told(notes: list[Note]) -> list[tuple[str, str]]:
    return [(note.what, note.text) for note in notes]


@over_both
async def test_what_travels_is_told(transport: TransportName) -> None:
    notes: list[Note] = []
    async with traced(notes.append) as chsk:
        client = await connect(chsk, transport)
        assert await client.ask("chat/echo", "a secret") == ("reply", "a secret")
        await client.send("chat/noise", "a secret")
        await until(lambda: ("in", "chat/noise") in told(notes))
    expected = [("hello", ""), ("out", "handshake"), ("in", "chat/echo, request 1"), ("out", "reply to request 1")]
    assert told(notes)[:4] == expected
    assert "secret" not in repr(notes) and client.info["session"] not in repr(notes)
    packet = notes[2]
    assert (packet.transport, packet.uid, packet.client_id, packet.packer) == (transport, "ada", "c1", "json")
    assert packet.size == len('[["chat/echo","a secret"],1,1,null,"request"]')


async def test_a_poll_without_packets_is_told_as_such() -> None:
    notes: list[Note] = []
    async with traced(notes.append) as chsk:
        client = await connect(chsk, "poll")
        chsk.send("ada", "chat/said", flush=True)
        assert await client.event() == ["chat/said", None]
        await client.exchange(client.head())  # type: ignore[union-attr]
    assert told(notes)[2:5] == [("in", "poll"), ("out", "chat/said"), ("in", "acknowledgement")]


async def test_how_a_websocket_ends_is_told_once() -> None:
    notes: list[Note] = []
    async with traced(notes.append) as chsk:
        for code in (1006, 1000):
            client = await connect(chsk, client_id=f"c{code}")
            assert isinstance(client, WsClient)
            client.socket.disconnect(code)
            await client.socket.ended()
        client = await connect(chsk)
        chsk.disconnect("ada", "out")
        assert isinstance(client, WsClient)
        assert await client.socket.closed() == (4410, "out")
        await client.socket.ended()
    ends = [(note.what, note.text) for note in notes if note.what in ("close", "lost")]
    assert ends == [("lost", "the line is gone"), ("close", "1000 goodbye"), ("close", "4410 out")]


async def test_refusals_and_what_cannot_be_read_are_told() -> None:
    notes: list[Note] = []
    async with traced(notes.append, authorize=lambda connection: "good" in connection.query) as chsk:
        assert (await fetch(chsk, "POST", body=row(HELLO))).status == 401
        socket = WebSocket(chsk, f"{QUERY}&good=1")
        await socket.accepted()
        socket.say(HELLO)
        await socket.frame()
        socket.say("no packet")
        assert (await socket.closed())[0] == 4400
    assert told(notes)[0] == ("refused", "401: not authorized: log in, then reconnect")
    assert any(what == "in" and text.startswith("unreadable: not JSON") for what, text in told(notes))


async def test_every_packet_has_its_words() -> None:
    notes: list[Note] = []
    async with traced(notes.append) as chsk:
        client = await connect(chsk)
        await client.push([["chsk/ws-ping"], "ping", 0])
        await client.pull()
        await client.push([["chsk/ws-pong"], None, 0])
        await client.push([None, None, 0, 0])
        await client.push([[None, ["chat/echo"]], None, 1])
        client.seq = 2
        assert (await client.ask("no/handler"))[0] == "error"
        await client.push([["chsk/bye"], None, 0])
        await until(lambda: chsk.stats["ended goodbye"])
    for words in ("ping", "pong", "acknowledges 0", "dropped, chat/echo", "error to request 1", "chsk/bye"):
        assert words in {note.text for note in notes}


async def test_a_tracer_that_raises_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def tracer(note: Note) -> None:
        raise ZeroDivisionError

    async with traced(tracer) as chsk:
        client = await connect(chsk)
        assert await client.ask("chat/echo", 1) == ("reply", 1)
    assert "the tracer raised" in caplog.text


async def test_true_writes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sente.trace"):
        async with traced(True) as chsk:
            client = await connect(chsk)
            await client.ask("chat/echo", "a secret")
    assert "in      ws 'ada'/c1 45 B json: chat/echo, request 1" in caplog.text
    assert "secret" not in caplog.text


# -- Sente's own clients

CLASSIC = "client-id=c1"


async def post(chsk: ChannelSocket, message: Any) -> Any:
    return (await fetch(chsk, "POST", f"{CLASSIC}&binary?=true", body=json.dumps(message).encode())).json


async def test_classic_websockets_are_told_like_ours() -> None:
    notes: list[Note] = []
    async with traced(notes.append, classic="json") as chsk:
        line = WebSocket(chsk, CLASSIC)
        await line.next()
        await line.frame()
        for said in (
            [["chat/echo", "a secret"], "cb1"],
            [["no/handler"], 7],
            [["chsk/ws-ping"], "cb2"],
            [["chsk/ws-pong"], None],
            [["chsk/uidport-open", "a secret"], False],
            {"no": "message"},
        ):
            line.say(said)
        for _ in range(3):
            await line.frame()
        chsk.send("ada", "chat/said", "a secret")
        chsk.send("ada", "chat/left", "a secret", flush=True)
        await line.frame()
        line.disconnect()
        await line.ended()
    assert told(notes)[:2] == [("hello", "as Sente's clients do"), ("out", "handshake")]
    assert [text for what, text in told(notes) if what == "in"] == [
        "chat/echo, callback 'cb1'",
        "no/handler, callback 7",
        "ping, callback 'cb2'",
        "pong",
        "chsk/uidport-open",
        "unreadable: a message is a list [event, callback]",
    ]
    assert [text for what, text in told(notes)[2:] if what == "out"] == [
        "reply to callback 'cb2'",
        "reply to callback 'cb1'",
        "error to callback 7",
        "chat/said",
        "chat/left",
    ]
    assert told(notes)[-1] == ("lost", "the line is gone")
    assert "secret" not in repr(notes)
    echo = notes[2]
    assert (echo.transport, echo.uid, echo.client_id, echo.packer) == ("ws", "ada", "c1", "json")
    assert echo.size == len('[["chat/echo", "a secret"], "cb1"]')


async def test_classic_polls_and_posts_are_told_like_ours() -> None:
    notes: list[Note] = []
    async with traced(notes.append, classic="json") as chsk:
        await fetch(chsk, query=f"{CLASSIC}&handshake?=true")
        poll = Exchange(chsk, query=CLASSIC)
        await asyncio.sleep(0)
        chsk.send("ada", "chat/said", "a secret", flush=True)
        await poll.answer()
        assert await post(chsk, [["chat/echo", [["chat/said", "a secret"]]], True]) == [
            [["chat/said", "a secret"]],
            None,
        ]
        await post(chsk, [["chat/echo", "a secret"]])
        await post(chsk, [["no/handler"], True])
        await fetch(chsk, query="client-id=")
    assert told(notes) == [
        ("hello", "as Sente's clients do"),
        ("out", "handshake"),
        ("in", "poll"),
        ("out", "chat/said"),
        ("in", "chat/echo, callback True"),
        ("out", "reply"),
        ("in", "chat/echo"),
        ("out", "taken"),
        ("in", "no/handler, callback True"),
        ("out", "error"),
        ("refused", "400: client-id is missing: 1 to 128 of A-Z a-z 0-9 . _ ~ : - among the parameters"),
    ]
    assert "secret" not in repr(notes)


async def test_what_ends_classic_lines_is_told() -> None:
    notes: list[Note] = []
    async with traced(notes.append, classic="json") as chsk:
        line = WebSocket(chsk, CLASSIC)
        await line.next()
        await line.frame()
        chsk.disconnect("ada", "out")
        await line.closed()
        poll = Exchange(chsk, query=CLASSIC)
        await asyncio.sleep(0)
        assert (await poll.answer()).json[0][0] == "chsk/handshake"
        poll = Exchange(chsk, query=CLASSIC)
        await until(lambda: notes[-1].text == "poll")
    await poll.answer()
    ends = [(note.transport, note.text) for note in notes if note.what in ("close", "lost")]
    assert ends == [("ws", "1000 out"), ("poll", "1001 the server restarts")]


async def test_what_a_classic_server_says_by_itself_is_told() -> None:
    notes: list[Note] = []
    settings = replace(SETTINGS, ping=0.02, poll=0.02)
    async with ChannelSocket(settings=settings, trace=notes.append, classic="json") as chsk:
        line = WebSocket(chsk, CLASSIC)
        for _ in range(3):
            await line.next()
        for _ in range(2):
            await fetch(chsk, query=CLASSIC)
    out = [(note.transport, note.text) for note in notes if note.what == "out"]
    assert sorted(set(out)) == [("poll", "handshake"), ("poll", "nothing came"), ("ws", "handshake"), ("ws", "ping")]
