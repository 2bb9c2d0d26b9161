"""What an event's values look like where they travel: JSON schema, with a mark where packers keep a type.

Pydantic writes a UUID into JSON schema as a string, which is what plain JSON makes of it. Here it is
``{"x-sente-type": "uuid"}``: for those who generate code, and for hashes that do not hang on pydantic's own words.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from pydantic import TypeAdapter
from pydantic_core import core_schema

from sente.errors import ConfigError
from sente.events.contract import Direction, EventContract
from sente.events.schemas import Schemas
from sente.protocol.messages import Side
from sente.values import Char, Keyword, Symbol, Uri

Schema: TypeAlias = dict[str, Any]
Part: TypeAlias = Literal["data", "reply"]
Place: TypeAlias = tuple[str, Side, Part]
"""An event's id, the side that says it, and whether its data or the reply to it is meant."""

Mode: TypeAlias = Literal["validation", "serialization"]
SAYING: Final[Sequence[tuple[Side, Direction, Mode, Mode]]] = (
    ("client", "to-server", "validation", "serialization"),
    ("server", "to-client", "serialization", "validation"),
)
"""Who says an event, what is then its direction, and how the server sees its data and the reply to it."""

MARK: Final = "x-sente-type"
KEYS: Final = "x-sente-keys"
"""What the keys of an object are."""

VALUES: Final = {Keyword: "keyword", Symbol: "symbol", Uri: "uri", Char: "char"}


class _Shapes(Schemas):
    """Says defaults only as what may be missing, and marks what packers keep."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        return self.generate_inner(schema["schema"])

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> Schema:
        function: Any = schema["function"]["function"]
        return (
            {MARK: VALUES[function]}
            if isinstance(function, type) and function in VALUES
            else super().function_after_schema(schema)
        )

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        written = super().dict_schema(schema)
        written.pop("propertyNames", None)
        written[KEYS] = self.generate_inner(schema.get("keys_schema", core_schema.any_schema()))
        return written

    def set_schema(self, schema: core_schema.SetSchema) -> Schema:
        return super().set_schema(schema) | {MARK: "set"}

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> Schema:
        return super().frozenset_schema(schema) | {MARK: "set"}

    def enum_schema(self, schema: core_schema.EnumSchema) -> Schema:
        return super().enum_schema(schema) | {MARK: "enum"}  # whose members are other keys than their values

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> Schema:
        return {MARK: "naive datetime" if schema.get("tz_constraint") == "naive" else "datetime"}

    def date_schema(self, schema: core_schema.DateSchema) -> Schema:
        return {MARK: "date"}

    def time_schema(self, schema: core_schema.TimeSchema) -> Schema:
        return {MARK: "time"}

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> Schema:
        return {MARK: "timedelta"}

    def uuid_schema(self, schema: core_schema.UuidSchema) -> Schema:
        return {MARK: "uuid"}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> Schema:
        return {MARK: "decimal"}

    def bytes_schema(self, schema: core_schema.BytesSchema) -> Schema:
        return {MARK: "bytes"}


def shapes(contracts: Iterable[EventContract[Any]]) -> tuple[Mapping[Place, Schema], Mapping[str, Schema]]:
    """The schemas of all that these events carry, and the definitions that they refer to.

    What a client says is described as it is taken, where fields with defaults may be missing; what the server says as
    it leaves.

    Raises:
        ConfigError: a type cannot be described: it names another that is not defined yet, say.
    """
    inputs: list[tuple[Place, Mode, TypeAdapter[Any]]] = []
    for contract in contracts:
        for side, direction, data_mode, reply_mode in SAYING:
            if contract.direction in ("both", direction):
                inputs.append(((contract.id, side, "data"), data_mode, contract.adapter))
                inputs.append(((contract.id, side, "reply"), reply_mode, contract.reply_adapter))
    try:
        schemas, definitions = TypeAdapter.json_schemas(inputs, schema_generator=_Shapes)
    except Exception as error:  # pydantic's own, and whatever a type raises when it is asked for its schema
        raise ConfigError(f"a type of the contract cannot be described, or is not defined yet: {error}") from error
    return {place: schema for (place, _), schema in schemas.items()}, definitions.get("$defs", {})
