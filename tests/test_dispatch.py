"""In which order events are handled, what waits for what, and the stream of what has no handler."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sente import ChannelSocket, Message, ServerSettings
from sente import dispatch as dispatch_module
from sente.dispatch import Dispatcher, Lane
from tests.asgi import TRANSPORTS, PollClient, TransportName, WsClient, connect, until

over_both = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
async def chsk() -> AsyncIterator[ChannelSocket]:
    async with ChannelSocket(settings=ServerSettings(batch_ws=0.001, batch_poll=0.001)) as chsk:
        yield chsk


def message(event_id: str = "chat/say", data: Any = None) -> Message:
    return Message(event_id, data, None, "c1", None, print)


# -- order


@over_both
async def test_one_at_a_time_and_in_order(chsk: ChannelSocket, transport: TransportName) -> None:
    log: list[str] = []

    @chsk.on("chat/say")
    async def say(msg: Message) -> None:
        log.append(f"{msg.data} begins")
        await asyncio.sleep(0.01 / (msg.data + 1))  # later ones would be sooner
        log.append(f"{msg.data} ends")

    @chsk.on("chat/sync")
    def sync(msg: Message) -> None:
        log.append(f"{msg.data} begins")
        log.append(f"{msg.data} ends")

    client = await connect(chsk, transport)
    for number in range(6):
        await client.send("chat/sync" if number % 3 == 2 else "chat/say", number)
    await until(lambda: len(log) == 12)
    assert log == [f"{number} {what}" for number in range(6) for what in ("begins", "ends")]


class Gatekeeper:
    """A handler that waits until it is let go, and one that does not."""

    def __init__(self, chsk: ChannelSocket) -> None:
        self.go_on = asyncio.Event()
        self.begun: list[Any] = []
        chsk.on("chat/slow")(self.slow)
        chsk.on("chat/slow-too", concurrent=True)(self.slow)
        chsk.on("chat/quick")(self.quick)
        chsk.on("chat/quick-too", concurrent=True)(self.quick)

    async def slow(self, msg: Message) -> Any:
        self.begun.append(msg.data)
        await self.go_on.wait()
        return msg.data

    async def quick(self, msg: Message) -> Any:
        self.begun.append(msg.data)
        return msg.data


async def ws_client(chsk: ChannelSocket, client_id: str = "c1") -> WsClient:
    client = await connect(chsk, "ws", client_id)
    assert isinstance(client, WsClient)
    return client


async def test_a_waiting_handler_holds_up_its_own_client_only(chsk: ChannelSocket) -> None:
    gate = Gatekeeper(chsk)
    ada, bob, eve = await ws_client(chsk), await ws_client(chsk, "c2"), await connect(chsk, "poll", "c3")
    await ada.send("chat/slow", 1)
    await ada.send("chat/quick", 2)
    for other in (bob, eve):
        assert await other.ask("chat/quick", 3) == ("reply", 3)
    assert gate.begun == [1, 3, 3]
    gate.go_on.set()
    await until(lambda: gate.begun == [1, 3, 3, 2])


async def test_a_waiting_handler_does_not_hold_up_acks_pings_and_pushes(chsk: ChannelSocket) -> None:
    gate = Gatekeeper(chsk)
    client = await ws_client(chsk)
    await client.send("chat/slow")
    await until(lambda: gate.begun)
    await client.push([["chsk/ws-ping"], "ping", 0])
    assert await client.socket.frame() == '["pong","ping",0,1]'  # and the event is acknowledged
    await client.push([None, None, 0, 0, "ack"])
    assert await client.socket.frame() == "[null,null,0,1]"
    chsk.broadcast("chat/said")
    assert await client.event() == ["chat/said", None]
    assert not gate.go_on.is_set()


async def test_concurrent_handlers_run_beside_a_waiting_one(chsk: ChannelSocket) -> None:
    gate = Gatekeeper(chsk)
    client = await ws_client(chsk)
    await client.request("chat/slow", 1)
    await client.request("chat/slow-too", 2)
    await client.request("chat/slow-too", 3)
    await client.request("chat/quick", 4)
    assert await client.ask("chat/quick-too", 5) == ("reply", 5)
    assert gate.begun == [1, 2, 3, 5]
    gate.go_on.set()
    assert [await client.reply(ref) for ref in (1, 2, 3, 4)] == [("reply", ref) for ref in (1, 2, 3, 4)]


async def test_a_client_that_asks_too_much_at_once_is_told(chsk: ChannelSocket) -> None:
    gate = Gatekeeper(chsk)
    client = await ws_client(chsk)
    refs = [await client.request("chat/slow", number) for number in range(65)]
    status, error = await client.reply(refs[-1])
    assert (status, error["code"]) == ("error", "rate_limited")
    gate.go_on.set()
    assert await client.reply(refs[0]) == ("reply", 0)


async def test_what_is_called_off_before_its_turn_is_done() -> None:
    """Else a client that changes its mind often would be taken for one that the application is behind of."""
    dispatcher, done = Dispatcher(), list[str]()
    dispatcher.on("chat/say")(lambda _: None)
    lane = Lane(dispatcher, lambda *_: done.append("done"))
    for ref in (1, 2, 3):
        lane.put(message(), ref)
    lane.cancel(2)
    assert done == ["done"]
    lane.cancel(2)  # which is no request any more
    assert done == ["done"]
    await dispatcher.aclose()


async def test_a_dispatcher_that_is_stopped_is_not_busy_with_what_it_dropped() -> None:
    """Else the next drain would wait for it."""
    dispatcher = Dispatcher()
    Lane(dispatcher, lambda *_: None).put(message())
    assert dispatcher.busy
    await dispatcher.aclose()
    assert not dispatcher.busy


# -- the stream


async def test_the_stream_gets_what_has_no_handler(chsk: ChannelSocket) -> None:
    chsk.on("chat/handled")(lambda _: "handled")
    client = await connect(chsk)
    stream = chsk.messages()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert await client.ask("chat/handled") == ("reply", "handled")
    ref = await client.request("chat/say", 1)
    asked = await first
    assert asked.event == ("chat/say", 1)
    assert asked.reply is not None
    asked.reply("from the loop")
    assert await client.reply(ref) == ("reply", "from the loop")
    await client.send("say", 2)
    assert (await anext(stream)).event == ("chsk/bad-event", ["say", 2])
    await stream.aclose()  # type: ignore[attr-defined]
    assert (await client.ask("chat/say"))[1]["code"] == "no_handler"


async def test_two_streams_get_the_same(chsk: ChannelSocket) -> None:
    streams = [chsk.messages(), chsk.messages()]
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await asyncio.sleep(0)
    client = await connect(chsk)
    await client.send("chat/say")
    assert [(await each).id for each in waiting] == ["chat/say", "chat/say"]


@pytest.fixture
def small_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch_module, "STREAM_SIZE", 4)


async def begin(dispatcher: Dispatcher) -> AsyncIterator[Message]:
    """A loop over the messages that has got its first one and is slow with it."""
    stream = dispatcher.messages()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    Lane(dispatcher, lambda *_: None).put(message(data=0))
    assert (await first).data == 0
    return stream


@pytest.mark.usefixtures("small_stream")
async def test_a_slow_loop_makes_the_clients_wait() -> None:
    dispatcher = Dispatcher()
    stream = await begin(dispatcher)
    handled: list[int] = []
    lane = Lane(dispatcher, lambda *_: handled.append(len(handled) + 1))
    for number in range(1, 11):
        lane.put(message(data=number))
    await until(lambda: handled == [1, 2, 3, 4])
    await asyncio.sleep(0.01)
    assert handled == [1, 2, 3, 4]  # the fifth waits for room, so its acknowledgement is held back
    assert [(await anext(stream)).data for _ in range(10)] == list(range(1, 11))
    await until(lambda: handled == list(range(1, 11)))


@pytest.mark.usefixtures("small_stream")
async def test_a_loop_that_ends_lets_all_go() -> None:
    dispatcher = Dispatcher()
    stream = await begin(dispatcher)
    handled: list[int] = []
    for number in range(50):  # many more than there is room for
        Lane(dispatcher, lambda size, _: handled.append(size)).put(message(data=number))
    await until(lambda: len(handled) == 4)
    await stream.aclose()  # type: ignore[attr-defined]
    await until(lambda: len(handled) == 50)
    assert not dispatcher.wants("chat/say")


# -- the end


async def test_handlers_are_stopped_with_the_socket() -> None:
    log: list[Any] = []
    async with ChannelSocket() as chsk:

        @chsk.on("chat/say")
        async def say(msg: Message) -> None:
            log.append(msg.data)
            try:
                await asyncio.Event().wait()
            finally:
                log.append("stopped")

        client = await connect(chsk)
        for number in range(5):
            await client.send("chat/say", number)
        await until(lambda: log)
    await asyncio.sleep(0.01)
    assert log == [0, "stopped"]  # and those that waited for it do not begin


async def test_what_a_poll_client_asks_is_answered_on_its_poll(chsk: ChannelSocket) -> None:
    gate = Gatekeeper(chsk)
    client = await connect(chsk, "poll")
    assert isinstance(client, PollClient)
    asking = client.post(client.head(), '[["chat/slow",7],1,1,null,"request"]')
    await until(lambda: gate.begun)
    poll = client.post(client.head(wait=20_000))  # releases the POST
    client.absorb(await asking.answer())
    gate.go_on.set()
    client.absorb(await poll.answer())
    assert client.replies == {1: ("reply", 7)}
