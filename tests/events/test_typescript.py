"""A registry as TypeScript: that it compiles, and that its types are those of the values that arrive."""

import json
import re
import subprocess
import sys
import types
from contextlib import closing
from datetime import UTC, date, datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar
from uuid import UUID

import pytest
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    RootModel,
    WithJsonSchema,
    computed_field,
)
from typing_extensions import TypeAliasType, TypedDict

from sente import ConfigError, EventRegistry, Request, TypeHandler, latest
from sente.events.typescript import typescript
from sente.packers import get
from sente.protocol.contract import Contract
from tests.events.contract import PLAIN, contract
from tests.packers.examples import MONEY, VALUES, Colour
from tests.packers.node import Node

JS = Path(__file__).parents[2] / "js"
T = TypeVar("T")

Json = TypeAliasType("Json", "str | list[Json] | dict[str, Json]")


class Level(Enum):
    LOW = 1
    HIGH = 2**60


class Word(StrEnum):
    ONE = "one"


class Item(BaseModel):
    name: str = Field(alias="item-name", description="What it is called.")
    parts: list["Item"] = []


class Pair(NamedTuple):
    left: int
    right: int


class Page(BaseModel, Generic[T]):
    items: list[T]
    next: int | None = None


class Card(BaseModel):
    """A card.

    With a */ in it.
    """

    kind: Literal["card"]


class Cash(BaseModel):
    kind: Literal["cash"]
    amount: Annotated[int, Field(le=2**64)]


class Spot(NamedTuple):
    x: int
    y: float = 0.0


class Options(TypedDict):
    dark: bool
    size: NotRequired[int]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    at: NaiveDatetime

    @computed_field  # type: ignore[prop-decorator]
    @property
    def year(self) -> int:
        return self.at.year


class Date(BaseModel):
    """Its name is one that TypeScript has already."""

    day: date


class Rows(RootModel[list[Spot]]):
    pass


class Ask(BaseModel, Request[Page[Item]]):
    """Asks for a page."""

    after: UUID | None = None


class Anything:
    def __init__(self, value: Any) -> None:
        self.value = value


ANYTHING = TypeHandler(tag="app/anything", type=Anything, encode=lambda thing: thing.value, decode=Anything)

TYPES: dict[str, tuple[Any, str]] = {
    "any": (Any, "unknown"),
    "aware": (AwareDatetime, "Date"),
    "bytes": (bytes, "Uint8Array"),
    "dict_of_any": (dict[Any, int], "Map<unknown, number> | { [key: string]: number }"),
    "dict_of_enum": (dict[Colour, int], "Map<Colour, number> | { [key: string]: number }"),
    "dict_of_level": (dict[Level, int], "Map<Level, number> | { [key: string]: never }"),
    "dict_of_words": (dict[Literal["a", "b"], int], "{ [key: string]: number }"),
    "dict_of_either": (dict[str | UUID, int], "Map<string | UUID, number> | { [key: string]: number }"),
    "dict_of_int": (dict[int, str], "Map<number, string> | { [key: string]: never }"),
    "enum": (Level, "Level"),
    "handler": (Annotated[Anything, ANYTHING], "unknown"),
    "huge": (Annotated[int, Field(gt=-(2**70))], "number | bigint"),
    "exact": (Annotated[int, Field(lt=2**53)], "number"),
    "json": (Json, "Json"),
    "literals": (Literal["a", True, None, 7], '"a" | true | null | 7'),
    "lists": (list[list[int | None]], "(number | null)[][]"),
    "naive": (NaiveDatetime, "TaggedValue<string>"),
    "one": (Literal["one"], '"one"'),
    "plain_dict": (dict, "Map<unknown, unknown> | { [key: string]: unknown }"),
    "rows": (Rows, "Rows"),
    "set_of_tuples": (set[tuple[int, str]], "Set<[number, string]>"),
    "spot": (Spot, "Spot"),
    "tuples": (tuple[int, ...], "number[]"),
    "told_so": (Annotated[str, WithJsonSchema({"type": "string", "x-sente-type": "riddle"})], "string"),
    "typed_dict": (Options, "Options"),
    "union": (Annotated[Card | Cash, Field(discriminator="kind")], "Card | Cash"),
    "untyped_list": (list, "unknown[]"),
}


