"""Runs without measuring: the numbers are chosen."""

from sente.bench.results import CodecInfo, Keeps, PayloadInfo, Row, Run, Spread


def spread(microseconds: float) -> Spread:
    return Spread(microseconds, microseconds / 2, microseconds * 2)


def row(codec: str, microseconds: float, size: int, *, payload: str = "chat", keeps: Keeps = "same") -> Row:
    return Row(payload, codec, keeps, "", spread(microseconds), spread(microseconds), size, size // 2, None)


def failed(codec: str, *, payload: str = "chat") -> Row:
    return Row(payload, codec, "failed", "PackError: <no> word")


def run(*rows: Row, notes: dict[str, str] | None = None, node: tuple[str, ...] = ()) -> Run:
    yardstick = [row("orjson", 10, 100, payload=name) for name in dict.fromkeys(each.payload for each in rows)]
    names = dict.fromkeys(each.codec for each in (*rows, *yardstick))
    return Run(
        machine="Linux, 2 cores",
        date="2026-11-24",
        rounds=3,
        yardsticks={"python": "orjson", **({"node": node[0]} if node else {})},
        codecs=[
            CodecInfo(
                name, f"{name} 1.0", name != "orjson", "node" if name in node else "python", (notes or {}).get(name, "")
            )
            for name in names
        ],
        payloads=[PayloadInfo(each.payload, "what is said", 100) for each in yardstick],
        rows=[*rows, *yardstick],
        absent={"cbor2": "pip install cbor2"},
    )
