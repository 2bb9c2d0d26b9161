"""The packers of this project as something to measure, and the shape that its peers share with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from sente.interfaces import Packer
from sente.packers.negotiation import BUILT_IN, packers


@dataclass(frozen=True, slots=True)
class Codec:
    """Two functions and what to know about them."""

    name: str
    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]
    version: str
    """Of what does the work: ``orjson 3.13.0``."""
    ours: bool = False
    pack_lossy: Callable[[Any], Any] | None = None
    """How users of the library write what it has no word for (sets as lists, say); tried if ``pack`` refuses."""
    note: str = ""
    """A warning that belongs beside the name."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A codec that was not measured, and what would have to be installed for it."""

    name: str
    needs: str


def from_packer(packer: Packer, name: str = "") -> Codec:
    """A packer as something to measure.

    >>> from sente.packers.json import JsonPacker
    >>> from_packer(JsonPacker()).name
    'json'
    """
    return Codec(name or packer.name, packer.pack, packer.unpack, f"sente-channels {version('sente-channels')}", True)


def built_in(names: Sequence[str], types: Sequence[Any] = ()) -> list[Codec]:
    """The packers of these names; without names all there are.

    Raises:
        ConfigError: there is no packer of that name.
    """
    return [from_packer(packer, packer.name) for packer in packers(list(names) or list(BUILT_IN))]
