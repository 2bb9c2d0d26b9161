"""How the parameters of a handler are filled where nobody says otherwise: the message is all that it takes."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any


class PlainBinder:
    """Handlers that take the message and nothing else. A sync one runs in a thread, so that it may block.

    >>> async def say(msg): ...
    >>> PlainBinder().bind(say) is say
    True
    """

    def bind(self, handler: Callable[..., Any], /) -> Callable[[Any], Awaitable[Any]]:
        """The handler as a function to await."""
        return handler if inspect.iscoroutinefunction(handler) else partial(_in_thread, handler)


async def _in_thread(handler: Callable[..., Any], message: Any) -> Any:
    result = await asyncio.to_thread(handler, message)
    return await result if inspect.isawaitable(result) else result
