"""JSON schemas of types, as pydantic makes them, in the words that AsyncAPI has."""

import json
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python


class Schemas(GenerateJsonSchema):
    """Pydantic's, but that a type which has no schema may be anything, without a warning."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
        """What is said of a type that only code knows."""
        return {}

    def emit_warning(self, kind: Any, detail: str) -> None:
        """A default that has no JSON is left out, and so is a choice that has no schema."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        """Whether it is always there. What has a default need not be said, and is written all the same."""
        if self.mode == "serialization" and field["type"] != "typed-dict-field":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)


ONE: Final = ("additionalItems", "additionalProperties", "contains", "items", "not", "propertyNames")
SEVERAL: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED: Final = ("patternProperties", "properties")


def draft_7(schema: Any) -> Any:
    """A schema as pydantic writes it, of draft 2020-12, in the words of draft 7, which AsyncAPI has."""
    if not isinstance(schema, dict):  # True and False are schemas, too
        return schema
    found: dict[str, Any] = {}
    for word, value in schema.items():
        if word in ONE:
            found[word] = draft_7(value)
        elif word in SEVERAL:
            found[word] = [draft_7(each) for each in value]
        elif word in NAMED:
            found[word] = {name: draft_7(each) for name, each in value.items()}
        elif word != "discriminator" and _is_json(plain := to_jsonable_python(value, fallback=repr)):
            found[word] = plain  # AsyncAPI has another discriminator; the oneOf says it all
    if "prefixItems" in found:
        rest = found.pop("items", None)
        found["items"] = found.pop("prefixItems")
        found |= {} if rest is None else {"additionalItems": rest}
    if "$ref" in found and len(found) > 1:  # what stands beside a reference is not read
        return {"allOf": [{"$ref": found.pop("$ref")}], **found}
    return found


def _is_json(value: Any) -> bool:
    """Not NaN, nor infinite: a default or a limit of these is left out."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
