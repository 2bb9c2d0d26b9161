"""edn as Clojure reads and writes it: what a real Sente wrote, and what Clojure 1.11.1 did with 343 texts."""

import json
import math
import tracemalloc
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sente import Char, Keyword, PackError, Symbol, TaggedValue, TypeHandler, UnpackError, Uri
from sente.packers.edn import EdnPacker
from sente.packers.edn_words import is_keyword, is_symbol
from sente.packers.limits import UnpackLimits
from tests.packers.examples import same
from tests.packers.test_fuzz import letters, texts

EDN = EdnPacker()
MOMENT = datetime(2020, 1, 2, 3, 4, 5, 678000, UTC)
ID = UUID("66d96ab4-9834-40db-a3cd-42b361503ab9")
A, B = Keyword("a"), Keyword("b")

WORDS = ["+", "-", "->", "..", "a.b/c", "/", "a//", "%", "&x", "<=>", "a'", "a#b", "nil?", "é/ü", "+a"]
NAMES = ["a/b", "1", "/", "nil", "true", "a:b", "é", "*+!?$%&=<>.-_|'", "a.b/c#", "-1"]

ROWS = json.loads((Path(__file__).parent / "sente_values.json").read_text())["rows"]
NO_EDN = {'(keyword "")', '#"regex"'}
"""What Clojure writes, and does not read itself."""

OTHERWISE = {
    "123N": "[123 nil]",
    "{123N 1}": "[{123 1} nil]",
    "()": "[[] nil]",
    "(map inc [1 2 3])": "[[2 3 4] nil]",
    "(cons 1 [2])": "[[1 2] nil]",
    "[#{:abcd} #{:abcd} '(:abcd) '(:abcd)]": "[[#{:abcd} #{:abcd} [:abcd] [:abcd]] nil]",
}
"""What is written when it has been read: Python's whole numbers have one size, and its lists are vectors."""


def written_by(side: str) -> list[Any]:
    rows = [row for row in ROWS if isinstance((row[side] or {}).get("edn"), str)]
    return [pytest.param(row["expr"], row[side]["edn"], id=row["expr"][:40]) for row in rows]


@pytest.mark.parametrize(("expr", "text"), written_by("jvm"))
def test_what_sente_writes_on_the_jvm_is_read_and_written_again(expr: str, text: str) -> None:
    if expr in NO_EDN:
        with pytest.raises(UnpackError):
            EDN.unpack(text)
        return
    value = EDN.unpack(text)
    again = EDN.pack(value)
    if "#object[" in text or "#taoensso" in text:  # of what has no form Clojure says where it is in memory
        assert type(value[0]) is TaggedValue and EDN.unpack(again) == value
    else:
        assert again == OTHERWISE.get(expr, text)


@pytest.mark.parametrize(("expr", "text"), written_by("cljs"))
def test_what_sente_writes_in_a_browser_is_read(expr: str, text: str) -> None:
    value = EDN.unpack(text)
    assert type(value) is list and same(EDN.unpack(EDN.pack(value)), value)


def test_the_rows_are_there() -> None:
    assert len(written_by("jvm")) > 100 and len(written_by("cljs")) > 90


# -- what Clojure reads

