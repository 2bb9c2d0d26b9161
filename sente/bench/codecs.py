"""The packers of this project as something to measure, and the shape that its peers share with them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from sente.errors import ConfigError
from sente.interfaces import Packer, VariedPacker, offer
from sente.packers.handlers import TypeHandler
from sente.packers.negotiation import BUILT_IN, for_peer, get, read_offer
from sente.packers.walks import compiled

PURE = "" if compiled else " (pure)"
"""Whether the packers are without their compiled part: then the figures are others."""


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
    return Codec(
        name or packer.name, packer.pack, packer.unpack, f"sente-channels {version('sente-channels')}{PURE}", True
    )


def built_in(names: Sequence[str] = (), types: Sequence[TypeHandler[Any]] = ()) -> list[Codec]:
    """The packers of these names, each as a peer reads it that offers just this; without names all there are.

    >>> [codec.name for codec in built_in(["json", "auto+msgpack"])]
    ['json', 'auto+msgpack']

    Raises:
        ConfigError: there is no packer of that name.
    """
    return [_built_in(text, types) for text in names or _every_name()]


def _built_in(text: str, types: Sequence[TypeHandler[Any]]) -> Codec:
    name, accepts = read_offer(text)
    return from_packer(for_peer(get(name, types=types), accepts), text)


def _every_name() -> Iterator[str]:
    """Those with capabilities thrice: for a peer without any, with MessagePack only, and with all."""
    for name in BUILT_IN:
        try:
            packer = get(name)
        except ConfigError:  # its library is not installed
            continue
        yield name
        if isinstance(packer, VariedPacker):
            yield f"{name}+msgpack"
            yield offer(packer)
