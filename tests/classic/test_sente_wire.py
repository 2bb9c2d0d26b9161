"""Exchanges with a real Sente server, byte for byte: recorded in edn, Transit and MessagePack, repeated here.

``sente_wire.json`` is the recording as it was made. What a client sent is sent again, and what the server answered has
to be answered again, to the byte, but for what ``OURS`` and ``HEADERS`` name.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sente import ChannelSocket, Keyword
from sente.interfaces import Wire
from sente.packers import get
from tests.asgi import Exchange, WebSocket, until
from tests.classic.server import SPEED, observed
from tests.classic.test_exchanges import OPTIONS, PINGS, plain

SCENARIOS = json.loads((Path(__file__).parent / "sente_wire.json").read_text())["scenarios"]

HEADERS = {"text/html; charset=utf-8": {"text": "text/plain; charset=utf-8", "hex": "application/octet-stream"}}
"""What answers are called here: one that repeats what it was sent must not become a page."""

OURS: Mapping[str, tuple[int, bytes]] = {
    # Sente's own exception, which http-kit shows; here it is said what is wrong.
    "edn/ajax-get-missing-client-id": (
        400,
        b"client-id is missing: 1 to 128 of A-Z a-z 0-9 . _ ~ : - among the parameters",
    ),
}

BELOW = {"ping", "pong"}
"""Frames that the web server answers, of which no application hears."""

PUSHED = {"edn/ajax-push-between-polls": ("first poll times out", "bench/push", {Keyword("in"): Keyword("gap")})}
"""What the application said of its own accord, and the note of the step after which."""


def content(payload: Mapping[str, Any]) -> Wire:
    return bytes.fromhex(payload["hex"]) if "hex" in payload else str(payload["text"])


class Line:
    """One TCP connection of the recording."""

    def __init__(self, chsk: ChannelSocket) -> None:
        self.chsk = chsk
        self.socket: WebSocket | None = None
        self.exchange: Exchange | None = None

    async def step(self, step: dict[str, Any], ours: tuple[int, bytes] | None) -> None:
        match step:
            case {"kind": "http-request", "head": head}:
                self.request(head, step.get("body"))
            case {"kind": "http-response", "head": head}:
                await self.answered(head, step.get("body"), ours)
            case {"kind": "ws", "frame": frame} if frame in BELOW:
                pass
            case {"kind": "ws", "dir": "C>S", "frame": "close"}:
                self.ws.disconnect(1000)
            case {"kind": "ws", "dir": "S>C", "frame": "close", "close_code": code} if not self.ws.gone:
                assert (await self.ws.closed())[0] == code
            case {"kind": "ws", "frame": "close"}:
                pass  # the echo of the client's
            case {"kind": "ws", "dir": "C>S", "payload": payload}:
                self.ws.say(content(payload))
            case {"kind": "ws", "dir": "S>C", "payload": payload}:
                assert await self.ws.frame() == content(payload)
            case {"kind": "nothing", "waited_ms": milliseconds}:
                with suppress(TimeoutError):
                    async with asyncio.timeout(milliseconds / 1000 / SPEED / 2):
                        assert await self.ws.next() is None, "only the end is silent, too"
            case {"kind": "tcp-close"}:
                self.cut()
            case _:
                raise AssertionError(f"an unknown step: {step}")

    @property
    def ws(self) -> WebSocket:
        assert self.socket is not None
        return self.socket

    def request(self, head: str, body: dict[str, Any] | None) -> None:
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        query = urlsplit(target).query
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        headers["host"] = "testserver"
        if headers.get("upgrade") == "websocket":
            self.socket = WebSocket(self.chsk, query, headers=headers)
        else:
            said = content(body) if body else b""
            said = said.encode() if isinstance(said, str) else said
            self.exchange = Exchange(self.chsk, method, query, headers=headers, body=said)

    async def answered(self, head: str, body: dict[str, Any] | None, ours: tuple[int, bytes] | None) -> None:
        status, headers = int(head.split(" ")[1]), head.lower()
        if status == 101:
            assert (await self.ws.next())["type"] == "websocket.accept"
            return
        said = content(body) if body else b""
        expected = ours or (status, said.encode() if isinstance(said, str) else said)
        if self.exchange is None:
            start, rest = await self.ws.next(), await self.ws.next()
            assert (start["status"], rest["body"]) == expected
            return
        answer = await self.exchange.answer()
        assert (answer.status, answer.body) == expected
        for theirs, here in HEADERS.items():
            if f"content-type: {theirs}" in headers and body:
                assert answer.headers["content-type"] == here["hex" if "hex" in body else "text"]

    def cut(self) -> None:
        for end in (self.socket, self.exchange):
            if end is not None:
                end.disconnect()


def event_of(text: str) -> dict[str, Any]:
    noted: dict[str, Any] = get("edn").unpack(text)
    return noted


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["id"])
async def test_scenario(scenario: dict[str, Any]) -> None:
    name, options = scenario["id"], OPTIONS.get(scenario["id"], {})
    async with observed(classic=scenario["packer"], **options) as (chsk, handled):
        comings: list[tuple[str, Any]] = []

        @chsk.on("chsk/uidport-open")
        @chsk.on("chsk/uidport-close")
        async def comes_or_goes(msg: Any) -> None:
            comings.append(msg.event)

        noted = [event_of(event["ev"]) for event in scenario["server_events"]]
        lines: dict[str, Line] = {}
        for step in scenario["steps"]:
            await lines.setdefault(step["conn"], Line(chsk)).step(step, OURS.get(name))
            if name in PUSHED and PUSHED[name][0] in step.get("note", ""):
                chsk.send(noted[0]["uid"], *PUSHED[name][1:])
        for line in lines.values():
            line.cut()
        said = [event for event in noted if event["event"][0] not in PINGS]
        presence = [plain(event["event"]) for event in said if "uidport" in event["event"][0]]
        expected = [
            (*plain(event["event"]), event["client-id"], event["reply?"])
            for event in said
            if "uidport" not in event["event"][0]
        ]
        await until(lambda: len(comings) == len(presence))
        assert comings == presence
        assert handled == expected
