"""New credentials for the server in the running session: when the application says so, or when the server warns."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sente.client.driver import ClientDriver
from sente.errors import Disconnected, RequestFailed
from sente.protocol.messages import AUTH

log = logging.getLogger("sente.client")


class Renewal:
    """``ask`` makes a request; ``renewed`` tells the core that the server has taken the new credentials."""

    def __init__(
        self, driver: ClientDriver, ask: Callable[[str, Any], Awaitable[Any]], renewed: Callable[[], None]
    ) -> None:
        self._driver = driver
        self._ask = ask
        self._renewed = renewed
        self._task: asyncio.Task[None] | None = None

    async def renew(self, auth: str | None) -> float | None:
        """Show the server ``auth``, which is the option from now on, or what the option says. Raises as ``Client``."""
        before = self._driver.auth
        if auth is not None:  # now, as the next hello comes before the outcome if they are another user's
            self._driver.auth = auth
        try:
            outcome = await self._ask(AUTH, {"auth": await self._current()})
        except RequestFailed:
            if auth is not None and self._driver.auth is auth:
                self._driver.auth = before
            raise
        self._renewed()
        milliseconds = outcome.get("expires_in") if isinstance(outcome, dict) else None
        return milliseconds / 1000 if isinstance(milliseconds, int) else None

    def due(self) -> None:
        """The server warns: renew them if the option is a function, which has new ones."""
        if callable(self._driver.auth) and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._by_itself())

    async def aclose(self) -> None:
        """Stop what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _current(self) -> str | None:
        option = self._driver.auth
        value: Any = option() if callable(option) else option
        return await value if inspect.isawaitable(value) else value  # type: ignore[no-any-return]

    async def _by_itself(self) -> None:
        try:
            await self.renew(None)
        except Disconnected:
            pass  # with the next hello they are asked anew
        except Exception as error:  # what the option raised, or the server said
            log.warning("the credentials could not be renewed: %s", error)