CLOJURE = json.loads((Path(__file__).parent / "clojure_edn.json").read_text())["rows"]
ANOTHER_FORM = {
    "0xFFN": "255",  # whole numbers of Python have one size
    "1N": "1",
    "0N": "0",
    "00N": "0",
    "4/2": "2/1",  # a fraction stays one
    "-0M": "-0M",
    "()": "[]",
    "(1 . 2)": "[1 . 2]",
    "#:a{:b,1}": "{:a/b 1}",  # as Clojure's servers write it, and not its prompt
    "#:a,{:b,1}": "{:a/b 1}",
    "#:a {:b 1}": "{:a/b 1}",
    '#inst"2020-01-02T03:04:05.123456789-00:00"': '#inst "2020-01-02T03:04:05.123456000-00:00"',
}
NOT_HERE = {
    "1}}", '"a"b', "1 2", "a\u2003b", "1\x0b2", "a,b", "1,000", "a\\b", 'a"b"',  # more than one value
    "1e400",
    "'a",
    '#uuid"1-1-1-1-1"',
    "{1,:a,1.0,:b}",  # equal keys
    "{{:a,1},2}",
    "## NaN",
    "#: a {:b 1}",
}  # fmt: skip
ONLY_HERE = {
    "^:a,1": "1",
    "\\😀": "\\😀",
    '#_ [#foo bar "\\x"] 1': "1",
    '"\\08"': '"\0008"',
    '"\\1a"': '"\1a"',
    "٣": "٣",
}


@pytest.mark.parametrize(("text", "printed"), CLOJURE)
def test_what_clojure_reads_is_read_and_what_it_refuses_refused(text: str, printed: str | None) -> None:
    want = None if text in NOT_HERE else {**ANOTHER_FORM, **ONLY_HERE}.get(text, printed)
    if want is None:
        with pytest.raises(UnpackError, match=r"edn, line 1, column \d+: "):
            EDN.unpack(text)
    else:
        assert EDN.pack(EDN.unpack(text)) == want


def test_the_differences_are_some() -> None:
    printed = dict(CLOJURE)
    assert all(printed[text] not in (None, here) for text, here in ANOTHER_FORM.items())
    assert all(printed[text] is not None for text in NOT_HERE) and all(printed[text] is None for text in ONLY_HERE)


# -- read and written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([None, True, False, 0, -1, 2**63 - 1, 2**63, -(2**63) - 1], None),
        ([1.0, -0.0, 1e7, 9999999.0, 0.001, 0.00099, 1e100, 1.5e-5], None),
        ([math.nan, math.inf, -math.inf], "[##NaN ##Inf ##-Inf]"),
        (5e-324, "4.9E-324"),
        (2e-323, "2.0E-323"),
        ([Decimal("1.50"), Decimal("1E+3"), Decimal("1E-10"), Decimal("-0.00")], "[1.50M 1E+3M 1E-10M -0.00M]"),
        ([Decimal("NaN"), Decimal("-Infinity")], '[#sente/decimal "NaN" #sente/decimal "-Infinity"]'),
        ([Fraction(1, 3), Fraction(-7, 2), Fraction(2)], "[1/3 -7/2 2/1]"),
        ('a "b" \\ \n\t\r\b\f', r'"a \"b\" \\ \n\t\r\b\f"'),
        ("\0\x1f\x7f\x85\u2028 先😀 \\u00", '"\0\x1f\x7f\x85\u2028 先😀 \\\\u00"'),
        ([Char(c) for c in "a\n \t\b\f\r(先;"], r"[\a \newline \space \tab \backspace \formfeed \return \( \先 \;]"),
        ({A: 1, Keyword("x/y"): [Symbol("s/t")], "s": {}}, '{:a 1, :x/y [s/t], "s" {}}'),
        ({(1, 2): {3}, frozenset(): set()}, "{[1 2] #{3}, #{} #{}}"),
        ({None: None, True: 1, MOMENT: ID}, f'{{nil nil, true 1, #inst "2020-01-02T03:04:05.678-00:00" #uuid "{ID}"}}'),
        (MOMENT.replace(microsecond=1), '#inst "2020-01-02T03:04:05.000001000-00:00"'),
        (datetime(1, 1, 1, tzinfo=UTC), '#inst "0001-01-01T00:00:00.000-00:00"'),
        ([date(2020, 1, 2), timedelta(1.5)], '[#time/date "2020-01-02" #time/duration "PT129600S"]'),
        ([b"\0\xff", Uri('a"b')], r'[#sente/bytes "AP8=" #sente/uri "a\"b"]'),
        (TaggedValue("app/x", TaggedValue("y", [1])), "#app/x #y [1]"),
        ([Symbol(name) for name in WORDS], None),
        ([Keyword(name) for name in NAMES], None),
    ],
)  # fmt: skip
def test_values_and_texts(value: Any, text: str | None) -> None:
    written = EDN.pack(value)
    assert text is None or written == text
    assert same(EDN.unpack(written), value)
    assert same(EDN.unpack(written.encode()), value)


