"""What an event looks like: values made up from a schema, of which only those are shown that the type takes."""

from contextlib import suppress
from typing import Any, Final

from sente.events.schemas import Schemas
from sente.events.validation import Checked

NODES: Final = 300
"""Values made for one example at most: types that hold each other twice grow without end."""

LENGTH: Final = 200
"""Characters, or items, that an example has to have at most."""

FORMATS: Final = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "duration": "PT1M30S",
    "email": "ada@example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "03:04:05Z",
    "uri": "https://example.com/",
    "uuid": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
}


class NoExample(Exception):
    """The schema has none: it never ends, or is too long."""


def examples(check: Checked, *, written: bool) -> list[Any]:
    """One value that the type takes, as JSON has it: as it is read, or as it is written. None, if none is found.

    The schema's own ``examples`` go first.

    >>> examples(Checked("chat/at", "chat/at", dict[str, int], None, None), written=False)
    [{'key': 1}]
    """
    schema = check.adapter.json_schema(schema_generator=Schemas)
    try:
        value = Maker(schema.get("$defs", {})).make(schema)
        loaded = check.load(value, plain=True)
        return [check.adapter.dump_python(loaded, mode="json", by_alias=True, warnings=False) if written else value]
    except Exception:  # there is none, or a validator or serializer of the application does not like it
        return []


class Maker:
    """Makes values of schemas that share definitions."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._made = 0

    def make(self, schema: Any) -> Any:
        """A value. Raises ``NoExample``."""
        self._made += 1
        if self._made > NODES:
            raise NoExample
        match schema:
            case {"examples": [value, *_]} | {"const": value} | {"enum": [value, *_]}:
                return value
            case {"$ref": reference}:
                return self._referred(reference.removeprefix("#/$defs/"))
            case {"anyOf": choices} | {"oneOf": choices} | {"allOf": choices}:
                return self._first(choices)
            case {"type": "object"}:
                return self._object(schema)
            case {"type": "array"}:
                return self._array(schema)
            case {"type": "string"}:
                return FORMATS.get(schema.get("format", "")) or _text(schema)
            case {"type": "integer" | "number"}:
                return _number(schema)
            case {"type": "boolean"}:
                return True
        return None

    def _referred(self, name: str) -> Any:
        """A type that holds itself is made without that, wherever it can be."""
        definition = self._definitions.pop(name, None)
        if definition is None:
            raise NoExample
        try:
            return self.make(definition)
        finally:
            self._definitions[name] = definition

    def _first(self, choices: list[Any]) -> Any:
        for choice in sorted(choices, key=lambda choice: choice == {"type": "null"}):
            with suppress(NoExample):
                return self.make(choice)
        raise NoExample

    def _object(self, schema: Any) -> dict[str, Any]:
        made = {}
        required = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            try:
                made[name] = self.make(field)
            except NoExample:
                if name in required:
                    raise
        rest = schema.get("additionalProperties", False)
        if isinstance(rest, dict) and "properties" not in schema:
            with suppress(NoExample):
                made["key"] = self.make(rest)
        return made

    def _array(self, schema: Any) -> list[Any]:
        if "prefixItems" in schema:
            return [self.make(item) for item in schema["prefixItems"]]
        least = schema.get("minItems", 0)
        try:
            return [self.make(schema.get("items", {})) for _ in range(_bounded(max(least, 1)))]
        except NoExample:
            if least:
                raise
            return []


def _text(schema: Any) -> str:
    least = _bounded(schema.get("minLength", 0))
    return ("text" * (least // 4 + 1))[: schema.get("maxLength")]


def _number(schema: Any) -> Any:
    if (least := schema.get("minimum", schema.get("exclusiveMinimum"))) is not None:
        return least + ("minimum" not in schema)
    return min(1, schema.get("maximum", schema.get("exclusiveMaximum", 2) - 1))


def _bounded(length: int) -> int:
    if length > LENGTH:
        raise NoExample
    return length
