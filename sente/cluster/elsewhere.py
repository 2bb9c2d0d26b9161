"""Requests to a client that another process has: found by its channel, then asked there."""

import asyncio
import itertools
from collections.abc import Coroutine
from functools import partial
from typing import Any

from sente.asking import read_failure, write_failure
from sente.cluster.letters import Letters
from sente.cluster.node import Node
from sente.cluster.notices import Notice, client_channel, node_channel
from sente.errors import Disconnected, PackError, ProtocolError, RequestFailed, RequestTimeout
from sente.hub import Hub
from sente.interfaces import Wire
from sente.protocol.messages import Event, is_event_id
from sente.push import pack_event

FIND = 1.0
"""Seconds that the others have to say that they have the client."""

AWAY = 0.05
"""Seconds by which a process answers later whose client has no line: another may have it by now."""


class Elsewhere:
    """Asks, and answers."""

    def __init__(self, node: Node, hub: Hub, letters: Letters) -> None:
        self._node = node
        self._hub = hub
        self._letters = letters
        self._numbers = itertools.count(1)
        self._found: dict[int, asyncio.Future[str]] = {}
        self._replies: dict[int, tuple[str, asyncio.Future[Notice]]] = {}
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}  # of others, by process and number
        node.on |= {
            "find": self._on_find,
            "found": self._on_found,
            "ask": self._on_ask,
            "unask": self._on_unask,
            "reply": self._on_reply,
        }
        node.lost.append(self._lost)
        node.depends_on.append(lambda: {asked for asked, _ in self._replies.values()})
        hub.questions.elsewhere = self.put

    async def put(self, client_id: str, packed: Event, seconds: float, again: bool) -> tuple[Any, bool]:
        """As ``Questions.put``, to the client of that id that another process has."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        node = await self._find(client_id, min(FIND, seconds))
        number, place, wire = next(self._numbers), *self._letters.close(packed.data)
        reply: asyncio.Future[Notice] = loop.create_future()
        self._replies[number] = node, reply
        head = {"ask": number, "client": client_id, "event": packed.id, "packer": place, "again": again}
        head["ms"] = round((until - loop.time()) * 1000)
        gone = partial(_fail, reply, Disconnected("the process that had the client is gone"))
        try:
            if not self._node.say(node_channel(node), "ask", head, [wire], gone):
                raise Disconnected("the broker is away")
            async with asyncio.timeout_at(until):
                return self._read(await reply)
        except TimeoutError:
            raise RequestTimeout(f"no reply to {packed.id} within {seconds:g} s") from None
        except ProtocolError as error:
            raise Disconnected(f"the reply came, and cannot be read: {error}") from error
        finally:
            del self._replies[number]
            if not reply.done() or reply.cancelled():
                self._node.say(node_channel(node), "unask", {"ask": number})

    async def _find(self, client_id: str, seconds: float) -> str:
        number, nobody = next(self._numbers), Disconnected(f"no client {client_id!r} is connected")
        found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._found[number] = found
        head = {"ask": number, "client": client_id}
        try:
            if not self._node.say(client_channel(client_id), "find", head, unheard=partial(_fail, found, nobody)):
                raise nobody
            async with asyncio.timeout(seconds):
                return await found
        except TimeoutError:
            raise nobody from None
        finally:
            del self._found[number]

    def _read(self, notice: Notice) -> tuple[Any, bool]:
        match notice.head.get("outcome"):
            case "reply":
                return self._letters.open(notice.number("packer"), notice.frame()), notice.head.get("plain") is True
            case "failed":
                raise read_failure(self._letters.open(notice.number("packer"), notice.frame()))
            case "timeout":
                raise RequestTimeout(notice.text("message"))
            case _:
                raise Disconnected(notice.text("message"))

    def _lost(self, node: str | None) -> None:
        for asked, reply in list(self._replies.values()):
            if node is None or asked == node:
                _fail(reply, Disconnected("the process that had the client cannot be reached any more"))

    # -- the answering side

    def _on_find(self, notice: Notice) -> None:
        client_id, number = notice.text("client"), notice.number("ask")
        try:
            client = self._hub.questions.find(client_id)
        except Disconnected:
            return
        answer = partial(self._node.say, node_channel(notice.sender), "found", {"ask": number})
        if self._hub.peers[client].present:
            answer()
        else:
            asyncio.get_running_loop().call_later(AWAY, answer)

    def _on_found(self, notice: Notice) -> None:
        found = self._found.get(notice.number("ask"))
        if found is not None and not found.done():
            found.set_result(notice.sender)

    def _on_ask(self, notice: Notice) -> None:
        event_id, seconds = notice.text("event"), notice.number("ms") / 1000
        if not is_event_id(event_id):
            raise ProtocolError("event must be namespace/name")
        data = self._letters.open(notice.number("packer"), notice.frame())
        try:
            packed = pack_event(event_id, data, self._hub.spoken.packers, self._hub.settings.limits.packet)
        except PackError as error:
            raise ProtocolError(str(error)) from error
        self._hub.memory.add(packed.size)
        key, again = (notice.sender, notice.number("ask")), notice.head.get("again") is True
        self._run(key, self._answer(key, notice.text("client"), packed, seconds, again))

    async def _answer(self, key: tuple[str, int], client_id: str, packed: Event, seconds: float, again: bool) -> None:
        node, number = key
        head: dict[str, Any] = {"ask": number}
        frames: list[Wire] = []
        questions = self._hub.questions
        try:
            value, plain = await questions.put(questions.find(client_id), packed, seconds, again)
            place, wire = self._letters.close(value)
            head |= {"outcome": "reply", "packer": place, "plain": plain}
            frames = [wire]
        except RequestFailed as error:
            place, wire = self._letters.close(write_failure(error))
            head |= {"outcome": "failed", "packer": place}
            frames = [wire]
        except RequestTimeout as error:
            head |= {"outcome": "timeout", "message": str(error)}
        except (Disconnected, PackError) as error:
            head |= {"outcome": "disconnected", "message": str(error)}
        self._node.say(node_channel(node), "reply", head, frames)

    def _run(self, key: tuple[str, int], work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[key] = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def _on_unask(self, notice: Notice) -> None:
        if (task := self._tasks.get((notice.sender, notice.number("ask")))) is not None:
            task.cancel()

    def _on_reply(self, notice: Notice) -> None:
        asked = self._replies.get(notice.number("ask"))
        if asked is not None and asked[0] == notice.sender and not asked[1].done():
            asked[1].set_result(notice)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
