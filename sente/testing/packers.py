"""What a packer has to keep, as a check."""

import copy
from collections.abc import Sequence
from typing import Any

from sente.errors import PackError, UnpackError
from sente.interfaces import JoinablePacker, Packer, VariedPacker, Wire

PACKETS: Sequence[Any] = (
    [[["chat/said", {"by": "ada", "text": "先手", "n": [0, 1, -1, 1.5, True, False, None]}]], None],
    [[["a/b", ""], ["c/d", {}], ["e/f", [[[]]]]], None, 7],
    [["chat/say", {"text": '"\\\n\u2028 ~^` <&>'}], 1, 2, 3, "request"],
    [{"code": "internal", "message": "", "data": None}, 2**53 - 1, 1, None, "error"],
    [None, None, 0, 41, "ack"],
    [["chsk/ws-ping"], "ping", 0],
)
"""Packets of the protocol, with what JSON has words for: what every packer must be able to carry."""


def check_packer(packer: Packer, *values: Any) -> None:
    """Prove that a packer keeps the contract of ``Packer``, and that of its optional protocols.

    >>> from sente.packers import get
    >>> check_packer(get("json"), {"a value": "of your own"})

    Args:
        packer: The packer.
        values: More values that must come back equal, beside packets of the protocol.

    Raises:
        AssertionError: it does not; says what.
    """
    assert isinstance(packer, Packer), "a packer has name, pack and unpack"
    name = packer.name
    assert name and not set(name) & set("+, "), (
        f"name {name!r}: no plus, comma or space, they mean something in an offer"
    )
    for value in (*PACKETS, *([["a/b", value], None] for value in values)):
        before = copy.deepcopy(value)
        wire = _packed(packer, value)
        assert value == before, "pack changed the value"
        assert packer.unpack(wire) == before, f"came back as something else: {before!r}"
        _check_broken(packer, wire)
    _check_unpackable(packer)
    if isinstance(packer, JoinablePacker):
        parts = [packer.part(value) for value in PACKETS]
        joined = packer.frame(packer.join([packer.join(parts), packer.part(None)]))
        assert packer.unpack(joined) == [list(PACKETS), None], "joined parts are not the list of them"
        assert packer.unpack(packer.frame(packer.join([]))) == [], "no parts are an empty list"
    if isinstance(packer, VariedPacker):
        _check_variants(packer)


def _packed(packer: Packer, value: Any) -> Wire:
    wire = packer.pack(value)
    assert isinstance(wire, str | bytes), "pack returns str (a text frame) or bytes (a binary one)"
    return wire


def _check_broken(packer: Packer, wire: Wire) -> None:
    """A frame that was cut off, or came with more, or of the other kind: read or refused, and nothing else raised."""
    if isinstance(wire, str):
        broken: list[Wire] = [
            *(wire[:end] for end in range(len(wire))),
            wire + wire,
            "\0" + wire,
            wire.encode(),
            b"\xff",
        ]
    else:
        broken = [*(wire[:end] for end in range(len(wire))), wire + wire, b"\xff" + wire, wire.hex(), b"\xc1"]
    for frame in broken:
        try:
            packer.unpack(frame)
        except UnpackError:
            continue
        except Exception as error:
            raise AssertionError(f"unpack({frame[:60]!r}) raised {error!r}, which is no UnpackError") from error


def _check_unpackable(packer: Packer) -> None:
    """What has no form raises ``PackError``: an object, a list that holds itself, half a character."""
    endless: list[Any] = []
    endless.append(endless)
    for value in (object(), [{"deep": object()}], endless, "\ud800"):
        try:
            packer.pack(value)
        except PackError:
            continue
        except Exception as error:
            raise AssertionError(f"pack raised {error!r}, which is no PackError") from error
        raise AssertionError("pack wrote something that has no form, instead of raising PackError")


def _check_variants(packer: VariedPacker) -> None:
    for accepts in ((), packer.accepts, *((one,) for one in packer.accepts)):
        variant = packer.for_peer(frozenset(accepts))
        assert variant is packer.for_peer(frozenset(accepts)), "for_peer returns the same packer for the same peer"
        assert variant.name == packer.name, "a variant has the same name"
        for value in PACKETS:
            assert packer.unpack(_packed(variant, value)) == value, "every variant reads what the others write"
            assert variant.unpack(_packed(packer, value)) == value, "every variant reads what the others write"
