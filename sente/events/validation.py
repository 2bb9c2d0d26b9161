"""One type as pydantic checks it: from what was unpacked to what the application gets, and back."""

from typing import Any, Final, Literal, TypeAlias

import pydantic_core
from pydantic import PydanticUserError, TypeAdapter, ValidationError

from sente.errors import ConfigError, InvalidEvent
from sente.values import PACKING

Extra: TypeAlias = Literal["allow", "ignore", "forbid"]

ERRORS: Final = 20
"""Errors that are listed of one event: whoever wrote it needs the first ones, and they travel back."""

TEXT: Final = 200
"""Characters of each of their texts, which may quote what was sent."""

STEPS: Final = 16
"""Steps of each of their paths, from its beginning."""

STEP: Final = 60
"""Characters of each step: a key that somebody made up."""

NEVER_CARRIED: Final = {"dataclass_exact_type", "tuple_type", "frozen_set_type"}
"""What only a strict type complains about, and no packer can help: it writes a list for a tuple, say."""

CARRIED: Final = {"UUID", "Decimal"}
"""Classes that packers carry. Of an Enum they write the value, and pydantic itself makes a string of a Fraction."""


class Checked:
    """Takes and gives values of one type. ``where`` names it in messages.

    Raises:
        ConfigError: pydantic can make nothing of the type.
    """

    def __init__(self, event_id: str, where: str, type_: Any, strict: bool | None, extra: Extra | None) -> None:
        self._event_id = event_id
        self._where = where
        self._strict = strict
        self._extra: Extra | None = extra
        try:
            self.adapter: TypeAdapter[Any] = TypeAdapter(type_)
        except Exception as error:  # pydantic's own, and whatever the type raises when it is asked for its schema
            raise ConfigError(f"{where}: pydantic cannot check this type: {_brief(error)}") from error

    def load(self, value: Any, *, plain: bool) -> Any:
        """What the application gets.

        A strict type takes a string for a UUID in JSON only, so plain values are read as JSON. Of typed ones it wants a
        tuple where a packer can only write a list: if that is all that is wrong, they are read once more, leniently.

        Raises:
            InvalidEvent: it is not of the type.
        """
        try:
            return self._read_json(value) if plain else self._read(value)
        except ValidationError as error:
            raise self._invalid(error) from error
        except PydanticUserError as error:  # pydantic looks for the names in a type again and again
            reason = f"{self.adapter} names a type that is not defined yet, or not in its module: {_brief(error)}"
            raise ConfigError(f"{self._where}: {reason}") from error
        except Exception as error:  # whatever a validator of the application raises
            raise InvalidEvent(self._event_id, [_flaw("validator", "it could not be checked")]) from error

    def dump(self, value: Any) -> Any:
        """What is packed: plain values, and those of types that packers know.

        Raises:
            InvalidEvent: it is not of the type.
        """
        value = self.load(value, plain=False)
        try:
            return self.adapter.dump_python(value, by_alias=True, warnings="error", context=PACKING)
        except Exception as error:  # pydantic's, and whatever a serializer of the application raises
            raise InvalidEvent(self._event_id, [_flaw("serialization", _brief(error))]) from error

    def _read(self, value: Any) -> Any:
        try:
            return self.adapter.validate_python(value, strict=self._strict, extra=self._extra)
        except ValidationError as error:
            if not all(map(_is_form, error.errors(include_url=False, include_input=False))):
                raise
            return self.adapter.validate_python(value, strict=False, extra=self._extra)

    def _read_json(self, value: Any) -> Any:
        return self.adapter.validate_json(pydantic_core.to_json(value), strict=self._strict, extra=self._extra)

    def _invalid(self, error: ValidationError) -> InvalidEvent:
        flaws = error.errors(include_url=False, include_context=False, include_input=False)
        listed = [_flaw(flaw["type"], flaw["msg"], *flaw["loc"]) for flaw in flaws[:ERRORS]]
        return InvalidEvent(self._event_id, listed, more=len(flaws) - len(listed))


def _flaw(kind: str, text: str, *path: str | int) -> dict[str, Any]:
    steps = [step if isinstance(step, int) else step[:STEP] for step in path[:STEPS]]
    return {"type": kind, "loc": steps, "msg": text[:TEXT]}


def _is_form(flaw: Any) -> bool:
    if flaw["type"] == "is_instance_of":
        return flaw.get("ctx", {}).get("class") not in CARRIED
    return flaw["type"] in NEVER_CARRIED


def _brief(error: Exception) -> str:
    return str(error).split("\n\nFor further information")[0].replace("\n", " ")[: 2 * TEXT]
