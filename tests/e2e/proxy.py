"""A TCP proxy that cuts connections after a random number of bytes, in the middle of whatever is under way."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class CuttingProxy:
    """Passes bytes on to ``port`` at 127.0.0.1; each connection dies after so many bytes as chance has it."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = 0
        self.cuts = 0
        self.cutting = True
        self._target = port
        self._chance = random.Random(seed)
        self._connections: set[asyncio.Task[None]] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        budget = [self._chance.randint(500, 12_000)]
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pumps = [
            asyncio.create_task(self._pump(reader, back, budget)),
            asyncio.create_task(self._pump(there, writer, budget)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            back.transport.abort()
            writer.transport.abort()
            self._connections.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: list[int]) -> None:
        while data := await reader.read(1024):
            if self.cutting:
                if len(data) >= budget[0]:
                    writer.write(data[: budget[0]])
                    self.cuts += 1
                    return
                budget[0] -= len(data)
            writer.write(data)
            await writer.drain()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CuttingProxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._connections):
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
