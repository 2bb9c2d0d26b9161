"""Sessions that outlive their process, over a real Redis, and in memory where that does not matter."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import redis.asyncio as redis_client

from sente import ChannelSocket, ConfigError, Disconnected, Publisher, ServerSettings
from sente.brokers.memory import MemoryBroker
from sente.brokers.nats import NatsBroker
from sente.brokers.redis import RedisBroker
from sente.cluster.notices import write
from sente.protocol.settings import Limits
from sente.testing import FaultProxy, ServedClient, Silence
from tests.asgi import TRANSPORTS, until
from tests.brokers.servers import Server, redis_server
from tests.cluster.several import RoundRobin, client_of, several, user_of

over_both = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture(params=["memory", "redis"])
def keeper(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryBroker()
    return broker_of(request.getfixturevalue("redis"))


def broker_of(redis: Server, port: int | None = None, prefix: str | None = None) -> RedisBroker:
    return RedisBroker(f"redis://127.0.0.1:{port or redis.port}", prefix=prefix or f"{uuid.uuid4()}:")


def numbers(client: ServedClient) -> list[Any]:
    return [event.data for event in client.received]


async def all_of(client: ServedClient, count: int) -> None:
    """It gets so many, each once and in order, and knows of no loss."""
    await client.received.at_least(count, timeout=20)
    await asyncio.sleep(0.3)
    assert numbers(client) == list(range(count))
    assert (client.state.lost, client.state.open) == (0, True)


@over_both
async def test_as_on_one_process(keeper: Any, transport: Any) -> None:
    async with several(keeper, durable=True) as app, client_of(app, "ada", transport) as ada:
        for number in range(100):
            app.sockets[number % 3].send("ada", "count/down", number)
        got = [event.data for event in await ada.received.at_least(100)]
        assert sorted(got) == list(range(100))
        for turn in range(3):
            assert [number for number in got if number % 3 == turn] == list(range(turn, 100, 3))
        assert await asyncio.gather(*(ada.request("echo/say", number) for number in range(20))) == list(range(20))
        ada.on("add/up")(sum)
        assert await app.sockets[1].request(await ada.request("whoami/ask"), "add/up", [1, 2]) == 3
        receipt = app.sockets[2].send("ada", "count/down", 100)
        delivered = await receipt.delivered()
        assert (delivered.clients, delivered.acknowledged, delivered.unheard) == (1, 1, 0)
        app.sockets[0].broadcast("news/told", "all")
        assert (await ada.received.next("news/told")).data == "all"
        app.sockets[1].disconnect("ada")
        await until(lambda: ada.state.lost is None)  # it has a new session


@over_both
async def test_a_socket_that_ends_leaves_its_sessions_to_others(keeper: Any, transport: Any) -> None:
    async with several(keeper, 2, durable=True) as others, AsyncExitStack() as stack:
        first = ChannelSocket(user_id=user_of, broker=keeper, durable=True, settings=ServerSettings(drain=1.0))
        app = RoundRobin([first, *others.sockets])
        app.always = 0
        ending = await AsyncExitStack().__aenter__()
        await ending.enter_async_context(first)
        ada = await stack.enter_async_context(client_of(app, "ada", transport))
        for number in range(20):
            others.sockets[0].send("ada", "count/down", number)
        await ada.received.at_least(20)
        app.always = 2
        await ending.aclose()
        for number in range(20, 40):
            others.sockets[0].send("ada", "count/down", number)
        await all_of(ada, 40)
        assert ada.state.resumed
        assert others.sockets[1].stats["taken over"] == 1


async def test_what_is_said_while_nobody_serves_the_session_is_kept(redis: Server) -> None:
    broker = broker_of(redis)
    app = RoundRobin([ChannelSocket(user_id=user_of, broker=broker, durable=True, settings=ServerSettings(drain=0.2))])
    async with AsyncExitStack() as stack:
        running = await AsyncExitStack().__aenter__()
        await running.enter_async_context(app.sockets[0])
        ada = await stack.enter_async_context(client_of(app, "ada"))
        async with Publisher(broker, durable=True) as publisher:
            publisher.send("ada", "count/down", 0)
            await ada.received.at_least(1)
            await running.aclose()  # and nobody else is there
            for number in range(1, 50):
                publisher.send("ada", "count/down", number)
        await stack.enter_async_context(app.sockets[0])
        await all_of(ada, 50)


@asynccontextmanager
async def behind(redis: Server, count: int = 2, **options: Any) -> AsyncIterator[tuple[RoundRobin, list[FaultProxy]]]:
    """Sockets, each of which reaches Redis over a line of its own."""
    async with AsyncExitStack() as stack:
        prefix = f"{uuid.uuid4()}:"
        proxies = [await stack.enter_async_context(FaultProxy(redis.port)) for _ in range(count)]
        brokers: list[Any] = [broker_of(redis, int(proxy.address.rpartition(":")[2]), prefix) for proxy in proxies]
        yield await stack.enter_async_context(several(brokers, durable=True, **options)), proxies


@over_both
@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)], ids=["who says", "who has", "both"])
async def test_lines_to_redis_that_are_cut(redis: Server, which: tuple[int, ...], transport: Any) -> None:
    async with behind(redis) as (app, proxies):
        app.always = 1
        async with client_of(app, "ada", transport) as ada:
            for number in range(200):
                app.sockets[0].send("ada", "count/down", number)
                if number % 40 == 20:
                    for each in which:
                        proxies[each].break_lines()
                if number % 5 == 0:
                    await asyncio.sleep(0.01)
            await all_of(ada, 200)
            assert await asyncio.gather(*(ada.request("echo/say", number) for number in range(20))) == list(range(20))


async def test_redis_stands_still_for_a_while(redis: Server) -> None:
    """What is said waits, and so do replies; nothing is lost."""
    with redis_server() as own:
        async with several(broker_of(own), 2, durable=True) as app, client_of(app, "ada") as ada:
            own.pause()
            for number in range(50):
                app.sockets[number % 2].send("ada", "count/down", number // 2)
            asking = asyncio.ensure_future(ada.request("echo/say", 1))
            await asyncio.sleep(0.5)
            assert not asking.done() and not numbers(ada)
            own.go_on()
            assert await asking == 1
            await ada.received.at_least(50)
            assert sorted(numbers(ada)) == [number // 2 for number in range(50)]
            assert ada.state.lost == 0


@over_both
async def test_a_redis_that_writes_to_disk_may_be_killed(tmp_path: Any, transport: Any) -> None:
    with redis_server("--appendonly", "yes", "--appendfsync", "always", "--dir", str(tmp_path)) as own:
        async with several(broker_of(own), 2, durable=True) as app, client_of(app, "ada", transport) as ada:
            for number in range(100):
                app.sockets[0].send("ada", "count/down", number)
                await asyncio.sleep(0.005)
                if number == 30:
                    own.stop()
                if number == 60:
                    own.start()
            await all_of(ada, 100)


@pytest.mark.parametrize("disk", [[], ["--appendonly", "yes", "--appendfsync", "everysec"]], ids=["none", "everysec"])
async def test_a_redis_that_forgets_or_may_have(disk: list[str], tmp_path: Any) -> None:
    """Its sessions are gone with it: their clients are told, and go on in new ones."""
    with redis_server(*disk, "--dir", str(tmp_path)) as own:
        async with several(broker_of(own), 2, durable=True) as app, client_of(app, "ada") as ada:
            app.sockets[0].send("ada", "count/down", 0)
            await ada.received.at_least(1)
            own.stop()
            own.start()
            await until(lambda: app.sockets[0].stats["broker lost"] > 0)

            await until(lambda: ada.state.lost is None and ada.state.open)
            app.sockets[0].send("ada", "count/down", 1)
            await ada.received.next("count/down")


async def test_a_redis_without_memory(redis: Server) -> None:
    """What cannot be stored is not said, and those it was for are told that something is lost."""
    with redis_server("--maxmemory", "4mb", "--maxmemory-policy", "noeviction") as own:
        async with several(broker_of(own), 2, durable=True) as app, client_of(app, "ada", "poll") as ada:
            for _ in range(100):
                app.sockets[0].send("ada", "big/one", "x" * 100_000)
                app.sockets[1].send("ada", "big/one", "x" * 100_000)
                await asyncio.sleep(0)
            await until(lambda: ada.state.lost is None)


async def test_too_much_for_one_client(keeper: Any) -> None:
    settings = ServerSettings(limits=Limits(outbox=50))
    async with several(keeper, 2, durable=True, settings=settings) as app, client_of(app, "ada") as ada:
        for number in range(100):
            app.sockets[number % 2].send("ada", "count/down", number)
        await until(lambda: ada.state.lost is None)
        assert sum(chsk.stats["ended slow"] for chsk in app.sockets) == 1


async def test_who_is_only_thought_gone_is_fenced_off(redis: Server) -> None:
    """One process is cut off from Redis, its client goes on at the other, and it comes back."""
    async with behind(redis) as (app, proxies):
        app.always = 0
        async with client_of(app, "ada") as ada:
            app.sockets[1].send("ada", "count/down", 0)
            await ada.received.at_least(1)
            proxies[0].faults = lambda _: [Silence(after=0)]
            proxies[0].break_lines()
            app.always = 1
            ada.break_connection()
            async with asyncio.timeout(20):  # it is taken for gone after 6 s
                while not app.sockets[1].stats["taken over"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            app.sockets[0].send("ada", "count/down", 1)  # waits there
            await until(lambda: ada.state.open)
            proxies[0].heal()
            proxies[0].break_lines()
            await all_of(ada, 2)
            await until(lambda: app.sockets[0].stats["ended moved"] == 1)
            app.sockets[0].send("ada", "count/down", 2)
            await all_of(ada, 3)


def test_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match="broker=RedisBroker"):
        ChannelSocket(durable=True)
    with pytest.raises(ConfigError, match="broker=RedisBroker"):
        ChannelSocket(durable=True, broker=NatsBroker())
    with pytest.raises(ConfigError, match="classic"):
        ChannelSocket(durable=True, broker=MemoryBroker(), classic="edn")


async def test_what_is_no_item_is_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever can write to the store may put anything into it."""
    broker = MemoryBroker()
    async with several(broker, 2, durable=True) as app, client_of(app, "ada") as ada:
        app.always = 1
        shelves = broker._shelves
        assert shelves is not None
        bodies = [b"", b"\xff", write("stored", "x", {"event": "no id"}), write("reply", "x", {"ref": "x"}, [b""])]
        bodies += [write("what", "x", {}), write("cancel", "x", {"ref": 7}), write("nothing", "x", {})]
        for body in bodies:
            shelves.say('"ada"', body, asyncio.get_running_loop().time())
        for chsk in app.sockets:
            chsk.send("ada", "count/down", 1)
        assert [event.data for event in await ada.received.at_least(2)] == [1, 1]
        assert ada.state.lost == 0
    assert "unreadable, from the store" in caplog.text


