"""Two JSON schemas side by side: where the new one admits less than the old, and where more."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Flag
from typing import Any, Final, TypeAlias

from sente.errors import ConfigError

Schema: TypeAlias = dict[str, Any]


class Effect(Flag):
    """What a change does to the values that are admitted."""

    NONE = 0
    LESS = 1
    MORE = 2
    OTHER = LESS | MORE


@dataclass(frozen=True, slots=True)
class Change:
    """One change, and what it does."""

    where: str
    text: str
    effect: Effect


REMARKS: Final = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "discriminator"}
)
"""Words of a schema that admit or refuse nothing."""

STRUCTURE: Final = frozenset(
    {"type", "enum", "properties", "required", "additionalProperties", "items", "additionalItems", "anyOf", "oneOf"}
)
"""Words that are compared one by one. Any other that differs refuses some value that it did not refuse before."""

LEAST: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
MOST: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})

TYPES: Final[dict[str, tuple[type, ...]]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}

TEXT: Final = 60
"""Characters of a value or a name that a change quotes."""


class Comparison:
    """Compares schemas of two documents; ``old_extra`` and ``new_extra`` are what a registry says of unknown fields.

    What is nearer to the top comes first, and what is in several places is compared once: so types that hold
    themselves end, and a change is said where it is seen best.
    """

    def __init__(self, old: Any, new: Any, old_extra: Any = None, new_extra: Any = None) -> None:
        self._old, self._new = Side(old, old_extra), Side(new, new_extra)
        self._seen: dict[tuple[int, int], Any] = {}  # by identity, so they have to stay alive
        self._waiting: deque[tuple[Any, Any, str]] = deque()

    def compare(self, old: Any, new: Any, where: str) -> Iterator[Change]:
        """Every change. Raises ``ConfigError`` for a reference that leads nowhere."""
        self._waiting.append((old, new, where))
        while self._waiting:
            old, new, where = self._waiting.popleft()
            yield from self._values(self._old.choices(old), self._new.choices(new), where)

    def _values(self, olds: list[Schema], news: list[Schema], where: str) -> Iterator[Change]:
        anything = any(not _kind(choice) for choice in olds), any(not _kind(choice) for choice in news)
        if anything[0] != anything[1]:
            names = ", ".join(map(_name, olds if anything[1] else news)) or "nothing"
            if anything[1]:
                yield Change(where, f"{names} → anything", Effect.MORE)
            else:
                yield Change(where, f"anything → {names}", Effect.LESS)
            return
        pairs, gone, come = _paired(olds, news)
        for before, after in pairs:
            if (id(before), id(after)) not in self._seen:
                self._seen[id(before), id(after)] = before, after
                yield from self._choice(before, after, where)
        yield from (Change(where, f"may be {_name(choice)} no more", Effect.LESS) for choice in gone)
        yield from (Change(where, f"may be {_name(choice)} now", Effect.MORE) for choice in come)

    def _choice(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        before, after = _kind(old), _kind(new)
        if before == after == "enum":
            gone = [value for value in old["enum"] if value not in new["enum"]]
            come = [value for value in new["enum"] if value not in old["enum"]]
            yield from (Change(where, f"may be {_short(value)} no more", Effect.LESS) for value in gone)
            yield from (Change(where, f"may be {_short(value)} now", Effect.MORE) for value in come)
            return
        if before != after:  # a value and its type, or integer and number
            effect = Effect.MORE if _within(old, new) else Effect.LESS
            if "enum" in (before, after):  # who knows which of the values keep the limits of the type
                limits = _without(new if before == "enum" else old, REMARKS | STRUCTURE)
                yield Change(where, f"{_name(old)} → {_name(new)}", Effect.OTHER if limits else effect)
                return
            yield Change(where, f"{before} → {after}", effect)
        yield from _limits(old, new, where)
        if after == "object":
            yield from self._fields(old, new, where)
        if after == "array":
            self._items(old, new, where)

    def _fields(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        olds, news = mapping(old.get("properties")), mapping(new.get("properties"))
        needed = _names(old.get("required")), _names(new.get("required"))
        others = self._old.others(old), self._new.others(new)
        for name, field in olds.items():
            place = f"{where}.{name}"
            if name not in news:
                missed = Effect.MORE if name in needed[0] else Effect.NONE
                refused = Effect.LESS if others[1] is False else Effect.NONE
                yield Change(place, "removed", missed | refused)
                continue
            if name in needed[0] and name not in needed[1]:
                yield Change(place, "may be missing now", Effect.MORE)
            if name in needed[1] and name not in needed[0]:
                yield Change(place, "is required now", Effect.LESS)
            self._waiting.append((field, news[name], place))
        for name in (name for name in news if name not in olds):
            wanted = Effect.LESS if name in needed[1] else Effect.NONE
            unknown = Effect.MORE if others[0] is False else Effect.NONE
            yield Change(f"{where}.{name}", "added, required" if wanted else "added", wanted | unknown)
        if others[1] is False and others[0] is not False:
            yield Change(where, "unknown fields are refused now", Effect.LESS)
        elif others[0] is False and others[1] is not False:
            yield Change(where, "unknown fields are refused no more", Effect.MORE)
        else:
            self._waiting.append((*others, f"{where}.*"))

    def _items(self, old: Schema, new: Schema, where: str) -> None:
        """A list has one kind of items; a tuple has one for each place, and one for those that follow."""
        heads, tails = zip(*(_places(schema) for schema in (old, new)), strict=True)
        for place in range(max(map(len, heads))):
            first, then = (head[place] if place < len(head) else tail for head, tail in zip(heads, tails, strict=True))
            self._waiting.append((first, then, f"{where}[{place}]"))
        self._waiting.append((*tails, f"{where}[]"))


class Side:
    """One of the two documents."""

    def __init__(self, document: Any, extra: Any) -> None:
        self._schemas = mapping(mapping(mapping(document).get("components")).get("schemas"))
        self._extra = extra
        self._made: dict[tuple[int, int | str], tuple[Schema, tuple[Schema, ...]]] = {}

    def others(self, schema: Schema) -> Any:
        """What fields may be that an object does not name; ``False``: there may be none."""
        if self._extra is not None and "properties" in schema:
            return self._extra != "forbid"
        return schema.get("additionalProperties", True)

    def choices(self, schema: Any) -> list[Schema]:
        """All that a value may be: no references and unions are left, and all single values are one."""
        found = list(self._choices(schema, set()))
        values = [value for choice in found if _kind(choice) == "enum" for value in choice["enum"]]
        return [choice for choice in found if _kind(choice) != "enum"] + ([{"enum": values}] if values else [])

    def _choices(self, schema: Any, within: set[str]) -> Iterator[Schema]:
        if schema is False:
            return
        schema = mapping(schema)
        reference, union = schema.get("$ref") or _only(schema), schema.get("anyOf") or schema.get("oneOf")
        if isinstance(reference, str):
            if reference not in within:
                within.add(reference)
                yield from self._choices(self._joined(self._find(reference), schema), within)
        elif isinstance(union, list):
            for choice in union:
                yield from self._choices(self._joined(mapping(choice), schema), within)
        elif isinstance(types := schema.get("type"), list):
            for each in types:
                yield self._kept((id(schema), str(each)), {**schema, "type": each}, schema)
        elif "const" in schema:
            yield {"enum": [schema["const"]]}
        else:
            yield schema

    def _joined(self, schema: Schema, around: Schema) -> Schema:
        """A schema together with what stands beside the reference or the union that leads to it."""
        beside = _without(around, REMARKS | {"$ref", "allOf", "anyOf", "oneOf"})
        return self._kept((id(schema), id(around)), {**schema, **beside}, schema, around) if beside else schema

    def _kept(self, key: tuple[int, int | str], made: Schema, *sources: Schema) -> Schema:
        """The same schema each time: ``Comparison`` knows by it where it has been."""
        return self._made.setdefault(key, (made, sources))[0]

    def _find(self, reference: str) -> Schema:
        name = reference.rpartition("/")[2]
        if not isinstance(found := self._schemas.get(name), dict):
            raise ConfigError(f"a schema refers to {reference[:100]!r}, which is not in components/schemas")
        return found


def mapping(value: Any) -> Schema:
    """The value, if it is one; a document from elsewhere has anything anywhere."""
    return value if isinstance(value, dict) else {}


def _without(schema: Schema, words: frozenset[str]) -> Schema:
    return {word: value for word, value in schema.items() if word not in words}


def _only(schema: Schema) -> Any:
    """The reference in an ``allOf`` of nothing else, which lets words stand beside it."""
    every = schema.get("allOf")
    return mapping(every[0]).get("$ref") if isinstance(every, list) and len(every) == 1 else None


def _places(schema: Schema) -> tuple[list[Any], Any]:
    """The items of a tuple, and what may follow them."""
    items = schema.get("items", True)
    return (items, schema.get("additionalItems", True)) if isinstance(items, list) else ([], items)


def _names(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _kind(choice: Schema) -> str:
    """The type, ``enum`` for single values, or nothing for what may be anything."""
    if isinstance(choice.get("enum"), list):
        return "enum"
    implied = "object" if "properties" in choice else "array" if "items" in choice else ""
    return str(choice.get("type", implied))


def _paired(olds: list[Schema], news: list[Schema]) -> tuple[list[tuple[Schema, Schema]], list[Schema], list[Schema]]:
    """What belongs together, and what is left of both.

    The same by name first, then the same in kind, then what holds the other.
    """
    pairs = []
    for belong in (_same_name, _same_kind, _related):
        for old in list(olds):
            new = next((new for new in news if belong(old, new)), None)
            if new is not None:
                pairs.append((old, new))
                olds = [other for other in olds if other is not old]
                news = [other for other in news if other is not new]
    return pairs, olds, news


def _same_name(old: Schema, new: Schema) -> bool:
    return _kind(old) == _kind(new) and _name(old) == _name(new)


def _same_kind(old: Schema, new: Schema) -> bool:
    return _kind(old) == _kind(new)


def _related(old: Schema, new: Schema) -> bool:
    return _within(old, new) or _within(new, old)


def _within(small: Schema, large: Schema) -> bool:
    """Whether all values of one are among those of the other, but for its limits."""
    kinds = _kind(small), _kind(large)
    types = TYPES.get(kinds[1], ())
    return kinds == ("integer", "number") or (kinds[0] == "enum" and all(type(each) in types for each in small["enum"]))


def _limits(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    for word in sorted(old.keys() | new.keys()):
        before, after = old.get(word), new.get(word)
        if before == after or word in REMARKS | STRUCTURE or word.startswith("x-"):
            continue
        if before is None or after is None:
            effect = Effect.LESS if before is None else Effect.MORE
        elif word in LEAST | MOST and isinstance(before, int | float) and isinstance(after, int | float):
            effect = Effect.LESS if (after > before) == (word in LEAST) else Effect.MORE
        else:
            effect = Effect.OTHER
        yield Change(where, f"{word} {_short(before)} → {_short(after)}", effect)


def _name(choice: Schema) -> str:
    if _kind(choice) == "enum":
        return " | ".join(map(_short, choice["enum"]))[:TEXT]
    named = choice.get("title") if _kind(choice) == "object" else choice.get("format")
    return str(named or _kind(choice) or "anything")[:TEXT]


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= TEXT else f"{text[: TEXT - 1]}…"