def test_numbers_as_java_shows_them() -> None:
    assert EDN.pack([1.0, -0.0, 1e7, 9999999.0, 0.001, 0.00099, 1e100, 123456789.0, -1.5e-5]) == (
        "[1.0 -0.0 1.0E7 9999999.0 0.001 9.9E-4 1.0E100 1.23456789E8 -1.5E-5]"
    )
    assert EDN.pack([2**63 - 1, 2**63, -(2**63), -(2**63) - 1]) == (
        "[9223372036854775807 9223372036854775808N -9223372036854775808 -9223372036854775809N]"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        (" , ; nothing here", None),
        ("+1 ;c", 1),
        ("[1,2;c\n3;c\r4]", [1, 2, 3, 4]),
        ("\x1c1\u2003\x0b", 1),
        ("[017 -0x1F 0xFFN 36rZZ 2r101 -2r1 00 1N 0N]", [15, -31, 255, 1295, 5, -1, 0, 1, 0]),
        ("[1. 00.5 1e5 1E-5 1.5e+3 +0.5]", [1.0, 0.5, 1e5, 1e-5, 1500.0, 0.5]),
        (
            "[1M 1.M 017M 1e3M +1.0E-7M]",
            [Decimal(1), Decimal(1), Decimal(17), Decimal("1E+3"), Decimal("1.0E-7")],
        ),
        ("[4/2 01/02 -3/6]", [Fraction(2), Fraction(1, 2), Fraction(-1, 2)]),
        (r'"\u0041\101\7\0\t\uD83D\uDE00"', "AA\7\0\t😀"),
        ('"two\nlines"', "two\nlines"),
        (r"[\u0041 \o101 \o0 \u \o \( \" \\ \; \@ \' \, \ ]", [Char(c) for c in "AA\0uo(\"\\;@',"] + [Char(" ")]),
        ("[\\{ \\} #_\\{ \\#]", [Char("{"), Char("}"), Char("#")]),
        ('(1(2)[3]{}#{}"s")', [1, [2], [3], {}, set(), "s"]),
        ("#:a{:b 1, :_/c 2, :d/e 3, s 4, _/t 5, \"u\" 6, 7 {:b 8}}",
         {Keyword("a/b"): 1, Keyword("c"): 2, Keyword("d/e"): 3, Symbol("a/s"): 4, Symbol("t"): 5, "u": 6, 7: {B: 8}}),
        ("#:a.b , {:c #:d{:e 1}}", {Keyword("a.b/c"): {Keyword("d/e"): 1}}),
        ("#:a{:/ 1}", {Keyword("a//"): 1}),
        ("[1 #_ 2 #_#_3 4 #_[5 #_ 6 (7)] #_ #a/b #c d #_ ^:m x #_ #:n{:o 1} #_ ##Inf 8]", [1, 8]),
        ("#_ 1", None),
        ("[#a/b #_ 1 2]", [TaggedValue("a/b", 2)]),
        ("[#a/b[1] #d ;c\n 1]", [TaggedValue("a/b", [1]), TaggedValue("d", 1)]),
        ("[^:a [1] ^{:b 1} {} #^t x ^\"s\" ^:a ^:b (2)]", [[1], {}, Symbol("x"), [2]]),
        ("[truex nil/x a^:b[]]", [Symbol("truex"), Symbol("nil/x"), Symbol("a"), []]),
    ],
)  # fmt: skip
def test_what_else_is_read(text: str, value: Any) -> None:
    assert same(EDN.unpack(text), value)


