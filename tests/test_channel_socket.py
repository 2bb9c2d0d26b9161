"""The façade: what it is given, what it tells, and how it is started and stopped."""

import asyncio
from typing import Any

import pytest

from sente import ANONYMOUS, ChannelSocket, ConfigError, ConnectedUids, Connection, Message, Receipt, ServerSettings
from tests.asgi import HELLO, TRANSPORTS, PollClient, TransportName, WebSocket, WsClient, connect, fetch, row, until

over_both = pytest.mark.parametrize("transport", TRANSPORTS)


# -- who a client is, and what it is given


@over_both
@pytest.mark.parametrize("uid", ["ada", 7, 0, "", None])
async def test_the_user_is_in_the_session_by_default(transport: TransportName, uid: str | int | None) -> None:
    async with ChannelSocket() as chsk:
        client = await connect(chsk, transport, session={"uid": uid})
        assert client.uid == uid
        assert chsk.connected_uids.any == ({uid} - {None})


@pytest.mark.parametrize("session", [None, {}, {"uid": ["ada"]}])
async def test_without_a_usable_session_the_client_is_anonymous(session: Any) -> None:
    async with ChannelSocket() as chsk:
        assert (await connect(chsk, session=session)).uid is None
        assert chsk.send(ANONYMOUS, "chat/said") == Receipt(1)


@over_both
async def test_the_user_may_depend_on_the_client_id(transport: TransportName) -> None:
    async def user_id(connection: Connection) -> str:
        return f"user of {connection.client_id}"

    async with ChannelSocket(user_id=user_id) as chsk:
        assert (await connect(chsk, transport, "tab-1")).uid == "user of tab-1"
        assert (await connect(chsk, transport, "tab-2")).uid == "user of tab-2"
        assert chsk.send("user of tab-2", "chat/said").clients == 1


@over_both
async def test_handshake_data(transport: TransportName) -> None:
    def data(connection: Connection) -> Any:
        return {"room": connection.query["room"], "by": connection.uid}

    async with ChannelSocket(user_id=lambda _: "ada", handshake_data=data) as chsk:
        client = await connect(chsk, transport, "c1&room=go")
        assert client.data == {"room": "go", "by": "ada"}


@pytest.mark.parametrize("path", ["/", "/chsk", "/chsk/", "/any/where"])
async def test_it_answers_wherever_it_is_put(path: str) -> None:
    async with ChannelSocket() as chsk:
        for transport in TRANSPORTS:
            assert (await connect(chsk, transport, path=path)).info["resumed"] is False


