"""FastAPI's dependencies in handlers: what they see, how long they live, what the asker is told when they refuse."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Body, Cookie, Depends, FastAPI, Header, HTTPException, Query, Request, Security
from fastapi import WebSocket as FastAPIWebSocket
from fastapi.security import HTTPBearer, OAuth2PasswordBearer, SecurityScopes
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection

from sente import ChannelSocket, Client, ConfigError, HandlerBinder, Message, RequestFailed
from sente.integrations.depends import FastAPIBinder
from sente.integrations.fastapi import channel_router, current_message, per_connection
from sente.protocol.route import Wanted
from sente.testing import Served, check_binder
from tests.asgi import TRANSPORTS, fetch, until

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
oauth2 = OAuth2PasswordBearer(tokenUrl="token", scopes={"read": "look", "write": "change"})


async def current_user(token: Annotated[str, Depends(oauth2)]) -> str:
    if not token.startswith("token-of-"):
        raise HTTPException(401, "who are you?", headers={"www-authenticate": "Bearer"})
    return token.removeprefix("token-of-")


User = Annotated[str, Depends(current_user)]


class World:
    """A socket, its application, and what happened."""

    def __init__(self, **options: Any) -> None:
        self.chsk = ChannelSocket(**options)
        self.app = FastAPI()
        self.log: list[Any] = []

    @asynccontextmanager
    async def client(self, transport: Wanted = "ws", **options: Any) -> AsyncIterator[Client]:
        if "/chsk" not in {getattr(route, "path", None) for route in self.app.routes}:
            self.app.include_router(channel_router(self.chsk))
        options = {"url": "/chsk", "auth": "Bearer token-of-ada", **options}
        async with (
            self.app.router.lifespan_context(self.app),
            Client(app=self.app, transport=transport, **options) as c,
        ):
            yield c

    async def database(self) -> AsyncIterator[str]:
        self.log.append("open")
        try:
            yield "database"
        except BaseException as error:
            self.log.append(type(error).__name__)
            raise
        finally:
            await asyncio.sleep(0)
            self.log.append("closed")


@pytest.fixture
def world() -> World:
    return World()


async def refusal(client: Client, event_id: str) -> Any:
    with pytest.raises(RequestFailed) as failed:
        await client.request(event_id)
    return failed.value.code, failed.value.message, failed.value.data


# -- what is filled in


@over_both
async def test_dependencies_are_solved_for_each_event(world: World, transport: Wanted) -> None:
    solved: list[str] = []

    def number(user: User) -> int:
        solved.append(user)
        return len(solved)

    @world.chsk.on("a/async")
    async def in_loop(msg: Message, user: User, *, number: Annotated[int, Depends(number)]) -> Any:
        return [msg.data, user, number]

    @world.chsk.on("a/sync")
    def in_thread(msg: Message, user: User, number: int = Depends(number)) -> Any:
        assert threading.current_thread() is not threading.main_thread()
        return [msg.data, user, number]

    async with world.client(transport) as client:
        assert await client.request("a/async", {"x": 1}) == [{"x": 1}, "ada", 1]
        assert await client.request("a/async", "y") == ["y", "ada", 2]
        assert await client.request("a/sync", "z") == ["z", "ada", 3]


@over_both
async def test_a_dependency_sees_a_request_made_of_the_handshake(world: World, transport: Wanted) -> None:
    seen: list[Request] = []

    def look(request: Request, connection: HTTPConnection, x_here: Annotated[str, Header()]) -> None:
        assert isinstance(connection, Request)
        assert x_here == "header"
        assert not hasattr(request.state, "mine")
        request.state.mine = "gone with the event"
        seen.append(request)

    @world.chsk.on("a/look", concurrent=True)
    async def handle(
        msg: Message,
        request: Request,
        looked: Annotated[None, Depends(look)],
        name: Annotated[str, Query()],
        flavour: Annotated[str, Cookie()],
    ) -> Any:
        return [name, flavour, request.url.path, request.url.scheme, request.method, (await request.body()).decode()]

    world.app.add_middleware(SessionMiddleware, secret_key="secret")
    world.app.include_router(channel_router(world.chsk))
    headers = {"x-here": "header", "cookie": "flavour=sweet"}
    options: Any = {"transport": transport, "headers": headers, "auth": "Bearer token-of-ada"}
    async with Served(world.app, **options) as server, server.client(params={"name": "ada"}) as client:
        for _ in range(2):
            assert await client.request("a/look") == ["ada", "sweet", "/chsk", "http", "GET", ""]
    first, second = seen
    assert first.app is world.app
    assert first.session == {}
    assert first.client == ("127.0.0.1", 50000)
    assert first.headers["authorization"] == "Bearer token-of-ada"  # the hello's
    assert first is not second


async def test_what_the_lifespan_of_the_application_left_is_there(world: World) -> None:
    @world.chsk.on("a/state")
    async def handle(msg: Message, request: Request) -> Any:
        return [request.state.pool, request.app.state.title]

    @world.app.middleware("http")
    async def pool(request: Request, call_next: Callable[..., Any]) -> Any:
        request.state.pool = "open"
        return await call_next(request)

    world.app.state.title = "chat"
    async with world.client("poll") as client:
        assert await client.request("a/state") == ["open", "chat"]


async def test_an_event_that_no_request_brought_has_dependencies_too() -> None:
    world = World(user_id=lambda _: "ada")

    @world.chsk.on("chsk/uidport-open")
    async def opened(msg: Message, request: Request, database: Annotated[str, Depends(world.database)]) -> None:
        world.log.append((msg.uid, database, request.app is world.app, dict(request.headers)))

    async with world.client():
        await until(lambda: "closed" in world.log)
    assert world.log == ["open", ("ada", "database", True, {}), "closed"]


async def test_a_dependency_may_ask_for_the_message(world: World) -> None:
    async def room(msg: Annotated[Message, Depends(current_message)]) -> str:
        if msg.data is None:
            raise HTTPException(404, "no such room")
        return f"room {msg.data}"

    @world.chsk.on("room/enter")
    async def enter(msg: Message, room: Annotated[str, Depends(room)]) -> str:
        return room

    @world.app.get("/message")
    async def outside(msg: Annotated[Any, Depends(current_message)]) -> None: ...

    async with world.client() as client:
        assert await client.request("room/enter", 7) == "room 7"
        assert await refusal(client, "room/enter") == ("not_found", "no such room", {"status": 404})
    with pytest.raises(ConfigError, match="only a handler"):
        await current_message(Request({"type": "http"}))


async def test_a_default_is_not_overwritten_by_the_query(world: World) -> None:
    @world.chsk.on("a/limited")
    async def limited(msg: Message, user: User, limit: int = 3, *rest: Any, **more: Any) -> Any:
        return [limit, rest, more]

    async with world.client(params={"limit": "1000", "more": "1"}) as client:
        assert await client.request("a/limited") == [3, [], {}]


# -- how long they live


async def test_what_yields_is_closed_before_the_reply(world: World) -> None:
    @world.chsk.on("a/one")
    async def one(msg: Message, database: Annotated[str, Depends(world.database)]) -> str:
        world.log.append(msg.data)
        return database

    async with world.client() as client:
        assert await client.request("a/one", 1) == "database"
        assert world.log == ["open", 1, "closed"]
        assert [*await asyncio.gather(client.request("a/one", 2), client.request("a/one", 3))] == ["database"] * 2
    assert world.log[3:] == ["open", 2, "closed", "open", 3, "closed"]


async def test_a_commit_that_fails_is_the_askers_error(world: World) -> None:
    def transaction() -> Iterator[None]:
        yield
        raise HTTPException(409, "someone was faster")

    @world.chsk.on("a/write")
    async def write(msg: Message, transaction: Annotated[None, Depends(transaction)]) -> str:
        return "written"

    async with world.client() as client:
        assert await refusal(client, "a/write") == ("conflict", "someone was faster", {"status": 409})


@pytest.mark.parametrize(("raised", "code"), [(KeyError("x"), "internal"), (RequestFailed("full", "no"), "full")])
async def test_what_yields_is_closed_when_the_handler_raises(world: World, raised: Exception, code: str) -> None:
    @world.chsk.on("a/raise")
    async def fail(msg: Message, database: Annotated[str, Depends(world.database)]) -> None:
        raise raised

    async with world.client() as client:
        assert (await refusal(client, "a/raise"))[0] == code
    assert world.log == ["open", type(raised).__name__, "closed"]


async def test_what_yields_is_closed_when_nobody_waits_any_more(world: World) -> None:
    @world.chsk.on("a/wait")
    async def wait(msg: Message, database: Annotated[str, Depends(world.database)]) -> None:
        await asyncio.sleep(60)

    async with world.client() as client:
        asking = asyncio.create_task(client.request("a/wait"))
        await until(lambda: world.log == ["open"])
        asking.cancel()
        await until(lambda: "closed" in world.log)
    assert world.log == ["open", "CancelledError", "closed"]


async def test_a_sync_handler_is_not_stopped_and_keeps_what_it_uses(world: World) -> None:
    go, began = threading.Event(), threading.Event()

    @world.chsk.on("a/block")
    def block(msg: Message, database: Annotated[str, Depends(world.database)]) -> None:
        began.set()
        go.wait(10)
        world.log.append("done")

    async with world.client() as client:
        asking = asyncio.create_task(client.request("a/block"))
        await until(began.is_set)
        asking.cancel()
        await asyncio.sleep(0.05)
        assert world.log == ["open"]
        go.set()
        await until(lambda: "closed" in world.log)
    assert world.log == ["open", "done", "closed"]


async def test_tasks_run_after_the_reply(world: World) -> None:
    replied = asyncio.Event()

    async def later() -> None:
        async with asyncio.timeout(5):
            await replied.wait()
        world.log.append("later")

    @world.chsk.on("a/tasks")
    async def handle(msg: Message, tasks: BackgroundTasks, db: Annotated[str, Depends(world.database)]) -> int:
        tasks.add_task(later)
        return 7

    async with world.client() as client:
        assert await client.request("a/tasks") == 7
        replied.set()
        await until(lambda: "closed" in world.log)
        client.send("a/tasks")  # nobody asks for a reply
        await until(lambda: world.log.count("later") == 2)
    assert world.log == ["open", "later", "closed"] * 2


# -- once for a connection


class Counted:
    """A dependency that counts how often it was solved."""

    def __init__(self) -> None:
        self.users: list[str] = []

    async def user(self, user: User) -> str:
        self.users.append(user)
        await asyncio.sleep(0)
        return f"{user} {len(self.users)}"


@pytest.mark.parametrize(("transport", "times"), [("ws", 1), ("poll", 3)])
async def test_once_for_a_connection(world: World, transport: Wanted, times: int) -> None:
    counted = Counted()
    kept = per_connection(counted.user)

    @world.chsk.on("a/kept", concurrent=True)
    async def handle(msg: Message, user: Annotated[str, Depends(kept)]) -> str:
        return user

    async with world.client(transport) as client, world_client(world, transport, "bob") as bob:
        for _ in range(3):
            assert (await client.request("a/kept")).startswith("ada")
        assert counted.users == ["ada"] * times
        if transport == "ws":
            assert [*await asyncio.gather(bob.request("a/kept"), bob.request("a/kept"))] == ["bob 2", "bob 2"]


@asynccontextmanager
async def world_client(world: World, transport: Wanted, name: str) -> AsyncIterator[Client]:
    async with Client(app=world.app, url="/chsk", transport=transport, auth=f"Bearer token-of-{name}") as client:
        yield client


async def test_other_credentials_and_other_lines_are_asked_about_anew(world: World) -> None:
    counted = Counted()
    name = ["ada"]

    @world.chsk.on("a/kept")
    async def handle(msg: Message, user: Annotated[str, Depends(per_connection(counted.user))]) -> str:
        return user

    async with world.client(auth=lambda: f"Bearer token-of-{name[0]}") as client:
        assert await client.request("a/kept") == "ada 1"
        name[0] = "bob"
        await client.reauthenticate()
        assert await client.request("a/kept") == "bob 2"
        client.break_connection()
        await until(lambda: client.state.open)
        assert await client.request("a/kept") == "bob 3"


async def test_what_raised_is_asked_again_and_scopes_are_told_apart(world: World) -> None:
    tried: list[tuple[str, ...]] = []

    async def user(scopes: SecurityScopes) -> str:
        tried.append(tuple(scopes.scopes))
        if "write" in scopes.scopes:
            raise HTTPException(403, "look, don't touch")
        return scopes.scope_str

    kept = per_connection(user)

    @world.chsk.on("a/read")
    async def read(msg: Message, scopes: Annotated[str, Security(kept, scopes=["read"])]) -> str:
        return scopes

    @world.chsk.on("a/write")
    async def write(msg: Message, scopes: Annotated[str, Security(kept, scopes=["write"])]) -> str:
        return scopes

    async with world.client() as client:
        for _ in range(2):
            assert await client.request("a/read") == "read"
            assert await refusal(client, "a/write") == ("forbidden", "look, don't touch", {"status": 403})
    assert tried == [("read",), ("write",), ("write",)]


async def test_over_http_it_is_an_ordinary_dependency(world: World) -> None:
    counted = Counted()

    @world.app.get("/me")
    async def me(user: Annotated[str, Depends(per_connection(counted.user))]) -> str:
        return user

    for number in (1, 2):
        answer = await fetch(world.app, "GET", path="/me", headers={"authorization": "Bearer token-of-ada"})
        assert answer.json == f"ada {number}"


async def test_nothing_is_kept_of_a_connection_that_is_gone(world: World) -> None:
    class Thing:
        alive = 0

        def __init__(self) -> None:
            Thing.alive += 1

        def __del__(self) -> None:
            Thing.alive -= 1

    async def thing() -> Thing:
        return Thing()

    @world.chsk.on("a/thing")
    async def handle(msg: Message, thing: Annotated[Thing, Depends(per_connection(thing))]) -> int:
        return Thing.alive

    async with world.client() as client:
        for _ in range(3):
            assert [await client.request("a/thing") for _ in range(2)] == [1, 1]
            client.break_connection()
            await until(lambda: client.state.open)
            gc.collect()


def test_once_for_a_connection_is_not_for_what_yields() -> None:
    world = World()
    with pytest.raises(ConfigError, match=r"World\.database\): a dependency with yield"):
        per_connection(world.database)


# -- in tests


async def test_overrides(world: World) -> None:
    @world.chsk.on("a/me")
    async def me(msg: Message, user: User, kept: Annotated[str, Depends(per_connection(current_user))]) -> Any:
        return [user, kept]

    async with world.client(auth=None) as client:
        assert (await refusal(client, "a/me"))[0] == "unauthorized"
        world.app.dependency_overrides[current_user] = lambda: "a test"
        assert await client.request("a/me") == ["a test", "a test"]
        world.app.dependency_overrides.clear()
        assert (await refusal(client, "a/me"))[0] == "unauthorized"


async def test_overrides_without_the_lifespan_of_the_application(world: World) -> None:
    @world.chsk.on("a/me")
    async def me(msg: Message, user: User) -> str:
        return user

    world.app.include_router(channel_router(world.chsk))
    world.app.dependency_overrides[current_user] = lambda: "a test"
    async with world.chsk, Client(app=world.app, url="/chsk") as client:
        assert await client.request("a/me") == "a test"


# -- what the asker is told


@pytest.mark.parametrize(
    ("status", "detail", "code", "message", "data"),
    [
        (400, "no", "bad_request", "no", {"status": 400}),
        (401, "who?", "unauthorized", "who?", {"status": 401}),
        (422, None, "unprocessable_content", None, {"status": 422}),
        (429, {"wait": 3}, "too_many_requests", "refused", {"status": 429, "detail": {"wait": 3}}),
        (499, "gone", "http_499", "gone", {"status": 499}),
    ],
)
@over_both
async def test_an_http_exception_refuses(
    world: World, transport: Wanted, status: int, detail: Any, code: str, message: str | None, data: Any
) -> None:
    errors: list[Exception] = []

    def refuse() -> None:
        raise HTTPException(status, detail)

    @world.chsk.on("a/refused")
    async def handle(msg: Message, refused: Annotated[None, Depends(refuse)]) -> None:
        raise AssertionError("it must not come here")

    world.chsk.on_error = lambda error, msg: errors.append(error)
    async with world.client(transport) as client:
        told = await refusal(client, "a/refused")
        assert (told[0], told[2]) == (code, data)
        assert message is None or told[1] == message
        client.send("a/refused")
        await until(lambda: errors)
    assert [type(error) for error in errors] == [RequestFailed]  # of the one that nobody waits for


async def test_what_the_connection_lacks(world: World) -> None:
    @world.chsk.on("a/header")
    async def handle(msg: Message, x_age: Annotated[int, Header()], x_name: Annotated[str, Header()]) -> None: ...

    async with world.client(headers={"x-age": "secret"}) as client:
        code, _, data = await refusal(client, "a/header")
    assert (code, data["status"], data["more"]) == ("unprocessable_content", 422, 0)
    assert [(error["type"], error["loc"]) for error in data["errors"]] == [
        ("int_parsing", ["header", "x-age"]),
        ("missing", ["header", "x-name"]),
    ]
    assert "secret" not in str(data)


async def test_bearer_tokens_that_no_header_could_hold(world: World) -> None:
    @world.chsk.on("a/bearer")
    async def handle(msg: Message, credentials: Annotated[Any, Depends(HTTPBearer())]) -> str:
        return str(credentials.credentials)

    async with world.client(auth="Bearer 先手") as client:
        assert await client.request("a/bearer") == "??"


# -- how it is switched on


async def test_handlers_registered_later_take_them_too(world: World) -> None:
    async with world.client() as client:

        @world.chsk.on("a/late")
        async def late(msg: Message, user: User) -> str:
            return user

        assert await client.request("a/late") == "ada"


async def test_a_handler_without_dependencies_is_asked_for_none_and_may_refuse(world: World) -> None:
    @world.chsk.on("a/plain")
    async def plain(msg: "Undefined") -> None:  # type: ignore[name-defined]  # noqa: F821
        raise HTTPException(404, "no such room")

    @world.chsk.on("a/defaults")
    def defaults(msg: Message, limit: int = 3) -> int:
        return limit

    async with world.client() as client:
        assert await refusal(client, "a/plain") == ("not_found", "no such room", {"status": 404})
        assert await client.request("a/defaults") == 3


async def takes_anything(msg: Message, room: str) -> None: ...
async def takes_a_body(msg: Message, room: Annotated[dict[str, str], Body()]) -> None: ...
async def takes_the_unknown(msg: Message, room: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def by_place(msg: Message, user: User, /) -> None: ...
async def of_no_type(msg: Message, room: Annotated[FastAPIWebSocket | object, Query()]) -> None: ...


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (takes_anything, r"takes_anything: nothing fills 'room'; write room: Annotated\[\.\.\., Depends\(\.\.\.\)\]"),
        (takes_a_body, "takes_a_body: a dependency wants a body"),
        (takes_the_unknown, "takes_the_unknown: .* name 'Nowhere' is not defined"),
        (by_place, "by_place: nothing fills 'user'"),
        (of_no_type, "of_no_type: "),
    ],
)
def test_what_cannot_be_filled_is_refused_at_once(world: World, handler: Any, says: str) -> None:
    world.chsk.on("a/before")(handler)
    with pytest.raises(ConfigError, match=says):
        channel_router(world.chsk)
    later = ChannelSocket()
    channel_router(later)
    with pytest.raises(ConfigError, match=says):
        later.on("a/after")(handler)
    assert not later._dispatcher.wants("a/after")


async def test_annotations_may_be_written_as_strings(world: World) -> None:
    @world.chsk.on("a/text")
    async def text(msg: "Message", user: "User") -> str:
        return user

    async with world.client() as client:
        assert await client.request("a/text") == "ada"


async def test_a_detail_that_cannot_be_packed_is_left_out(world: World) -> None:
    def refuse() -> None:
        raise HTTPException(400, {"what": object()})

    @world.chsk.on("a/odd")
    async def odd(msg: Message, refused: Annotated[None, Depends(refuse)]) -> None: ...

    async with world.client() as client:
        assert await refusal(client, "a/odd") == ("bad_request", "refused", None)


async def test_methods_and_objects_are_handlers_too(world: World) -> None:
    class Room:
        async def enter(self, msg: Message, user: User) -> str:
            return f"{user} enters"

        def __call__(self, msg: Message, user: User) -> str:
            return f"{user} calls"

    world.chsk.on("room/enter")(Room().enter)
    world.chsk.on("room/call")(Room())
    async with world.client() as client:
        assert await client.request("room/enter") == "ada enters"
        assert await client.request("room/call") == "ada calls"


async def test_a_binder_of_ones_own(world: World) -> None:
    class Binder:
        def bind(self, handler: Any, /) -> Any:
            async def call(message: Message) -> Any:
                return await handler(message, number=7)

            return call

    assert isinstance(Binder(), HandlerBinder)
    world.chsk.bind(Binder())

    @world.chsk.on("a/number")
    async def handle(msg: Message, number: int) -> int:
        return number

    async with world.chsk, Client(app=world.chsk) as client:
        assert await client.request("a/number") == 7


async def test_the_binder_keeps_its_contract() -> None:
    await check_binder(FastAPIBinder())
