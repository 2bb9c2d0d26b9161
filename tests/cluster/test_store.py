"""What keeps sessions: Redis and the memory do the same, whatever is asked for and in whatever order."""

import asyncio
import uuid
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis.asyncio as redis_client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sente.brokers.memory import MemoryBroker
from sente.brokers.redis import RedisBroker
from sente.brokers.store import Bounds, Moved, Store, StoreError, Taken
from tests.brokers.servers import Server, redis_server

BOUNDS = Bounds(items=6, size=200, age=100)
NODES, SESSIONS, USERS = ["n1", "n2"], ["s1", "s2", "s3"], ['"ada"', "7", "null"]
some = st.sampled_from

asked = st.one_of(
    st.tuples(st.just("create"), some(SESSIONS), some(USERS), some(["c1", "c2"])),
    st.tuples(st.just("take"), some(SESSIONS), some(USERS), some(["c1", "c2"]), some(NODES)),
    st.tuples(st.just("say"), some([*USERS, None]), st.just("news"), st.binary(max_size=80)),
    st.tuples(st.just("forget"), some([*USERS, None]), st.just("news"), st.binary(max_size=9)),
    st.tuples(st.just("put"), some(SESSIONS), st.integers(1, 3), st.binary(max_size=80)),
    st.tuples(st.just("note"), some(SESSIONS), st.integers(1, 3), st.integers(0, 8), st.integers(0, 9)),
    st.tuples(st.just("fetch"), some(SESSIONS), st.integers(0, 8)),
    st.tuples(st.just("end"), some(SESSIONS), st.integers(1, 3)),
    st.tuples(st.just("touch"), st.lists(some(SESSIONS))),
)


def broker_of(redis: Server) -> RedisBroker:
    return RedisBroker(f"redis://127.0.0.1:{redis.port}", prefix=f"{uuid.uuid4()}:")


async def outcome(asking: Any) -> Any:
    try:
        return await asking
    except StoreError as error:
        return type(error)


async def all_of(broker: Any, steps: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
    stores: dict[str, Store] = {node: broker.store(node, BOUNDS, lambda: None) for node in NODES}
    found = [await outcome(getattr(stores[node], what)(*rest)) for node, (what, *rest) in steps]
    for store in stores.values():
        await store.aclose()
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(some(NODES), asked), max_size=40))
def test_redis_does_what_the_memory_does(redis: Server, steps: Sequence[tuple[str, Sequence[Any]]]) -> None:
    begun = [("n1", ("create", session, user, "c1")) for session, user in zip(SESSIONS, USERS, strict=True)]
    other = RedisBroker(f"redis://127.0.0.1:{redis.port}", prefix=f"{uuid.uuid4()}:")
    assert asyncio.run(all_of(other, [*begun, *steps])) == asyncio.run(all_of(MemoryBroker(), [*begun, *steps]))


