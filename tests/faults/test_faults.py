"""Each fault has its answer and its counter, and nobody else notices: docs/reference/faults.md is held to this."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from sente import ChannelSocket, Client, RequestTimeout
from tests.asgi import HELLO, PollClient, TransportName, WebSocket, WsClient, connect, fetch, row, until
from tests.faults.bystanders import bystanders
from tests.faults.server import SETTINGS, faulty_server

Act: TypeAlias = Callable[[ChannelSocket, TransportName], Awaitable[object]]

NOISE = {"received", "sent", "sessions", "came", "test/heard", "ended goodbye"}
"""What bystanders, and every client, move."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    transport: TransportName
    act: Act
    answer: object
    """What the client sees: an HTTP status, or that of a close code; or words."""
    counts: frozenset[str]
    """What the server counts, once or more."""


FAULTS: list[Fault] = []


def fault(
    name: str, answer: object, *counts: str, over: Iterable[TransportName] = ("ws", "poll")
) -> Callable[[Act], Act]:
    def register(act: Act) -> Act:
        FAULTS.extend(Fault(name, transport, act, answer, frozenset(counts)) for transport in over)
        return act

    return register


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name}-{fault.transport}")
async def test_a_fault_has_its_answer_and_nobody_else_notices(fault: Fault) -> None:
    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    async with faulty_server() as chsk:
        async with bystanders(chsk, patience=2.0):
            assert await fault.act(chsk, fault.transport) == fault.answer
            counted = {word for word, count in chsk.stats.items() if count and not word.startswith("heard ")}
            assert counted - NOISE == fault.counts
        if fault.act not in (reused_ref, too_many_requests):  # whose handlers hang, as they were told to
            await until(lambda: not chsk._hub._dispatcher.busy)
    assert noise == []


# -- what the acts are made of


async def ws(chsk: ChannelSocket, client_id: str = "c1", **hello: Any) -> WsClient:
    client = await connect(chsk, "ws", client_id, hello=hello)
    assert isinstance(client, WsClient)
    return client


async def poll(chsk: ChannelSocket, client_id: str = "c1", **hello: Any) -> PollClient:
    client = await connect(chsk, "poll", client_id, hello=hello)
    assert isinstance(client, PollClient)
    return client


async def opening(chsk: ChannelSocket, transport: TransportName, frame: Any, query: str = "") -> int:
    """What comes of a first frame: an HTTP status, or that of a close code."""
    query = query or "v=1&packers=json&client-id=c1"
    if transport == "poll":
        return (await fetch(chsk, "POST", query, body=frame if isinstance(frame, bytes) else row(frame))).status
    socket = WebSocket(chsk, query)
    if (message := await socket.next())["type"] == "websocket.http.response.start":
        status: int = message["status"]
        return status
    socket.say(frame)
    return (await socket.closed())[0] - 4000


async def packet(chsk: ChannelSocket, transport: TransportName, *frames: Any, **head: Any) -> int:
    """What comes of frames in a session."""
    if transport == "poll":
        client = await poll(chsk)
        return (await client.post(client.head(**head), *frames).answer()).status
    socket = (await ws(chsk)).socket
    for frame in frames:
        socket.say(frame)
    return (await socket.closed())[0] - 4000


def only(answers: set[int]) -> object:
    """The one answer to all of it."""
    return answers.pop() if len(answers) == 1 else answers


# -- before there is a session


@fault("garbage instead of a hello", 400, "rejected 400")
async def garbage(chsk: ChannelSocket, transport: TransportName) -> object:
    nonsense = ["\0\xff", "{", "[" * 5000, "7", '{"hello": 2}', '{"wait": 0}']
    answers = {await opening(chsk, transport, frame) for frame in nonsense}
    if transport == "poll":
        answers |= {await opening(chsk, "poll", body) for body in (b"", b"\x80\0\0\x05{}", b"\xff" * 9, b"\x80\0")}
    return only(answers)


