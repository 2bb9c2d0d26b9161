"""A connection to a Redis, as its channels and its store use it: opened, spoken to, let go of."""

from typing import Any

from redis.asyncio import Connection, ConnectionPool
from redis.exceptions import ResponseError

from sente.brokers.line import SILENCE


def connection_of(pool: ConnectionPool) -> Connection:
    """A new one, to be opened."""
    connection: Connection = pool.make_connection()  # type: ignore[no-untyped-call]
    return connection


async def open_connection(connection: Connection) -> None:
    """Reach the server. Raises ``RedisError``, ``OSError``."""
    await connection.connect()  # type: ignore[no-untyped-call]


async def tell(connection: Connection, *commands: tuple[Any, ...]) -> None:
    """Send commands."""
    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)


async def answer(connection: Connection, timeout: float = SILENCE) -> Any:
    """The next answer, within so many seconds. Raises ``ResponseError`` if it is an error."""
    found = await connection.read_response(disable_decoding=True, timeout=timeout)
    if isinstance(found, ResponseError):
        raise found
    return found


async def ask(connection: Connection, *command: Any) -> Any:
    """Send a command, and wait for its answer."""
    await tell(connection, command)
    return await answer(connection)


async def let_go(connection: Connection) -> None:
    """Close it at once: what still waits in it is said again, or was given up."""
    if (writer := connection._writer) is not None:
        writer.transport.abort()
    await connection.disconnect(nowait=True)
