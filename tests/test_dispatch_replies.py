"""From an event to its handler and back to the reply: what a handler is given, what it returns, what it raises."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sente import ChannelSocket, ConfigError, Message, RequestFailed, ServerSettings
from tests.asgi import TRANSPORTS, TransportName, connect, until

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
INTERNAL = ("error", {"code": "internal", "message": "the server could not handle this", "data": None})


@pytest.fixture
async def chsk() -> AsyncIterator[ChannelSocket]:
    async with ChannelSocket(settings=ServerSettings(batch_ws=0.001, batch_poll=0.001)) as chsk:
        yield chsk


# -- handlers


@over_both
async def test_what_a_handler_is_given(chsk: ChannelSocket, transport: TransportName) -> None:
    seen: list[Message] = []
    chsk.on("chat/say")(seen.append)
    client = await connect(chsk, transport, "c7", headers={"cookie": "room=go"}, session={"uid": "ada"})
    await client.ask("chat/say", {"text": "先手"})
    await client.send("chat/say")
    await until(lambda: len(seen) == 2)
    asked, told = seen
    assert asked.event == ("chat/say", {"text": "先手"})
    assert (asked.id, asked.data, asked.uid, asked.client_id) == ("chat/say", {"text": "先手"}, "ada", "c7")
    assert asked.connection is not None
    assert asked.connection.cookies == {"room": "go"}
    assert asked.connection.session["uid"] == "ada"
    assert asked.connection.query["packers"] == "json"
    assert (asked.connection.path, asked.connection.host, asked.connection.uid) == ("/chsk", "192.0.2.1", "ada")
    assert asked.send == chsk.send
    assert asked.reply is not None and told.reply is None
    assert told.event == ("chat/say", None)


async def test_over_http_the_connection_is_that_of_the_request(chsk: ChannelSocket) -> None:
    chsk.on("chat/where")(lambda msg: msg.connection and msg.connection.cookies["room"])
    client = await connect(chsk, "poll", headers={"cookie": "room=go"})
    client.options["headers"] = {"cookie": "room=shogi"}
    assert await client.ask("chat/where") == ("reply", "shogi")


@over_both
async def test_the_return_value_is_the_reply(chsk: ChannelSocket, transport: TransportName) -> None:
    threads: list[int] = []

    @chsk.on("chat/async")
    async def asynchronous(msg: Message) -> Any:
        threads.append(threading.get_ident())
        return msg.data

    @chsk.on("chat/sync")
    def synchronous(msg: Message) -> Any:
        threads.append(threading.get_ident())
        return msg.data

    @chsk.on("chat/nothing")
    async def nothing(msg: Message) -> None:
        pass

    client = await connect(chsk, transport)
    assert await client.ask("chat/async", 1) == ("reply", 1)
    assert await client.ask("chat/sync", [2]) == ("reply", [2])
    assert await client.ask("chat/nothing") == ("reply", None)
    assert threads[0] == threading.get_ident() != threads[1]  # a sync handler may block


@over_both
async def test_a_handler_may_reply_early_and_only_once(chsk: ChannelSocket, transport: TransportName) -> None:
    go_on = asyncio.Event()

    @chsk.on("chat/say")
    async def say(msg: Message) -> str:
        assert msg.reply is not None
        msg.reply("first")
        msg.reply("second")
        await go_on.wait()
        return "third"

    client = await connect(chsk, transport)
    assert await client.ask("chat/say") == ("reply", "first")
    go_on.set()
    chsk.broadcast("chat/end")
    assert await client.event() == ["chat/end", None]
    assert client.replies == {}


async def test_a_reply_may_come_from_a_thread(chsk: ChannelSocket) -> None:
    @chsk.on("chat/say")
    def say(msg: Message) -> None:
        assert msg.reply is not None
        msg.reply(msg.data)

    client = await connect(chsk)
    assert await client.ask("chat/say", 7) == ("reply", 7)


async def test_a_callable_that_returns_an_awaitable_is_awaited(chsk: ChannelSocket) -> None:
    class Say:
        async def __call__(self, msg: Message) -> Any:
            return msg.data

    chsk.on("chat/say")(Say())
    assert await (await connect(chsk)).ask("chat/say", 7) == ("reply", 7)


def test_handlers_are_registered_by_the_book() -> None:
    chsk = ChannelSocket()
    chsk.on("chat/say")(print)
    with pytest.raises(ConfigError, match="has a handler already"):
        chsk.on("chat/say")
    for wrong in ("say", "chat/", "/say", ""):
        with pytest.raises(ConfigError, match="namespace/name"):
            chsk.on(wrong)


# -- errors


@over_both
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_refusal_goes_to_the_asker_as_it_is(
    chsk: ChannelSocket, transport: TransportName, is_async: bool
) -> None:
    def refuse(msg: Message) -> None:
        raise RequestFailed("room_full", "20 people at most", msg.data)

    async def refuse_async(msg: Message) -> None:
        refuse(msg)

    chsk.on("chat/join")(refuse_async if is_async else refuse)
    chsk.on_error = lambda error, _: pytest.fail(str(error))
    client = await connect(chsk, transport)
    refusal = {"code": "room_full", "message": "20 people at most", "data": {"limit": 20}}
    assert await client.ask("chat/join", {"limit": 20}) == ("error", refusal)


@over_both
@pytest.mark.parametrize("hook_is_async", [True, False])
async def test_no_detail_of_an_error_crosses_the_wire(
    chsk: ChannelSocket, transport: TransportName, hook_is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[Exception, Any]] = []

    async def tell_async(error: Exception, msg: Message) -> None:
        told.append((error, msg.data))

    def tell(error: Exception, msg: Message) -> None:
        told.append((error, msg.data))

    @chsk.on("chat/say")
    async def say(msg: Message) -> None:
        raise ValueError("the password is 1234")

    chsk.on_error = tell_async if hook_is_async else tell
    client = await connect(chsk, transport)
    assert await client.ask("chat/say", 1) == INTERNAL
    await client.send("chat/say", 2)
    await until(lambda: len(told) == 2)
    assert [(str(error), data) for error, data in told] == [("the password is 1234", 1), ("the password is 1234", 2)]
    assert caplog.text.count("Traceback") == 2


async def test_a_handler_that_waited_for_what_was_cancelled_has_failed(chsk: ChannelSocket) -> None:
    told: list[Exception] = []
    chsk.on_error = lambda error, _: told.append(error)

    @chsk.on("chat/say")
    async def say(msg: Message) -> None:
        shared = asyncio.get_running_loop().create_future()
        shared.cancel()
        await shared

    client = await connect(chsk)
    assert await client.ask("chat/say") == INTERNAL  # and does not wait for a reply until its time is over
    assert "waited for was cancelled" in str(told[0]) and isinstance(told[0].__cause__, asyncio.CancelledError)
    assert await client.ask("chat/say") == INTERNAL


@over_both
@pytest.mark.parametrize("answer", [b"bytes", float("nan"), {1: 2}, {"deep": [object()]}])
async def test_a_reply_that_cannot_be_packed(chsk: ChannelSocket, transport: TransportName, answer: Any) -> None:
    told: list[str] = []
    chsk.on_error = lambda error, _: told.append(str(error))
    chsk.on("chat/say")(lambda _: answer)
    client = await connect(chsk, transport)
    assert await client.ask("chat/say") == INTERNAL
    assert "cannot be" in told[0]
    assert await client.ask("chat/say") == INTERNAL  # the session goes on


async def test_the_data_of_a_refusal_that_cannot_be_packed_is_left_out(chsk: ChannelSocket) -> None:
    @chsk.on("chat/say")
    async def say(msg: Message) -> None:
        raise RequestFailed("no", "not today", object())

    refusal = {"code": "no", "message": "not today", "data": None}
    assert await (await connect(chsk)).ask("chat/say") == ("error", refusal)


async def test_a_refusal_that_nobody_waits_for_is_reported(chsk: ChannelSocket) -> None:
    told: list[str] = []
    chsk.on_error = lambda error, _: told.append(str(error))

    @chsk.on("chat/say")
    async def say(msg: Message) -> None:
        raise RequestFailed("no", "not today")

    client = await connect(chsk)
    await client.send("chat/say")
    await until(lambda: told == ["no: not today"])


async def test_an_error_hook_that_fails_is_logged(chsk: ChannelSocket, caplog: pytest.LogCaptureFixture) -> None:
    def broken(error: Exception, msg: Message) -> None:
        raise KeyError("hook")

    chsk.on_error = broken
    chsk.on("chat/say")(lambda _: 1 / 0)
    client = await connect(chsk)
    assert await client.ask("chat/say") == INTERNAL
    await until(lambda: "on_error raised" in caplog.text)
    assert await client.ask("chat/say") == INTERNAL


@over_both
async def test_nobody_handles_it(
    chsk: ChannelSocket, transport: TransportName, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect(chsk, transport)
    error = {"code": "no_handler", "message": "nobody handles chat/say", "data": None}
    assert await client.ask("chat/say") == ("error", error)
    assert caplog.text == ""
    await client.send("chat/say\nERROR forged" + "x" * 1000)
    await until(lambda: caplog.records)
    assert caplog.messages[0].startswith("no handler for 'chat/say\\nERROR forged")
    assert len(caplog.messages[0]) < 150


BAD = ["say", "chat/", 7, None, "chsk/handshake", "chsk/uidport-open"]


@over_both
@pytest.mark.parametrize("event_id", BAD)
async def test_what_is_no_event(chsk: ChannelSocket, transport: TransportName, event_id: Any) -> None:
    client = await connect(chsk, transport)
    status, error = await client.ask(event_id, 1)
    assert (status, error["code"]) == ("error", "invalid_event")


@over_both
@pytest.mark.parametrize("event_id", BAD)
async def test_what_is_no_event_has_a_handler(chsk: ChannelSocket, transport: TransportName, event_id: Any) -> None:
    bad: list[Any] = []
    chsk.on("chsk/bad-event")(lambda msg: bad.append(msg.data))
    client = await connect(chsk, transport)
    status, error = await client.ask(event_id, 1)
    assert (status, error["code"]) == ("error", "invalid_event")
    assert bad == [[event_id, 1]]


async def test_a_handler_that_ends_the_process_leaves_no_asker_behind() -> None:
    class Stop(BaseException):
        pass

    raised: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context.get("exception")))
    async with ChannelSocket(settings=ServerSettings(batch_ws=0.001)) as chsk:

        @chsk.on("chat/stop")
        async def stop(msg: Message) -> None:
            raise Stop

        client = await connect(chsk)
        status, failure = await client.ask("chat/stop")
        assert (status, failure["code"]) == ("error", "internal")
        await client.send("chat/stop")  # nobody asked: nothing to answer
        await until(lambda: chsk.stats["received"] == 2 and not chsk._hub._dispatcher.busy)
    gc.collect()
    assert [type(error) for error in raised] == [Stop, Stop]
