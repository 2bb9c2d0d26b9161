"""A TCP proxy that cuts connections after a random number of bytes, in the middle of whatever is under way."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class CuttingProxy:
    """Passes bytes on to ``port`` at 127.0.0.1; each connection dies after so many bytes as chance has it."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = 0
        self.cuts = 0
        self.cutting = True
        self.target = port
        self._chance = random.Random(seed)
        self._over = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        writers = [writer]
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            writers.append(back)
            budget = [self._chance.randint(500, 12_000)]
            ends = [self._pump(reader, back, budget), self._pump(there, writer, budget), self._over.wait()]
            tasks = [asyncio.ensure_future(end) for end in ends]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for each in writers:
            each.transport.abort()
        for each in writers:
            with suppress(OSError):
                await each.wait_closed()

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
            await asyncio.sleep(0.05)  # what was accepted at the last moment
            self._over.set()
            await asyncio.gather(*self._connections)
