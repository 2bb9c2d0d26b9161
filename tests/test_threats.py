"""What docs/explanation/security.md says of threats that no other test is about."""

import asyncio
import hmac
import logging
from typing import Any

import pytest

from sente import ChannelSocket, Message, ServerSettings, valid_csrf_token
from tests.asgi import HELLO, TRANSPORTS, PollClient, TransportName, WebSocket, connect, fetch, row, until

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
FORGED = "\r\nERROR root: all is lost\n"


@over_both
async def test_nothing_that_a_client_writes_begins_a_line_of_the_log(
    transport: TransportName, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with ChannelSocket(trace=True, settings=ServerSettings(batch_ws=0.001, batch_poll=0.001)) as chsk:

        @chsk.on("chat/fail")
        async def fail(msg: Message) -> None:
            raise ValueError("of the application")

        client = await connect(chsk, transport)
        await client.send(f"chat/{FORGED}", FORGED)
        await client.send(FORGED, FORGED)
        await client.send("chat/fail", FORGED)
        await client.send(f"chsk/{FORGED}", FORGED)
        await until(lambda: chsk.stats["received"] == 4 and not chsk._hub._dispatcher.busy)
        query = "v=1&packers=json&client-id=c%0D%0AERROR"
        await fetch(chsk, "POST", query, body=row(HELLO), headers={"origin": "https://x\r\nERROR"})
        await fetch(chsk, "POST", body=row({**HELLO, "auth": FORGED, "n": FORGED}))
        if isinstance(client, PollClient):
            await client.post(client.head(), FORGED).answer()
        else:
            client.socket.say(FORGED)
            await client.socket.closed()
    said = [record.getMessage() for record in caplog.records if record.name.startswith("sente")]
    assert len(said) > 5
    assert [line for line in said if "\n" in line or "\r" in line] == []


@over_both
async def test_a_stranger_learns_nothing_of_who_else_is_there(transport: TransportName) -> None:
    async with ChannelSocket(user_id=lambda connection: connection.query.get("uid")) as chsk:
        ada = await connect(chsk, transport, "ada")
        told: list[dict[str, Any]] = []
        for token in (ada.info["session"], "made up"):
            eve = await connect(chsk, transport, f"eve-{len(told)}", hello={"session": token})
            told.append({**eve.info, "session": None, "uptime": None})
        assert told[0] == told[1]  # somebody's token and nobody's, a client-id in use and one that is not
        refused = []
        for token in (ada.info["session"], "made up"):
            head = {"session": token, "n": 9, "ack": 0, "seq": 1, "wait": 0}
            answer = await fetch(chsk, "POST", "v=1&packers=json&client-id=eve-1", body=row(head))
            refused.append((answer.status, answer.body, answer.headers))
        assert refused[0] == refused[1]


async def test_a_hundred_polls_hold_one_exchange() -> None:
    async with ChannelSocket(settings=ServerSettings(poll=5.0)) as chsk:
        client = await connect(chsk, "poll")
        assert isinstance(client, PollClient)
        polls = [client.post(client.head(wait=20_000)) for _ in range(100)]
        await until(lambda: sum(not poll.waits for poll in polls) == 99)
        assert len(chsk._hub.links) == 1
        assert {(await poll.answer()).status for poll in polls[:-1]} == {409}
        chsk.broadcast("chat/said", "once", flush=True)
        answer = await polls[-1].answer()
        assert answer.body.count(b"once") == 1


async def test_two_that_hold_the_same_token_end_each_others_lines_and_nobody_elses() -> None:
    async with ChannelSocket() as chsk:
        bob = await connect(chsk, "ws", "bob")
        ada = await connect(chsk, "ws", "ada")
        for n in range(2, 50):  # each the newest, in turn
            twin = WebSocket(chsk, "v=1&packers=json&client-id=ada")
            twin.say({**HELLO, "n": n, "session": ada.info["session"]})
            await twin.accepted()
            await twin.frame()
        assert (len(chsk._hub.sessions), len(chsk._hub.links)) == (2, 2)
        await asyncio.sleep(0)
        chsk.broadcast("chat/said", "still here", flush=True)
        assert await bob.event() == ["chat/said", "still here"]


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Any] = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both))
    valid_csrf_token("right", "wrong")
    assert compared == [(b"right", b"wrong")]