async def test_another_user_does_not_get_the_session(keeper: Any) -> None:
    users = iter(["ada", "ada", "bob", "bob"])
    async with several(keeper, 1, durable=True, user_id=lambda _: next(users)) as app, client_of(app, "") as client:
        app.sockets[0].send("ada", "count/down", 0)
        await client.received.at_least(1)
        client.break_connection()
        await until(lambda: client.state.uid == "ada" and client.state.resumed)
        client.break_connection()
        await until(lambda: client.state.uid == "bob")
        assert not client.state.resumed
        app.sockets[0].send("ada", "count/down", 1)
        app.sockets[0].send("bob", "count/down", 2)
        await until(lambda: numbers(client) == [0, 2])


async def test_the_next_session_of_a_client_that_took_leave(keeper: Any) -> None:
    async with several(keeper, 2, durable=True) as app:
        for turn in range(3):
            async with client_of(app, "ada") as ada:
                app.sockets[turn % 2].send("ada", "count/down", turn)
                assert [event.data for event in await ada.received.at_least(1)] == [turn]
        assert sum(chsk.stats["ended goodbye"] for chsk in app.sockets) == 3
        assert app.sockets[0].stats["taken over"] + app.sockets[1].stats["taken over"] == 0


async def test_a_token_that_is_out_of_date(redis: Server) -> None:
    """The client never had the handshake of the process that took its session over, and comes to a third."""
    broker = broker_of(redis)
    async with several(broker, 2, durable=True) as app, AsyncExitStack() as stack:
        first = ChannelSocket(user_id=user_of, broker=broker, durable=True, settings=ServerSettings(drain=0.2))
        ending = await AsyncExitStack().__aenter__()
        await ending.enter_async_context(first)
        everywhere = RoundRobin([first, *app.sockets])
        everywhere.always = 0
        ada = await stack.enter_async_context(client_of(everywhere, "ada"))
        (client,) = first._hub.sessions
        everywhere.always = 1
        await ending.aclose()
        await until(lambda: app.sockets[0].stats["taken over"] == 1 and ada.state.open)
        core: Any = ada._core
        core._token = client.token
        everywhere.always = 2
        ada.break_connection()
        await until(lambda: ada.state.open)
        app.sockets[1].send("ada", "count/down", 0)
        await all_of(ada, 1)
        assert [len(chsk._hub.sessions) for chsk in app.sockets] == [1, 0]
        assert app.sockets[0].stats["taken over"] == 1


