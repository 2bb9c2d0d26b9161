"""The asyncio driver of a client: carries out what its session asks for, and keeps its timer."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from sente.client.endpoint import Attempt, Endpoint, Option
from sente.client.frames import write_frame
from sente.client.sleep import SleepDetector
from sente.errors import ProtocolError, UnpackError
from sente.interfaces import ClientLink, ClientTransport, LinkClosed, Packer, Wire
from sente.packers.negotiation import for_peer, read_offer
from sente.protocol.actions import (
    Cancelled,
    ClientAction,
    Close,
    Deliver,
    Exchange,
    Link,
    OpenLink,
    SayHello,
    Settle,
    StateChanged,
    Transmit,
    TransmitVolatile,
    Unconfirmed,
)
from sente.protocol.client_session import ClientSession
from sente.protocol.framing import read_row, write_row
from sente.protocol.messages import BYE, Control, Event, Packet, read_packet
from sente.protocol.requests import NEVER
from sente.protocol.settings import ClientSettings

log = logging.getLogger("sente.client")

LEAVE_TIMEOUT = 2.0
"""Seconds that a goodbye, or what stands before one, may take to leave: no program hangs at its end for longer."""

SLACK = 4096
"""Bytes that a frame may be longer than the longest packet: a handshake is no packet of the application's."""

Work: TypeAlias = Callable[..., Coroutine[Any, Any, None]]
News: TypeAlias = Deliver | Cancelled | Settle | Unconfirmed | StateChanged


