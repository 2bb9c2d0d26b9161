"""What is said in other ways than most: by Sente's own clients, typed, once or late, in packers of one's own."""

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from sente import (
    Disconnected,
    EventRegistry,
    PackError,
    RequestTimeout,
    ServerSettings,
    TypeHandler,
    UnpackError,
    latest,
)
from sente.brokers.memory import MemoryBroker
from sente.security import session_uid
from tests.asgi import until
from tests.cluster.several import client_of, several
from tests.cluster.shaky import ShakyBroker

both_transports = pytest.mark.parametrize("transport", ["ws", "poll"])
QUICK = ServerSettings(poll=0.2)


@both_transports
async def test_sentes_own_clients(transport: Any) -> None:
    async with several(MemoryBroker(), classic="edn", settings=QUICK) as app:
        await asyncio.sleep(0.7)  # until the sockets know who is there
        async with client_of(app, "ada", transport, classic="edn") as ada:
            for number in range(9):
                assert await ada.request("echo/say", number) == number
                app.sockets[number % 3].send("ada", "news/told", number)
            said = await ada.received.at_least(9)
            assert sorted(event.data for event in said) == list(range(9))
            assert sum(chsk.stats["sessions"] for chsk in app.sockets) <= 2


async def test_sentes_own_clients_go_on_when_their_process_dies() -> None:
    broker = ShakyBroker()
    async with several(broker, classic="edn", settings=QUICK) as app:
        await asyncio.sleep(0.7)
        async with client_of(app, "ada", "poll", classic="edn") as ada:
            assert await ada.request("echo/say", 1) == 1
            (owner,) = [number for number, chsk in enumerate(app.sockets) if chsk.stats["sessions"]]
            app.always = (owner + 1) % 3
            broker.kill(owner)
            async with asyncio.timeout(15):
                while True:
                    try:
                        assert await ada.request("echo/say", 2, timeout=1.0) == 2
                        break
                    except (RequestTimeout, Disconnected):
                        await asyncio.sleep(0.1)


async def test_only_the_latest_and_only_now() -> None:
    events = EventRegistry()

    @events.event("price/is", delivery=latest("of"))
    class Price(BaseModel):
        of: str
        value: Decimal

    @events.event("cursor/at", delivery="volatile")
    class Cursor(BaseModel):
        x: int

    async with several(MemoryBroker(), 2, events=events) as app:
        app.always = 1
        async with client_of(app, "ada", events=events) as ada:
            for value in range(20):
                app.sockets[0].send("ada", Price(of="tea", value=Decimal(value)))
                app.sockets[0].send("ada", Price(of="rice", value=Decimal(value)))
            app.sockets[0].broadcast(Cursor(x=3), flush=True)
            await until(lambda: len(ada.received) == 3)
            prices = [event.data for event in ada.received if isinstance(event.data, Price)]
            assert prices == [Price(of="tea", value=Decimal(19)), Price(of="rice", value=Decimal(19))]
            assert [event.data for event in ada.received if isinstance(event.data, Cursor)] == [Cursor(x=3)]


@dataclass(frozen=True)
class Point:
    x: int


POINT: TypeHandler[Point] = TypeHandler("geo/point", Point, lambda point: point.x, Point)


async def test_types_of_your_own_and_forms() -> None:
    async with several(MemoryBroker(), 2, types=[POINT]) as app:
        app.always = 1
        async with client_of(app, "ada", types=[POINT]) as ada:
            app.sockets[0].send("ada", "point/at", {"p": Point(3), "d": Decimal("1.5")}, form="msgpack")
            assert (await ada.received.next()).data == {"p": Point(3), "d": Decimal("1.5")}


class Odd:
    """A packer that has a word for something that no other has."""

    name = "odd"

    def pack(self, value: Any, /) -> str:
        try:
            return json.dumps(value, default=lambda point: {"point": point.x})
        except (TypeError, AttributeError) as error:
            raise PackError(str(error)) from error

    def unpack(self, wire: Any, /) -> Any:
        try:
            return json.loads(wire, object_hook=lambda found: Point(found["point"]) if "point" in found else found)
        except (ValueError, KeyError) as error:
            raise UnpackError(str(error)) from error


async def test_a_packer_of_your_own() -> None:
    async with several(MemoryBroker(), 2, packers=[Odd()]) as app:
        app.always = 1
        async with client_of(app, "ada", packers=[Odd()]) as ada:
            app.sockets[0].send("ada", "point/at", Point(3))
            assert (await ada.received.next()).data == Point(3)
            with pytest.raises(PackError):
                app.sockets[0].send("ada", "point/at", object())