@pytest.fixture(params=["memory", "redis"])
def keeper(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryBroker()
    server: Server = request.getfixturevalue("redis")
    return RedisBroker(f"redis://127.0.0.1:{server.port}", prefix=f"{uuid.uuid4()}:")


async def test_a_session_is_taken_once(keeper: Any) -> None:
    one, two, three = stores = [keeper.store(node, BOUNDS, lambda: None) for node in ("n1", "n2", "n3")]
    assert await one.create("s1", '"ada"', "c1") == 1
    assert await one.say('"ada"', "news", b"a") == {"s1": 1}
    assert await one.put("s1", 1, b"b") == 2
    await one.note("s1", 1, 1, 5)
    assert await two.take("s1", '"bob"', "c1", "n1") is None  # another user
    assert await two.take("s1", '"ada"', "c9", "n1") is None  # another client
    assert await two.take("s1", '"ada"', "c1", "n1") == Taken(2, 5, 1, [(2, b"b")])
    assert await three.take("s1", '"ada"', "c1", "n1") == "n2"
    assert [(await outcome(asking)).__name__ for asking in (one.put("s1", 1, b"c"), one.note("s1", 1, 2, 9))] == [
        "Moved"
    ] * 2
    await one.end("s1", 1)
    assert await two.fetch("s1", 0) == [(2, b"b")]
    for store in stores:
        await store.aclose()


async def test_what_is_asked_for_in_one_turn_is_done_in_order(keeper: Any) -> None:
    store = keeper.store("n1", Bounds(5000, 10**6, 100), lambda: None)
    await store.create("s1", '"ada"', "c1")
    asking = [store.put("s1", 1, b"x") if n % 2 else store.say('"ada"', "news", b"y") for n in range(2000)]
    numbers = [found if isinstance(found, int) else found["s1"] for found in await asyncio.gather(*asking)]
    assert numbers == list(range(1, 2001))
    await store.aclose()


async def test_bounds(keeper: Any) -> None:
    store = keeper.store("n1", BOUNDS, lambda: None)
    for session, body in (("s1", b"x"), ("s2", b"x" * 50)):
        await store.create(session, '"ada"', "c1")
        numbers = [await store.put(session, 1, body) for _ in range(4)]
        assert numbers == [1, 2, 3, 4]
    await store.note("s1", 1, 4, 0)
    assert [await store.put("s1", 1, b"x") for _ in range(7)] == [5, 6, 7, 8, 9, 10, 0]
    assert await store.put("s2", 1, b"x") == 0
    assert (await outcome(store.put("s2", 1, b"x"))).__name__ == "Moved"
    assert await store.say('"ada"', "news", b"x") == {}
    await store.aclose()


async def test_without_memory_sessions_are_gone_and_not_torn() -> None:
    with redis_server("--maxmemory", "4mb", "--maxmemory-policy", "noeviction") as own:
        store = RedisBroker(f"redis://127.0.0.1:{own.port}").store("n1", Bounds(10**6, 10**9, 100), lambda: None)
        for session in ("s1", "s2", "s3"):
            await store.create(session, '"ada"', "c1")
        for _ in range(25):
            await store.put("s1", 1, b"x" * 50_000)
        said: list[Any] = []
        while not said or 0 not in said[-1].values():
            said.append(await store.say('"ada"', "news", b"x" * 50_000))
        for session, number in said[-1].items():
            assert await outcome(store.put(session, 1, b"x")) == (number + 1 if number else Moved)
        assert await store.create("s4", '"ada"', "c1") == 1
        await store.aclose()


async def test_a_script_that_redis_does_not_know_any_more(redis: Server) -> None:
    store = broker_of(redis).store("n1", BOUNDS, lambda: None)
    assert await store.create("s1", '"ada"', "c1") == 1
    connection = redis_client.from_url(f"redis://127.0.0.1:{redis.port}")
    await connection.script_flush()
    assert await store.put("s1", 1, b"x") == 1
    await connection.aclose()
    await store.aclose()


async def test_what_somebody_else_has_put_there_is_an_error(redis: Server) -> None:
    prefix = f"{uuid.uuid4()}:"
    store = RedisBroker(f"redis://127.0.0.1:{redis.port}", prefix=prefix).store("n1", BOUNDS, lambda: None)
    connection = redis_client.from_url(f"redis://127.0.0.1:{redis.port}")
    await connection.set(f"{prefix}durable:session:s1", "text")
    assert await outcome(store.put("s1", 1, b"x")) is StoreError
    assert await store.create("s2", '"ada"', "c1") == 1
    await connection.aclose()
    await store.aclose()


async def test_too_much_that_waits_is_refused() -> None:
    with redis_server() as own:
        store = broker_of(own).store("n1", Bounds(10**6, 10**9, 100), lambda: None)
        await store.create("s1", '"ada"', "c1")
        own.pause()
        asking = [store.put("s1", 1, b"x" * 2**20) for _ in range(40)]
        forgetting = store.forget('"ada"', "news", b"x" * 2**20)
        await asyncio.sleep(0.1)
        assert store.waiting == 33  # 32 MB, and that
        own.go_on()
        outcomes = [await outcome(one) for one in asking]
        assert outcomes == [*range(1, 33), *[StoreError] * 8]
        await forgetting
        assert await outcome(store.put("s1", 1, b"x")) is Moved
        await store.aclose()


@pytest.mark.parametrize("evicted", ['of:"ada"', "all", "outbox:s1", "session:s1"])
async def test_a_session_of_which_a_part_was_evicted_is_gone(redis: Server, evicted: str) -> None:
    prefix = f"{uuid.uuid4()}:"
    broker, connection = (
        RedisBroker(f"redis://127.0.0.1:{redis.port}", prefix=prefix),
        redis_client.Redis(port=redis.port),
    )
    one, two = (broker.store(node, BOUNDS, lambda: None) for node in ("n1", "n2"))
    for session in ("s1", "s2"):
        await one.create(session, '"ada"', "c1")
        await one.put(session, 1, b"x")
        assert await one.touch([session]) == []
        await connection.delete(f"{prefix}durable:{evicted.replace('s1', session)}")
    if not evicted.startswith("outbox"):  # that is missed when the next number comes
        assert await one.touch(["s1"]) == ["s1"]
    assert await two.take("s2", '"ada"', "c1", "n1") is None
    assert await outcome(one.put("s2", 1, b"x")) is Moved
    for closing in (one, two, connection):
        await closing.aclose()


async def test_a_replica_that_takes_over_may_lack_something() -> None:
    """Both write to disk what they confirm, but one confirms before the other has it."""
    disk = ("--appendonly", "yes", "--appendfsync", "always", "--dir")
    with (
        TemporaryDirectory() as one,
        TemporaryDirectory() as two,
        redis_server(*disk, one) as first,
        redis_server(*disk, two, "--replicaof", "127.0.0.1", str(first.port)) as second,
    ):
        before = RedisBroker(f"redis://127.0.0.1:{first.port}").store("n1", BOUNDS, lambda: None)
        admin = redis_client.Redis(port=second.port)
        async with asyncio.timeout(20):
            while (await admin.info("replication"))["master_link_status"] != "up":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await before.create("s1", '"ada"', "c1")
            while not await admin.exists("sente:durable:session:s1"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await before.touch(["s1"]) == []
        await admin.replicaof("NO", "ONE")
        after = RedisBroker(f"redis://127.0.0.1:{second.port}").store("n1", BOUNDS, lambda: None)
        assert await after.touch(["s1"]) == ["s1"]
        assert await after.take("s1", '"ada"', "c1", "n1") is None
        for closing in (before, after, admin):
            await closing.aclose()