# -- settings

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"packers": "morse"}, "no packer 'morse'; built in: auto, cbor, edn, json, msgpack, transit"),
    ({"packers": "json,json"}, "named twice"),
    ({"packers": ""}, "name at least one"),
    ({"packers": []}, "name at least one"),
    ({"allowed_origins": ["app.example.com"]}, "write it like 'https://"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_a_wrong_setting_says_what_would_be_right(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ChannelSocket(**options)


# -- starting and stopping


async def test_what_needs_a_running_socket_says_so() -> None:
    chsk = ChannelSocket()
    chsk.on("chat/say")(print)

    async def check() -> None:
        for call in (lambda: chsk.send("ada", "a/b"), lambda: chsk.broadcast("a/b"), lambda: chsk.disconnect("ada")):
            with pytest.raises(ConfigError, match="not running"):
                call()
        with pytest.raises(ConfigError, match="not running"):
            await fetch(chsk)
        with pytest.raises(ConfigError, match="not running"):
            await WebSocket(chsk).next()
        assert chsk.connected_uids == ConnectedUids(frozenset(), frozenset(), frozenset())

    await check()
    async with chsk:
        await connect(chsk, session={"uid": "ada"})
        assert chsk.send("ada", "a/b").clients == 1
    with pytest.raises(ConfigError, match="not running"):
        chsk.send("ada", "a/b")


async def test_stopping_says_goodbye() -> None:
    async with ChannelSocket() as chsk:
        ws, poll = await connect(chsk, "ws", "c1"), await connect(chsk, "poll", "c2")
        assert isinstance(poll, PollClient)
        waiting = poll.post(poll.head(wait=20_000))
        await asyncio.sleep(0.01)
    for client in (ws, poll):
        if client is poll:
            poll.absorb(await waiting.answer())
        event_id, word = await client.event()
        assert (event_id, word["ack"], word["lost"]) == ("chsk/bye", 0, 0)
        assert 0 < word["retry_after"] <= 2000
    assert (chsk.stats["ended drained"], chsk.stats["ended stopped"]) == (2, 0)


async def test_who_has_not_got_everything_is_cut_off_all_the_same() -> None:
    async with ChannelSocket(settings=ServerSettings(batch_ws=3600)) as chsk:
        client = await connect(chsk, session={"uid": "ada"})
        chsk.send("ada", "chat/said")
    assert chsk.stats["ended stopped"] == 1
    assert isinstance(client, WsClient)
    assert await client.socket.closed() == (1001, "the server restarts")


async def test_whoever_stops_it_while_it_drains_finds_its_handlers_stopped() -> None:
    log: list[str] = []
    chsk = ChannelSocket()

    @chsk.on("work/do")
    async def work(msg: Message) -> None:
        log.append("begun")
        try:
            await asyncio.sleep(3600)
        finally:
            log.append("stopped")

    async with chsk:
        client = await connect(chsk)
        await client.send("work/do")
        await until(lambda: log == ["begun"])
        draining = asyncio.create_task(chsk._hub.drain(3600))  # a signal came, and then a second one
        await asyncio.sleep(0)
    log.append("what the application had opened is closed")
    assert log == ["begun", "stopped", "what the application had opened is closed"]
    assert chsk.stats["ended stopped"] == 1
    await draining


def test_a_socket_may_run_again_on_another_loop() -> None:
    chsk = ChannelSocket(settings=ServerSettings(grace_ws=3600))
    opened: list[Any] = []
    chsk.on("chsk/uidport-open")(lambda msg: opened.append(msg.uid))
    chsk.on("chat/say")(lambda msg: msg.data)

    async def run() -> None:
        async with chsk:
            assert chsk.connected_uids.any == frozenset()
            changes = chsk.presence()
            assert not (await anext(changes)).any
            coming = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0)
            client = await connect(chsk, session={"uid": "ada"})
            assert (await coming).ws == {"ada"}
            assert chsk.send("ada", "chat/said").clients == 1
            assert await client.ask("chat/say", 1) == ("reply", 1)
            watching = asyncio.ensure_future(anext(changes))  # still does when the loop ends
            await asyncio.sleep(0)
            assert not watching.done()

    for _ in range(3):
        asyncio.run(run())
    assert opened == ["ada"] * 3


def test_a_socket_may_run_again_after_a_loop_that_was_cut_off() -> None:
    """Nobody left its lifespan, and it was about to say something."""
    chsk = ChannelSocket(settings=ServerSettings(batch_ws=0.001))
    cut_off = asyncio.new_event_loop()

    async def begin() -> None:
        await chsk.__aenter__()
        await connect(chsk, session={"uid": "ada"})

    async def run() -> None:
        async with chsk:
            client = await connect(chsk, session={"uid": "ada"})
            chsk.send("ada", "chat/said", 2)
            assert await client.event() == ["chat/said", 2]

    cut_off.run_until_complete(begin())
    chsk.send("ada", "chat/said", 1)
    chsk.broadcast("chat/said", 1)
    asyncio.run(run())
    cut_off.run_until_complete(cancel_all())
    cut_off.close()


async def cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_as_a_whole_application_it_serves_its_own_lifespan() -> None:
    chsk = ChannelSocket()
    up: asyncio.Queue[Any] = asyncio.Queue()
    down: asyncio.Queue[Any] = asyncio.Queue()
    serving = asyncio.ensure_future(chsk({"type": "lifespan"}, up.get, down.put))
    up.put_nowait({"type": "lifespan.startup"})
    assert await down.get() == {"type": "lifespan.startup.complete"}
    await connect(chsk)
    assert not serving.done()
    up.put_nowait({"type": "lifespan.shutdown"})
    assert await down.get() == {"type": "lifespan.shutdown.complete"}
    await serving
    assert chsk.stats["ended drained"] == 1


async def test_it_may_be_stopped_while_clients_come() -> None:
    async with ChannelSocket() as chsk:
        socket = WebSocket(chsk)
        await socket.accepted()
    socket.say(HELLO)
    assert await socket.closed() == (4503, "retry_after=1000")


# -- counting


async def test_stats() -> None:
    async with ChannelSocket(authorize=lambda connection: connection.client_id != "c3") as chsk:
        chsk.on("chat/say")(lambda _: chsk.broadcast("chat/said").clients)
        client = await connect(chsk)
        await connect(chsk, "poll", "c2")
        assert await client.ask("chat/say") == ("reply", 2)
        await fetch(chsk, "POST", "packers=json&client-id=c3", body=row(HELLO))
        chsk.disconnect(ANONYMOUS)
        expected = {"sessions": 2, "received": 1, "sent": 1, "rejected 401": 1, "lost": 2, "ended disconnected": 2}
        assert chsk.stats == expected
        chsk.stats["sessions"] = 9
        assert chsk.stats == expected


async def test_on_error_is_an_attribute() -> None:
    chsk = ChannelSocket()
    assert chsk.on_error is None

    def hook(error: Exception, msg: Message) -> None:
        told.append(error)

    told: list[Exception] = []
    chsk.on_error = hook
    assert chsk.on_error is hook
    async with chsk:
        chsk.on("chat/say")(lambda _: 1 / 0)
        await (await connect(chsk)).ask("chat/say")
        await until(lambda: told)


def test_anonymous_says_its_name() -> None:
    assert repr(ANONYMOUS) == "ANONYMOUS"