@pytest.mark.parametrize(
    ("rep", "moment"),
    [
        ("2020", datetime(2020, 1, 1)),
        ("2020-02", datetime(2020, 2, 1)),
        ("2020-02-29", datetime(2020, 2, 29)),
        ("2020-01-02T03", datetime(2020, 1, 2, 3)),
        ("2020-01-02T03:04", datetime(2020, 1, 2, 3, 4)),
        ("2020-01-02T03:04:05", datetime(2020, 1, 2, 3, 4, 5)),
        ("2020-01-02T03:04:05.6Z", datetime(2020, 1, 2, 3, 4, 5, 600000)),
        ("2020-01-02T03:04:05.678-00:00", datetime(2020, 1, 2, 3, 4, 5, 678000)),
        ("2020-01-02T03:04:05.123456789Z", datetime(2020, 1, 2, 3, 4, 5, 123456)),
        ("2020-01-02T03:04:05+05:30", datetime(2020, 1, 1, 21, 34, 5)),
        ("2020-01-02T03:04:05-05:30", datetime(2020, 1, 2, 8, 34, 5)),
        ("2020+01:00", datetime(2019, 12, 31, 23)),
        ("2020-01-02T03-05:30", datetime(2020, 1, 2, 8, 30)),
        ("2020-12-31T23:59:60Z", datetime(2021, 1, 1)),
    ],
)
def test_moments(rep: str, moment: datetime) -> None:
    back = EDN.unpack(f'#inst"{rep}"')
    assert back == moment.replace(tzinfo=UTC) and back.tzinfo is UTC


