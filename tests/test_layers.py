"""The shape of the house: imports go down only, third-party libraries stay in their corner, files stay small."""

import ast
import io
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sente"

GROUND, CORE, CONTRACTS, PLUGINS, DRIVERS, FACADE = range(6)
DRIVER = {
    "admission",
    "hub",
    "peers",
    "classic",
    "comings",
    "crowds",
    "dispatch",
    "security",
    "sessions",
    "presence",
    "push",
    "rationing",
    "draining",
    "trace",
}
DRIVER |= {
    "memory",
    "admission",
    "asking",
    "binding",
    "cluster",
    "processes",
    "questions",
    "receipts",
    "reauth",
    "sending",
    "shelving",
    "signatures",
    "stats",
    "telemetry",
    "trace_words",
    "turns",
    "typed",
    "versions",
}
LAYERS = {
    GROUND: {"errors"},
    CORE: {"protocol", "values"},
    CONTRACTS: {"interfaces", "workers"},
    PLUGINS: {"packers", "events", "transports", "brokers"},
    DRIVERS: DRIVER,
}

# Each third-party library, and the only modules (or packages, with all that is in them) that may import it.
THIRD_PARTY = {
    "cbor2": {"sente.packers.cbor"},
    "fastapi": {"sente.integrations", "sente.cli", "sente.demo"},
    "httpx2": {"sente.transports.client_longpoll"},
    "itsdangerous": {"sente.demo"},
    "nats": {"sente.brokers.nats"},
    "opentelemetry": {"sente.integrations.opentelemetry"},
    "orjson": {"sente.packers.text"},
    "ormsgpack": {"sente.packers.msgpack"},
    "pydantic": {"sente.events", "sente.integrations", "sente.demo"},
    "pydantic_core": {
        "sente.events.schemas",
        "sente.events.shapes",
        "sente.events.validation",
        "sente.packers.handlers",
        "sente.values",
    },
    "pytest": {"sente.testing.plugin"},
    "redis": {"sente.brokers.redis", "sente.brokers.redis_connection", "sente.brokers.redis_store"},
    "starlette": {"sente.integrations", "sente.cli", "sente.demo"},
    "typing_extensions": {"sente.protocol.messages"},
    "uvicorn": {"sente.cli", "sente.demo", "sente.integrations.uvicorn"},
    "websockets": {"sente.transports.client_websocket", "sente.integrations.uvicorn"},
    "zstandard": {"sente.packers.codings"},
}

# The core takes time and chance as arguments, and does nothing to the world.
IMPURE = {"asyncio", "time", "random", "secrets", "logging", "socket"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(module: str) -> Iterator[str]:
    """Every module that the file imports, wherever the import stands, by its full name."""
    path = FILES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes(), path)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=origin, names=names, level=level):
                if level:
                    base = package.split(".")[: len(package.split(".")) - level + 1]
                    origin = ".".join([*base, origin] if origin else base)
                assert origin is not None
                # `from sente import errors` imports the module sente.errors, not the façade.
                submodules = {f"{origin}.{alias.name}" for alias in names} & FILES.keys()
                yield from submodules
                if len(submodules) < len(names):
                    yield origin


def layer(module: str) -> int:
    part = module.split(".")[1] if "." in module else ""
    return next((number for number, parts in LAYERS.items() if part in parts), FACADE)


def within(module: str, places: set[str]) -> bool:
    return any(module == place or module.startswith(place + ".") for place in places)


every_module = pytest.mark.parametrize("module", FILES)


@every_module
def test_imports_go_down_only(module: str) -> None:
    here = layer(module)
    ours = [name for name in imports(module) if within(name, {"sente"})]
    up = [name for name in ours if layer(name) > here]
    assert not up, f"{FILES[module]} is in layer {here} and imports from above: {up}"
    if here == PLUGINS:
        own_package = ".".join(module.split(".")[:2])
        across = [name for name in ours if layer(name) == PLUGINS and not within(name, {own_package})]
        assert not across, f"{FILES[module]} imports another kind of plug-in: {across}"


@every_module
def test_third_party_libraries_stay_in_their_corner(module: str) -> None:
    for name in imports(module):
        library = name.split(".")[0]
        if library != "sente" and library not in sys.stdlib_module_names:
            assert library in THIRD_PARTY, f"{FILES[module]} imports {library}, which has no place in THIRD_PARTY"
            assert within(module, THIRD_PARTY[library]), f"{FILES[module]} may not import {library}"


