"""A short hash of each event: two sides that agree on it take and send the same values."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from sente.errors import ConfigError
from sente.events.contract import EventContract
from sente.events.shapes import Schema, shapes

LENGTH: Final = 8
"""Hex digits. Hashes of one id are compared: one change in four billion would go unseen."""

UNDEFINED: Final = "undefined"
"""The hash of an event whose type cannot be described: it names another that is not defined yet, say."""

NOTES: Final = frozenset({"title", "description", "examples", "deprecated", "readOnly", "writeOnly", "discriminator"})
"""Keywords that say nothing of which values there are. A discriminator follows from the members of its union."""


def event_hash(contract: EventContract[Any]) -> str:
    """The hash of one event: of who says it, of its data, and of the reply.

    Names of classes, texts and the order of fields make no difference, nor does the process or, as far as it describes
    types alike, the version of pydantic. A type that cannot be described, or not yet, is ``UNDEFINED``.

    >>> from sente.events import EventRegistry
    >>> events = EventRegistry()
    >>> names, ids = events.event("chat/typing", of=list[str]), events.event("chat/ids", of=list[int])
    >>> event_hash(names) == event_hash(ids)
    False
    """
    try:
        places, definitions = shapes([contract])
    except ConfigError:
        return UNDEFINED
    parts = [[side, part, schema] for (_, side, part), schema in places.items()]
    text = json.dumps(_Normal(definitions).of(parts), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


class _Normal:
    """A schema without what makes no difference. Definitions are numbered as they are met, instead of named."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._numbers: dict[str, int] = {}

    def of(self, parts: Any) -> list[Any]:
        whole = [self._normal(parts)]
        while len(whole) <= len(self._numbers):  # definitions name others
            whole.append(self._normal(self._definitions[list(self._numbers)[len(whole) - 1]]))
        return whole

    def _normal(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self._normal(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        return {word: self._word(word, value) for word, value in sorted(schema.items()) if word not in NOTES}

    def _word(self, word: str, value: Any) -> Any:
        match word:
            case "$ref":
                return self._numbers.setdefault(value.rpartition("/")[2], len(self._numbers))
            case "properties":  # whose names are no keywords
                return {name: self._normal(schema) for name, schema in sorted(value.items())}
            case "required":
                return sorted(value)
            case "const" | "enum":
                return value
            case _:
                return self._normal(value)