async def test_requests_to_clients_elsewhere_end_in_every_way() -> None:
    broker = ShakyBroker()
    async with several(broker, 2) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            asked, called_off = asyncio.Event(), asyncio.Event()

            @ada.on("slow/ask")
            async def slow(data: Any) -> None:
                asked.set()
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    called_off.set()
                    raise

            client_id = await ada.request("whoami/ask")
            with pytest.raises(RequestTimeout):
                await app.sockets[0].request(client_id, "slow/ask", timeout=0.3)
            await asyncio.wait_for(called_off.wait(), 5)
            asked.clear()
            called_off.clear()
            asking = asyncio.create_task(app.sockets[0].request(client_id, "slow/ask"))
            await asyncio.wait_for(asked.wait(), 5)
            asking.cancel()
            await asyncio.wait_for(called_off.wait(), 5)
            asked.clear()
            asking = asyncio.create_task(app.sockets[0].request(client_id, "slow/ask", timeout=20))
            await asyncio.wait_for(asked.wait(), 5)
            broker.kill(1)
            with pytest.raises(Disconnected, match="cannot be reached"):
                await asyncio.wait_for(asking, 5)


async def test_a_request_that_nothing_can_carry_is_refused_at_once() -> None:
    async with several(MemoryBroker(), 2) as app:
        app.always = 1
        async with client_of(app, "ada") as ada:
            client_id = await ada.request("whoami/ask")
            with pytest.raises(PackError):
                await app.sockets[0].request(client_id, "slow/ask", object())


async def test_the_session_of_the_framework_reaches_the_owner() -> None:
    async with several(MemoryBroker(), user_id=session_uid) as app:

        async def with_session(scope: Any, receive: Any, send: Any) -> None:
            scope["session"] = {"uid": "ada", "cart": [1, {"of": "tea"}]}
            await app(scope, receive, send)

        async with client_of(with_session, "", "poll") as ada:
            for number in range(6):
                assert await ada.request("echo/say", number) == number
            assert ada.state.uid == "ada"


@both_transports
async def test_bearer_tokens_reach_the_owner(transport: Any) -> None:
    def authorize(connection: Any) -> bool:
        return bool(connection.headers.get("authorization") == "Bearer t")

    async with several(MemoryBroker(), 2, settings=QUICK, authorize=authorize) as app:
        app.always = 0
        async with client_of(app, "ada", transport, auth="Bearer t") as ada:
            app.always = 1
            ada.break_connection()
            await until(lambda: not ada.state.open)
            await until(lambda: ada.state.open)
            assert await ada.request("echo/say", 1) == 1
            assert (ada.state.resumed, ada.state.lost) == (True, 0)


async def test_who_may_no_longer_in_is_told_so_by_the_edge() -> None:
    allowed = [True]
    async with several(MemoryBroker(), 2, settings=QUICK, authorize=lambda _: allowed[0]) as app:
        app.always = 0
        async with client_of(app, "ada", "poll") as ada:
            assert await ada.request("echo/say", 1) == 1
            app.always = 1
            allowed[0] = False
            await until(lambda: ada.state.refused is not None)
            assert ada.state.refused is not None
            assert "not authorized" in ada.state.refused.message


async def test_a_hook_that_fails_at_the_owner(caplog: pytest.LogCaptureFixture) -> None:
    broken = [False]

    def user_id(connection: Any) -> str:
        if broken[0]:
            raise RuntimeError("the database is away")
        return "ada"

    async with several(MemoryBroker(), 2, settings=QUICK, user_id=user_id) as app:
        app.always = 0
        async with client_of(app, "ada", "poll") as ada:
            assert await ada.request("echo/say", 1) == 1
            app.always = 1
            broken[0] = True
            await until(lambda: "the database is away" in caplog.text)
            broken[0] = False
            await until(lambda: ada.state.open)
            assert await ada.request("echo/say", 2) == 2
            assert ada.state.lost == 0


@both_transports
async def test_a_process_that_leaves_in_peace(transport: Any) -> None:
    """What it served for others goes back to them, and its own clients begin anew."""
    async with several(MemoryBroker(), 1) as kept, several(MemoryBroker(), 1):
        assert kept.sockets  # two applications do not know each other
    broker = MemoryBroker()
    async with several(broker, 1) as first, several(broker, 1) as second:
        first.sockets += second.sockets
        first.always = 0
        async with client_of(first, "ada", transport) as ada:
            first.always = 1
            ada.break_connection()
            await until(lambda: not ada.state.open)
            await until(lambda: ada.state.open)
            draining = asyncio.create_task(second.sockets[0]._hub.drain(0.5))
            first.always = 0
            await draining
            await until(lambda: ada.state.open)
            assert await ada.request("echo/say", "still here") == "still here"
            assert ada.state.lost == 0