@fault("a hello in a frame of the wrong type", 400, "rejected 400")
async def binary_hello(chsk: ChannelSocket, transport: TransportName) -> object:
    hello = json.dumps(HELLO).encode()
    return await opening(chsk, transport, hello if transport == "ws" else row(hello))


@fault("a hello with impossible numbers", 400, "rejected 400")
async def odd_hello(chsk: ChannelSocket, transport: TransportName) -> object:
    numbers = [-1, 0.5, True, 2**53, 10**400, "1", None]
    return only({await opening(chsk, transport, json.dumps(HELLO | {"n": n})) for n in numbers})


@fault("a hello above 8 KB", 400, "rejected 400")
async def long_hello(chsk: ChannelSocket, transport: TransportName) -> object:
    return await opening(chsk, transport, json.dumps(HELLO | {"auth": "x" * 9000}))


@fault("a client-id that is missing, too long or odd", 400, "rejected 400")
async def odd_client_id(chsk: ChannelSocket, transport: TransportName) -> object:
    queries = ["v=1&packers=json" + more for more in ("", "&client-id=" + "x" * 129, "&client-id=a%00b")]
    return only({await opening(chsk, transport, json.dumps(HELLO), query) for query in queries})


@fault("headers and cookies of 60 KB", 200)
async def long_headers(chsk: ChannelSocket, transport: TransportName) -> object:
    headers = {"cookie": "a=" + "b;" * 15_000, "authorization": "x" * 30_000}
    client = await connect(chsk, transport, headers=headers)
    return 200 if client.info["session"] else None


@fault("nothing after the connection", 408, "rejected 408")
async def silence(chsk: ChannelSocket, transport: TransportName) -> object:
    if transport == "ws":
        socket = WebSocket(chsk)
        await socket.accepted()
        return (await socket.closed())[0] - 4000
    return await slow_body(chsk, row(HELLO)[:5])


@fault("a body that comes byte by byte", 408, "rejected 408", over=["poll"])
async def slow_loris(chsk: ChannelSocket, transport: TransportName) -> object:
    return await slow_body(chsk, *([b"\x80"] + [b"\0"] * 50))