@pytest.mark.parametrize("module", [name for name in FILES if within(name, {"sente.protocol"})])
def test_the_core_is_pure(module: str) -> None:
    impure = {name.split(".")[0] for name in imports(module)} & IMPURE
    assert not impure, f"{FILES[module]} imports {sorted(impure)}"


def test_import_sente_is_light() -> None:
    libraries = THIRD_PARTY.keys() - {"pydantic", "pydantic_core", "orjson", "ormsgpack", "typing_extensions"}
    program = f"import sente, sys; print(*sorted({libraries!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


@every_module
def test_files_are_small(module: str) -> None:
    assert lines(FILES[module]) <= 400


def lines_of_code(path: Path) -> int:
    """Lines that hold code: no blank ones, comments, docstrings or overloads, which only type checkers read."""
    text = path.read_text()
    docs: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Name) and decorator.id == "overload":
                    docs |= set(range(decorator.lineno, (node.end_lineno or node.lineno) + 1))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docs |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.string.strip() and token.type != tokenize.COMMENT:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - docs)


CLASSIC = {"sente.classic", "sente.protocol.classic", "sente.protocol.classic_session", "sente.transports.classic"}
CLIENT_CORE = {f"sente.protocol.client_{name}" for name in ("dialogue", "lines", "session", "state")} | {
    f"sente.protocol.{name}" for name in ("backoff", "losses", "requests", "route")
}


def test_what_carries_an_event_is_small() -> None:
    """What an event passes on a server stays small enough to be read in an afternoon: core, hub, dispatch, transports.

    The core of our clients is read apart, and so is what serves Sente's own clients, or is one of them, and what knows
    when credentials expire, how two contracts differ, how often is too often or who has acknowledged what: none carries
    an event through a server of ours. What makes events typed is a subject of its own, as events do without; its seams
    in hub, dispatch and questions took 30 lines here. What only describes them, for files and hashes, is no part of it.
    Delivery classes, limits in bytes, age and rate, requests that are asked again, what cannot be read, and an exchange
    without a task of its own took 350, a module for what sends 20, counting what is in frames 20, turns, in which a
    crowd keeps nobody waiting, 40, what a server may offer instead of ASGI 10, and the seams for other processes 75, as
    ``sente.cluster`` is a subject of its own, and so are sessions that outlive their process, whose seams took 30, as
    did stretches that a bad line carries; waking up, and these, took the clients' core 65, and what a server has lost,
    read apart from the session that is told, 15.
    """
    places = {"sente.protocol", "sente.hub", "sente.peers", "sente.push", "sente.dispatch"}
    places |= {"sente.admission", "sente.workers", "sente.asking", "sente.questions", "sente.sending", "sente.turns"}
    places |= {f"sente.transports.{name}" for name in ("asgi", "websocket", "longpoll")}
    apart = CLASSIC | CLIENT_CORE | {"sente.protocol.classic_client"}
    apart |= {f"sente.protocol.{name}" for name in ("contract", "credentials", "rates", "stored_session", "watched")}
    assert {"sente.hub", "sente.dispatch", *apart} <= FILES.keys()

    def size(modules: set[str]) -> int:
        return sum(lines_of_code(FILES[module]) for module in modules)

    assert size({module for module in FILES if within(module, places)} - apart) < 3_200
    assert size(CLIENT_CORE) < 775
    assert size(CLASSIC) < 500
    typed = {f"sente.events.{name}" for name in ("contract", "delivery", "registry", "untyped", "validation")}
    typed |= {"sente.typed"}
    assert size(typed) < 500


def test_the_facade_is_thin() -> None:
    """What it says to its users is welcome; what it does is counted, and its arguments, of which there are 17."""
    assert lines_of_code(PACKAGE / "channel_socket.py") <= 172


def test_the_facade_has_few_members() -> None:
    tree = ast.parse((PACKAGE / "channel_socket.py").read_bytes())
    facade = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "ChannelSocket")
    members = set()
    for node in ast.walk(facade):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                members.add(name)
    for node in facade.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                members.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                members.add(name)
    public = sorted(name for name in members if not name.startswith("_"))
    assert len(public) <= 16, public