async def test_who_does_not_agree_is_not_heard(caplog: pytest.LogCaptureFixture) -> None:
    """What it says would be lost with the process that has the session, and nobody would know."""
    broker = MemoryBroker()
    async with several(broker, 1, durable=True) as app, client_of(app, "ada") as ada:
        async with Publisher(broker) as publisher:
            publisher.send("ada", "count/down", 0)
            await until(lambda: app.sockets[0].stats["broker unreadable"] == 1)
        async with Publisher(broker, durable=True) as publisher, ChannelSocket(broker=broker) as other:
            publisher.send("ada", "count/down", 1)
            await ada.received.at_least(1)
            await until(lambda: other.stats["broker unreadable"] == 0)  # it hears no users of others
            publisher.broadcast("count/down", 2)
            await until(lambda: other.stats["broker unreadable"] == 1)
        assert [event.data for event in await ada.received.at_least(2)] == [1, 2]
    assert caplog.text.count("have all processes durable=True?") + caplog.text.count("have all durable=True?") == 2


@pytest.mark.parametrize("kill", [False, True], ids=["it is missed", "it is taken over"])
async def test_what_was_evicted_is_told(redis: Server, kill: bool) -> None:
    prefix = f"{uuid.uuid4()}:"
    client = redis_client.from_url(f"redis://127.0.0.1:{redis.port}")

    def socket() -> ChannelSocket:
        broker = broker_of(redis, prefix=prefix)
        return ChannelSocket(user_id=user_of, broker=broker, durable=True, settings=ServerSettings(drain=0.2))

    async with socket() as other, AsyncExitStack() as stack:
        app = RoundRobin([socket(), other])
        app.always = 0
        ending = await AsyncExitStack().__aenter__()
        await ending.enter_async_context(app.sockets[0])
        ada = await stack.enter_async_context(client_of(app, "ada"))
        (session,) = app.sockets[0]._hub.sessions
        durable: Any = other._hub.durable
        await durable._store.say('"ada"', "nobody hears it", b"")
        await client.delete(f"{prefix}durable:outbox:{session.token.partition('.')[2]}")
        if kill:
            app.always = 1
        else:
            other.send("ada", "count/down", 1)
            await until(lambda: app.sockets[0].stats["ended not stored"] == 1)
        await (ending.aclose() if kill else asyncio.sleep(0))
        await until(lambda: ada.state.lost is None and ada.state.open)
        assert not ada.state.resumed
        app.always = 1
        await ending.aclose()
    await client.aclose()


async def test_what_was_prepared_for_who_is_refused_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = MemoryBroker()
    settings = ServerSettings(sessions_per_user=1)
    async with several(broker, 1, durable=True, settings=settings) as app, client_of(app, "ada") as ada:
        with pytest.raises(Disconnected, match="not connected"):
            async with client_of(app, "ada", connect_timeout=0.3):
                pass
        durable: Any = app.sockets[0]._hub.durable
        assert len(durable._shelves) > 1
        monkeypatch.setattr("sente.cluster.durable.PATIENCE", 0.0)
        durable._touch()
        assert len(durable._shelves) == 1
        app.sockets[0].send("ada", "count/down", 0)
        await ada.received.at_least(1)
        assert broker._shelves is not None and len(broker._shelves._kept) == 1
