"""The page that shows a contract, with the document in it: it needs no server, and asks for nothing."""

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Final

from sente.errors import ConfigError
from sente.events import EventRegistry
from sente.events.asyncapi import Document, asyncapi
from sente.interfaces import Packer, Receive, Registry, Scope, Send
from sente.pages import HEADERS, refused, respond_with_page
from sente.transports.asgi import respond

PAGE = Path(__file__).with_name("page.html")

PLACE: Final = "{{document}}"


class ContractPage:
    """An ASGI application: the contract as a page, and where the path ends in ``.json`` as an AsyncAPI document.

    ``chsk.asyncapi()`` makes one. Under FastAPI use ``sente.integrations.fastapi.asyncapi_router``.

    >>> events = EventRegistry()
    >>> ContractPage(events, title="Chat").document["info"]
    {'title': 'Chat', 'version': '0.1.0'}

    Args:
        events: The contract: an ``EventRegistry``, as others do not say what they hold.
        packers: What the server speaks.
        title: What the application is called.
        version: The application's.

    Raises:
        ConfigError: ``events`` is another kind of registry, or none.
    """

    def __init__(
        self,
        events: Registry,
        *,
        packers: Iterable[Packer] = (),
        title: str = "Events",
        version: str = "0.1.0",
    ) -> None:
        if not isinstance(events, EventRegistry):
            raise ConfigError("there is no contract to show: give ChannelSocket(events=...) an EventRegistry")
        self._events = events
        self._packers = {packer.name: f"application/vnd.sente.v1+{packer.name}" for packer in packers}
        self._title = title
        self._version = version

    @cached_property
    def document(self) -> Document:
        """The AsyncAPI document, made when it is first asked for: types may be defined after the page.

        Raises:
            ConfigError: a type names another that is not defined.
        """
        return asyncapi(self._events, title=self._title, version=self._version, packers=self._packers)

    @cached_property
    def json(self) -> str:
        """The document as text. Raises as ``document``."""
        return json.dumps(self.document, indent=2, ensure_ascii=False, allow_nan=False)

    @cached_property
    def html(self) -> str:
        """The page, which may be saved and opened anywhere. Raises as ``document``."""
        return PAGE.read_text().replace(PLACE, self.json.replace("<", "\\u003c"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the page or the document."""
        if await refused(scope, send, "contract"):
            return
        if not scope["path"].endswith(".json"):
            return await respond_with_page(send, self.html)
        await respond(send, 200, self.json.encode(), [*HEADERS, ("content-type", "application/json")])
