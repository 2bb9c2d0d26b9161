"""The contract as an AsyncAPI 3.0 document: for the page, for the tools of others, and to compare two versions."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import quote

from pydantic import TypeAdapter

from sente.errors import ConfigError
from sente.events.contract import EventContract
from sente.events.examples import examples
from sente.events.registry import EventRegistry
from sente.events.schemas import Schemas, draft_7
from sente.events.validation import Checked

Document: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
"""An event's id, and which of its messages."""
Mode: TypeAlias = Literal["validation", "serialization"]

RESERVED: Final = re.compile(r"[?#{}%=]")
"""What a channel may not have in its name, or AsyncAPI's parser stumbles over, and an event may."""

SCHEMAS: Final = "#/components/schemas/"


class Way(NamedTuple):
    """An event on its way, as the server sees it, and the reply that comes back."""

    action: str
    opposite: str
    """The direction in which nothing goes this way."""
    message: str
    mode: Mode
    """Pydantic's view: what is read, or what is written."""
    reply: str
    reply_mode: Mode


WAYS: Final = (
    Way("receive", "to-client", "from-client", "validation", "reply-from-server", "serialization"),
    Way("send", "to-server", "from-server", "serialization", "reply-from-client", "validation"),
)


def asyncapi(
    events: EventRegistry, *, title: str = "Events", version: str = "0.1.0", packers: Mapping[str, str] | None = None
) -> Document:
    """The document, of values that JSON has. It describes what an event is over the packer ``json``.

    A channel is an event, under its id; what an address cannot have is encoded, ``chat/open=3F`` for ``chat/open?``.
    What the server takes is described as pydantic reads it, what it sends as pydantic writes it. What draft 7 of JSON
    Schema, which AsyncAPI builds on, has no word for is said in its words.

    >>> events = EventRegistry()
    >>> typing = events.event("chat/typing", of=list[str], direction="to-client")
    >>> asyncapi(events)["channels"]["chat/typing"]["messages"]["from-server"]["payload"]
    {'type': 'array', 'items': {'type': 'string'}}

    Args:
        events: The contract.
        title: What the application is called.
        version: The application's, of which AsyncAPI demands one.
        packers: What the server speaks: content types by the packers' names.

    Raises:
        ConfigError: a type names another that is not defined, or gives no schema; says which event.
    """
    payloads, schemas = _schemas(events)
    channels: Document = {}
    operations: Document = {}
    for contract in events.contracts.values():
        address = _address(contract)
        channels[address] = _channel(contract, payloads)
        operations |= {f"{way.action}:{address}": _operation(contract, way) for way in _ways(contract)}
    spoken = {"x-sente-packers": dict(packers)} if packers else {}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version, **spoken},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": schemas},
    }


def id_of(channel: str) -> str:
    """The event's id, by the channel's name.

    >>> id_of("chat/open=3F")
    'chat/open?'
    """
    return re.sub("=([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), channel)


def _address(contract: EventContract[Any]) -> str:
    return RESERVED.sub(lambda found: f"={ord(found[0]):X}", contract.id)


def _ways(contract: EventContract[Any]) -> Iterator[Way]:
    return (way for way in WAYS if contract.direction != way.opposite)


def _said(contract: EventContract[Any]) -> Iterator[tuple[str, Mode, Checked]]:
    """The event's messages: what each is called, how it is seen, and its type."""
    for way in _ways(contract):
        yield way.message, way.mode, contract.data_check
        if contract.reply is not None:
            yield way.reply, way.reply_mode, contract.reply_check


def _channel(contract: EventContract[Any], payloads: Mapping[Key, Any]) -> Document:
    channel: Document = {"address": _address(contract), "title": contract.id}
    if contract.doc:
        channel |= {"summary": contract.doc.split("\n\n")[0].replace("\n", " "), "description": contract.doc}
    channel["messages"] = {}
    for said, mode, check in _said(contract):
        message = {"name": contract.id, "payload": payloads[contract.id, said]}
        found = [{"payload": value} for value in examples(check, written=mode == "serialization")]
        channel["messages"][said] = message | ({"examples": found} if found else {})
    channel["x-sente-delivery"] = str(contract.delivery)
    if contract.idempotent:
        channel["x-sente-idempotent"] = True
    if contract.strict is not None:
        channel["x-sente-strict"] = contract.strict
    if contract.extra is not None:
        channel["x-sente-unknown-fields"] = contract.extra
    return channel


def _operation(contract: EventContract[Any], way: Way) -> Document:
    channel = f"#/channels/{quote(_address(contract).replace('~', '~0').replace('/', '~1'))}"
    operation: Document = {
        "action": way.action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{way.message}"}],
    }
    if contract.reply is not None:
        operation["reply"] = {"channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/{way.reply}"}]}
    if contract.deadline is not None:
        operation["x-sente-deadline"] = contract.deadline
    return operation


# -- schemas


def _schemas(events: EventRegistry) -> tuple[dict[Key, Any], Document]:
    """The schema of each message, and those that they share, all by name."""
    inputs: list[tuple[Key, Mode, TypeAdapter[Any]]] = []
    for contract in events.contracts.values():
        try:
            for said, mode, check in _said(contract):
                check.adapter.rebuild(raise_errors=True)
                check.adapter.json_schema(mode=mode, schema_generator=Schemas)
                inputs.append(((contract.id, said), mode, check.adapter))
        except ConfigError:
            raise
        except Exception as error:  # pydantic's own, and whatever a type raises when it is asked for its schema
            reason = str(error).split("\n", 1)[0]
            raise ConfigError(f"event {contract.id!r}: its type gives no schema: {reason}") from error
    found, shared = TypeAdapter.json_schemas(inputs, ref_template=f"{SCHEMAS}{{model}}", schema_generator=Schemas)
    named = shared.get("$defs", {})
    return {key: draft_7(schema) for (key, _), schema in found.items()}, {
        name: draft_7(schema) for name, schema in sorted(named.items())
    }