def registry(types: dict[str, Any], **options: Any) -> EventRegistry:
    events = EventRegistry()
    for name, type_ in types.items():
        events.event(f"types/{name}", of=type_, **options)
    return events


def shown(text: str, name: str) -> str:
    line = next(line for line in text.splitlines() if line.strip().startswith(f'"types/{name}": {{'))
    return line.partition("data: ")[2].removesuffix("; reply: null };")


def compiles(folder: Path, **files: str) -> None:
    """Ask the compiler, with the sources of the client in the place of its package."""
    package = folder / "node_modules" / "sente-client"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "sente-client", "type": "module", "exports": "./index.d.ts"}')
    (package / "index.d.ts").write_text(f'export * from "{JS}/src/index.js";\n')
    for name, text in files.items():
        (folder / f"{name}.ts").write_text(text)
    options = "--strict --noEmit --exactOptionalPropertyTypes --noUnusedLocals --verbatimModuleSyntax --types"
    how = ["--target", "ES2022", "--lib", "ES2022,ES2024.String,DOM", "--module", "NodeNext", *options.split(), ""]
    command = [str(JS / "node_modules" / ".bin" / "tsc"), *how, *(f"{name}.ts" for name in files)]
    (folder / "package.json").write_text('{"type": "module"}')
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def everything() -> EventRegistry:
    events = contract()
    events.event("page/ask", direction="to-server")(Ask)
    events.event("page/open")(Open)
    events.event("page/date")(Date)
    events.include(registry({name: type_ for name, (type_, _) in TYPES.items()}))
    for number, type_ in enumerate(PLAIN.values()):
        events.event(f"plain/{number}", of=type_, doc=f"Number {number}.")
    return events


@pytest.mark.parametrize("name", TYPES)
def test_a_type(name: str) -> None:
    type_, wanted = TYPES[name]
    assert shown(typescript(registry({name: type_}, direction="to-server")), name) == wanted


def test_what_may_be_missing_from_a_client_is_there_from_the_server() -> None:
    text = typescript(registry({"item": Item, "options": Options}))
    assert '"types/item": { data: ItemInput;' in text and '"types/item": { data: ItemOutput;' in text
    assert '  /** What it is called. */\n  "item-name": string;\n  parts?: ItemInput[];\n' in text
    assert '  "item-name": string;\n  parts: ItemOutput[];\n' in text
    assert "  dark: boolean;\n  size?: number;\n" in text


def test_who_says_what() -> None:
    text = typescript(everything())
    to_server, _, to_client = text[: text.index("const contract")].partition("  toClient: {")
    assert '"page/ask": { data: Ask; reply: PageItem }' in to_server
    assert '"page/ask"' not in to_client and '"chat/said"' not in to_server and '"chat/said"' in to_client


def test_documentation_is_kept() -> None:
    text = typescript(everything())
    assert "/**\n * A card.\n *\n * With a *\\/ in it.\n */\nexport interface Card {" in text
    assert "    /** Asks for a page. */\n    " in text


def test_fields_that_are_computed_and_fields_that_nobody_named() -> None:
    text = typescript(everything())
    assert "export interface OpenInput {\n  at: TaggedValue<string>;\n  [key: string]: unknown;\n}" in text
    assert "  at: TaggedValue<string>;\n  year: number;\n  [key: string]: unknown;\n}" in text


def test_names_that_are_taken() -> None:
    text = typescript(registry({"date": Date, "other": type("Date", (BaseModel,), {"__module__": "elsewhere"})}))
    assert "export interface Date " not in text
    same = [word for word in text.split() if word.endswith("Date") and word != "Date"]
    assert len(set(same)) == 2, "two classes of one name are told apart"