async def slow_body(chsk: ChannelSocket, *parts: bytes) -> int:
    """A request whose body does not end."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        left = list(parts)

        async def take() -> Any:
            await asyncio.sleep(SETTINGS.body_timeout / 20)
            return {"type": "http.request", "body": left.pop(0) if left else b"", "more_body": True}

        await chsk(scope, take, send)

    return (await fetch(app, "POST")).status


@fault("a stranger's body above 8 KB", 410, "rejected 410", over=["poll"])
async def strangers_body(chsk: ChannelSocket, transport: TransportName) -> object:
    head = {"session": "nobody's", "n": 2, "ack": 0, "seq": 1, "wait": 0}
    taken = 0

    def parts() -> Iterable[bytes]:
        nonlocal taken
        for part in [row(head), *[b"x" * 1000] * 50]:
            taken += 1
            yield part

    async def app(scope: Any, receive: Any, send: Any) -> None:
        rest = iter(parts())

        async def take() -> Any:
            return {"type": "http.request", "body": next(rest), "more_body": True}

        await chsk(scope, take, send)

    status = (await fetch(app, "POST")).status
    assert taken < 12, "of 50 KB a little more than 8 were read"
    return status


@fault("a hello that something follows, above 8 KB", 400, "rejected 400", over=["poll"])
async def more_than_hello(chsk: ChannelSocket, transport: TransportName) -> object:
    return await opening(chsk, "poll", row(HELLO, "x" * 9000))


# -- whose session is it?


@fault("a token that nobody has", "a new session", "not resumed")
async def unknown_token(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport, hello={"session": "nobody's", "ack": 5})
    return "a new session" if (client.info["resumed"], client.info["lost"]) == (False, None) else client.info


@fault("a poll with a token that nobody has", 410, "rejected 410", over=["poll"])
async def unknown_session(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await poll(chsk)
    return (await client.post(client.head(session="nobody's")).answer()).status


@fault("a stolen token with another client-id", "a new session", "not resumed")
async def stolen_token(chsk: ChannelSocket, transport: TransportName) -> object:
    victim = await connect(chsk, transport, "victim")
    thief = await connect(chsk, transport, "thief", hello={"session": victim.info["session"], "n": 9})
    assert await victim.ask("test/echo", "mine") == ("reply", "mine")
    return "a new session" if thief.info["resumed"] is False else thief.info


@fault("a poll with a stolen token", 410, "rejected 410", over=["poll"])
async def stolen_session(chsk: ChannelSocket, transport: TransportName) -> object:
    victim, thief = await poll(chsk, "victim"), await poll(chsk, "thief")
    status = (await thief.post(thief.head(session=victim.info["session"], n=9)).answer()).status
    assert await victim.ask("test/echo", "mine") == ("reply", "mine")
    return status


@fault("a client-id of another, without its token", "a new session")
async def known_client_id(chsk: ChannelSocket, transport: TransportName) -> object:
    victim = await connect(chsk, transport, "victim")
    stranger = await connect(chsk, transport, "victim")
    assert await victim.ask("test/echo", "mine") == ("reply", "mine")
    assert await stranger.ask("test/echo", "mine too") == ("reply", "mine too")
    return "a new session" if stranger.info["session"] != victim.info["session"] else stranger.info


@fault("a duplicated tab", "another client-id", "resumed", over=["ws"])
async def duplicated_tab(chsk: ChannelSocket, transport: TransportName) -> object:
    """The tab that is pushed out takes a name of its own, and both go on."""
    async with Client(app=chsk, transport="ws") as tab:
        name = tab.state.client_id
        twin = await ws(chsk, name, session=tab._core._token, n=1000)
        assert twin.info["resumed"] is True
        await until(lambda: tab.state.open and tab.state.client_id != name)
        assert await tab.request("test/echo", "one") == "one"
        assert await twin.ask("test/echo", "two") == ("reply", "two")
        assert tab.state.last_ws_close is not None and tab.state.last_ws_close.code == 4409
    return "another client-id"


# -- HTTP, whose requests overtake and repeat


@fault("a hello older than the last one", 409, "resumed")
async def late_hello(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport, hello={"n": 5})
    answer = await opening(chsk, transport, json.dumps(HELLO | {"n": 4, "session": client.info["session"]}))
    client.n = 5
    assert await client.ask("test/echo", "still here") == ("reply", "still here")
    return answer


@fault("two polls at once", 409, over=["poll"])
async def two_polls(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await poll(chsk)
    older, newer = (client.post(client.head(wait=20_000)) for _ in range(2))
    chsk.send("mallory", "test/push", 1)
    client.absorb(await newer.answer())
    assert await client.event() == ["test/push", 1]
    return (await older.answer()).status


@fault("a POST repeated", "handled once", over=["poll"])
async def repeated_post(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await poll(chsk)
    body = client.head(seq=1), '[[["test/echo","once"]],null,1]'
    for _ in range(3):
        assert (await client.post(*body).answer()).status == 200
    client.seq = 1
    await client.ask("test/echo", "after")
    return "handled once" if chsk.stats["heard once"] == 1 else chsk.stats


@fault("POSTs out of order", "handled in order", over=["poll"])
async def overtaking(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await poll(chsk)
    first, second = client.head(seq=1), client.head(seq=2)
    client.absorb(await client.post(second, '[[["test/echo","second"]],null,2]').answer())
    assert not chsk.stats["heard second"]
    client.absorb(await client.post(first, '[[["test/echo","first"]],null,1]').answer())
    await until(lambda: chsk.stats["heard second"])
    heard = [word for word in chsk.stats if word.startswith("heard ")]
    return "handled in order" if heard == ["heard first", "heard second"] else heard


# -- in a session


@fault("a frame that cannot be read", 400, "unreadable")
async def unreadable(chsk: ChannelSocket, transport: TransportName) -> object:
    frames = ["", "{", "null", "7", "[]", "[1,2,3]", '[["a/b",1],"x"]', "[" * 9000, '"\\ud800"']
    return only({await packet(chsk, transport, frame) for frame in frames})


@fault("a frame of the wrong type", 400, "unreadable")
async def wrong_type(chsk: ChannelSocket, transport: TransportName) -> object:
    return await packet(chsk, transport, b"\xff\xfe")


@fault("numbers that are none: negative, huge, fractions, booleans", 400, "unreadable")
async def odd_numbers(chsk: ChannelSocket, transport: TransportName) -> object:
    numbers = ["-1", "0.5", "true", "9007199254740992", "1e400", '"1"', "1" + "0" * 400]
    return only({await packet(chsk, transport, f'[[["test/echo",1]],null,{seq}]') for seq in numbers})


@fault("a number from the far future", 400, "ended broken")
async def far_future(chsk: ChannelSocket, transport: TransportName) -> object:
    return await packet(chsk, transport, '[[["test/echo",1]],null,1000000]', seq=1_000_000)


@fault("an acknowledgement of what was never sent", 400, "ended broken")
async def early_ack(chsk: ChannelSocket, transport: TransportName) -> object:
    return await packet(chsk, transport, "[null,null,0,99]", ack=99 if transport == "poll" else 0)


@fault("a request under a number that is still open", 400, "ended broken")
async def reused_ref(chsk: ChannelSocket, transport: TransportName) -> object:
    asks = [f'[["test/hang"],1,{seq},null,"request"]' for seq in (1, 2)]
    return await packet(chsk, transport, *asks)


@fault("a frame above the limit", 413, "unreadable")
async def long_frame(chsk: ChannelSocket, transport: TransportName) -> object:
    return await packet(chsk, transport, json.dumps([[["test/echo", "x" * 20_000]], None, 1]))


@fault("a body above the limit", 413, "rejected 413", over=["poll"])
async def long_body(chsk: ChannelSocket, transport: TransportName) -> object:
    return await packet(chsk, transport, *[json.dumps([[["test/echo", "x" * 15_000]], None, 1])] * 5)


@fault("a forged chsk/ event", "invalid_event")
async def forged(chsk: ChannelSocket, transport: TransportName) -> object:
    before = chsk.stats["came"]
    client = await connect(chsk, transport, "forger")
    for name in ("chsk/uidport-open", "chsk/handshake", "chsk/timeout", "chsk/anything"):
        await client.send(name, "ada")
    _, failure = await client.ask("chsk/uidport-open", "ada")
    assert chsk.stats["came"] <= before + 1, "only that the forger came"
    return failure["code"]


@fault("an event that is none", "invalid_event")
async def no_event(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport)
    for odd in (7, "no-namespace", "x/" + "y" * 5000, None, ["a/b"]):
        await client.send(odd)
    _, failure = await client.ask(7)
    return failure["code"]


@fault("requests that come too often", "rate_limited", "rate limited")
async def asking_too_often(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport)
    await client.ask("test/rare")
    return (await client.ask("test/rare"))[1]["code"]


@fault("events that come too often", "chsk/rate-limited", "rate limited")
async def saying_too_often(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport)
    for _ in range(2):
        await client.send("test/rare")
    return (await client.event())[0]


@fault("whoever goes on all the same", 429, "rate limited", "flooded", "replaced")
async def going_on(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport)
    flood = [[["test/rare", None]] * 8, None, 1]
    if isinstance(client, WsClient):
        client.socket.say(flood)
        return (await client.socket.closed())[0] - 4000
    assert isinstance(client, PollClient)
    poll = client.post(client.head(wait=20_000))
    await until(lambda: len(chsk._hub.links) > 2)
    await client.post(client.head(), json.dumps(flood)).answer()
    return (await poll.answer()).status


@fault("more open requests than are allowed", "rate_limited")
async def too_many_requests(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport)
    client.seq = client.ref = SETTINGS.limits.requests
    asks = [json.dumps([["test/hang"], n, n, None, "request"]) for n in range(1, client.seq + 1)]
    if isinstance(client, PollClient):
        client.post(client.head(seq=1), *asks)
        await asyncio.sleep(0)
    else:
        for ask in asks:
            client.socket.say(ask)
    _, failure = await client.ask("test/echo", 1)
    return failure["code"]


@fault("a reply that nobody asked for", "nothing", "late replies")
async def unasked_reply(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport)
    await client.push([1, 7, client.number(), None, "reply"])
    assert (await client.ask("test/echo", 1)) == ("reply", 1)
    return "nothing"


# -- a client that is there and does not do its part


@fault("a half-open line", "a dead line", over=["ws"])
async def half_open(chsk: ChannelSocket, transport: TransportName) -> object:
    """Nothing comes and nothing ends: the server asks, waits, and gives the line up."""
    client = await ws(chsk)
    pings = 0
    while (message := await client.socket.next())["type"] == "websocket.send":
        pings += "chsk/ws-ping" in message["text"]
    assert (pings, message["code"]) == (1, 1001)
    return "a dead line"


@fault("a poll that nobody waits for any more", "a dead line", over=["poll"])
async def half_open_poll(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await poll(chsk)
    client.post(client.head(wait=20_000))
    await until(lambda: chsk.stats["sessions"] and "mallory" not in chsk.connected_uids.any)
    return "a dead line"


@fault("a client that never reads", 420, "ended slow", "lost", over=["ws"])
async def never_reads(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await ws(chsk)
    client.socket.reading.clear()
    for _ in range(SETTINGS.limits.outbox + 1):
        chsk.send("mallory", "test/push", 1, flush=True)
    client.socket.reading.set()
    return (await client.socket.closed())[0] - 4000


@fault("a client that never polls", "the session is gone", "ended slow", "lost", "rejected 410", over=["poll"])
async def never_polls(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await poll(chsk)
    for _ in range(SETTINGS.limits.outbox + 1):
        chsk.send("mallory", "test/push", 1, flush=True)
    answer = await client.post(client.head()).answer()
    assert answer.status == 410
    return "the session is gone"


@fault("a client that asks and never reads", "cut off", "cut off", over=["ws"])
async def asks_and_never_reads(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await ws(chsk)
    client.socket.reading.clear()
    for _ in range(2 * SETTINGS.limits.outbox + 100):
        client.socket.say([["chsk/ws-ping"], "ping", 0])
        await asyncio.sleep(0)
    await until(lambda: chsk.stats["cut off"])
    return "cut off"


# -- handlers and hooks


@fault("a handler that raises, and an error hook that raises", "internal")
async def raising(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport)
    _, failure = await client.ask("test/raise")
    assert "fails" not in str(failure)
    return failure["code"]


@fault("a handler that hangs", "RequestTimeout")
async def hanging(chsk: ChannelSocket, transport: TransportName) -> object:
    async with Client(app=chsk, transport=transport) as client:
        with pytest.raises(RequestTimeout):
            await client.request("test/hang", timeout=0.2)
        assert await client.request("test/echo", "next") == "next", "it was told to stop, and its client goes on"
    return "RequestTimeout"


@fault("a handler that replies twice", "the first reply")
async def replying_twice(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport)
    assert await client.ask("test/twice") == ("reply", "first")
    assert await client.ask("test/echo", 1) == ("reply", 1)
    assert client.replies == {}
    return "the first reply"


@fault("a reply that cannot be packed", "internal")
async def odd_reply(chsk: ChannelSocket, transport: TransportName) -> object:
    client = await connect(chsk, transport)
    return (await client.ask("test/odd"))[1]["code"]


@fault("a hook that raises", "ZeroDivisionError")
async def raising_hook(chsk: ChannelSocket, transport: TransportName) -> object:
    """The application's own error: its server answers 500, or cuts the WebSocket, and has the traceback."""
    with pytest.raises(ZeroDivisionError) as raised:
        await opening(chsk, transport, json.dumps(HELLO), "v=1&packers=json&client-id=c1&fail=1")
    return type(raised.value).__name__
