"""From ``send`` to a user's clients: whom it reaches, when it leaves, how often it is packed; and who is let go."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from sente import ANONYMOUS, ChannelSocket, ConfigError, Limits, Message, Packer, PackError, Receipt, ServerSettings
from sente.errors import UnpackError
from sente.interfaces import Wire
from sente.packers.json import JsonPacker
from sente.protocol.framing import read_row
from sente.transports.websocket import WebSocketLink
from tests.asgi import TRANSPORTS, AnyClient, PollClient, TransportName, WsClient, connect, until

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
QUICK = ServerSettings(batch_ws=0.001, batch_poll=0.001, grace_ws=0.01, grace_poll=0.01)
NEVER = ServerSettings(batch_ws=3600, batch_poll=3600)


def first_letter(connection: Any) -> str | None:
    """ada for a1, a2, ...; bob for b1, ...; nobody for the others."""
    return {"a": "ada", "b": "bob"}.get(connection.client_id[0])


def make_socket(**options: Any) -> ChannelSocket:
    return ChannelSocket(**{"user_id": first_letter, "settings": QUICK, **options})


@pytest.fixture
async def chsk() -> AsyncIterator[ChannelSocket]:
    async with make_socket() as chsk:
        yield chsk


async def connect_all(chsk: ChannelSocket, *client_ids: str) -> list[AnyClient]:
    """Clients, in turn over WebSocket and polling."""
    return [await connect(chsk, TRANSPORTS[number % 2], client_id) for number, client_id in enumerate(client_ids)]


# -- whom it reaches


async def test_send_reaches_every_client_of_the_user_and_nobody_else(chsk: ChannelSocket) -> None:
    a1, a2, a3, bob, anonymous = await connect_all(chsk, "a1", "a2", "a3", "b1", "x1")
    assert chsk.send("ada", "chat/said", {"text": "先手"}) == Receipt(clients=3)
    assert chsk.send("bob", "chat/end") == Receipt(clients=1)
    assert chsk.send(ANONYMOUS, "chat/end") == Receipt(clients=1)
    assert chsk.send("eve", "chat/said") == Receipt(clients=0)
    for client in (a1, a2, a3):
        assert await client.event() == ["chat/said", {"text": "先手"}]
    for client in (bob, anonymous):
        assert await client.event() == ["chat/end", None]


async def test_broadcast_reaches_everyone(chsk: ChannelSocket) -> None:
    clients = await connect_all(chsk, "a1", "a2", "b1", "x1")
    assert chsk.broadcast("chat/said", 1) == Receipt(clients=4)
    assert [await client.event() for client in clients] == [["chat/said", 1]] * 4


@over_both
async def test_send_from_other_threads(chsk: ChannelSocket, transport: TransportName) -> None:
    client = await connect(chsk, transport, "a1")

    @chsk.on("chat/sync")
    def sync(msg: Message) -> None:
        msg.send("ada", "chat/said", "by a sync handler")

    thread = threading.Thread(target=chsk.send, args=("ada", "chat/said", "by a thread"))
    thread.start()
    thread.join()
    assert await client.event() == ["chat/said", "by a thread"]
    await client.send("chat/sync")
    assert await client.event() == ["chat/said", "by a sync handler"]
    assert await asyncio.to_thread(chsk.broadcast, "chat/said") == Receipt(clients=1)
    await asyncio.to_thread(chsk.disconnect, "ada")
    await until(lambda: chsk.stats["ended disconnected"])


def test_to_reach_nobody_in_particular_is_said_explicitly() -> None:
    with pytest.raises(ConfigError, match="send to ANONYMOUS"):
        ChannelSocket().send(None, "chat/said")


@pytest.mark.parametrize("event_id", ["said", "chat/", "/said", "", 7])
async def test_ids_have_a_namespace(chsk: ChannelSocket, event_id: Any) -> None:
    with pytest.raises(ConfigError, match="namespace/name"):
        chsk.send("ada", event_id)
    with pytest.raises(ConfigError, match="namespace/name"):
        chsk.broadcast(event_id)


# -- when it leaves


async def test_what_goes_wrong_with_one_client_is_no_matter_of_the_others(
    chsk: ChannelSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    await connect(chsk, "ws", "a1")
    bob = await connect(chsk, "ws", "b1")
    transmit = WebSocketLink.transmit

    def fails_for_ada(link: WebSocketLink, wires: Sequence[Wire]) -> None:
        if link.connection.client_id == "a1":
            raise ZeroDivisionError
        transmit(link, wires)

    monkeypatch.setattr(WebSocketLink, "transmit", fails_for_ada)
    chsk.broadcast("chat/said", 1, flush=True)  # to ada first
    assert await bob.event() == ["chat/said", 1]
    assert [type(error) for error in errors] == [ZeroDivisionError]


@over_both
async def test_what_is_sent_at_once_leaves_in_one_frame(transport: TransportName) -> None:
    async with make_socket(settings=ServerSettings()) as chsk:  # 30 and 100 ms
        client = await connect(chsk, transport, "a1")
        waiting = asyncio.ensure_future(client.event())
        for number in range(3):
            chsk.send("ada", "chat/said", number)
            for _ in range(5):  # turns of the loop: a busy machine may take longer than 30 ms for one of 2
                await asyncio.sleep(0)
        assert await waiting == ["chat/said", 0]
        assert client.batches == [[["chat/said", number] for number in range(3)]]


@over_both
async def test_flush_leaves_at_once_with_what_stands_before_it(transport: TransportName) -> None:
    async with make_socket(settings=NEVER) as chsk:
        client = await connect(chsk, transport, "a1")
        waiting = asyncio.ensure_future(client.pull())
        chsk.send("ada", "chat/said", 1)
        await asyncio.sleep(0.01)
        assert not client.batches
        chsk.send("ada", "chat/said", 2, flush=True)
        chsk.send("ada", "chat/said", 3)  # of the same turn of the loop
        await waiting
        assert client.batches == [[["chat/said", number] for number in (1, 2, 3)]]


@over_both
async def test_a_reply_takes_along_what_stands_before_it(transport: TransportName) -> None:
    async with make_socket(settings=NEVER) as chsk:

        @chsk.on("chat/say")
        async def say(msg: Message) -> int:
            return chsk.send("ada", "chat/said", msg.data).clients

        client = await connect(chsk, transport, "a1")
        assert await client.ask("chat/say", "hi") == ("reply", 1)
        assert list(client.events) == [["chat/said", "hi"]]


async def test_a_new_link_gets_what_waits(chsk: ChannelSocket) -> None:
    client = await connect(chsk, "ws", "a1")
    assert isinstance(client, WsClient)
    await client.go_away()
    assert chsk.send("ada", "chat/said", 1) == Receipt(clients=1)  # a client that is away for a moment is one
    await client.open()
    assert await client.event() == ["chat/said", 1]


# -- how it is packed


class CountingPacker(JsonPacker):
    """Writes down what it packs."""

    def __init__(self, name: str = "json") -> None:
        super().__init__()
        self.name = name
        self.packed: list[Any] = []

    def pack(self, value: Any, /) -> str:
        if "chat/said" in str(value):
            self.packed.append(value)
        return super().pack(value)


class BytesPacker:
    """Not joinable, and with other words than JSON."""

    name = "bytes"

    def __init__(self) -> None:
        self.inner = CountingPacker()

    def pack(self, value: Any, /) -> bytes:
        if "unspeakable" in str(value):
            raise PackError("unspeakable", path="value")
        return b"\0" + self.inner.pack(value).encode()

    def unpack(self, wire: Wire, /) -> Any:
        if not isinstance(wire, bytes) or wire[:1] != b"\0":
            raise UnpackError("not mine")
        return self.inner.unpack(wire[1:])


async def test_an_event_is_packed_once_for_each_packer() -> None:
    json, other, own = CountingPacker(), CountingPacker("json2"), BytesPacker()
    packers: list[Packer] = [json, other, own]
    async with make_socket(packers=packers) as chsk:
        clients = [
            await connect(chsk, TRANSPORTS[number % 2], f"a{number}", packer=packers[number % 3])
            for number in range(50)
        ]
        assert chsk.send("ada", "chat/said", "hi").clients == 50
        for client in clients:
            assert await client.event() == ["chat/said", "hi"]
        assert json.packed == other.packed == [["chat/said", "hi"]]
        assert len(own.inner.packed) == 1


async def test_each_connection_speaks_the_packer_it_chose() -> None:
    own = BytesPacker()
    async with make_socket(packers=[own, "json"]) as chsk:
        chsk.on("chat/say")(lambda msg: msg.data)
        clients = [
            await connect(chsk, transport, f"a-{transport}-{packer.name}", packer=packer)
            for transport in TRANSPORTS
            for packer in (own, JsonPacker())
        ]
        chsk.send("ada", "chat/said", "twice")
        chsk.send("ada", "chat/said", "at once")
        for client in clients:
            assert [await client.event(), await client.event()] == [["chat/said", "twice"], ["chat/said", "at once"]]
            assert await client.ask("chat/say", "ping") == ("reply", "ping")


async def test_the_server_chooses_what_it_prefers() -> None:
    async with make_socket(packers=[BytesPacker(), "json"]) as chsk:
        client = await connect(chsk, "poll", "a1", packer=BytesPacker())
        client.query = client.query.replace("packers=bytes", "packers=morse,json,%20bytes")
        chsk.send("ada", "chat/said")
        assert await client.event() == ["chat/said", None]


@over_both
@pytest.mark.parametrize(
    ("data", "path"),
    [
        (object(), "data"),
        ({"photo": b""}, "data.photo"),
        ([{"items": [1, float("inf")]}], "data[0].items[1]"),
        ("unspeakable", "data"),  # to the second packer only
    ],
)
async def test_what_cannot_be_packed_is_told_to_its_sender(transport: TransportName, data: Any, path: str) -> None:
    async with make_socket(packers=["json", BytesPacker()]) as chsk:
        client = await connect(chsk, transport, "a1", packer=BytesPacker())
        with pytest.raises(PackError) as caught:
            chsk.send("ada", "chat/said", data)
        assert caught.value.path == path
        with pytest.raises(PackError):
            chsk.broadcast("chat/said", data)
        chsk.send("ada", "chat/said", "next")
        assert await client.event() == ["chat/said", "next"]  # nothing was queued before it
        assert client.taken == 1  # nor has it left a hole in the numbers


async def test_a_reply_that_one_packer_cannot_write_fails_alike_for_all() -> None:
    async with make_socket(packers=["json", BytesPacker()]) as chsk:
        chsk.on("chat/say")(lambda _: "unspeakable")
        for packer in (JsonPacker(), BytesPacker()):
            client = await connect(chsk, "ws", f"a-{packer.name}", packer=packer)
            assert (await client.ask("chat/say"))[1]["code"] == "internal"


@pytest.mark.parametrize("text", ["x" * 1000, "先" * 334])
async def test_what_is_longer_than_any_packet_is_told_to_its_sender(text: str) -> None:
    async with make_socket(settings=ServerSettings(limits=Limits(packet=1000))) as chsk:
        with pytest.raises(PackError, match=r"limits\.packet is 1000"):
            chsk.send("ada", "chat/said", text)


@over_both
async def test_sizes_are_counted_in_bytes(transport: TransportName) -> None:
    """A client that takes 1000 bytes is not sent 400 characters of three bytes: its line would be cut for ever."""
    async with make_socket() as chsk:
        client = await connect(chsk, transport, "a1", hello={"limits": {"packet": 1000}})
        chsk.send("ada", "chat/said", "先" * 400)
        assert chsk.stats["ended too large"] == 1
        await client.open(limits={"packet": 1000})
        assert client.info["lost"] == 1
        chsk.on("chat/say")(lambda _: "先" * 400)
        assert (await client.ask("chat/say"))[1]["code"] == "too_large"


# -- who is let go


@over_both
async def test_disconnect_ends_every_session_of_a_user(chsk: ChannelSocket, transport: TransportName) -> None:
    ada, bob = await connect(chsk, transport, "a1"), await connect(chsk, transport, "b1")
    poll = ada.post(ada.head(wait=20_000)) if isinstance(ada, PollClient) else None
    await asyncio.sleep(0.01)
    chsk.disconnect("ada", "you have been logged out")
    if poll is not None:
        answer = await poll.answer()
        assert (answer.status, answer.error) == (410, "you have been logged out")
    elif isinstance(ada, WsClient):
        assert await ada.socket.closed() == (4410, "you have been logged out")
    assert chsk.send("ada", "chat/said").clients == 0
    await ada.open()
    assert (ada.info["resumed"], ada.info["lost"]) == (False, 1)
    chsk.send("bob", "chat/said")
    assert await bob.event() == ["chat/said", None]


async def test_a_client_that_calls_off_what_waits_and_leaves_in_one_breath(chsk: ChannelSocket) -> None:
    @chsk.on("chat/wait")
    async def wait(msg: Message) -> None:
        await asyncio.Event().wait()

    client = await connect(chsk, "poll", "a1")
    assert isinstance(client, PollClient)
    await until(lambda: not chsk.connected_uids.any)
    asks = [[["chat/wait"], ref, ref, None, "request"] for ref in (1, 2, 3)]
    offs = [[["chsk/cancel", 2], ["chsk/cancel", 1]], None, 4]
    await client.post(client.head(seq=1), *asks, offs, [["chsk/bye"], None, 0]).answer()
    assert (chsk.stats["ended goodbye"], chsk._hub.peers.everyone()) == (1, [])


async def test_disconnect_the_anonymous(chsk: ChannelSocket) -> None:
    await connect_all(chsk, "a1", "x1", "x2")
    chsk.disconnect(ANONYMOUS)
    assert chsk.stats["ended disconnected"] == 2


@over_both
async def test_a_client_that_is_long_away_is_told_what_it_missed(transport: TransportName) -> None:
    settings = ServerSettings(batch_ws=0, batch_poll=0, grace_ws=0, grace_poll=0, limits=Limits(outbox=3))
    async with make_socket(settings=settings) as chsk:
        client = await connect(chsk, transport, "a1")
        await client.go_away()
        await until(lambda: not chsk.connected_uids.any)
        for number in range(10):
            chsk.send("ada", "chat/said", number)
        assert chsk.stats["ended slow"] == 1
        assert chsk.send("ada", "chat/said").clients == 0
        await client.open()
        assert (client.info["resumed"], client.info["lost"], client.uid) == (False, 11, "ada")
        chsk.send("ada", "chat/said", "now")
        assert await client.event() == ["chat/said", "now"]


@over_both
async def test_another_user_behind_the_same_client_begins_anew(transport: TransportName) -> None:
    async with make_socket(user_id=lambda connection: connection.session["uid"]) as chsk:
        client = await connect(chsk, transport, session={"uid": "ada"})
        chsk.send("ada", "chat/said", "for ada only")
        client.options["session"] = {"uid": "bob"}
        await client.open()
        assert (client.uid, client.info["resumed"]) == ("bob", False)
        chsk.send("bob", "chat/said", "for bob")
        assert await client.event() == ["chat/said", "for bob"]


@over_both
async def test_a_full_server_takes_no_new_clients_but_keeps_its_own(transport: TransportName) -> None:
    async with make_socket(settings=ServerSettings(sessions=1)) as chsk:
        client = await connect(chsk, transport, "a1")
        await client.go_away()
        with pytest.raises(AssertionError, match="retry_after=5000"):
            await connect(chsk, transport, "a2")
        await client.open()
        assert client.info["resumed"] is True
        assert chsk.stats["full"] == 1


@over_both
async def test_what_is_being_handled_still_reaches_everyone_before_the_goodbye(transport: TransportName) -> None:
    async with make_socket() as chsk:
        begun, go_on = asyncio.Event(), asyncio.Event()

        @chsk.on("chat/say")
        async def say(msg: Message) -> None:
            begun.set()
            await go_on.wait()
            chsk.broadcast("chat/said", msg.data)

        speaker, listener = await connect(chsk, "ws", "a1"), await connect(chsk, transport, "b1")
        await speaker.send("chat/say", "last words")
        await begun.wait()
        draining = asyncio.ensure_future(chsk._hub.drain(3600))
        await asyncio.sleep(0.02)
        go_on.set()
        for client in (listener, speaker):
            assert await client.event() == ["chat/said", "last words"]
            await client.push([None, None, 0, client.taken])
            assert (await client.event())[0] == "chsk/bye"
        await draining


@over_both
async def test_a_server_that_leaves_while_a_hook_takes_its_time_takes_nobody(transport: TransportName) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def authorize(_: Any) -> bool:
        begun.set()
        await go_on.wait()
        return True

    async with make_socket(authorize=authorize) as chsk:
        connecting = asyncio.ensure_future(connect(chsk, transport, "a1"))
        await begun.wait()
    go_on.set()
    with pytest.raises(AssertionError, match="retry_after=1000"):
        await connecting


async def test_an_exchange_that_crosses_the_goodbye_is_answered_with_it() -> None:
    async with make_socket() as chsk:
        client = await connect(chsk, "poll", "a1")
        assert isinstance(client, PollClient)
        poll = client.post(client.head(wait=20_000))
        await until(lambda: poll.waits)
        draining = asyncio.ensure_future(chsk._hub.drain(3600))
        said = json.loads(read_row((await poll.answer()).body)[1])
        crossed = await client.post(client.head(seq=1), json.dumps([[["a/say", 1]], None, 1])).answer()
        assert (crossed.status, json.loads(read_row(crossed.body)[1])) == (200, said)
        assert said[0][0][0] == "chsk/bye"
        await draining