def test_names_that_are_no_names() -> None:
    odd = [type(name, (BaseModel,), {"__module__": "odd"}) for name in ("Contract", "先手", "7up", "7Up")]
    text = typescript(registry({f"t{number}": model for number, model in enumerate(odd)}, direction="to-client"))
    for name in ("Contract2", "Type", "Type7up", "Type7Up"):
        assert f"export interface {name} {{" in text


def test_it_compiles(tmp_path: Path) -> None:
    use = """
        import { connect } from "sente-client";
        import { contract, type Events, type Item } from "./events.js";
        const chsk = connect("/chsk", { contract });
        const named = connect<Events>("/chsk");
        const page = await chsk.request("page/ask", {});
        export const items: Item[] = page.items;
        export const next: number | null = page.next;
        chsk.on("chat/said", ({ text, at }) => console.log(text.length, at.getTime()));
        named.on("device/confirm", async ({ what }) => what === "yes");
        chsk.send("types/union", { kind: "cash", amount: 2n ** 60n });
        // @ts-expect-error: of another kind
        chsk.send("types/union", { kind: "cheque" });
        // @ts-expect-error: the server says this one
        chsk.send("chat/said", { text: "hi", at: new Date() });
        // @ts-expect-error: no boolean
        named.on("device/confirm", () => "yes");
    """
    compiles(tmp_path, events=typescript(everything()), use=use)


NOT_PLAIN = {"bytes", "either", "keys", "level", "no_keys", "of_enum"}
ARRIVES: dict[str, tuple[Any, Any]] = {
    **{name.replace(" ", "_").replace("^", "_"): (type_, VALUES[name]) for name, type_ in PLAIN.items()},
    "int_beyond_2_53": (Annotated[int, Field(lt=2**64)], 2**53),
    "datetime_without_time_zone": (NaiveDatetime, VALUES["datetime without time zone"]),
    "bytes": (bytes, b"\0"),
    "either": (dict[str | UUID, int], {"a": 1}),
    "of_enum": (dict[Colour, int], {Colour.RED: 1}),
    "of_words": (dict[Word, int], {Word.ONE: 1}),
    "card": (Card | Cash, Cash(kind="cash", amount=2**60)),
    "json": (Json, {"a": ["b", {}]}),
    "keys": (dict[int, str], {1: "a"}),
    "level": (list[Level], list(Level)),
    "no_keys": (dict[int, str], {}),
    "open": (Open, {"at": datetime(2026, 1, 2), "more": date(2026, 1, 2)}),
    "page": (Page[datetime], Page[datetime](items=[datetime(2026, 1, 2, tzinfo=UTC)])),
    "spot": (Spot, Spot(1)),
    "typed_dict": (Options, {"dark": True}),
}


@pytest.mark.parametrize("packer", ["msgpack", "json"])
def test_the_types_are_those_of_what_arrives(packer: Any, tmp_path: Path) -> None:
    """Each value is packed here, unpacked in Node, and what Node then has is given to the compiler."""
    carried = {name: (of, value) for name, (of, value) in ARRIVES.items() if packer != "json" or name not in NOT_PLAIN}
    events = registry({name: of for name, (of, _) in carried.items()}, direction="to-client")
    pack = get(packer, types=[MONEY]).pack
    use = """
        import { Char, Decimal, Keyword, Sym, TaggedValue, Uri, UUID } from "sente-client";
        import type { Events } from "./events.js";
        void [Char, Decimal, Keyword, Sym, TaggedValue, Uri, UUID];
        type Data<K extends keyof Events["toClient"]> = Events["toClient"][K]["data"];
    """
    with closing(Node()) as node:
        for name, (_, value) in carried.items():
            wire = pack(events.dump(f"types/{name}", value, sender="server"))
            use += f'export const value_{name}: Data<"types/{name}"> = {node.shown(packer, wire)};\n'
    compiles(tmp_path, events=typescript(events, packer="json" if packer == "json" else "auto"), use=use)


def test_no_events_at_all(tmp_path: Path) -> None:
    text = typescript(EventRegistry())
    assert 'import type { Contract } from "sente-client";' in text
    compiles(tmp_path, events=text)


