"""Transit in its verbose form: JSON that says what it holds, readable by every Transit library.

A value that JSON has a word for is written as JSON writes it. Everything else is a string or a map that begins with
``~``: ``"~u…"`` a UUID, ``{"~#set": […]}`` a set, ``{"~#app/money": …}`` a type with a handler; a string of the
application that begins with ``~``, ``^`` or a backtick gets a ``~`` before it. Nothing is cached, so parts can be
joined; only a scalar that is all there is, is quoted, ``{"~#'": 1}``. Reading takes the caching form too.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sente.errors import PackError, UnpackError
from sente.interfaces import Wire
from sente.packers.builtin import as_map, hashable
from sente.packers.handlers import TypeHandler
from sente.packers.limits import SAME_KEY, UnpackLimits, too_deep
from sente.packers.msgpack import is_plain
from sente.packers.text import TextPacker, as_utf8, read_text, write_text
from sente.packers.transit_cache import CachingReader
from sente.packers.transit_scalars import (
    EXACT,
    MARKS,
    is_scalar,
    read_composite,
    read_scalar,
    rep_of,
    texts_of,
    write_key,
    write_scalar,
)
from sente.packers.walks import compiled
from sente.values import TaggedValue

WALKED: tuple[type, ...] = (UUID, datetime, Decimal, set, frozenset)
READ = "~^`bituf"
"""Types that the compiled part writes, and tags that it reads, if there is no handler for them."""
CONSTANTS = {type(None), bool}
CONTAINERS = {list, dict}
BEGINS = [
    (mark, re.compile(rb'%b(?<="%b)(?<!\\"%b)' % ((re.escape(chr(mark).encode()),) * 3)), bytes([*b"~", mark]))
    for mark in b"~^`"
]
"""Where a string of JSON text begins with a mark, and what is put there: after a quote with no backslash before it, as
one that ends a string is never followed by a mark. To find a single byte costs next to nothing, and these are rare: so
it is looked for first, and what is before it after that."""
MARKED = [*((mark, begins) for mark, begins, _ in BEGINS), (b"\\"[0], re.compile(rb'\\(?<="\\)u00'))]
"""The same, and where an escape may hide it."""
PLAIN = {str, int, float, *CONSTANTS}


class TransitPacker(TextPacker):
    """Every type, in text that people can read.

    >>> TransitPacker().pack([{"tags": {"go"}, "by": "~ada"}])
    '[{"tags":{"~#set":["go"]},"by":"~~ada"}]'
    """

    name = "transit"

    def __init__(self, *, types: Iterable[TypeHandler[Any]] = (), limits: UnpackLimits | None = None) -> None:
        super().__init__(types=types, limits=limits)
        self._texts = texts_of(self._types, verbose=True)
        kinds = frozenset(kind for kind in WALKED if not self._types.handles(kind))
        tags = "".join(tag for tag in READ if not self._types.adopts(tag))
        self._writing = kinds, self._written, self._plain
        self._reading = tags, not self._types.adopts("set"), self._scalar, self._composite, self._renamed

    # -- writing

    def pack(self, value: Any, /) -> str:
        """Write a value; a scalar alone is quoted, as Transit asks for.

        Raises:
            PackError: something in it cannot be written; says what and where.
        """
        packed = self._part(value)
        return packed if packed[0] in "[{" else f'{{"~#\'":{packed}}}'

    def _part(self, value: Any) -> str:
        return super().pack(value)

    def _pack_fast(self, value: Any) -> bytes | None:
        try:
            if compiled:
                found = compiled.look(value)
                return write_text(compiled.tree(value, *self._writing) if found else value, big=False)
            return _with_escapes(write_text(value, big=False)) if is_plain(value) else None
        except (PackError, RecursionError, TypeError):  # whatever it is, the exact way says so better
            return None

    def _written(self, value: Any) -> tuple[Any, bool]:
        """What stands for a value that is neither list nor map, and whether it is tagged: then only what is behind a
        tag is still to be written."""
        kind = type(value)
        if kind in self._texts and (text := self._texts[kind](value)) is not None:
            return text, True
        if kind is TaggedValue and not is_scalar(value):
            return {f"~#{value.tag}": rep_of(value)}, True
        if kind is TaggedValue or kind in PLAIN:
            return write_scalar(value), True
        return self._types.lower(value), False

    def pack_plain(self, value: Any) -> str | None:
        """The value as JSON without tags, if it needs none, else ``None``.

        Only for what surely has no UUID, enum or NaN in it: those would be written as something else.
        """
        try:
            packed = write_text(value, big=False)
        except TypeError:
            return None
        return None if _may_be_marked(packed) else packed.decode()

    def _plain(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in PLAIN:
            return write_scalar(value)
        if not depth:
            raise too_deep()
        if kind is dict:
            return self._map(value, depth - 1)
        if kind is list or kind is tuple:
            return [
                inner
                if (inside := type(inner)) in CONSTANTS
                or (inside is str and inner[:1] not in MARKS)
                or (inside is int and -EXACT < inner < EXACT)
                else self._plain(inner, depth - 1)
                for inner in value
            ]
        stand, tagged = self._written(value)
        if not tagged:
            return self._plain(stand, depth - 1)
        return {tag: self._plain(rep, depth - 1) for tag, rep in stand.items()} if type(stand) is dict else stand

    def _map(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for key, inner in value.items():
            if type(key) is str:
                name = f"~{key}" if key[:1] in MARKS else key
            elif type(name := write_key(self._plain(key, depth))) is not str:
                return {"~#cmap": [self._plain(inner, depth) for pair in value.items() for inner in pair]}
            written[name] = (
                inner
                if (inside := type(inner)) in CONSTANTS
                or (inside is str and inner[:1] not in MARKS)
                or (inside is int and -EXACT < inner < EXACT)
                else self._plain(inner, depth)
            )
        if len(written) < len(value):
            raise PackError(SAME_KEY)
        return written

    # -- reading

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value. Text without tags is plain JSON, so that is read too.

        Raises:
            UnpackError: it is not Transit, says a thing twice, or is more than the limits allow.
        """
        raw = as_utf8(wire, self._limits)
        plain = read_text(raw, self._limits)
        if not _may_be_marked(raw):
            return plain
        try:
            if _may_be_cached(raw):
                return CachingReader(self._types).value(plain)
            return compiled.restore(plain, *self._reading) if compiled else self._restored(plain)
        except RecursionError as error:
            raise UnpackError("nested too deeply") from error

    def _restored(self, plain: Any) -> Any:
        """The value, made of the lists and maps that it was read into: most of what is in them stays."""
        if type(plain) is str:
            return self._scalar(plain) if plain[:1] in MARKS else plain
        if type(plain) is list:
            if len(plain) == 2 and type(plain[0]) is str and plain[0][:2] == "~#":
                return self._composite(plain[0], self._restored(plain[1]))
            for index, inner in enumerate(plain):
                if type(inner) is str:
                    if inner[:1] in MARKS:
                        plain[index] = self._scalar(inner)
                elif type(inner) in CONTAINERS:
                    plain[index] = self._restored(inner)
            return plain
        return self._map_of(plain) if type(plain) is dict else plain

    def _map_of(self, plain: dict[str, Any]) -> Any:
        if len(plain) == 1 and (key := next(iter(plain)))[:2] == "~#":
            return self._composite(key, self._restored(plain[key]))
        marked = False
        for key, inner in plain.items():
            marked = marked or key[:1] in MARKS
            if type(inner) is str:
                if inner[:1] in MARKS:
                    plain[key] = self._scalar(inner)
            elif type(inner) in CONTAINERS:
                plain[key] = self._restored(inner)
        if not marked:
            return plain
        return self._renamed(plain)

    def _renamed(self, plain: dict[str, Any]) -> dict[Any, Any]:
        keys = [hashable(self._scalar(key)) if key[:1] in MARKS else key for key in plain]
        return as_map(keys, list(plain.values()))

    def _scalar(self, text: str) -> Any:
        return read_scalar(text, self._types)

    def _composite(self, mark: str, rep: Any) -> Any:
        return read_composite(mark[2:], rep, self._types)


def _with_escapes(packed: bytes) -> bytes:
    """JSON text whose strings that begin with a mark get another."""
    for mark, begins, escaped in BEGINS:
        if mark in packed:
            packed = begins.sub(escaped, packed)
    return packed


def _may_be_marked(raw: bytes) -> bool:
    """Whether a string in JSON text may begin with a mark, be it hidden by an escape."""
    for mark, begins in MARKED:  # noqa: SIM110  # any() of so few takes as long as all the rest
        if mark in raw and begins.search(raw):
            return True
    return False


def _may_be_cached(raw: bytes) -> bool:
    """Whether Transit may be in its caching form: then it has a map that is a list, or a code."""
    return any(mark in raw and begins.search(raw) for mark, begins in MARKED if mark not in b"~`")
