"""Which packer a connection speaks."""

from collections.abc import Iterable, Sequence

from sente.errors import ConfigError, Rejected
from sente.interfaces import Packer
from sente.packers.json import JsonPacker

BUILT_IN = {"json": JsonPacker}


def packers(wanted: str | Packer | Iterable[str | Packer]) -> tuple[Packer, ...]:
    """The packers that a setting names, in order of preference: names, objects, or both.

    >>> [packer.name for packer in packers("json")]
    ['json']

    Raises:
        ConfigError: a name is unknown, given twice, or there is none.
    """
    if isinstance(wanted, str):
        wanted = [name.strip() for name in wanted.split(",") if name.strip()]
    elif isinstance(wanted, Packer):
        wanted = [wanted]
    chosen: list[Packer] = []
    for packer in wanted:
        if isinstance(packer, str):
            if packer not in BUILT_IN:
                raise ConfigError(f"packers: there is no packer {packer!r}; built in: {', '.join(BUILT_IN)}")
            packer = BUILT_IN[packer]()
        if packer.name in {other.name for other in chosen}:
            raise ConfigError(f"packers: {packer.name!r} is named twice")
        chosen.append(packer)
    if not chosen:
        raise ConfigError("packers: name at least one, for example packers='json'")
    return tuple(chosen)


def classic_packer(wanted: str | Packer | None, served: Sequence[Packer]) -> Packer | None:
    """The packer that clients of Sente's own speak, who name none: one of those served, or a further one.

    >>> classic_packer("json", packers("json")).name
    'json'

    Raises:
        ConfigError: it is no packer, or another one of its name is served.
    """
    if wanted is None:
        return None
    if not isinstance(wanted, str | Packer) or len(chosen := packers(wanted)) != 1:
        raise ConfigError(f"classic={wanted!r}: name one packer, for example classic='json'")
    same = next((packer for packer in served if packer.name == chosen[0].name), chosen[0])
    if not isinstance(wanted, str) and same is not wanted:
        raise ConfigError(f"classic: packers has another one that is called {same.name!r}")
    return same


def choose(served: Sequence[Packer], offered: str) -> Packer:
    """The first packer served that the client offers (a list of names with commas).

    Raises:
        Rejected: 406, there is none.
    """
    names = {name.strip() for name in offered.split(",")}
    for packer in served:
        if packer.name in names:
            return packer
    ours = ",".join(packer.name for packer in served)
    raise Rejected(406, f"no common packer: the server speaks packers={ours}")
