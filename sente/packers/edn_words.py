"""The words of edn: where each begins and ends, and what symbols, keywords, numbers, characters and strings mean."""

import math
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any
from uuid import UUID

from sente.errors import UnpackError
from sente.packers.builtin import read_decimal, uuid_of
from sente.packers.handlers import Types
from sente.packers.limits import DIGITS
from sente.values import Char, Keyword, Symbol, Uri

BLANK = ",\\t\\n\\x0b\\f\\r\\x1c-\\x20\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000"
"""Commas, and what Java takes for white space."""

CHARACTER = rf'[^{BLANK}"();\^\[\]{{}}\\@`~]'
WORD = rf"[^{BLANK}\"();^\[\]{{}}\\@`~#']{CHARACTER}*+"
STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
TOKENS = re.compile(
    rf"[{BLANK}]*+(?:;[^\r\n]*+[{BLANK}]*+)*+"
    rf"({WORD}|{STRING}|[\[\](){{}}^]|\#\{{|\#[_^]|\#:{CHARACTER}*+[{BLANK}]*+\{{|\#{CHARACTER}*+|\\.{CHARACTER}*+"
    r'|".*|.|\Z)',
    re.DOTALL,
)
"""What is passed over, and a token; the last is empty. ``".*`` is a string without an end, ``.`` begins nothing."""

IS_STRING = re.compile(STRING, re.DOTALL)
IS_WORD = re.compile(rf"(?={WORD}\Z):?([^0-9/].*/)?(/|[^0-9/][^/]*)", re.DOTALL)
ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|[0-7]{1,3}|.)", re.DOTALL)
ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "b": "\b", "f": "\f", "\\": "\\", '"': '"'}
CHARACTERS = {
    "newline": "\n",
    "space": " ",
    "tab": "\t",
    "return": "\r",
    "backspace": "\b",
    "formfeed": "\f",
}
CODED = re.compile(r"u([0-9A-Fa-f]{4})|o([0-3]?[0-7]{1,2})")

PLAIN_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,299})(\.[0-9]{0,299})?")
"""Most of them: whole, or with a group for what is behind the point; none is too large for a float."""

INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)N?")
FLOAT = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)")
DECIMAL = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?M")
RATIO = re.compile(r"([-+]?[0-9]+)/([0-9]+)")
OTHER_BASE = re.compile(r"([-+]?)0(?:[xX]([0-9A-Fa-f]+)|([0-7]+))N?|([-+]?)([1-9][0-9]?)[rR]([0-9A-Za-z]+)")
INST = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([01][0-9]|2[0-3])(?::([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?)?)?)?)?"
    r"(?:Z|([-+])([0-9]{2}):([0-9]{2}))?"
)
UUID_TEXT = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

CONSTANTS: Mapping[str, Any] = {
    "nil": None,
    "true": True,
    "false": False,
    "##NaN": math.nan,
    "##Inf": math.inf,
    "##-Inf": -math.inf,
}
NUMERIC = frozenset("0123456789")
REFUSED: Mapping[str, str] = {
    "'": "a quote is no edn",
    "@": "deref is no edn",
    "`": "syntax quote is no edn",
    "~": "unquote is no edn",
    "\\": "a character is missing after the backslash",
}


def atom(token: str, types: Types) -> Any:
    """The value of a token: a symbol, keyword, number or character.

    Raises:
        UnpackError: it is none of these.
    """
    first = token[0]
    if first in REFUSED and not (first == "\\" and len(token) > 1):
        raise UnpackError(REFUSED[first])
    if first == "\\":
        return types.adopt("c", Char, _character(token[1:]))
    if first in NUMERIC or (first in "+-" and token[1:2] in NUMERIC and len(token) > 1):
        return _number(token, types)
    if not is_word(token):
        raise UnpackError(f"{token[:40]!r} is neither a symbol nor a keyword")
    return types.adopt(":", Keyword, token[1:]) if first == ":" else types.adopt("$", Symbol, token)


def is_symbol(text: str) -> bool:
    """Whether this text, as it stands, is read as a symbol.

    >>> is_symbol("clojure.core/map"), is_symbol("nil"), is_symbol("with space")
    (True, False, False)
    """
    if text in CONSTANTS or text[:1] == ":" or not is_word(text):
        return False
    return not (text[0] in "+-" and text[1:2].isdigit())


def is_keyword(text: str) -> bool:
    """Whether this text is read as a keyword, behind a colon."""
    return is_word(f":{text}")