# -- refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1\n 2", "line 2, column 2: ends within what [ begins"),
        ('[1 "abc', "line 1, column 4: a string without an end"),
        ('"abc\\"', "a string without an end"),
        ("[1 2}", "line 1, column 5: } ends something else than ["),
        ("]", "] ends nothing"),
        ("1 2", "line 1, column 3: more than one value"),
        ("{:a}", "a map needs a value for each key"),
        ("{:a 1 :a 2}", ":a is given twice"),
        ("{[1] 1, (1) 2}", "(1,) is given twice"),
        ("#{1 1}", "1 is given twice"),
        ("#{1 1N}", "1 is given twice"),
        ("#{1 1.0}", "1 and 1.0 are the same here"),
        ("{true 1, 1 2}", "True and 1 are the same here"),
        ("#:a{:b 1, :a/b 2}", ":a/b is given twice"),
        ("{{} 1}", "dict can be neither a key nor a member of a set"),
        ("#{[{}]}", "dict can be neither a key nor a member of a set"),
        ("#=(+ 1 2)", "reader eval #= is refused"),
        ('#"re"', "edn has neither regexes"),
        ("#(inc %)", "edn has neither regexes"),
        ("#'a", "a var #' is no edn"),
        ("#<Object>", "cannot be read"),
        ("#?(:clj 1)", "reader conditionals"),
        ("##Foo", "after ## comes NaN, Inf or -Inf"),
        ("#1 2", "'#1' is no tag"),
        ("#a/1 2", "'#a/1' is no tag"),
        ("#:a/b{}", "a namespaced map is #:name{…}"),
        ("#::a{}", "a namespaced map is #:name{…}"),
        ("#:{}", "a namespaced map is #:name{…}"),
        ("#:1{}", "a namespaced map is #:name{…}"),
        ("#:a [1]", "a namespaced map is #:name{…}"),
        ("'a", "a quote is no edn"),
        ("@a", "deref is no edn"),
        ("`a", "syntax quote is no edn"),
        ("~a", "unquote is no edn"),
        ("a@b", "deref is no edn"),
        ("\\", "a character is missing after the backslash"),
        ("#_", "#_ before nothing"),
        ("[#_]", "#_ before nothing"),
        ("[#_ #_ 1]", "#_ before nothing"),
        ("#_ (1]", "] ends something else"),
        ("#_ 'a 1", "a quote is no edn"),
        ("#a", "#a before nothing"),
        ("[#a #_ 1]", "#a before nothing"),
        ("^:a", "^ before nothing"),
        ("[^ :a]", "^ before nothing"),
        ("^1 []", "metadata is a keyword, symbol, string or map"),
        ("08", "'08' is no number"),
        ("1a", "'1a' is no number"),
        ("-1a", "'-1a' is no number"),
        ("0xG", "'0xG' is no number"),
        ("1_0", "'1_0' is no number"),
        ("1/-2", "'1/-2' is no number"),
        ("1.5N", "'1.5N' is no number"),
        ("37rZ", "no whole number of base 37"),
        ("2r2", "no whole number of base 2"),
        ("1/0", "tag 'ratio'"),
        ("1e400", "is too large for a float"),
        ("1" * 1001, "of at most 1000 digits"),
        (f"1/{'1' * 1001}", "of at most 1000 digits"),
        (f"{'1' * 1001}.5", "is no number"),
        (f"{'1' * 1001}M", "no decimal number"),
        ("1E1000000000M", "no decimal number"),
        ("::a", "neither a symbol nor a keyword"),
        (":", "neither a symbol nor a keyword"),
        (":a/1", "neither a symbol nor a keyword"),
        ("a:", "neither a symbol nor a keyword"),
        ("a::b", "neither a symbol nor a keyword"),
        ("a:/b", "neither a symbol nor a keyword"),
        ("foo/", "neither a symbol nor a keyword"),
        ("\\ab", "is no character"),
        ("\\uD800", "is no character"),
        ("\\o400", "is no character"),
        ("\\u004", "is no character"),
        ('"\\x"', "is no escape in a string"),
        ('"\\8"', "is no escape in a string"),
        ('"\\400"', "is no escape in a string"),
        ('"\\u12"', "is no escape in a string"),
        ('"\\ud800"', "half a character"),
        ('#inst "2021-02-29"', "#inst '2021-02-29' is none"),
        ('#inst "2020-01-01T24:00"', "is none"),
        ('#inst "2020-01-01T00:00:60"', "is none"),
        ('#inst "2020-01-02T03:04:05+25:00"', "is none"),
        ('#inst "2020-01-02T03:04:05+00:60"', "is none"),
        ('#inst "9999-12-31T23:59:59-01:00"', "is none"),
        ('#inst "yesterday"', "is none"),
        ("#inst 2020", "#inst is followed by a string"),
        ('#uuid "1-1-1-1-1"', "is none"),
        ('#sente/bytes "?"', "is none"),
        ('#time/date "x"', "tag 'time/date'"),
        ("[" * 251 + "]" * 251, "nested more than 250 deep"),
        ("#a " * 251 + "1", "nested more than 250 deep"),
        ("[#a " * 130 + "1" + "]" * 130, "nested more than 250 deep"),
        ("[" * 100_000, "nested more than 250 deep"),
        (b"\xff", "not UTF-8"),
        ("\ud800", "half a character"),
    ],
)  # fmt: skip
def test_what_is_refused(text: Any, says: str) -> None:
    with pytest.raises(UnpackError) as raised:
        EDN.unpack(text)
    assert says in str(raised.value)


