"""The packer that chooses: for each payload the form that suits it, among those that the other side reads.

No byte tells them apart but those that are there. A text frame is Transit, of which plain JSON is the common case. A
binary one is compressed if its first byte says so; what is then inflated is text if it begins with a byte below 0x80
and has more than one. Everything else is msgpack, in which such a byte is a whole number, and all there is.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from sente.errors import ConfigError
from sente.interfaces import Wire
from sente.packers.codings import CODINGS, inflate, is_compressed, shrunk
from sente.packers.handlers import TypeHandler
from sente.packers.limits import UnpackLimits
from sente.packers.msgpack import MsgpackPacker, is_finite
from sente.packers.transit import TransitPacker

Form: TypeAlias = Literal["json", "transit", "msgpack"]
FORMS: tuple[str, ...] = get_args(Form)

SMALL = 1024
"""Bytes. Below, compression costs more than it saves, and msgpack is the shorter form."""


WHEN_SMALL = "it is small: msgpack is shorter"


@dataclass(frozen=True, slots=True)
class Payload:
    """What a choice is made by."""

    packed: bytes
    """The value as msgpack."""
    typed: bool
    """Whether it has types that neither JSON nor msgpack has a word for."""
    text: Callable[[], str | None]
    """Writes it as plain JSON; ``None``: it needs tags."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Why a payload is packed as it is."""

    form: str
    """``json``, ``transit`` or ``msgpack``."""
    coding: str | None
    """``gzip``, ``zstd``, or ``None``: not compressed."""
    size: int
    """Bytes on the line."""
    sizes: Mapping[str, int]
    """What each form that the other side reads would take."""
    why: str


def best(payload: Payload) -> tuple[Form, str]:
    r"""The rule for those who read msgpack, with its reason: msgpack when typed, small or full of numbers; else JSON,
    as browsers read that fastest.

    >>> best(Payload(packed=b"\x92\x01\x02", typed=False, text=lambda: "[1,2]"))
    ('msgpack', 'it is small: msgpack is shorter')
    """
    packed = payload.packed
    if payload.typed:
        return "msgpack", "it has types: msgpack writes them in fewest bytes"
    if len(packed) < SMALL:
        return "msgpack", WHEN_SMALL
    floats = packed.count(b"\xcb", 0, 8 * SMALL)
    text = payload.text()
    if text is None:
        return "msgpack", "it has bytes, or what else JSON would need tags for"
    if floats > min(len(packed), 8 * SMALL) // 20 and len(packed) < 0.75 * len(text):
        return "msgpack", "it is full of numbers with fractions: msgpack takes 9 bytes for each"
    return "json", "it is large and plain: JSON is read fastest"


