"""The HTTP gate, request by request: the welcome, what is refused and how, and exchanges that wait."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sente import ChannelSocket, Limits, Message, Rejected, ServerSettings
from sente.protocol.framing import read_row
from tests.asgi import HELLO, QUERY, Exchange, PollClient, connect, fetch, make_scope, row, until

SETTINGS = ServerSettings(poll=0.05, grace_poll=0.05, batch_poll=0.001, limits=Limits(packet=2000, body=5000))
ORIGIN = "https://app.example.com"


@pytest.fixture
async def chsk() -> AsyncIterator[ChannelSocket]:
    uids = {"c1": "ada", "c2": "bob"}
    async with ChannelSocket(
        user_id=lambda connection: connection.cookies.get("uid") or uids.get(connection.client_id),
        allowed_origins=[ORIGIN],
        settings=SETTINGS,
    ) as chsk:
        yield chsk


async def poll_client(chsk: ChannelSocket, client_id: str = "c1", **options: Any) -> PollClient:
    client = await connect(chsk, "poll", client_id, **options)
    assert isinstance(client, PollClient)
    return client


async def hold(chsk: ChannelSocket, client: PollClient) -> Exchange:
    """A poll that waits."""
    exchange = client.post(client.head(wait=60_000))
    await until(lambda: chsk.connected_uids.poll)
    for _ in range(5):
        await asyncio.sleep(0)
    assert exchange.waits
    return exchange


# -- without a session


async def test_the_welcome(chsk: ChannelSocket) -> None:
    answer = await fetch(chsk, "GET", QUERY + "&handshake?=1")
    assert answer.status == 200
    assert answer.json == {"sente": 1, "packer": "json", "hello": 10000}
    assert answer.headers["content-type"] == "application/vnd.sente.v1+json"
    assert chsk.stats["sessions"] == 0


async def test_a_browser_that_looks_in_is_told_what_this_is(chsk: ChannelSocket) -> None:
    answer = await fetch(chsk, "GET", QUERY)
    assert answer.status == 400
    assert "connect a client" in answer.error


async def test_options_are_answered_before_anything_is_checked() -> None:
    async with ChannelSocket(reject=lambda _: "nobody") as chsk:
        answer = await fetch(chsk, "OPTIONS", "")
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
async def test_other_methods_are_refused(chsk: ChannelSocket, method: str) -> None:
    answer = await fetch(chsk, method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, POST, OPTIONS"


async def test_without_client_id_or_common_packer(chsk: ChannelSocket) -> None:
    missing = await fetch(chsk, "POST", "packers=json")
    assert missing.status == 400 and "client-id is missing" in missing.error
    morse = await fetch(chsk, "POST", "client-id=c1&packers=morse")
    assert morse.status == 406 and morse.error.endswith("the server speaks packers=auto,json")


REQUESTS: list[tuple[str, str, bytes]] = [
    ("OPTIONS", "", b""),
    ("PUT", QUERY, b""),
    ("GET", QUERY, b""),
    ("GET", QUERY + "&handshake?=1", b""),
    ("POST", "", b""),
    ("POST", QUERY, b"?"),
    ("POST", QUERY, b"x" * 5001),
    ("POST", QUERY, row(HELLO)),
    ("POST", QUERY, row({"session": "?", "n": 1, "ack": 0, "seq": 1, "wait": 0})),
]


@pytest.mark.parametrize("request_", REQUESTS)
async def test_every_answer_says_how_it_may_be_used(chsk: ChannelSocket, request_: tuple[str, str, bytes]) -> None:
    method, query, body = request_
    allowed = await fetch(chsk, method, query, body=body, headers={"origin": ORIGIN})
    strange = await fetch(chsk, method, query, body=body, headers={"origin": "https://evil.example"})
    for answer in (allowed, strange):
        assert answer.headers["cache-control"] == "no-store, no-transform"
        assert answer.headers["vary"] == "Origin"
        assert int(answer.headers["content-length"]) == len(answer.body)
    assert {name: value for name, value in allowed.headers.items() if name.startswith("access-control-allow-c")} == {
        "access-control-allow-credentials": "true"
    }
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert allowed.headers["access-control-max-age"] == "7200"
    assert not {"access-control-allow-origin", "access-control-allow-credentials"} & strange.headers.keys()


# -- bodies


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "a body begins with a text frame"),
        (b"\x80\x00\x00", "ends within a frame's length"),
        (b"\x80\x00\x00\x05{}", "longer than the body"),
        (row(b"{}"), "a body begins with a text frame"),
        (row("?"), "must be JSON text"),
        (row("[]"), "must be a hello"),
        (b"\x80\x00\x00\x01\xff", "not UTF-8"),
        (row({"wait": 0}), "a body begins with its head"),
        (row({"session": "s", "n": True, "ack": 0, "seq": 1, "wait": 0}), "n must be a whole number"),
        (row({"session": "s", "n": 1, "ack": 0, "seq": 1, "wait": -5}), "wait must be a whole number"),
    ],
)
async def test_a_malformed_body_is_refused(chsk: ChannelSocket, body: bytes, error: str) -> None:
    answer = await fetch(chsk, "POST", body=body)
    assert answer.status == 400
    assert error in answer.error


async def test_the_first_frame_has_a_limit() -> None:
    async with ChannelSocket() as chsk:
        answer = await fetch(chsk, "POST", body=row(json.dumps(HELLO | {"auth": "先" * 3000}, ensure_ascii=False)))
        assert answer.status == 400 and "8192 bytes" in answer.error


async def test_a_body_that_is_too_long_is_not_read_to_its_end(chsk: ChannelSocket) -> None:
    answer = await fetch(chsk, "POST", body=[b"x" * 2000] * 4)
    assert answer.status == 413
    assert "5000 bytes" in answer.error


async def test_a_body_may_come_in_pieces(chsk: ChannelSocket) -> None:
    body = row(HELLO)
    answer = await fetch(chsk, "POST", body=[body[:3], b"", body[3:9], body[9:]])
    assert answer.status == 200


async def test_a_client_that_leaves_while_it_sends_is_no_error(chsk: ChannelSocket) -> None:
    exchange = Exchange(chsk, "POST", body=[])
    exchange.disconnect()
    assert (await exchange.answer()).status == 503


@pytest.mark.parametrize(("frame", "status"), [("{", 400), ('["a/b"]', 400), ('"' + "x" * 2000 + '"', 413)])
async def test_an_unreadable_frame_changes_nothing(chsk: ChannelSocket, frame: str, status: int) -> None:
    client = await poll_client(chsk)
    answer = await client.post(client.head(), '[[["chat/say",1]],null,1]', frame).answer()
    assert answer.status == status
    assert chsk.stats["unreadable"] == 1
    assert chsk.stats["received"] == 0  # nothing of the body is handled
    await client.send("chat/say")
    assert chsk.stats["received"] == 1


async def test_numbers_that_cannot_be_end_the_session(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    assert (await client.post(client.head(ack=99)).answer()).status == 400
    assert (await client.post(client.head()).answer()).status == 410


# -- whose session


async def test_an_unknown_token_is_gone_and_nothing_is_handled(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    answer = await client.post(client.head(session="nobody"), '[[["chat/say",1]],null,1]').answer()
    assert answer.status == 410
    assert "say hello again" in answer.error
    assert chsk.stats["received"] == 0


async def test_a_stolen_token_is_worth_nothing_to_another_client_id(chsk: ChannelSocket) -> None:
    ada, mallory = await poll_client(chsk), await poll_client(chsk, "c2", headers={"cookie": "uid=ada"})
    waiting = await hold(chsk, ada)
    answer = await mallory.post(ada.head(), '[[["chat/say",1]],null,1]').answer()
    assert answer.status == 410
    await mallory.open(session=ada.info["session"])
    assert mallory.info["resumed"] is False
    assert mallory.info["session"] != ada.info["session"]
    assert waiting.waits
    assert chsk.stats["received"] == 0


async def test_another_user_is_not_served(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    client.options["headers"] = {"cookie": "uid=eve"}
    answer = await client.post(client.head(wait=1000)).answer()
    assert answer.status == 410
    assert "another user" in answer.error


async def test_a_body_in_another_packer_is_refused_by_its_url(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    client.query = client.query.replace("packers=json", "packers=msgpack")
    assert (await client.post(client.head(wait=1)).answer()).status == 406


# -- exchanges that wait


async def test_an_empty_poll_is_answered_in_time(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    answer = await client.post(client.head(wait=60_000)).answer()
    assert answer.status == 200
    assert [json.loads(frame) for frame in read_row(answer.body)] == [{"ack": 0, "seq": 1}]
    assert answer.headers["content-type"] == "application/vnd.sente.v1+json"


async def test_a_client_may_wait_for_less() -> None:
    async with ChannelSocket() as chsk:  # which would hold it for 20 s
        client = await poll_client(chsk)
        assert (await client.post(client.head(wait=1)).answer()).status == 200


async def test_a_poll_is_answered_with_what_is_to_be_said(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    waiting = await hold(chsk, client)
    chsk.send("ada", "chat/said", "hi")
    client.absorb(await waiting.answer())
    assert await client.event() == ["chat/said", "hi"]


async def test_a_newer_poll_replaces_the_older(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    client.options["headers"] = {"origin": ORIGIN}
    older = await hold(chsk, client)
    newer = await hold(chsk, client)
    answer = await older.answer()
    assert (answer.status, answer.error) == (409, "replaced by a newer link of this client")
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert newer.waits


async def test_a_poll_that_comes_late_is_refused_and_changes_nothing(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    late = client.head(wait=60_000)
    waiting = await hold(chsk, client)
    assert (await client.post(late).answer()).status == 409
    assert waiting.waits


async def test_a_hello_ends_what_waits(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    waiting = await hold(chsk, client)
    await client.open()
    assert client.info["resumed"] is True
    assert (await waiting.answer()).status == 409


async def test_a_request_waits_for_its_reply_and_a_newer_post_releases_it(chsk: ChannelSocket) -> None:
    go_on = asyncio.Event()

    @chsk.on("chat/slow")
    async def slow(message: Message) -> str:
        await go_on.wait()
        return "done"

    client = await poll_client(chsk)
    asking = client.post(client.head(), '[["chat/slow"],1,1,null,"request"]')
    await until(lambda: chsk.stats["received"])
    assert asking.waits
    await client.exchange(client.head())
    answer = await asking.answer()
    assert [json.loads(frame) for frame in read_row(answer.body)] == [{"ack": 1, "seq": 1}]
    go_on.set()
    await client.pull()
    assert client.replies == {1: ("reply", "done")}


async def test_a_client_that_leaves_while_it_waits_is_away() -> None:
    settings = ServerSettings(poll=3600, grace_poll=0.01)  # only its leaving can end the poll
    async with ChannelSocket(user_id=lambda _: "ada", settings=settings) as chsk:
        client = await poll_client(chsk)
        waiting = await hold(chsk, client)
        waiting.disconnect()
        await waiting.task
        assert (await waiting.answer()).status == 503  # nobody takes it, but a middleware may insist on one
        await until(lambda: not chsk.connected_uids.any)
        chsk.send("ada", "chat/said", "hi")
        assert await client.event() == ["chat/said", "hi"]


async def test_what_was_answered_and_never_arrived_is_said_again(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    waiting = await hold(chsk, client)
    chsk.send("ada", "chat/said", "hi")
    await waiting.answer()  # and drop it
    await client.open()  # as a client does whose poll broke
    assert client.info["resumed"] is True
    assert await client.event() == ["chat/said", "hi"]


async def test_goodbye_by_post_ends_the_session(chsk: ChannelSocket) -> None:
    client = await poll_client(chsk)
    await client.post(client.head(), '[["chsk/bye"],null,0]').answer()
    assert chsk.stats["ended goodbye"] == 1
    assert (await client.post(client.head()).answer()).status == 410


async def test_a_line_that_is_cut_while_answering_is_no_error(chsk: ChannelSocket) -> None:
    async def send(message: Any) -> None:
        raise OSError("the client is gone")

    requests: asyncio.Queue[Any] = asyncio.Queue()
    requests.put_nowait({"type": "http.request", "body": row(HELLO)})
    await chsk(make_scope("http", "/chsk", QUERY, {}) | {"method": "POST"}, requests.get, send)
    assert chsk.stats["sessions"] == 1


async def test_whoever_is_told_to_come_back_later_is_told_when() -> None:
    async with ChannelSocket(settings=ServerSettings(sessions=1)) as chsk:
        await poll_client(chsk)
        full = await fetch(chsk, "POST", QUERY.replace("c1", "c2"), body=row(HELLO))
        assert (full.status, full.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize(("reason", "seconds"), [("retry_after=1500", "2"), ("too eager", "1"), ("retry_after=?", "1")])
async def test_a_hook_may_limit_the_rate(reason: str, seconds: str) -> None:
    def authorize(_: object) -> bool:
        raise Rejected(429, reason)

    async with ChannelSocket(authorize=authorize) as chsk:
        answer = await fetch(chsk, "POST", body=row(HELLO))
        assert (answer.status, answer.headers["retry-after"]) == (429, seconds)


async def test_a_socket_that_stops_ends_what_waits() -> None:
    async with ChannelSocket() as chsk:
        client = await poll_client(chsk)
        waiting = client.post(client.head(wait=60_000))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    answer = await waiting.answer()
    assert answer.status == 200 and b"chsk/bye" in answer.body


async def test_a_preflight_allows_what_the_page_wants_to_send(chsk: ChannelSocket) -> None:
    headers = {"access-control-request-headers": "x-api-key"}
    answer = await Exchange(chsk, "OPTIONS", headers=headers).answer()
    assert answer.headers["access-control-allow-headers"] == "x-api-key"