def is_tag(text: str) -> bool:
    """Whether this text is read as a tag, behind a hash."""
    return text[:1].isalpha() and is_word(text)


def is_word(text: str) -> bool:
    """As Clojure has it: colons neither twice nor at the end of a part, and no part begins with a digit."""
    found = IS_WORD.fullmatch(text)
    return found is not None and text[-1] != ":" and "::" not in text and (found[1] or "")[-2:] != ":/"


def _number(token: str, types: Types) -> Any:
    if INTEGER.fullmatch(token):
        return _whole(token.rstrip("N"))
    if len(token) <= DIGITS and FLOAT.fullmatch(token):
        if math.isfinite(value := float(token)):
            return value
        raise UnpackError(f"{token[:40]!r} is too large for a float; in edn a decimal number ends with M")
    if DECIMAL.fullmatch(token):
        return types.adopt("f", read_decimal, token[:-1].lstrip("+"))
    if found := RATIO.fullmatch(token):
        return types.adopt("ratio", lambda parts: Fraction(*map(_whole, parts)), found.groups())
    if found := OTHER_BASE.fullmatch(token):
        sign, hexadecimal, octal, signed, base, digits = found.groups(default="")
        return _whole((sign or signed) + (hexadecimal or octal or digits), int(base or (16 if hexadecimal else 8)))
    raise UnpackError(f"{token[:40]!r} is no number")


def unescaped(text: str) -> str:
    """What a string says, of what is between its quotes.

    >>> unescaped(r"\\u5148\\n") == "先\\n"
    True

    Raises:
        UnpackError: an escape means nothing, or half a character.
    """
    value = ESCAPE.sub(_escaped, text)
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16") if "\\u" in text else value
    except UnicodeDecodeError as error:
        raise UnpackError("half a character: a lone surrogate") from error


def _escaped(found: re.Match[str]) -> str:
    escape = found[1]
    if escape in ESCAPES:
        return ESCAPES[escape]
    if escape[0] == "u" and len(escape) == 5:
        return chr(int(escape[1:], 16))
    if escape[0] in "01234567" and (code := int(escape, 8)) < 256:
        return chr(code)
    raise UnpackError(f"\\{escape} is no escape in a string")


def _character(name: str) -> str:
    if len(name) == 1:
        return name
    if found := CODED.fullmatch(name):
        value = chr(int(found[1], 16) if found[1] else int(found[2], 8))
        if not "\ud800" <= value <= "\udfff":
            return value
    if name in CHARACTERS:
        return CHARACTERS[name]
    raise UnpackError(f"\\{name[:40]} is no character")


def _whole(text: str, base: int = 10) -> int:
    try:
        if len(text) <= DIGITS:
            return int(text, base)
    except ValueError:
        pass
    raise UnpackError(f"{text[:40]!r} is no whole number of base {base}, of at most {DIGITS} digits")


def _inst(text: str) -> datetime:
    """A moment, as far as it is given; nanoseconds are cut off, which Python has no room for."""
    found = INST.fullmatch(text)
    if found is None:
        raise UnpackError(text)
    year, month, day, hour, minute, second, fraction, sign, ahead, minutes = found.groups(default="")
    if second and second != "60" and (sign or text[-1] == "Z") and minutes < "60":
        value = datetime.fromisoformat(text)  # the usual case, and faster
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    leap = second == "60" and minute == "59"
    value = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        59 if leap else int(second or 0),
        int(f"{fraction:0<6}"[:6]),
        UTC,
    ) + timedelta(seconds=leap)
    if not sign:
        return value
    offset = timedelta(hours=int(ahead), minutes=int(minutes))
    if int(minutes) > 59:
        raise UnpackError(text)
    return value.replace(tzinfo=timezone(-offset if sign == "-" else offset)).astimezone(UTC)


def _uuid(text: str) -> UUID:
    if not UUID_TEXT.fullmatch(text):
        raise UnpackError(text)
    return uuid_of(int(text.replace("-", ""), 16))


TEXTUAL: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "inst": ("t", _inst),
    "uuid": ("u", _uuid),
    "sente/bytes": ("b", lambda rep: b64decode(rep, validate=True)),
    "sente/decimal": ("f", read_decimal),
    "sente/uri": ("r", Uri),
}
"""The tags that are followed by a string, each with its name in the table of types; ``sente/`` is what edn lacks."""