def test_what_the_guide_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (JS.parent / "docs" / "guides" / "typed-events.md").read_text()
    python, (shown, use) = (re.findall(rf"```{of}\n(.*?)```", guide, re.DOTALL) for of in ("python", "typescript"))
    module = types.ModuleType("events_of_the_guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(python[0] + python[1], vars(module))
    text = typescript(module.events)
    assert not [line for line in shown.splitlines() if line not in text.splitlines()]
    compiles(tmp_path, events=text, use=use)


def test_the_constant_says_what_the_registry_says(tmp_path: Path) -> None:
    events = everything()
    (tmp_path / "events.ts").write_text(typescript(events))
    (tmp_path / "show.ts").write_text(
        'import { contract } from "./events.js";\nconsole.log(JSON.stringify(contract));\n'
    )
    bundle = [str(JS / "node_modules" / ".bin" / "esbuild"), "show.ts", "--bundle", "--format=esm", "--log-level=error"]
    subprocess.run([*bundle, "--outfile=show.mjs"], cwd=tmp_path, check=True)
    shown = subprocess.run(["node", "show.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    own = Contract.of(events.hashes())
    assert json.loads(shown) == {"hash": own.hash, "events": own.events}


# -- a client that speaks JSON only


def test_in_plain_json_types_are_strings(tmp_path: Path) -> None:
    types = {"date": Date, "at": AwareDatetime, "ids": set[UUID], "huge": Annotated[int, Field(le=2**64)]}
    text = typescript(registry(types), packer="json")
    assert [shown(text, name) for name in types] == ["Date2", "string", "string[]", "number"]
    assert "  day: string;" in text
    compiles(tmp_path, events=text)


@pytest.mark.parametrize("type_", [bytes, dict[int, str]])
def test_what_plain_json_does_not_carry(type_: Any) -> None:
    with pytest.raises(ConfigError, match="types/it: the packer json does not carry"):
        typescript(registry({"it": type_}), packer="json")
    holder = type("Holder", (BaseModel,), {"__annotations__": {"it": type_}, "__module__": "x"})
    with pytest.raises(ConfigError, match="Holder: the packer json does not carry"):
        typescript(registry({"it": holder}), packer="json")


def test_a_type_that_is_not_defined() -> None:
    class Late(BaseModel):
        it: "Nowhere"  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]

    with pytest.raises(ConfigError, match=r"not defined yet: .*Late"):
        typescript(registry({"late": Late}))


def test_a_type_that_fails_to_describe_itself() -> None:
    class Broken(BaseModel):
        @classmethod
        def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
            raise RuntimeError("no idea")

    events = registry({"broken": Broken})
    assert events.hashes() == {"types/broken": "undefined"}
    with pytest.raises(ConfigError, match="no idea"):
        typescript(events)


def test_how_what_a_client_says_is_delivered(tmp_path: Path) -> None:
    events = EventRegistry()
    events.event("item/at", of=Item, delivery=latest("name"))
    events.event("item/seen", of=Item, delivery=latest(lambda item: item.name))
    events.event("page/zoom", of=int, delivery=latest())
    events.event("page/point", of=tuple[int, int], delivery="volatile")
    events.event("page/pair", of=Pair, delivery=latest("left"))
    events.event("page/news", of=str, delivery="volatile", direction="to-client")
    events.event("page/say", of=str)
    text = typescript(events)
    _, constant = text.split("export const delivery = ")
    assert constant == (
        '{\n  "item/at": (data: { "item-name": unknown }) => data["item-name"],\n'
        "  // item/seen: latest(<lambda>)\n"
        '  "page/zoom": () => "",\n  "page/point": "volatile",\n'
        "  // page/pair: latest(left)\n} as const;\n"
    )
    use = 'import { connect } from "sente-client";\nimport { delivery, type Events } from "./events.js";\n'
    compiles(tmp_path, events=text, use=use + 'connect<Events>("/chsk", { delivery }).send("page/zoom", 1);\n')
    assert "delivery" not in typescript(registry({"a/b": int}))
