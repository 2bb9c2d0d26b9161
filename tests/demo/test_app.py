"""The demo's server: login, CSRF, limits, and what a message goes through."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, TypeAlias

import httpx2
import pytest

from sente import RequestFailed
from sente.client import Change, Client, ClientState
from sente.demo import create_app
from tests.e2e.serving import serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

Transport: TypeAlias = Literal["ws", "poll"]
every_transport = pytest.mark.parametrize("transport", ["ws", "poll"])


class Visitor:
    """A browser without a screen: a cookie jar and clients of the channel socket."""

    def __init__(self, http: httpx2.AsyncClient, url: str) -> None:
        self.http = http
        self.url = url

    async def csrf(self) -> str:
        return str((await self.http.get("/csrf")).json())

    async def post(self, path: str, body: Any = None) -> httpx2.Response:
        return await self.http.post(path, json=body or {}, headers={"x-csrf-token": await self.csrf()})

    def client(self, transport: Transport = "ws") -> Client:
        return Client(f"{self.url}/chsk", transport=transport, csrf=self.csrf, headers=self._cookies)

    def _cookies(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.http.cookies.jar)}


Visit: TypeAlias = Callable[..., AbstractAsyncContextManager[Visitor]]


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    """Opens the page of a new demo, in a new browser each time; with a name it logs in."""
    async with serving(create_app()) as port:
        url = f"http://127.0.0.1:{port}"

        @asynccontextmanager
        async def open_page(name: str | None = None) -> AsyncIterator[Visitor]:
            async with httpx2.AsyncClient(base_url=url) as http:
                visitor = Visitor(http, url)
                assert (await http.get("/")).status_code == 200
                if name is not None:
                    assert (await visitor.post("/login", {"name": name})).status_code == 204
                yield visitor

        yield open_page


async def say(client: Client, text: Any, key: Any = "k1") -> Any:
    return await client.request("chat/say", {"text": text, "key": key})


async def test_the_page_needs_nothing_from_elsewhere(visit: Visit) -> None:
    async with visit() as visitor:
        page = await visitor.http.get("/")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for path in ("/static/demo.css", "/static/demo.js", "/static/view.js", "/static/stone.svg"):
            file = await visitor.http.get(path)
            assert file.status_code == 200
            assert "//" not in file.text.replace("http://www.w3.org/2000/svg", "").replace("// ", "")


@pytest.mark.parametrize("path", ["/login", "/logout", "/cut"])
async def test_a_post_without_the_csrf_token_is_refused(visit: Visit, path: str) -> None:
    async with visit() as visitor:
        body = {"name": "Ada", "client_id": "c1"}
        assert (await visitor.http.post(path, json=body)).status_code == 403
        assert (await visitor.http.post(path, json=body, headers={"x-csrf-token": "wrong"})).status_code == 403
        assert (await visitor.post(path, body)).is_success


async def test_the_token_of_another_session_is_refused(visit: Visit) -> None:
    async with visit() as ada, visit() as eve:
        headers = {"x-csrf-token": await eve.csrf()}
        assert (await ada.http.post("/login", json={"name": "Eve"}, headers=headers)).status_code == 403


@pytest.mark.parametrize("name", ["", "   ", "a" * 33, "a\nb\x00", "\u202eadA"])
async def test_a_name_that_does_not_do_is_refused_with_a_sentence(visit: Visit, name: str) -> None:
    async with visit() as visitor:
        answer = await visitor.post("/login", {"name": name})
        assert answer.status_code == 422
        assert answer.json() == {"detail": "a name has 1 to 32 letters"}


async def test_spaces_around_and_within_a_name_do_not_make_it_another(visit: Visit) -> None:
    async with visit("  Ada   Lovelace ") as visitor, visitor.client() as client:
        assert client.state.uid == "Ada Lovelace"


@every_transport
async def test_a_visitor_may_watch_but_not_talk(visit: Visit, transport: Transport) -> None:
    async with visit() as visitor, visitor.client(transport) as client:
        assert client.state.uid is None
        assert client.state.handshake_data == {"messages": [], "online": []}
        with pytest.raises(RequestFailed) as failed:
            await say(client, "hello")
        assert failed.value.code == "forbidden"


@every_transport
async def test_what_is_said_reaches_everyone(visit: Visit, transport: Transport) -> None:
    async with visit("Ada") as ada, visit() as watcher, ada.client(transport) as talker, watcher.client() as watching:
        heard = watching.events("chat/said")
        reply = await say(talker, " hello ")
        assert (reply["by"], reply["text"], reply["key"]) == ("Ada", "hello", "k1")
        assert (await anext(heard)).data == reply
        async with watcher.client() as late:
            assert late.state.handshake_data["messages"] == [reply]


async def test_what_is_said_again_with_the_same_key_is_said_once(visit: Visit) -> None:
    async with visit("Ada") as ada, visit("Bob") as bob, ada.client() as client, bob.client() as other:
        first = await say(client, "hello")
        assert await say(client, "hello") == first
        assert (await say(other, "hello"))["id"] != first["id"], "the key is another one's, too"
        assert len((await last_snapshot(ada))["messages"]) == 2


async def last_snapshot(visitor: Visitor) -> Any:
    async with visitor.client() as client:
        return client.state.handshake_data


async def test_a_message_has_a_limit(visit: Visit) -> None:
    async with visit("Ada") as ada, ada.client() as client:
        assert (await say(client, "a" * 2000))["text"] == "a" * 2000
        with pytest.raises(RequestFailed, match="at most 2,000 characters, this one 2,001") as failed:
            await say(client, "a" * 2001, "k2")
        assert failed.value.code == "too_long"


@pytest.mark.parametrize(
    "data", [None, "hello", {}, {"text": "hi"}, {"text": " ", "key": "k"}, {"text": 1, "key": "k"}]
)
async def test_what_is_no_message_is_refused(visit: Visit, data: Any) -> None:
    async with visit("Ada") as ada, ada.client() as client:
        with pytest.raises(RequestFailed) as failed:
            await client.request("chat/say", data)
        assert failed.value.code == "invalid_event"


async def test_the_last_fifty_messages_are_kept(visit: Visit) -> None:
    async with visit("Ada") as ada, ada.client() as client:
        for number in range(55):
            await say(client, str(number), str(number))
        texts = [message["text"] for message in (await last_snapshot(ada))["messages"]]
        assert texts == [str(number) for number in range(5, 55)]


async def test_all_are_told_who_is_there_and_over_what(visit: Visit) -> None:
    async with visit() as watcher, watcher.client() as watching:
        online = watching.events("lobby/online")
        async with visit("Ada") as ada, ada.client("ws"):
            await until(online, [{"uid": "Ada", "ws": True, "poll": False}])
            async with ada.client("poll"):
                await until(online, [{"uid": "Ada", "ws": True, "poll": True}])
            await until(online, [{"uid": "Ada", "ws": True, "poll": False}])
        await until(online, [])


async def until(events: Any, data: Any) -> None:
    async for event in events:
        if event.data == data:
            return


async def test_typing_is_told(visit: Visit) -> None:
    async with visit("Ada") as ada, visit() as watcher, ada.client() as typist, watcher.client() as watching:
        heard = watching.events("chat/typing")
        assert watching.send("chat/typing")  # of a visitor nobody is told
        assert typist.send("chat/typing")
        assert (await anext(heard)).data == {"by": "Ada"}


async def reached(changes: AsyncIterator[Change], condition: Callable[[ClientState], bool]) -> ClientState:
    """Wait for a state of the client."""
    while True:
        change = await anext(changes)
        if condition(change.new):
            return change.new


@every_transport
async def test_a_line_that_was_cut_is_resumed_and_nothing_is_lost(visit: Visit, transport: Transport) -> None:
    async with visit("Ada") as ada, visit("Bob") as bob, ada.client(transport) as cut, bob.client() as other:
        heard = cut.events("chat/said")
        changes = cut.state_changes()
        answer = await ada.post("/cut", {"client_id": cut.state.client_id})
        assert answer.json() == {"seconds": 3.0}
        await reached(changes, lambda state: not state.open)
        said = await say(other, "are you there?")
        state = await reached(changes, lambda state: state.open)
        assert (state.resumed, state.lost) == (True, 0)
        assert (await anext(heard)).data == said
        assert (await say(cut, "yes", "k2"))["by"] == "Ada"
        assert [(await anext(heard)).data["text"]] == ["yes"]


async def test_nobody_cuts_the_line_of_another_session(visit: Visit) -> None:
    async with visit("Ada") as ada, visit("Eve") as eve, ada.client() as client:
        before = client.state
        await eve.post("/cut", {"client_id": client.state.client_id})
        await say(client, "still here")
        assert client.state == before


async def test_who_logs_out_may_only_watch(visit: Visit) -> None:
    async with visit("Ada") as ada, ada.client() as client:
        await ada.post("/logout")
        changes = client.state_changes()
        client.reconnect()
        await reached(changes, lambda state: state.open and state.uid is None)
        with pytest.raises(RequestFailed, match="join first"):
            await say(client, "hello")