def test_keywords_and_strings_do_not_fall_together_unnoticed() -> None:
    text = '{:a 1, "a" 2}'
    if issubclass(Keyword, str):
        with pytest.raises(UnpackError, match=":a and 'a' are the same here"):
            EDN.unpack(text)
    else:
        assert EDN.pack(EDN.unpack(text)) == text


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([{"k": Keyword("with space")}], r"value\[0\]\.k: a keyword 'with space' cannot be written in edn"),
        ({Keyword(""): 1}, r"value: a keyword '' cannot"),
        ([Keyword("x" * 70 + " ")], r"value\[0\]: a keyword 'xxx"),
        ([Keyword(":a")], "a keyword ':a'"),
        ([Symbol("nil")], "a symbol 'nil'"),
        ([Symbol("-1")], "a symbol '-1'"),
        ([Symbol(":a")], "a symbol ':a'"),
        ([Symbol("#a")], "a symbol '#a'"),
        ([Symbol("'a")], "a symbol "),
        ([Symbol("")], "a symbol ''"),
        ([TaggedValue("1/2", 1)], "'1/2' cannot be written as a tag in edn"),
        ([TaggedValue("a b", 1)], "'a b' cannot be written as a tag in edn"),
        ([TaggedValue("u", "junk")], r"value\[0\]: 'junk' cannot be packed under the tag 'u'"),
        ([Fraction(1, 2**3001)], "more than 3000 bit"),
        ([datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))], "whose year in UTC is not 1 to 9999"),
        ([Char("\ud800")], "half a character"),
    ],
)
def test_what_cannot_be_written(value: Any, says: str) -> None:
    with pytest.raises(PackError, match=says):
        EDN.pack(value)


def deep(kind: str) -> Any:
    value: Any = 1
    for _ in range(300):
        match kind:
            case "map":
                value = {1: value}
            case "tag":
                value = TaggedValue("a/b", value)
            case _:
                value = frozenset({value})
    return value


@pytest.mark.parametrize("kind", ["map", "tag", "set"])
def test_what_is_nested_too_deep_to_be_written(kind: str) -> None:
    with pytest.raises(PackError, match="nested more than 250 deep"):
        EDN.pack(deep(kind))


def test_tags_of_other_formats_are_written_as_edn() -> None:
    tags = [("t", "2020-01-02T03:04:05Z"), ("m", "0"), ("u", str(ID)), ("f", "1.5"), ("n", "7"), (":", "k"), ("c", "x")]
    assert EDN.pack([TaggedValue(*tag) for tag in tags]) == (
        f'[#inst "2020-01-02T03:04:05.000-00:00" #inst "1970-01-01T00:00:00.000-00:00" #uuid "{ID}" 1.5M 7 :k \\x]'
    )
    lists = [("set", [1]), ("ratio", [1, 2]), ("cmap", [[1], 2]), ("list", [1, 2])]
    assert EDN.pack([TaggedValue(*tag) for tag in lists]) == "[#{1} 1/2 {[1] 2} (1 2)]"
    with pytest.raises(PackError, match="cannot be packed under the tag 'set'"):
        EDN.pack(TaggedValue("set", [1, 1]))


def test_what_is_discarded_meets_no_handler() -> None:
    seen: list[Any] = []
    packer = EdnPacker(types=[TypeHandler(tag="app/x", type=Seen, encode=vars, decode=seen.append)])
    assert packer.unpack('[#_ #app/x 1 #_ [#app/x "(" {#app/x [3] 4}] 5]') == [5] and seen == []
    packer.unpack("#app/x 6")
    assert seen == [6]


class Seen:
    pass


def test_a_handler_may_take_over_what_edn_has_a_form_for() -> None:
    def pair(keyword: Keyword) -> Any:
        return ["kw", keyword.name]

    def text(moment: datetime) -> Any:
        return str(moment)

    words = TypeHandler(tag=":", type=Seen, encode=vars, decode=pair)
    days = TypeHandler(tag="t", type=date, encode=lambda day: datetime(day.year, 1, 1, tzinfo=UTC), decode=text)
    packer = EdnPacker(types=[words, days])
    first, second, moment = packer.unpack('[:a :a #inst "2020"]')
    assert first == second == ["kw", "a"] and first is not second and moment == "2020-01-01 00:00:00+00:00"
    assert packer.pack(date(2020, 5, 6)) == '#inst "2020-01-01T00:00:00.000-00:00"'


