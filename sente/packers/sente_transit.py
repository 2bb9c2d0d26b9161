"""Transit as Sente's packer writes it: JSON in which maps are arrays, and keys and tags that come again are codes.

It is ``transit`` in another spelling, ``["^ ","~:by","ada"]`` for ``{"~:by":"ada"}``: what is written is respelled, and
what is read is spelled out before it is read. Moments are whole milliseconds, ``~m``, as Clojure's are.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sente.errors import PackError, UnpackError
from sente.interfaces import Wire
from sente.packers.blame import blame
from sente.packers.builtin import EPOCH, read_utc
from sente.packers.handlers import TypeHandler
from sente.packers.limits import DEPTH, HALF_CHARACTER, TWICE, UnpackLimits, too_deep
from sente.packers.text import as_utf8, read_text, write_text
from sente.packers.transit import TransitPacker

MAP = "^ "
MILLISECOND = timedelta(milliseconds=1)
BASE, FIRST = 44, 48
CODES = BASE * BASE
"""So many strings have codes; then it begins anew."""

CACHED = ("~:", "~$", "~#")
"""What has a code wherever it stands: keywords, symbols, tags. Other strings have one as keys."""


class SenteTransitPacker:
    """The Transit packer of Sente.

    >>> from sente.values import Keyword
    >>> SenteTransitPacker().pack([{Keyword("name"): 1}, {Keyword("name"): 2}])
    '[["^ ","~:name",1],["^ ","^0",2]]'
    """

    name = "sente-transit"

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        self._limits = limits or UnpackLimits()
        self._spelled = _Spelled(types=types, limits=self._limits)

    def pack(self, value: Any, /) -> str:
        """Write a value.

        Raises:
            PackError: something in it cannot be written; says what and where.
        """
        try:
            return self._written(value)
        except (PackError, RecursionError) as error:
            reason = error if isinstance(error, PackError) else too_deep()
            raise blame(value, self._written, self._spelled.lower, reason) from None

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value; in Transit's verbose form, too.

        Raises:
            UnpackError: it is not Transit, says a thing twice, or is more than the limits allow.
        """
        plain = read_text(as_utf8(wire, self._limits), self._limits)
        try:
            return self._spelled.value(_Reader(self._limits.size).spelled(plain))
        except RecursionError as error:
            raise UnpackError("nested too deeply") from error

    def _written(self, value: Any) -> str:
        tree = self._spelled.tree(value)
        if type(tree) is not list and type(tree) is not dict:
            tree = {"~#'": tree}
        try:
            return write_text(_Writer().respelled(tree)).decode()
        except TypeError:  # all else that orjson refuses is not plain
            raise PackError(HALF_CHARACTER) from None


class _Spelled(TransitPacker):
    """The verbose form as a tree. Lists of Clojure's are lists."""

    def tree(self, value: Any) -> Any:
        """What stands for a value."""
        return self._plain(value, DEPTH)

    def value(self, tree: Any) -> Any:
        """The value that a tree stands for."""
        return self._restored(tree)

    def lower(self, value: Any) -> Any:
        """One step down."""
        return self._types.lower(value)

    def _composite(self, mark: str, rep: Any) -> Any:
        return self._restored(rep) if mark == "~#list" else super()._composite(mark, rep)


def is_cached(text: str, *, key: bool) -> bool:
    """Whether a string has a code when it comes again. Its length is counted as Java and JavaScript do, in UTF-16.

    >>> is_cached("~:name", key=False), is_cached("name", key=False), is_cached("name", key=True)
    (True, False, True)
    """
    return (key or text[:2] in CACHED) and (len(text) > 3 or len(text.encode("utf-16-le", "surrogatepass")) > 6)


class _Writer:
    """Respells one message."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}

    def respelled(self, tree: Any) -> Any:
        """A tree with arrays for maps, and codes for what was there before."""
        match tree:
            case str():
                return self._text(tree, False)
            case list():
                return [self.respelled(inner) for inner in tree]
            case dict() if len(tree) == 1 and (tag := next(iter(tree)))[:2] == "~#":
                mark, rep = self._text(tag, False), self.respelled(tree[tag])
                return [mark, _as_bigints(rep) if tag == "~#ratio" else rep]
            case dict():
                pairs = ((self._text(name, True), self.respelled(inner)) for name, inner in tree.items())
                return [MAP, *(part for pair in pairs for part in pair)]
            case _:
                return tree

    def _text(self, text: str, key: bool) -> str:
        if text[:2] == "~t":
            text = f"~m{(read_utc(text[2:]) - EPOCH) // MILLISECOND}"
        if not is_cached(text, key=key):
            return text
        if (code := self._codes.get(text)) is not None:
            return code
        number = len(self._codes)
        if number == CODES:
            self._codes.clear()
            number = 0
        high, low = divmod(number, BASE)
        self._codes[text] = f"^{chr(high + FIRST) if high else ''}{chr(low + FIRST)}"
        return text


def _as_bigints(numbers: list[Any]) -> list[Any]:
    """The two of a ratio, as Clojure holds them."""
    return [f"~n{number}" if type(number) is int else number for number in numbers]


class _Reader:
    """Spells out one message."""

    def __init__(self, size: int) -> None:
        self._cached: list[str] = []
        self._room = size
        """Characters that codes may still stand for: small messages must not mean large ones."""

    def spelled(self, tree: Any) -> Any:
        """A tree with maps for arrays, and what codes stand for."""
        if type(tree) is str:
            return self._text(tree, key=False)
        if type(tree) is dict:
            return {self._text(name, key=True): self.spelled(inner) for name, inner in tree.items()}
        if type(tree) is not list:
            return tree
        return self._map(tree) if tree and tree[0] == MAP else [self.spelled(inner) for inner in tree]

    def _map(self, tree: list[Any]) -> dict[str, Any]:
        if len(tree) % 2 == 0:
            raise UnpackError("a map needs a value for each key")
        value: dict[str, Any] = {}
        for at in range(1, len(tree), 2):
            if type(tree[at]) is not str:
                raise UnpackError("a key in Transit is a string, or the map is a cmap")
            name = self._text(tree[at], key=True)
            if name in value or name[:2] == "~#":
                raise UnpackError(TWICE if name in value else "a tag is no key")
            value[name] = self.spelled(tree[at + 1])
        return value

    def _text(self, text: str, *, key: bool) -> str:
        if text[:1] == "^" and text != MAP:
            return self._meant(text)
        if is_cached(text, key=key):
            if len(self._cached) == CODES:
                self._cached.clear()
            self._cached.append(text)
        return text

    def _meant(self, code: str) -> str:
        digits = [ord(digit) - FIRST for digit in code[1:]]
        number: int = sum(digit * BASE**place for place, digit in enumerate(reversed(digits)))
        if not 1 <= len(digits) <= 2 or not all(0 <= digit < BASE for digit in digits) or number >= len(self._cached):
            raise UnpackError(f"{code[:10]!r} is no code of anything that was there before")
        self._room -= len(self._cached[number])
        if self._room < 0:
            raise UnpackError("its codes, spelled out, are longer than what is unpacked")
        return self._cached[number]
