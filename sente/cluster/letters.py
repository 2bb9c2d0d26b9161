"""Values on their way to another process: as they are, in whichever packer has words for them."""

from collections.abc import Sequence
from typing import Any

from sente.errors import PackError, ProtocolError, UnpackError
from sente.interfaces import Packer, Wire


class Letters:
    """Every process of an application has the same ``packers``, so a letter names one by its place.

    >>> from sente.packers import get
    >>> letters = Letters([get("auto"), get("json")])
    >>> letters.open(*letters.close({"n": 1}))
    {'n': 1}
    """

    def __init__(self, packers: Sequence[Packer]) -> None:
        self._packers = packers

    def close(self, value: Any) -> tuple[int, Wire]:
        """Which packer, and what it wrote. Raises ``PackError``."""
        for place, packer in enumerate(self._packers):
            try:
                return place, packer.pack(value)
            except PackError:
                if place == len(self._packers) - 1:
                    raise
        raise AssertionError("there is a packer")

    def open(self, place: int, wire: Wire) -> Any:
        """The value. Raises ``ProtocolError``."""
        if not 0 <= place < len(self._packers):
            raise ProtocolError("a letter in a packer that is not known here: have all processes the same packers?")
        try:
            return self._packers[place].unpack(wire)
        except UnpackError as error:
            raise ProtocolError(str(error)) from error
