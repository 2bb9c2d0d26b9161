"""Other libraries for the same work, as far as they are installed; each written as its own manual shows it.

What a library has no word for is written as its users would: with an extension where the format has extensions, else
plain and *lossy*. None of them is needed for anything but the comparison (``pip install "sente-channels[bench]"``).
"""

import base64
import datetime
import io
import json
import pickle
import platform
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sente.bench.codecs import Absent, Codec

YARDSTICK = "orjson"
"""What times are set in relation to. It is measured in every run."""

_UUID, _DECIMAL, _SET = 2, 3, 5  # the extension numbers of sente's own msgpack


@dataclass(frozen=True, slots=True)
class Peer:
    """A library to compare with."""

    name: str
    distribution: str
    build: Callable[[str], Codec]


def peers(only: Iterable[str] = ()) -> tuple[list[Codec], list[Absent]]:
    """The peers that are installed, and those that are not."""
    found, absent = [], []
    for peer in PEERS:
        if only and peer.name not in only:
            continue
        try:
            of = version(peer.distribution) if peer.distribution else platform.python_version()
        except PackageNotFoundError:
            absent.append(Absent(peer.name, f"pip install {peer.distribution}"))
        else:
            found.append(peer.build(f"{peer.distribution or 'CPython'} {of}"))
    return found, absent


def plain(value: Any) -> Any:
    """What users of JSON libraries write in place of a type that JSON does not have.

    >>> plain(Decimal("1.50")), plain({3}), plain(b"hi")
    ('1.50', [3], 'aGk=')
    """
    match value:
        case set() | frozenset():
            return list(value)
        case bytes():
            return base64.b64encode(value).decode()
        case datetime.datetime():
            return value.isoformat()
        case Decimal() | uuid.UUID():
            return str(value)
    raise TypeError(f"{type(value).__name__} has no plain form")


def _json(of: str) -> Codec:
    write = partial(json.dumps, separators=(",", ":"), ensure_ascii=False)
    return Codec("json (stdlib)", write, json.loads, of, pack_lossy=partial(write, default=plain))


def _orjson(of: str) -> Codec:
    orjson = import_module("orjson")
    return Codec("orjson", orjson.dumps, orjson.loads, of, pack_lossy=partial(orjson.dumps, default=plain))


def _msgspec_json(of: str) -> Codec:
    msgspec = import_module("msgspec")
    return Codec("msgspec.json", msgspec.json.Encoder().encode, msgspec.json.Decoder().decode, of)


def _msgspec_msgpack(of: str) -> Codec:
    msgspec = import_module("msgspec")
    return Codec("msgspec.msgpack", msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode, of)


def _ormsgpack(of: str) -> Codec:
    ormsgpack = import_module("ormsgpack")
    options = ormsgpack.OPT_PASSTHROUGH_UUID | ormsgpack.OPT_DATETIME_AS_TIMESTAMP_EXT

    def extension(value: Any) -> Any:
        match value:
            case uuid.UUID():
                return ormsgpack.Ext(_UUID, value.bytes)
            case Decimal():
                return ormsgpack.Ext(_DECIMAL, str(value).encode())
            case set():
                return ormsgpack.Ext(_SET, ormsgpack.packb(list(value)))
        raise TypeError(type(value).__name__)

    return Codec(
        "ormsgpack + ext",
        partial(ormsgpack.packb, default=extension, option=options),
        partial(
            ormsgpack.unpackb,
            ext_hook=partial(_read_extension, ormsgpack.unpackb),
            option=ormsgpack.OPT_DATETIME_AS_TIMESTAMP_EXT,
        ),
        of,
        note="its timestamps drop what is below a second",
    )


def _msgpack(of: str) -> Codec:
    msgpack = import_module("msgpack")

    def extension(value: Any) -> Any:
        match value:
            case uuid.UUID():
                return msgpack.ExtType(_UUID, value.bytes)
            case Decimal():
                return msgpack.ExtType(_DECIMAL, str(value).encode())
            case set():
                return msgpack.ExtType(_SET, msgpack.packb(list(value)))
        raise TypeError(type(value).__name__)

    return Codec(
        "msgpack + ext",
        partial(msgpack.packb, default=extension, datetime=True),
        partial(msgpack.unpackb, ext_hook=partial(_read_extension, msgpack.unpackb), timestamp=3),
        of,
    )


def _read_extension(unpack: Callable[[bytes], Any], code: int, data: bytes) -> Any:
    match code:
        case 2:
            return uuid.UUID(bytes=bytes(data))
        case 3:
            return Decimal(bytes(data).decode())
        case 5:
            return set(unpack(data))
    raise ValueError(f"extension {code}")


def _cbor2(of: str) -> Codec:
    cbor2 = import_module("cbor2")
    return Codec("cbor2", cbor2.dumps, cbor2.loads, of)


def _edn_format(of: str) -> Codec:
    edn_format = import_module("edn_format")
    return Codec("edn_format", edn_format.dumps, edn_format.loads, of)


def _transit(protocol: str) -> Callable[[str], Codec]:
    def build(of: str) -> Codec:
        reader, writer = import_module("transit.reader"), import_module("transit.writer")
        native = "with" if import_module("transit._accel").native else "without"
        pack, unpack = transit_functions(reader, writer, protocol)
        return Codec(f"transit-python {protocol}", pack, unpack, of, note=f"{native} its C extension")

    return build


def transit_functions(reader: Any, writer: Any, protocol: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """How transit-python is used, the old and the new alike: a fresh reader or writer on a stream, for each value."""

    def pack(value: Any) -> str:
        out = io.StringIO()
        writer.Writer(out, protocol).write(value)
        return out.getvalue()

    def unpack(wire: str) -> Any:
        return reader.Reader(protocol).read(io.StringIO(wire))

    return pack, unpack


def _pickle(of: str) -> Codec:
    note = "unsafe: whoever sends the bytes runs code; a yardstick only"
    return Codec("pickle", partial(pickle.dumps, protocol=5), pickle.loads, of, note=note)


PEERS = (
    Peer("json (stdlib)", "", _json),
    Peer("orjson", "orjson", _orjson),
    Peer("msgspec.json", "msgspec", _msgspec_json),
    Peer("msgspec.msgpack", "msgspec", _msgspec_msgpack),
    Peer("ormsgpack + ext", "ormsgpack", _ormsgpack),
    Peer("msgpack + ext", "msgpack", _msgpack),
    Peer("cbor2", "cbor2", _cbor2),
    Peer("transit-python json", "transit-python", _transit("json")),
    Peer("transit-python json_verbose", "transit-python", _transit("json_verbose")),
    Peer("edn_format", "edn-format", _edn_format),
    Peer("pickle", "", _pickle),
)
