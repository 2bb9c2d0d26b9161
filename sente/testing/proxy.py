"""A TCP proxy whose lines fail as planned, in front of any server."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeAlias

from sente.errors import ConfigError
from sente.testing.fate import NEVER, Fate
from sente.testing.faults import GOOD, Plan
from sente.testing.first_request import FirstRequest

CHUNK = 64 * 1024
"""Bytes that are passed on at once, at most."""

SLICE = 0.05
"""Seconds for which a slow line is read from at once: smooth enough for any timeout, seldom enough to cost little."""

Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class FaultProxy:
    """Passes TCP connections on to a server, or to several in turn, with the faults of a plan::

        async with FaultProxy(8000, faults=Faults(seed=7, cut=1.0)) as proxy:
            async with Client(f"http://{proxy.address}/chsk") as client:
                ...
                proxy.heal()

    The n-th connection has what the plan says of n: that repeats exactly, what is under way by then does not. It knows
    no protocol, but for ``Repeat``, which reads the first request of a connection.

    Args:
        targets: Ports of this machine, ``"host:port"`` or ``"http://host:port"``. One that refuses is passed over.
        faults: What befalls the n-th connection. ``Jump`` is beyond a proxy: a ``ConfigError`` at the end says so.

    Raises:
        ConfigError: no target.
    """

    def __init__(self, *targets: int | str, faults: Plan = GOOD) -> None:
        if not targets:
            raise ConfigError("FaultProxy: where to? For example FaultProxy(8000), or FaultProxy('10.0.0.7:8000')")
        self.targets: Sequence[int | str] = targets
        """Where connections are passed on to, in turn. Change it, and the next ones go elsewhere."""
        self.faults = faults
        self.address = ""
        """Where it listens while ``async with`` runs, as ``host:port``."""
        self.befell: Counter[str] = Counter()
        """How often which fault came about (``cut``, ``silence``, ``repeat``), and how many ``lines`` there were."""
        self._closing = False
        self._lines: set[_Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._repeats: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen on a free port of this machine."""
        self._closing = False
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = "{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cut every connection, and raise what went wrong within the proxy itself."""
        self._server.close()
        self._closing = True
        self.break_lines()
        await asyncio.sleep(0.05)  # what was accepted at the last moment
        for task in self._repeats:
            task.cancel()
        await asyncio.gather(*self._repeats, return_exceptions=True)
        await asyncio.gather(*self._tasks)

    def heal(self) -> None:
        """Nothing befalls any line from now on; what is half-open stays so."""
        self.faults = GOOD
        for line in self._lines:
            if line.fate.end is None:
                line.fate.heal()

    def break_lines(self) -> None:
        """Cut every connection there is, in the middle of whatever is under way."""
        for line in self._lines:
            line.broken.set()

    async def _serve(self, *client: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.befell["lines"] += 1
        number = self.befell["lines"]
        try:
            fate = Fate.of(self.faults(number))
            if fate.jumps:
                raise ConfigError(f"line {number}: a proxy sets nobody's clock; Jump is for ChskPair")
            if (server := await self._connect(number)) is not None:
                await self._carry(_Line(fate, client, server, self._repeat))
        finally:
            _reset(client[1])
        self._tasks.discard(task)  # one that failed is looked at in the end

    async def _connect(self, number: int) -> Stream | None:
        for turn in range(len(self.targets)):
            host, _, port = str(self.targets[(number + turn) % len(self.targets)]).rpartition("/")[2].rpartition(":")
            with suppress(OSError):
                return await asyncio.open_connection(host or "127.0.0.1", int(port))
        return None

    async def _carry(self, line: "_Line") -> None:
        self._lines.add(line)
        if self._closing:
            line.broken.set()
        try:
            await line.run()
        finally:
            self._lines.discard(line)
        if line.fate.end is not None:
            self.befell[line.fate.end] += 1

    def _repeat(self, request: bytes, late: float) -> None:
        self.befell["repeat"] += 1
        task = asyncio.create_task(self._say_again(request, late))
        self._repeats.add(task)
        task.add_done_callback(self._repeats.discard)

    async def _say_again(self, request: bytes, late: float) -> None:
        """On a connection of its own, whose answer goes to nobody."""
        await asyncio.sleep(late)
        if (server := await self._connect(self.befell["lines"])) is not None:
            reader, writer = server
            writer.write(request)
            try:
                with suppress(OSError):
                    await reader.read()
            finally:
                _reset(writer)


class _Line:
    """One connection, and what is passed on between its two ends."""

    def __init__(self, fate: Fate, client: Stream, server: Stream, repeat: Callable[[bytes, float], None]) -> None:
        self.fate = fate
        self.broken = asyncio.Event()
        self._client = client
        self._server = server
        self._repeat = repeat

    async def run(self) -> None:
        """Pass on what comes, until either end has ended or the line has."""
        ways = [asyncio.create_task(way) for way in (self._up(), self._down())]
        broken = asyncio.create_task(self.broken.wait())
        await asyncio.wait([*ways, broken], return_when=asyncio.FIRST_COMPLETED)
        if self.fate.end == "silence":
            await broken
        for task in ways:
            task.cancel()
        errors = [error for error in await asyncio.gather(*ways, return_exceptions=True) if isinstance(error, OSError)]
        writers = self._client[1], self._server[1]
        if not (errors or self.fate.end or broken.done()):  # it ended in peace: what has come this far arrives
            for writer in writers:
                writer.close()
            closed: asyncio.Future[Any] = asyncio.gather(
                *(writer.wait_closed() for writer in writers), return_exceptions=True
            )
            either: set[asyncio.Future[Any]] = {closed, broken}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            closed.cancel()
        broken.cancel()
        for writer in writers:
            _reset(writer)

    async def _up(self) -> None:
        first = FirstRequest()
        while data := await self._client[0].read(CHUNK):
            late = self.fate.repeat
            if late is not None and (request := first.feed(data)):
                self._repeat(request, late)
            if not await self._pass(data, self._server[1]):
                return

    async def _down(self) -> None:
        while data := await self._server[0].read(int(max(1, min(CHUNK, self.fate.rate * SLICE)))):
            if not await self._pass(data, self._client[1]):
                return
            if self.fate.rate < NEVER:
                await asyncio.sleep(len(data) / self.fate.rate)

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Pass data on, or what gets through of it; whether more may follow."""
        if self.fate.delay:
            await asyncio.sleep(self.fate.delay)
        writer.write(data[: self.fate.carry(len(data))])
        if self.fate.end is not None:
            return False
        await writer.drain()
        return True


def _reset(writer: asyncio.StreamWriter) -> None:
    """Cut a connection, unless it is closed: the other end is told so by RST, and not by FIN as of one that is done."""
    if not writer.transport.is_closing():
        line: socket.socket = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
