"""What was observed on the wire of a real Sente server, repeated step by step against a ``ChannelSocket``."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sente import ChannelSocket
from tests.asgi import Exchange, WebSocket, until
from tests.classic.server import SPEED, observed

EXCHANGES = json.loads((Path(__file__).parent / "exchanges.json").read_text())["exchanges"]

OPTIONS: dict[str, Any] = {
    "security/csrf-ws-missing": {"csrf": lambda connection, token: token == "tok"},
    "security/csrf-post-ok": {"csrf": lambda connection, token: token == "tok"},
    "security/csrf-post-param-wins": {"csrf": lambda connection, token: token == "tok"},
    "security/origin-ws-referer-ok": {"allowed_origins": ["http://good.example"]},
    "security/unauthorized-ws": {"authorize": lambda connection: connection.query.get("auth") == "yes"},
}

PINGS = {"chsk/ws-ping", "chsk/ws-pong"}
"""Sente routes these too; here they are the protocol's own."""


class Line:
    """One connection of the bare client."""

    def __init__(self, chsk: ChannelSocket) -> None:
        self.chsk = chsk
        self.socket: WebSocket
        self.request: Exchange

    async def step(self, step: dict[str, Any]) -> None:
        match step:
            case {"do": "open", "query": query}:
                self.socket = WebSocket(self.chsk, query, headers=step.get("headers"))
            case {"do": "opened"}:
                assert (await self.socket.next())["type"] == "websocket.accept"
            case {"do": "say", "value": value}:
                self.socket.say(value)
            case {"do": "hear", "value": value}:
                assert json.loads(await self.socket.frame()) == value
            case {"do": "silence", "for": milliseconds}:
                with suppress(TimeoutError):
                    async with asyncio.timeout(milliseconds / 1000 / SPEED / 2):
                        assert await self.socket.next() is None, "only the end is silent, too"
            case {"do": "close", "code": code}:
                self.socket.disconnect(code)
            case {"do": "closed", "code": code} if not self.socket.gone:
                assert (await self.socket.closed())[0] == code
            case {"do": "cut"}:
                self.cut()
            case {"do": "request", "method": method, "query": query}:
                body = step.get("body", "").encode()
                self.request = Exchange(self.chsk, method, query, headers=step.get("headers"), body=body)
            case {"do": "answered", "status": 200, "value": value}:
                answer = await self.request.answer()
                assert (answer.status, answer.json) == (200, value)
            case {"do": "answered", "status": status, "text": text}:
                assert await self.refused() == (status, text.encode())

    def cut(self) -> None:
        if hasattr(self, "socket"):
            self.socket.disconnect()
        else:
            self.request.disconnect()

    async def refused(self) -> tuple[int, bytes]:
        if hasattr(self, "request"):
            answer = await self.request.answer()
            return answer.status, answer.body
        start, body = await self.socket.next(), await self.socket.next()
        return start["status"], body["body"]


def plain(event: list[Any]) -> tuple[Any, Any]:
    return event[0], event[1] if len(event) > 1 else None


# A missing client-id is Sente's own exception, which http-kit shows; here it is said what is wrong.
OURS = {
    "ajax-get-missing-client-id": (400, "client-id is missing: 1 to 128 of A-Z a-z 0-9 . _ ~ : - among the parameters")
}


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange["id"])
async def test_exchange(exchange: dict[str, Any]) -> None:
    async with observed(**OPTIONS.get(exchange["id"], {})) as (chsk, handled):
        comings: list[tuple[str, Any]] = []

        @chsk.on("chsk/uidport-open")
        @chsk.on("chsk/uidport-close")
        async def comes_or_goes(msg: Any) -> None:
            comings.append(msg.event)

        lines: dict[str, Line] = {}
        for step in exchange["steps"]:
            if step["do"] == "push":
                chsk.send(exchange["events"][0][1], *step["value"])
                continue
            if exchange["id"] in OURS and step["do"] == "answered":
                step = {**step, **dict(zip(("status", "text"), OURS[exchange["id"]], strict=True))}
            await lines.setdefault(step["line"], Line(chsk)).step(step)
        for line in lines.values():
            line.cut()
        events = [e for e in exchange["events"] if e[0][0] not in PINGS]
        expected = [(*plain(event), client, asks) for event, _, client, asks in events if "uidport" not in event[0]]
        presence = [plain(event) for event, *_ in events if "uidport" in event[0]]
        await until(lambda: len(comings) == len(presence))
        assert comings == presence
        assert handled == expected
