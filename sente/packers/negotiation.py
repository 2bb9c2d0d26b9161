"""Which packer a connection speaks, and what of it the other side reads."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sente.errors import ConfigError, Rejected
from sente.interfaces import Packer, VariedPacker
from sente.packers.auto import AutoPacker
from sente.packers.dialects import Dialect
from sente.packers.edn import EdnPacker
from sente.packers.handlers import TypeHandler
from sente.packers.json import JsonPacker
from sente.packers.msgpack import MsgpackPacker
from sente.packers.sente_gzip import SenteGzip
from sente.packers.sente_msgpack import SenteMsgpackPacker
from sente.packers.transit import TransitPacker
from sente.packers.transit_json import TransitJsonPacker
from sente.packers.transit_msgpack import TransitMsgpackPacker


def _cbor(types: Iterable[TypeHandler[Any]]) -> Packer:
    try:
        from sente.packers.cbor import CborPacker
    except ImportError as error:
        raise ConfigError(f"packers: {error}") from error
    return CborPacker(types=types)


BUILT_IN: Mapping[str, Callable[..., Packer]] = {
    "auto": AutoPacker,
    "cbor": _cbor,
    "edn": EdnPacker,
    "json": JsonPacker,
    "msgpack": MsgpackPacker,
    "transit": TransitPacker,
    "transit-json": TransitJsonPacker,
    "transit-msgpack": TransitMsgpackPacker,
}

DIALECTS: Mapping[str, Callable[..., Packer]] = {
    "edn": BUILT_IN["edn"],
    "transit": TransitJsonPacker,
    "msgpack": SenteMsgpackPacker,
}
"""The formats of Sente's own packers; each with ``+gzip``, too."""

Packers: TypeAlias = str | Packer | Iterable[str | Packer]
"""What ``packers=`` takes: names with commas, objects, or a list of both."""


def get(name: str, *, types: Iterable[TypeHandler[Any]] = ()) -> Packer:
    """A built-in packer by its name.

    >>> get("json").pack([1, 2])
    '[1,2]'

    Raises:
        ConfigError: there is none of that name, or its library is not installed.
    """
    if name not in BUILT_IN:
        raise ConfigError(f"packers: there is no packer {name!r}; built in: {', '.join(BUILT_IN)}")
    return BUILT_IN[name](types=types)


def packers(wanted: Packers, types: Iterable[TypeHandler[Any]] = ()) -> tuple[Packer, ...]:
    """The packers that a setting names, in order of preference: names, objects, or both.

    ``types`` are for those that are given by name; an object has its own.

    >>> [packer.name for packer in packers("auto, json")]
    ['auto', 'json']

    Raises:
        ConfigError: a name is unknown, given twice, or there is none.
    """
    types = tuple(types)
    if isinstance(wanted, str):
        wanted = [name.strip() for name in wanted.split(",") if name.strip()]
    elif isinstance(wanted, Packer):
        wanted = [wanted]
    chosen: list[Packer] = []
    for packer in wanted:
        if isinstance(packer, str):
            packer = get(packer, types=types)
        if packer.name in {other.name for other in chosen}:
            raise ConfigError(f"packers: {packer.name!r} is named twice")
        chosen.append(packer)
    if not chosen:
        raise ConfigError("packers: name at least one, for example packers='json'")
    return tuple(chosen)


def dialect(name: str, *, keyword_keys: bool = False, types: Iterable[TypeHandler[Any]] = ()) -> Dialect:
    """What one of Sente's own packers speaks: ``edn``, ``transit`` or ``msgpack``, or one of these with ``+gzip``.

    >>> dialect("edn", keyword_keys=True).pack({"by": "ada"})
    '{:by "ada"}'

    Args:
        name: Which; as it was given to Sente on the other side.
        keyword_keys: Write the keys of maps that are strings as keywords, see ``Dialect``.
        types: Handlers for custom types.

    Raises:
        ConfigError: there is none of that name.
    """
    form, plus, compression = name.partition("+")
    if form not in DIALECTS or compression not in ("", "gzip") or (plus and not compression):
        raise ConfigError(f"classic={name!r}: give 'json', or one of {', '.join(DIALECTS)}, as 'edn' or 'edn+gzip'")
    packer = DIALECTS[form](types=types)
    return Dialect(SenteGzip(packer) if compression else packer, keyword_keys=keyword_keys)


def classic_packer(
    wanted: str | Packer | None, served: Sequence[Packer], types: Iterable[TypeHandler[Any]] = ()
) -> Packer | None:
    """The packer that clients of Sente's own speak, who name none: ``json``, the one served if it is, or a dialect.

    >>> classic_packer("json", packers("json")).name, classic_packer("edn+gzip", packers("json")).name
    ('json', 'sente-edn-gzip')

    Raises:
        ConfigError: it is no packer, or another one of its name is served.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str):
        if wanted != "json":
            return dialect(wanted, types=types)
        return next((packer for packer in served if packer.name == wanted), get(wanted, types=types))
    if not isinstance(wanted, Packer):
        raise ConfigError(f"classic={wanted!r}: name one packer, for example classic='edn'")
    if any(packer.name == wanted.name and packer is not wanted for packer in served):
        raise ConfigError(f"classic: packers has another one that is called {wanted.name!r}")
    return wanted


def read_offer(text: str) -> tuple[str, tuple[str, ...]]:
    """Name and capabilities. A query that was not encoded has a space for each plus.

    >>> read_offer("auto+msgpack gzip")
    ('auto', ('msgpack', 'gzip'))
    """
    name, *accepts = text.strip().replace(" ", "+").split("+")
    return name, tuple(accepts)


def choose(served: Sequence[Packer], offered: str) -> Packer:
    """The first packer served that the client offers (a list of names with commas), as the client reads it.

    Raises:
        Rejected: 406, there is none.
    """
    offers = dict(map(read_offer, offered.split(",")))
    for packer in served:
        if packer.name in offers:
            return for_peer(packer, offers[packer.name])
    ours = ",".join(packer.name for packer in served)
    raise Rejected(406, f"no common packer: the server speaks packers={ours}")


def for_peer(packer: Packer, accepts: Iterable[str]) -> Packer:
    """The packer as the other side reads it. Of what that side says only what is known here counts."""
    return packer.for_peer(frozenset(accepts) & {*packer.accepts}) if isinstance(packer, VariedPacker) else packer


class Spoken:
    """What an event is packed for: each packer served, in the variants that clients have asked for so far."""

    def __init__(self, served: Sequence[Packer]) -> None:
        self._served = served
        self._variants: dict[str, dict[int, Packer]] = {packer.name: {} for packer in served}
        self.packers = tuple(served)

    def add(self, packer: Packer) -> None:
        """A client speaks this variant."""
        known = self._variants[packer.name]
        if id(packer) not in known:
            known[id(packer)] = packer
            self.packers = tuple(
                variant for served in self._served for variant in (self._variants[served.name].values() or [served])
            )
