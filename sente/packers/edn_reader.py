"""Reading edn: all of its specification, and what ``clojure.edn/read-string`` takes beyond it.

One pattern cuts the text into tokens, in C; a loop with a stack of its own puts them together. A prefix (``^``,
``#app/money``) waits among the items of its container until that ends; then the items are gone through from the right,
so that each prefix finds its operands ready. What ``#_`` discards is blanked out before, so that no handler sees it.

Metadata is read and dropped: no value here has a place for it, and in Clojure equality does not look at it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import length_hint
from typing import Any, Final, NoReturn

from sente.errors import UnpackError
from sente.packers.builtin import hashable, scattered
from sente.packers.edn_words import (
    CHARACTER,
    CONSTANTS,
    IS_STRING,
    PLAIN_NUMBER,
    REFUSED,
    TEXTUAL,
    TOKENS,
    atom,
    is_tag,
    is_word,
    unescaped,
)
from sente.packers.handlers import Types
from sente.packers.limits import DEPTH
from sente.values import Char, Keyword, Symbol

CLOSING: Final = {"[": "]", "(": ")", "{": "}", "#{": "}"}
CLOSED = frozenset(CLOSING.values())
PREFIXES = frozenset("#^")
OPENING = frozenset("[({#^")
VECTORS = frozenset("[(")
SHARED = {Keyword, Symbol, Char}
"""What is read once for all places where it stands: it cannot be changed."""

SHORT = 32
"""Strings that are no longer than keys of maps mostly are may come again, and are kept too."""

KEPT = 1000
"""So many: what comes again is there by then, and each takes a hundred bytes."""

DISCARDED = " "
"""What no token is: put in the place of those that are."""

NAMESPACE = re.compile(rf"\#:((?!:){CHARACTER}++)")

REFUSED_AFTER_HASH: Mapping[str, str] = {
    "": '# alone: edn has neither regexes #"…" nor functions #(…)',
    "=": "reader eval #= is refused",
    "'": "a var #' is no edn",
    "<": "what is written as #<…> cannot be read",
    "?": "reader conditionals #? are no edn",
    "#": "after ## comes NaN, Inf or -Inf",
    ":": "a namespaced map is #:name{…}",
}


class _Prefix:
    """``#tag`` or ``^``, which says something about what follows it."""

    __slots__ = ("tag",)

    def __init__(self, tag: str) -> None:
        self.tag = tag


def read(text: str, types: Types, containers: int) -> Any:
    """The value of edn text; ``None`` where there is none, as in Clojure.

    Raises:
        UnpackError: it is not edn, says a thing twice, or is more than is taken; says in which line and column.
    """
    tokens = TOKENS.findall(text)
    while tokens and not tokens[-1]:
        tokens.pop()
    reading = _Reading(tokens, types)
    try:
        return reading.value("#_" in text, containers)
    except UnpackError as error:
        found = next(islice(TOKENS.finditer(text), reading.at, None), None)
        at = len(text) if found is None else found.start(1)
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise UnpackError(f"edn, line {line}, column {column}: {error}") from error.__cause__