class ClientDriver:
    """Gives the core's actions to transport and application, and what comes of them to the core.

    Everything happens in one event loop; ``run`` has to be called after each input to the core.
    """

    def __init__(
        self,
        core: ClientSession,
        endpoint: Endpoint,
        packers: Sequence[Packer],
        settings: ClientSettings,
        news: Callable[[News], None],
    ) -> None:
        self._core = core
        self._endpoint = endpoint
        self._offered = {packer.name: packer for packer in packers}
        self._packers = dict(self._offered)  # as the server reads them
        self._limits = settings.limits
        self._sleep = SleepDetector(settings.ping)
        self._news = news
        self._loop: asyncio.AbstractEventLoop | None = None
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._sockets: dict[Link, _Socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._greeting: Attempt | None = None  # the attempt whose welcome is being read
        self._polling: Attempt | None = None  # the attempt that polls and POSTs go on with
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False

    # -- for the façade

    @property
    def started(self) -> bool:
        """Whether there is a loop and a transport."""
        return self._loop is not None

    def start(self, transport: ClientTransport) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport

    @property
    def now(self) -> float:
        """The loop's clock."""
        return time.monotonic() if self._loop is None else self._loop.time()

    @property
    def packer(self) -> Packer:
        """What the server has chosen."""
        return self._packers[self._core.state.packer or ""]

    @property
    def auth(self) -> Option[str | None]:
        """What the hello shows; a function is asked anew each time."""
        return self._endpoint.auth

    @auth.setter
    def auth(self, auth: Option[str | None]) -> None:
        self._endpoint = replace(self._endpoint, auth=auth)

    def run(self) -> None:
        """Carry out what the core asks for, and plan its next timer."""
        while actions := self._core.take_actions():
            for action in actions:
                self._act(action)
        self._plan()

    def run_soon(self) -> None:
        """Run once this turn of the loop is over, so that what is said within one turn leaves together."""
        if self._loop is not None and not self._soon:
            self._soon = True
            self._loop.call_soon(self._tick)

    def break_off(self, code: int) -> None:
        """Have every line break, as the network might do it."""
        for link in list(self._links):
            self._close(link, code, "broken on purpose")
            self._core.link_lost(link, self.now, message="broken on purpose")
        self.run()

    async def aclose(self) -> None:
        """Once the core has disconnected: wait until what was to leave has left, at most ``LEAVE_TIMEOUT``, then let
        go of everything."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVE_TIMEOUT + 0.1)  # by then the last one has been cancelled
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._loop = None
        await self._transport.aclose()

    # -- time

    def _plan(self) -> None:
        when = self._core.next_timer()
        if self._loop is None or when is None:
            return
        if self._timer is not None:
            if self._timer.when() <= when:
                return  # it will look again then: a timer too early costs less than a new one for every frame
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._timer_fired)

    def _timer_fired(self) -> None:
        due = NEVER if self._timer is None else self._timer.when()
        self._timer = None
        self._tick(due)

    def _tick(self, due: float = NEVER) -> None:
        self._soon = False
        if self._sleep.slept(self.now, due):
            self._core.wake(self.now)
        self._core.handle_timer(self.now)
        self.run()

    # -- actions

    def _act(self, action: ClientAction) -> None:
        match action:
            case OpenLink(link, "ws"):
                self._start(link, self._websocket, link)
            case OpenLink(link):
                self._start(link, self._welcome, link)
            case SayHello(link, "ws", hello):
                socket = self._sockets[link]
                socket.send([json.dumps(hello | dict(socket.attempt.credentials))])
            case SayHello(link, _, hello):
                self._start(link, self._say_hello, link, hello, self._greeting)
            case Transmit(link, packets):
                self._sockets[link].send(self._write(packets))
            case TransmitVolatile(link, packet):
                if not (socket := self._sockets[link]).behind:
                    socket.send(self._write((packet,)))
            case Exchange(link, head, packets):
                task = self._start(link, self._exchange, link, head, self._write(packets))
                if packets and packets[-1] == Control(Event(BYE)):
                    self._links.pop(link)  # nobody waits for its answer
                    task.get_loop().call_later(LEAVE_TIMEOUT, task.cancel)
            case Close(link, code, reason):
                self._close(link, code, reason)
            case _:
                self._news(action)

    def _start(self, link: Link, work: Work, *arguments: Any) -> asyncio.Task[None]:
        task = self._links[link] = self._spawn(self._attend(link, work, *arguments))
        return task

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _close(self, link: Link, code: int, reason: str) -> None:
        if socket := self._sockets.pop(link, None):
            socket.close(code, reason)
        task = self._links.pop(link, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _attend(self, link: Link, work: Work, *arguments: Any) -> None:
        """Do the work of one link, and tell the core how it ended."""
        try:
            await work(*arguments)
        except LinkClosed as closed:
            self._core.link_lost(link, self.now, code=closed.code, message=closed.message)
        except (ProtocolError, UnpackError) as error:
            self._core.broken(link, str(error), self.now, unread=True)
        except Exception as error:  # what an option of the application raised, or a transport of its own
            log.exception("connecting failed")
            self._core.link_lost(link, self.now, message=f"{type(error).__name__}: {error}")
        self.run()
        self._close(link, 4000, "lost")

    # -- WebSocket

    async def _websocket(self, link: Link) -> None:
        attempt = await self._endpoint.attempt("ws", self._core.state.client_id)
        line = await self._transport.open(attempt.url, attempt.headers, self._limits.packet + SLACK)
        self._sockets[link] = _Socket(line, attempt, self._spawn)
        self._welcomed(link, attempt, await line.receive())
        while True:
            wire = await self._next(line)
            self._core.receive(link, self._read(wire), len(wire), self.now)
            self.run()

    async def _next(self, line: ClientLink) -> Wire:
        return await line.receive()

    def _welcomed(self, link: Link, attempt: Attempt, frame: Wire) -> None:
        plain = _json(frame)
        chosen = plain.get("packer") if isinstance(plain, dict) else None
        if isinstance(chosen, str):
            name, accepts = read_offer(chosen)
            if name not in self._offered:
                raise ProtocolError(f"the server chose the packer {name!r}, which was not offered")
            self._packers[name] = for_peer(self._offered[name], accepts)
            plain = {**plain, "packer": name}
        self._greeting = attempt
        self._core.first_frame(link, plain, self.now)
        self.run()
        self._greeting = None

    # -- polls and POSTs

    async def _welcome(self, link: Link) -> None:
        attempt = await self._endpoint.attempt("poll", self._core.state.client_id)
        url = f"{attempt.url}&handshake?=1"
        self._welcomed(link, attempt, await self._transport.fetch("GET", url, attempt.headers, b"", SLACK))

    async def _say_hello(self, link: Link, hello: dict[str, Any], attempt: Attempt | None) -> None:
        self._polling = attempt or await self._endpoint.attempt("poll", self._core.state.client_id)
        await self._exchange(link, hello | dict(self._polling.credentials), [])

    async def _exchange(self, link: Link, first: dict[str, Any], wires: Iterable[Wire]) -> None:
        assert self._polling is not None, "a hello comes first"
        body = write_row([json.dumps(first), *wires])
        url, headers = self._polling.url, self._polling.headers
        answer = read_row(await self._transport.fetch("POST", url, headers, body, self._limits.body))
        packets = [(self._read(wire), len(wire)) for wire in answer[1:]]
        self._core.exchanged(link, _json(answer[0]) if answer else None, packets, self.now)

    # -- frames

    def _write(self, packets: Iterable[Packet]) -> list[Wire]:
        return [write_frame(packet, self.packer) for packet in packets]

    def _read(self, wire: Wire) -> Packet:
        return read_packet(self.packer.unpack(wire), len(wire))


class _Socket:
    """An open WebSocket: what is to leave waits in order for the one task that sends."""

    def __init__(
        self, line: ClientLink, attempt: Attempt, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    ) -> None:
        self.attempt = attempt
        self._line = line
        self._queue: asyncio.Queue[Wire | None] = asyncio.Queue()  # the core knows how much it has under way
        self._farewell = (4000, "lost")
        self.behind = False
        """Whether the line holds a frame back, as the server does not read."""
        self._task = spawn(self._run())

    def send(self, wires: Iterable[Wire]) -> None:
        """Send frames after those before them."""
        for wire in wires:
            self._queue.put_nowait(wire)

    def close(self, code: int, reason: str) -> None:
        """Close once what waits has left, or could not for ``LEAVE_TIMEOUT``; with 1006, cut the line at once."""
        self._farewell = code, reason
        self._queue.put_nowait(None)
        self._task.get_loop().call_later(0 if code == 1006 else LEAVE_TIMEOUT, self._task.cancel)

    async def _run(self) -> None:
        try:
            while (wire := await self._queue.get()) is not None:
                self.behind = True
                await self._line.send(wire)
                self.behind = False
        except LinkClosed:
            pass  # as the reader is told, too
        finally:
            await self._line.close(*self._farewell)


def _json(frame: Wire) -> Any:
    """What a frame of JSON text holds; ``None`` if it is none."""
    try:
        return json.loads(frame)
    except (ValueError, RecursionError):
        return None
