"""transit-python2, the older of two libraries that both install a package ``transit``.

So it lies in a folder of its own (``make bench`` puts it there), and is taken out of it beside the newer one.
"""

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from sente.bench.codecs import Absent, Codec
from sente.bench.peers import transit_functions

FOLDER = Path(__file__).parent / ".peers" / "transit-python2"
NAME = "transit-python2 json"
DEEP = 20
"""It reads a list inside of a list twice, so each level of nesting doubles its time."""


def transit_python2() -> tuple[list[Codec], list[Absent]]:
    """The codec, or why there is none."""
    dist = next(FOLDER.glob("transit_python2-*.dist-info"), None)
    if dist is None:
        return [], [Absent(NAME, "pip install --target benchmarks/.peers/transit-python2 transit-python2")]
    reader, writer = _modules()
    pack, unpack = transit_functions(reader, writer, "json")
    checked: set[int] = set()

    def pack_shallow(value: Any) -> Any:
        if id(value) not in checked:
            if _depth(value) > DEEP:
                raise RecursionError(f"not tried: its time doubles with each level, and there are more than {DEEP}")
            checked.add(id(value))
        return pack(value)

    found = re.fullmatch(r"transit_python2-(.+)\.dist-info", dist.name)
    return [Codec(NAME, pack_shallow, unpack, f"transit-python2 {found[1] if found else ''}")], []


def _modules() -> tuple[Any, Any]:
    newer = _take_out()
    sys.path.insert(0, str(FOLDER))
    try:
        return import_module("transit.reader"), import_module("transit.writer")
    finally:
        sys.path.remove(str(FOLDER))
        _take_out()
        sys.modules.update(newer)


def _take_out() -> dict[str, Any]:
    names = [name for name in sys.modules if name == "transit" or name.startswith("transit.")]
    return {name: sys.modules.pop(name) for name in names}


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)