class AutoPacker:
    """Text or msgpack, compressed or not, by payload and by what the other side reads.

    >>> AutoPacker().explain(["chat/say", {"text": "hi"}]).form
    'msgpack'
    >>> AutoPacker().for_peer(()).pack(["chat/say", {"text": "hi"}])
    '["chat/say",{"text":"hi"}]'

    Args:
        types: Handlers for custom types.
        choose: Another rule than ``best``: takes the ``Payload``, returns the form and the reason.
        limits: What is taken from the other side.
    """

    name = "auto"

    def __init__(
        self,
        *,
        types: Iterable[TypeHandler[Any]] = (),
        choose: Callable[[Payload], tuple[Form, str]] = best,
        limits: UnpackLimits | None = None,
    ) -> None:
        types = tuple(types)
        self._limits = limits or UnpackLimits()
        self._choose = choose
        self._text = TransitPacker(types=types, limits=self._limits)
        self._msgpack = MsgpackPacker(types=types, limits=self._limits)
        self._peer = frozenset({"msgpack", *CODINGS})
        self._coding: str | None = CODINGS[-1]
        self._form: Form | None = None
        self._variants: dict[tuple[frozenset[str], Form | None], AutoPacker] = {(self._peer, None): self}

    @property
    def accepts(self) -> tuple[str, ...]:
        """What this side reads, beside text: what its name is offered with."""
        return (*CODINGS[:1], "msgpack", *CODINGS[1:])

    # -- variants

    def for_peer(self, accepts: Collection[str]) -> "AutoPacker":
        """The packer that writes only what a peer reads that accepts these; unknown ones mean nothing."""
        return self._variant(frozenset(accepts) & {"msgpack", *CODINGS}, self._form)

    def in_form(self, form: str) -> "AutoPacker":
        """The packer that writes this form always, where it is read.

        Raises:
            ConfigError: there is no such form.
        """
        if form not in FORMS:
            raise ConfigError(f"form={form!r}: choose one of {', '.join(FORMS)}")
        return self._variant(self._peer, form)  # type: ignore[arg-type]  # one of them

    def _variant(self, peer: frozenset[str], form: Form | None) -> "AutoPacker":
        variant = self._variants.get((peer, form))
        if variant is None:
            variant = object.__new__(AutoPacker)
            variant.__dict__.update(self.__dict__)
            variant._peer, variant._form = peer, form
            variant._coding = next((coding for coding in reversed(CODINGS) if coding in peer), None)
            self._variants[peer, form] = variant
        return variant

    # -- writing

    def pack(self, value: Any, /) -> Wire:
        """Write a value.

        Raises:
            PackError: there is no handler for something in it; says what and where.
        """
        return self.frame(self.part(value))

    def part(self, value: Any, /) -> Wire:
        """A value in the form that suits it, to be joined with others; compression comes last."""
        return self._formed(value)[1]

    def join(self, parts: Sequence[Wire], /) -> Wire:
        """The list of values that were packed one by one. If their forms differ, all take that of the longest."""
        if all(isinstance(part, str) for part in parts):
            return self._text.join(parts)  # type: ignore[arg-type]  # just looked at
        as_text = isinstance(max(parts, key=len), str)
        packer: TransitPacker | MsgpackPacker = self._text if as_text else self._msgpack
        alike = [part if isinstance(part, str) is as_text else packer.part(self._plainly(part)) for part in parts]
        return packer.join(alike)  # type: ignore[arg-type]  # all of its form now

    def frame(self, part: Wire, /) -> Wire:
        """What travels: compressed from 1 KB, if the other side inflates and it shrinks."""
        coding = self._coding
        if coding is None or len(part) < SMALL:
            return part
        raw = part.encode() if isinstance(part, str) else part
        return shrunk(raw, coding) or part

    def _formed(self, value: Any) -> tuple[str, Wire, str]:
        """Form, packed value and reason."""
        if "msgpack" not in self._peer:
            return "text", self._text.part(value), "the other side reads text only"
        if self._form is not None:
            packer = self._msgpack if self._form == "msgpack" else self._text
            return self._form, packer.pack(value), "this form was asked for"
        plain = self._msgpack.pack_plain(value)
        if plain is not None and len(plain) < SMALL and self._choose is best:  # most payloads: not worth asking
            return "msgpack", plain, WHEN_SMALL
        packed = self._msgpack.pack(value) if plain is None else plain
        text: list[str | None] = []

        def write() -> str | None:
            if not text:
                sure = plain is not None and is_finite(plain)  # a UUID or NaN would have shown
                text.append(self._text.pack_plain(value) if sure else None)
            return text[0]

        form, why = self._choose(Payload(packed, plain is None, write))
        return form, packed if form == "msgpack" else (write() or self._text.part(value)), why

    def explain(self, value: Any) -> Choice:
        """Which form a value is packed in, what the others would cost, and why.

        Raises:
            PackError: as ``pack``.
        """
        _, part, why = self._formed(value)
        frame = self.frame(part)
        text = self._text.part(value)
        plain = self._msgpack.pack_plain(value)
        sure = plain is not None and is_finite(plain)
        textual = "json" if sure and self._text.pack_plain(value) is not None else "transit"
        candidates: dict[str, Wire] = {textual: text}
        if "msgpack" in self._peer:
            candidates["msgpack"] = self._msgpack.pack(value)
        sizes = {name: _size(wire) for name, wire in candidates.items()}
        if self._coding is not None:
            shrunk = {f"{name}+{self._coding}": _size(self.frame(wire)) for name, wire in candidates.items()}
            sizes |= {name: size for name, size in shrunk.items() if size != sizes[name.partition("+")[0]]}
        form = textual if isinstance(part, str) else "msgpack"
        coding = self._coding if frame is not part else None
        if coding is not None:
            why += f"; {coding} shrinks it"
        return Choice(form, coding, _size(frame), sizes, why)

    # -- reading

    def unpack(self, wire: Wire, /) -> Any:
        """Read a value in any form.

        Raises:
            UnpackError: it is none of them, says a thing twice, or is more than the limits allow.
        """
        if isinstance(wire, bytes) and is_compressed(wire):
            self._limits.check_size(wire)
            raw = inflate(wire, self._limits.size)
            if len(raw) > 1 and raw[0] < 0x80:
                return self._text.unpack(raw)
            return self._msgpack.unpack(raw)
        return self._plainly(wire)

    def _plainly(self, wire: Wire) -> Any:
        return self._text.unpack(wire) if isinstance(wire, str) else self._msgpack.unpack(wire)


def _size(wire: Wire) -> int:
    return len(wire) if isinstance(wire, bytes) else len(wire.encode())