class _Reading:
    """One text that is being read."""

    def __init__(self, tokens: list[str], types: Types) -> None:
        self.at = 0  # of an error: the token that it is about
        self._tokens = tokens
        self._types = types

    def value(self, discards: bool, containers: int) -> Any:
        tokens = self._tokens
        if tokens and tokens[-1][0] == '"' and not IS_STRING.fullmatch(tokens[-1]):
            self.at = len(tokens) - 1
            raise UnpackError("a string without an end")
        if len(tokens) > containers and sum(token[0] in OPENING for token in tokens) > containers:
            raise UnpackError(f"more than the {containers} lists, maps and tags that are taken")
        if discards:
            self._blank_what_is_discarded()
        rest = iter(tokens)
        try:
            items = self._items(rest)
            if len(items) > 1:
                raise UnpackError("more than one value")
        except UnpackError:
            self.at = len(tokens) - 1 - length_hint(rest)
            raise
        return items[0] if items else None

    def _items(self, tokens: Iterator[str]) -> list[Any]:
        """The items that are not within others: no more than one, if all is well."""
        atoms = dict(CONSTANTS)
        items: list[Any] = []
        opening, prefixed, depth = "", False, 0
        stack: list[tuple[list[Any], str, bool, int]] = []
        for token in tokens:
            value = atoms.get(token, atoms)
            if value is not atoms:
                items.append(value)
            elif token[0] == '"':
                value = unescaped(token[1:-1]) if "\\" in token else token[1:-1]
                items.append(value)
                if len(token) < SHORT and len(atoms) < KEPT:
                    atoms[token] = value
            elif token in CLOSED:
                if CLOSING.get(opening, opening and "}") != token:
                    raise UnpackError(f"{token} ends {f'something else than {opening}' if opening else 'nothing'}")
                value = self._closed(opening, self._applied(items) if prefixed else items)
                items, opening, prefixed, depth = stack.pop()
                items.append(value)
            elif token in CLOSING or (token[0] == "#" and token[-1] == "{"):
                stack.append((items, opening, prefixed, depth))
                depth = _deeper(depth, items if prefixed else ())
                items, opening, prefixed = [], token, False
            elif found := PLAIN_NUMBER.fullmatch(token):
                items.append(float(token) if found.lastindex else int(token))
            elif token[0] in PREFIXES:
                _deeper(depth, items)
                items.append(_prefix(token))
                prefixed = True
            elif token != DISCARDED:
                value = atom(token, self._types)
                items.append(value)
                if type(value) in SHARED and len(atoms) < KEPT:
                    atoms[token] = value
        if stack:
            raise UnpackError(f"ends within what {opening} begins")
        return self._applied(items) if prefixed else items

    def _closed(self, opening: str, items: list[Any]) -> Any:
        if opening in VECTORS:
            return items
        if opening == "#{":
            return self._types.adopt("set", _set, items)
        if len(items) % 2:
            raise UnpackError("a map needs a value for each key")
        keys = items[::2]
        if opening != "{":
            space = _namespace(opening)
            keys = [_qualified(space, key) for key in keys]
        try:
            value = dict(zip(scattered(keys), items[1::2], strict=True))
        except TypeError:
            value = dict(zip(scattered(keys := [*map(hashable, keys)]), items[1::2], strict=True))
        return value if len(value) == len(keys) else _refuse_twice(keys)

    def _applied(self, items: list[Any]) -> list[Any]:
        """The items with their prefixes applied, from the right."""
        done: list[Any] = []
        for item in reversed(items):
            if type(item) is not _Prefix:
                done.append(item)
            elif len(done) < 1 + (item.tag == "^"):
                raise UnpackError(f"{item.tag if item.tag == '^' else f'#{item.tag}'} before nothing")
            elif item.tag == "^":
                if not isinstance(done.pop(), Keyword | Symbol | str | dict):
                    raise UnpackError("metadata is a keyword, symbol, string or map")
            else:
                done.append(self._tagged(item.tag, done.pop()))
        done.reverse()
        return done

    def _tagged(self, tag: str, rep: Any) -> Any:
        if tag not in TEXTUAL:
            return self._types.raise_(tag, rep)
        if type(rep) is not str:
            raise UnpackError(f"#{tag} is followed by a string")
        name, decode = TEXTUAL[tag]
        try:
            return self._types.adopt(name, decode, rep)
        except UnpackError as error:
            raise UnpackError(f"#{tag} {rep[:40]!r} is none") from error

    def _blank_what_is_discarded(self) -> None:
        tokens, at = self._tokens, 0
        while at < len(tokens):
            end = self._end_of_form(at + 1) if tokens[at] == "#_" else at
            tokens[at:end] = [DISCARDED] * (end - at)
            at = end if end > at else at + 1

    def _end_of_form(self, at: int) -> int:
        """Where the form ends that begins with this token; only brackets and prefixes count."""
        wanted, closing = 1, [""]
        for end in range(at, len(self._tokens)):
            self.at, token = end, self._tokens[end]
            if token in CLOSING or (token[0] == "#" and token[-1] == "{"):
                closing.append(CLOSING.get(token, "}"))
                continue
            if token in CLOSED and token != closing.pop():
                raise UnpackError(f"{token} ends something else" if closing else "#_ before nothing")
            if token in REFUSED:
                raise UnpackError(REFUSED[token])
            if len(closing) > 1 or (token[0] == "#" and token not in ("#_", "#^") and token[:2] != "##"):
                continue
            wanted += 1 if token in ("#_", "^", "#^") else -1
            if not wanted:
                return end + 1
        self.at = len(self._tokens)
        raise UnpackError("#_ before nothing")


def _deeper(depth: int, items: Sequence[Any]) -> int:
    """The depth within one more container or prefix, which stands behind the prefixes that the items end with."""
    depth += 1
    for item in reversed(items):
        if type(item) is not _Prefix:
            break
        depth += 1
    if depth > DEPTH:
        raise UnpackError(f"nested more than {DEPTH} deep")
    return depth


def _prefix(token: str) -> _Prefix:
    if token == "^" or token == "#^":
        return _Prefix("^")
    tag = token[1:]
    if tag[:1] in REFUSED_AFTER_HASH:
        raise UnpackError(REFUSED_AFTER_HASH[tag[:1]])
    if not is_tag(tag):
        raise UnpackError(f"{token[:40]!r} is no tag")
    return _Prefix(tag)


def _namespace(opening: str) -> str:
    """Of the brace that opens a namespaced map."""
    found = NAMESPACE.match(opening)
    if found is None or "/" in found[1] or not is_word(found[1]):
        raise UnpackError(REFUSED_AFTER_HASH[":"])
    return found[1]


def _qualified(space: str, key: Any) -> Any:
    """A key of a namespaced map."""
    if not isinstance(key, Keyword | Symbol):
        return key
    own, slash, name = key.name.partition("/")
    if slash and own:
        return type(key)(name) if own == "_" else key
    return type(key)(f"{space}/{key.name}")


def _set(items: list[Any]) -> set[Any]:
    try:
        value = set(scattered(items))
    except TypeError:
        value = set(scattered(items := [*map(hashable, items)]))
    return value if len(value) == len(items) else _refuse_twice(items)


def _refuse_twice(keys: list[Any]) -> NoReturn:
    rest = iter(keys)
    seen: dict[Any, Any] = {}
    while (key := next(rest)) not in seen:
        seen[key] = key
    if type(seen[key]) is type(key):
        raise UnpackError(f"{_shown(key)} is given twice")
    raise UnpackError(f"{_shown(seen[key])} and {_shown(key)} are the same here: one key or member, given twice")


def _shown(key: Any) -> str:
    return f":{key.name:.40}" if isinstance(key, Keyword) else f"{key!r:.40}"