def test_limits() -> None:
    small = EdnPacker(limits=UnpackLimits(size=40, containers=5))
    assert small.unpack("[[] #{} {} () 1 2 3]") == [[], set(), {}, [], 1, 2, 3]
    for text in ("[[] #{} {} () []]", "[#a 1 #a 1 #a 1 #a 1 #a 1]"):
        with pytest.raises(UnpackError, match="more than the 5 lists, maps and tags"):
            small.unpack(text)
    for text in ("1" * 41, '"' + "先" * 20 + '"'):
        with pytest.raises(UnpackError, match="longer than the 40 bytes"):
            small.unpack(text)


PIECES_OF_TEXT = [
    "1 ",
    "10 ",
    ":a ",
    '"" ',
    '"a" ',
    "\\a ",
    "1.5 ",
    "#_ 1 ",
    "; \n",
    " ",
    "a/",
    "a:",
    '\\"',
    "#a 1 ",
]


@pytest.mark.parametrize("piece", PIECES_OF_TEXT)
def test_time_and_memory_are_proportional(piece: str) -> None:
    assert memory(f"[{piece * (60_000 // len(piece))}]") < 45


@pytest.mark.parametrize("piece", ["{} ", ":{} ", '"{}" '])
def test_many_words_of_few_letters_take_little_memory(piece: str) -> None:
    words = map("".join, product("abcdefghijklmnopqrstuvwxyz", repeat=3))
    assert memory(f"[{''.join(piece.format(word) for word in words)}]") < 45


def memory(text: str) -> float:
    """What it takes to read a text, in relation to its size."""
    tracemalloc.start()
    with suppress(UnpackError):
        EDN.unpack(text)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / len(text)


# -- anything

keywords = texts.filter(is_keyword).map(Keyword) | st.from_regex(r"\A[a-z.*+!?<>=-]{1,5}(/[a-z%&'#-]{1,3})?\Z").filter(
    is_keyword
).map(Keyword)
symbols = st.from_regex(r"\A[a-z.*+!?<>=-]{1,5}(/[a-z%&'#-]{1,3})?\Z").filter(is_symbol).map(Symbol)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | texts
    | st.text(st.characters(max_codepoint=127))
    | st.binary(max_size=8)
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.datetimes(timezones=st.just(UTC))
    | st.datetimes()
    | st.timedeltas()
    | keywords
    | symbols
    | st.builds(Uri, texts)
    | st.builds(Char, st.text(letters, min_size=1, max_size=1))
)
keys = (scalars | st.tuples(keywords, scalars)).filter(lambda key: "nan" not in repr(key))
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts | keywords, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=3)
        | st.sets(keys, max_size=3)
        | st.builds(TaggedValue, st.just("app/thing"), inner)
    ),
    max_leaves=12,
)


@given(value=values)
def test_what_is_packed_is_unpacked(value: Any) -> None:
    back = EDN.unpack(EDN.pack(value))
    assert same(back, value), back


@given(parts=st.lists(values, max_size=5))
def test_parts_are_joined_as_if_packed_together(parts: list[Any]) -> None:
    joined = EDN.join([EDN.part(part) for part in parts])
    assert EDN.frame(joined) == EDN.pack(parts)


PIECES = [
    "#_",
    "#a/b ",
    "#:n{",
    "^",
    "#{",
    "{",
    "[",
    "(",
    ")",
    "]",
    "}",
    ":a",
    "1",
    "1.5M",
    '"',
    "\\",
    "\\u00",
    ";",
    "\n",
]


@given(text=st.lists(st.sampled_from([*PIECES, " ", "a", "nil", "#inst", "##", "'", "@", "/", ":", "-"])).map("".join))
def test_rubbish_is_read_or_refused(text: str) -> None:
    try:
        value = EDN.unpack(text)
    except UnpackError:
        return
    assert same(EDN.unpack(EDN.pack(value)), value)
