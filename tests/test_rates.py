"""What comes too often: buckets, refusals, words to the client, and lines that are closed."""

import asyncio
from typing import Any

import pytest

from sente import ChannelSocket, Client, ConfigError, Message, Rates, RequestFailed, ServerSettings
from sente.protocol.rates import Buckets, Rate
from tests.asgi import JSON, TRANSPORTS, PollClient, TransportName, WebSocket, WsClient, connect, fetch, row, until
from tests.faults.bystanders import bystanders

over_both = pytest.mark.parametrize("transport", TRANSPORTS)


def socket(**rates: Any) -> ChannelSocket:
    settings = ServerSettings(batch_ws=0.001, batch_poll=0.001, rates=Rates(**rates))
    chsk = ChannelSocket(settings=settings, classic="json", user_id=lambda c: c.query.get("uid", c.client_id))

    @chsk.on("chat/say")
    @chsk.on("chat/other")
    @chsk.on("test/echo")
    async def echo(msg: Message) -> Any:
        return msg.data

    return chsk


# -- buckets


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    buckets = Buckets(Rate.read("10/s burst 3"))
    assert [buckets.take("a", 5.0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", 5.0) == pytest.approx(0.1)
    assert buckets.take("b", 5.0) == 0  # another's
    assert buckets.take("a", 5.04) == pytest.approx(0.06)
    assert buckets.take("a", 5.1) == 0
    assert buckets.take("a", 5.1) > 0
    assert [buckets.take("a", 60.0) for _ in range(4)][-1] > 0  # silence saves up no more than the burst


def test_full_buckets_are_forgotten_and_the_table_is_bounded() -> None:
    buckets = Buckets(Rate.read("1/s burst 1"), most=100)
    for number in range(10_000):
        buckets.take(f"made up {number}", number * 0.5)
    assert len(buckets) <= 4
    for number in range(1000):
        buckets.take(f"all at once {number}", 9000.0)
    assert len(buckets) == 100


@pytest.mark.parametrize("text", ["", "5", "5/day", "0/s", "-1/s", "5/s burst 0", "5/s burst", "5 /s", 5, "nan/s"])
def test_a_rate_that_is_none(text: Any) -> None:
    wrong: list[dict[str, Any]] = [{"client": text}, {"events": {"chat/say": text}}, {"refused": text}]
    for rates in wrong:
        with pytest.raises(ConfigError, match="write it like '5/s burst 10'"):
            Rates(**rates)


def test_events_are_a_mapping() -> None:
    with pytest.raises(ConfigError, match=r"rates\.events"):
        Rates(events="5/s")  # type: ignore[arg-type]


def test_a_rate_without_burst() -> None:
    assert Rate.read("0.5/s").burst == 1
    assert Rate.read("90/min") == Rate(60 / 90, 90)


# -- events


@over_both
async def test_a_request_that_comes_too_often_is_told_when_to_come_again(transport: TransportName) -> None:
    async with socket(events={"chat/say": "20/s burst 2"}) as chsk:
        client = await connect(chsk, transport)
        assert [(await client.ask("chat/say", n))[0] for n in range(2)] == ["reply", "reply"]
        status, failure = await client.ask("chat/say")
        assert (status, failure["code"], failure["message"]) == ("error", "rate_limited", "chat/say comes too often")
        assert 0 < failure["data"]["retry_after"] <= 50
        assert (await client.ask("chat/other"))[0] == "reply"  # an event with a rate of its own
        await asyncio.sleep(failure["data"]["retry_after"] / 1000)
        assert await client.ask("chat/say", "again") == ("reply", "again")
        assert (await connect(chsk, transport, "c2")) and chsk.stats["rate limited"] == 1


@over_both
async def test_events_that_nobody_asked_about_are_dropped_and_told(transport: TransportName) -> None:
    async with socket(client="1/s burst 2") as chsk:
        client = await connect(chsk, transport)
        for number in range(5):
            await client.send("chat/say", number)
        told = await client.event()
        while told[1]["dropped"] < 3:
            told = await client.event()
        assert told[0] == "chsk/rate-limited"
        assert told[1]["id"] == "chat/say" and 0 < told[1]["retry_after"] <= 1000
        assert chsk.stats["rate limited"] == 3
        (peer,) = chsk._hub.clients()
        assert peer[0].session._talk.backlog == 0  # type: ignore[union-attr]


async def test_all_clients_of_a_user_share_one_rate() -> None:
    chsk = ChannelSocket(
        settings=ServerSettings(batch_ws=0.001, rates=Rates(user="1/s burst 3")),
        user_id=lambda connection: {"a": "ada", "b": "bob"}.get(connection.client_id[0]),
    )
    chsk.on("chat/say")(lambda msg: None)
    async with chsk:
        clients = [await connect(chsk, "ws", client_id) for client_id in ("a1", "a2", "b1", "x1")]
        asked = [(await clients[n].ask("chat/say"))[0] for n in (0, 1, 0, 1, 0, 2, 3, 3, 3, 3)]
        assert asked == ["reply"] * 3 + ["error"] * 2 + ["reply"] * 5  # nobody in particular is no user


async def test_new_credentials_count_like_a_request() -> None:
    async with socket(client="1/s burst 1") as chsk:
        client = await connect(chsk)
        assert (await client.ask("chsk/auth", {"auth": None}))[0] == "reply"
        assert (await client.ask("chsk/auth", {"auth": None}))[1]["code"] == "rate_limited"


async def test_what_is_no_event_counts_too() -> None:
    async with socket(client="1/s burst 1") as chsk:
        client = await connect(chsk)
        await client.send("no event")
        assert (await client.ask("also none"))[1]["code"] == "rate_limited"


# -- floods


@over_both
async def test_who_goes_on_is_cut_off_told_when_to_come_back_and_has_lost_nothing(transport: TransportName) -> None:
    async with socket(events={"chat/say": "1/s burst 1"}, refused="1/s burst 5") as chsk:
        async with bystanders(chsk):
            client = await connect(chsk, transport)
            chsk.send("c1", "chat/said", "kept")
            if isinstance(client, WsClient):
                for number in range(20):
                    await client.send("chat/say", number)
                code, reason = await client.socket.closed()
                assert code == 4429 and reason.startswith("retry_after=")
            else:
                poll = client.post(client.head(wait=20_000))
                client.absorb(await poll.answer())  # what was sent
                poll = client.post(client.head(wait=20_000))
                await until(lambda: chsk._hub.links)
                packets = [[[["chat/say", n]] * 20, None, 1] for n in range(1)]
                client.post(client.head(seq=1), *packets)
                answer = await poll.answer()
                assert answer.status == 429 and answer.error.startswith("retry_after=")
                assert int(answer.headers["retry-after"]) >= 1
        assert chsk.stats["flooded"] == 1
        client.seq = 20
        await client.open(session=client.info["session"], ack=0)
        assert client.info["resumed"]


async def test_classic_clients_are_refused_and_cut_off_too() -> None:
    async with socket(events={"chat/say": "1/s burst 1"}, refused="1/s burst 2") as chsk:
        line = WebSocket(chsk, "client-id=c1")
        await line.next()
        await line.frame()
        line.say([["chat/say", 1], "cb1"])
        assert await line.frame() == '[1,"cb1"]'
        line.say([["chat/say", 2], "cb2"])
        assert await line.frame() == '["chsk/error","cb2"]'
        line.say([["chat/say", 3]])
        line.say([["chat/say", 4]])
        assert (await line.closed())[0] == 1000  # as Sente does
        assert (chsk.stats["flooded"], chsk.stats["ended flooded"]) == (1, 1)


# -- our clients


@over_both
async def test_our_client_raises_and_hears_of_it(transport: TransportName) -> None:
    async with socket(client="1/s burst 1") as chsk, Client(app=chsk, transport=transport) as client:
        told: list[Any] = []
        client.on("chsk/rate-limited", told.append)
        assert await client.request("chat/say", 1) == 1
        with pytest.raises(RequestFailed) as failed:
            await client.request("chat/say", 2)
        assert failed.value.code == "rate_limited" and 0 < failed.value.data["retry_after"] <= 1000
        client.send("chat/say", 3)
        await until(lambda: told)
        assert told[-1]["dropped"] == 1


async def test_our_client_comes_back_when_it_was_told_to() -> None:
    chsk = socket(client="1/s burst 1", refused="10/s burst 3")
    async with chsk, Client(app=chsk, transport="ws") as client:
        for number in range(12):
            client.send("chat/say", number)
        await until(lambda: chsk.stats["flooded"])
        await until(lambda: not client.state.open)
        assert client.state.last_close is not None and client.state.last_close.code == 4429
        await until(lambda: client.state.open)
        assert client.state.resumed


# -- crowds

HERE: dict[str, Any] = {"client": ("8.8.8.8", 1)}


def crowded(**settings: Any) -> ChannelSocket:
    return ChannelSocket(
        settings=ServerSettings(**settings),
        user_id=lambda c: c.query.get("uid"),
        authorize=note,
    )


asked: list[Any] = []


def note(connection: Any) -> bool:
    """The hook that a refused client is not to reach."""
    asked.append(connection)
    return True


async def refused(chsk: ChannelSocket, transport: TransportName, query: str, **options: Any) -> tuple[int, str]:
    """How a hello is refused."""
    hello = {"hello": 1, "session": None, "n": 1, "ack": 0}
    if transport == "poll":
        answer = await fetch(chsk, "POST", query, body=row(hello), **options)
        assert int(answer.headers["retry-after"]) >= 1
        return answer.status, answer.error
    line = WebSocket(chsk, query, **options)
    line.say(hello)
    code, reason = await line.closed()
    return code - 4000, reason


@over_both
async def test_handshakes_of_one_address_are_limited_before_any_work_is_done(transport: TransportName) -> None:
    async with crowded(rates=Rates(hellos="1/s burst 2")) as chsk:
        clients = [await connect(chsk, transport, f"c{n}", **HERE) for n in range(2)]
        asked.clear()
        query = "v=1&packers=json&client-id=c3"
        status, reason = await refused(chsk, transport, query, **HERE)
        assert status == 429 and reason.startswith("retry_after=") and asked == []
        assert chsk.stats["rejected 429"] == 1
        if isinstance(clients[0], PollClient):  # polls are not handshakes
            await clients[0].exchange(clients[0].head(wait=1))
        await connect(chsk, transport, "c4", client=("1.1.1.1", 1))  # another address
        await connect(chsk, transport, "c5", client=("10.0.0.1", 1))  # a proxy's
        await connect(chsk, transport, "c6", client=None)  # a Unix socket


@over_both
async def test_sessions_of_one_user_are_limited(transport: TransportName) -> None:
    async with crowded(sessions_per_user=2) as chsk:
        clients = [await connect(chsk, transport, f"c{n}") for n in range(2)]  # of nobody: not counted
        for number in range(2):
            client = await login(chsk, transport, f"a{number}")
            clients.append(client)
        query = "v=1&packers=json&client-id=a3&uid=ada"
        assert await refused(chsk, transport, query) == (429, "retry_after=5000")
        await clients[-1].open()  # one that is known takes no room
        assert clients[-1].info["resumed"]


async def login(chsk: ChannelSocket, transport: TransportName, client_id: str, uid: str = "ada") -> Any:
    client = (WsClient if transport == "ws" else PollClient)(chsk, client_id, JSON, {})
    client.query += f"&uid={uid}"
    await client.open()
    return client


@over_both
async def test_sessions_of_one_address_are_limited_and_forgotten(transport: TransportName) -> None:
    async with crowded(sessions_per_address=2) as chsk:
        for number in range(2):
            await connect(chsk, transport, f"c{number}", client=(f"2606:4700::{number}", 1))  # one household
        query = "v=1&packers=json&client-id=c3"
        assert await refused(chsk, transport, query, client=("2606:4700::9", 1)) == (429, "retry_after=5000")
        assert chsk._hub.peers.addresses == {"2606:4700::/64": 2}
        for client, _ in chsk._hub.clients():
            client.session.close(4410, "gone", chsk._hub.now, word="test")
            chsk._hub.run(client)
        assert not chsk._hub.peers.addresses
        await connect(chsk, transport, "c3", client=("2606:4700::9", 1))


async def test_classic_clients_are_counted_too() -> None:
    async with socket(hellos="1/s burst 1") as chsk:
        assert (await fetch(chsk, "GET", "client-id=c1&handshake?=1", **HERE)).status == 200
        assert (await fetch(chsk, "GET", "client-id=c2&handshake?=1", **HERE)).status == 429
        line = WebSocket(chsk, "client-id=c3", **HERE)
        assert (await line.closed())[0] == 4429
