"""The inspector: figures and notes as JSON, a page that runs nothing but itself, and somebody at its door."""

import re
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException

from sente import ChannelSocket, ConfigError, Note, ServerSettings
from sente.inspector.inspector import CLIENTS, NOTES
from sente.integrations.fastapi import channel_router, inspector_router
from sente.interfaces import ASGIApp
from tests.asgi import TRANSPORTS, TransportName, WebSocket, connect, fetch, until

SETTINGS = ServerSettings(grace_ws=0.02, grace_poll=0.02, batch_ws=0, batch_poll=0)


def make_socket() -> ChannelSocket:
    return ChannelSocket(settings=SETTINGS, user_id=lambda connection: connection.client_id)


async def figures(inspector: ASGIApp, after: object = 0) -> Any:
    answer = await fetch(inspector, query=f"after={after}")
    assert answer.status == 200 and answer.headers["cache-control"] == "no-store"
    return answer.json


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_it_shows_clients_and_what_travels(transport: TransportName) -> None:
    chsk = make_socket()
    inspector = chsk.inspector
    async with chsk:
        ada = await connect(chsk, transport, "ada")
        bob = await connect(chsk, "ws", "bob")
        await ada.send("chat/say", "hidden")
        chsk.send("bob", "chat/said", "hidden" * 20, flush=True)
        await bob.event()
        await until(lambda: chsk.stats["received"])
        seen = await figures(inspector)
        assert seen["users"] == 2 and seen["stats"]["sessions"] == 2
        assert seen["kept"] == 1 and seen["bytes"] > 100
        first, second = seen["clients"]  # the fullest outbox first
        assert first == {
            "client_id": "bob",
            "uid": "bob",
            "transport": "ws",
            "packer": "json",
            "kept": 1,
            "bytes": seen["bytes"],
        }
        assert second["client_id"] == "ada" and second["kept"] == 0
        assert ("in", "ada", "chat/say") in [(note["what"], note["uid"], note["text"]) for note in seen["notes"]]
        assert "hidden" not in str(seen)
        assert (await figures(inspector, seen["last"]))["notes"] == []


async def test_it_shows_what_travels_for_sentes_own_clients() -> None:
    chsk = ChannelSocket(settings=SETTINGS, user_id=lambda _: "ada", classic="json")
    inspector = chsk.inspector
    async with chsk:
        line = WebSocket(chsk, "client-id=c1")
        line.say([["chat/say", "hidden"]])
        await until(lambda: chsk.stats["received"])
        seen = await figures(inspector)
    assert [client["client_id"] for client in seen["clients"]] == ["c1"]
    notes = [(note["what"], note["uid"], note["text"]) for note in seen["notes"]]
    assert ("out", "ada", "handshake") in notes and ("in", "ada", "chat/say") in notes
    assert "hidden" not in str(seen)


async def test_clients_without_a_line_are_away() -> None:
    chsk = make_socket()
    inspector = chsk.inspector
    async with chsk:
        await connect(chsk, "poll", "ada")
        seen = await figures(inspector)
    assert seen["transports"] == {"away": 1}
    assert seen["clients"][0]["transport"] == "away" and seen["clients"][0]["packer"] == ""


async def test_what_it_keeps_and_shows_is_bounded() -> None:
    chsk = make_socket()
    inspector = chsk.inspector
    for number in range(NOTES + 7):
        inspector.note(Note(at=0.0, what="in", client_id="c", uid=None, transport="ws", text=str(number)))
    async with chsk:
        for number in range(CLIENTS + 1):
            await connect(chsk, "poll", f"c{number}")
        seen = await figures(inspector, after="9" * 20)  # no number that it ever gave
    assert len(seen["notes"]) == NOTES and len(seen["clients"]) == CLIENTS
    assert seen["transports"] == {"away": CLIENTS + 1}, "the figures count all"


async def test_the_page_runs_nothing_but_itself() -> None:
    answer = await fetch(make_socket().inspector, query="")
    page, policy = answer.body.decode(), answer.headers["content-security-policy"]
    assert answer.status == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(re.findall("'sha256-[A-Za-z0-9+/=]{44}'", policy)) == 2
    assert "unsafe" not in policy and "default-src 'none'" in policy
    assert "innerHTML" not in page and " style=" not in page and "src=" not in page


async def test_it_is_read_only() -> None:
    inspector = make_socket().inspector
    assert (await fetch(inspector, "POST", query="")).status == 405
    socket = WebSocket(inspector)
    assert (await socket.closed())[0] == 4405


async def test_without_it_nothing_is_traced() -> None:
    chsk = make_socket()
    async with chsk:
        await connect(chsk)
    assert (await figures(chsk.inspector))["notes"] == []
    assert chsk.inspector is chsk.inspector


async def test_fastapi_asks_for_somebody_at_the_door() -> None:
    def nobody() -> None:
        raise HTTPException(403, "for admins")

    chsk = make_socket()
    app = FastAPI()
    app.include_router(channel_router(chsk, "/chsk"))
    app.include_router(inspector_router(chsk, "/closed", dependencies=[Depends(nobody)]))
    app.include_router(inspector_router(chsk, "/open", dependencies=[]), prefix="/admin")
    async with chsk:
        await connect(app)
        assert (await fetch(app, path="/closed", query="")).status == 403
        assert (await fetch(app, path="/closed", query="after=0")).status == 403
        assert b"<title>sente inspector" in (await fetch(app, path="/admin/open", query="")).body
        seen = (await fetch(app, path="/admin/open", query="after=0")).json
    assert [note["text"] for note in seen["notes"][:2]] == ["", "handshake"]


def test_the_path_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"inspector_router\(path='inspect'\): write it like '/chsk'"):
        inspector_router(make_socket(), "inspect", dependencies=[])
