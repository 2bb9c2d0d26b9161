"""What the documentation says is so: its code runs, its links lead somewhere, its tables are those of the code."""

import ast
import asyncio
import dataclasses
import inspect
import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import sente
from sente.client import Client
from sente.protocol import settings
from sente.protocol.greeting import Head, Hello, read_first, read_info
from sente.protocol.messages import read_packet
from sente.protocol.rates import Rates
from tests.e2e.serving import COMMANDS

ROOT = Path(__file__).parent.parent
CHAT = ROOT / "examples" / "chat"
PAGES = [ROOT / "README.md", ROOT / "js" / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
API = ROOT / "docs" / "reference" / "api.md"
PROTOCOL = ROOT / "docs" / "reference" / "protocol.md"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(`+).+?\1")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
SERVER_OF_THE_DOCS = "://localhost:8000"
CLASSIC_SERVER = "ws://localhost:8000"

SETTINGS = [settings.ServerSettings, settings.ClientSettings, settings.Limits, settings.AckPolicy, Rates]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[tuple[int, str]]:
    """The code blocks in these languages, and the line each begins at."""
    text = page.read_text()
    return [(text.count("\n", 0, m.start(2)) + 1, m[2]) for m in FENCE.finditer(text) if m[1] in languages]


def prose(page: Path) -> str:
    return INLINE_CODE.sub("", FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """The names under which headings can be linked to, made as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or not file.is_relative_to(ROOT) or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in LINK.findall(prose(index))}
    assert [name(page) for page in PAGES if page.is_relative_to(index.parent) and page not in {*linked, index}] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_fences_and_tables_are_whole(page: Path) -> None:
    text = page.read_text()
    assert text.count("\n```") % 2 == 0
    cells = None
    for number, line in enumerate(FENCE.sub(lambda m: "\n" * m[0].count("\n"), text).split("\n"), 1):
        if not line.startswith("|"):
            cells = None
            continue
        count = re.sub(r"\\\||`[^`]*`", "", line).count("|")
        assert cells in (None, count), f"line {number}: this row has another number of cells than those above"
        cells = count


# -- code


@pytest.fixture(scope="module")
def chat() -> Iterator[str]:
    """The address, without its scheme, of examples/chat under a real uvicorn, run as the tutorial runs it."""
    with served(CHAT, "main:app") as address:
        yield address


@pytest.fixture(scope="module")
def classic_chat() -> Iterator[str]:
    """The address of a chat that serves Sente's own clients."""
    with served(ROOT / "tests" / "classic", "chat:app") as address:
        yield f"ws{address}"


@contextmanager
def served(folder: Path, app: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(port, process)
        yield f"://127.0.0.1:{port}"
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=20)
    assert "Traceback" not in said, said


def wait_for(port: int, process: "subprocess.Popen[str]") -> None:
    for _ in range(200):
        assert process.poll() is None, process.communicate()[0]
        with socket.socket() as attempt:
            attempt.settimeout(0.1)
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    pytest.fail("uvicorn does not start")


@pytest.mark.e2e
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name)
def test_python_runs(page: Path, chat: str, classic_chat: str) -> None:
    # The blocks of a page go on from each other, as its reader does. What talks to a server talks to examples/chat.
    scope: dict[str, Any] = {"__name__": page.stem, "__file__": str(CHAT / "main.py")}

    async def run() -> None:
        for line, source in blocks(page, "python"):
            source = source.replace(CLASSIC_SERVER, classic_chat).replace(SERVER_OF_THE_DOCS, chat)
            padded = "\n" * (line - 1) + source
            code = compile(padded, name(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            outcome = eval(code, scope)
            if inspect.isawaitable(outcome):
                async with asyncio.timeout(20):
                    await outcome

    asyncio.run(run())


def test_javascript_is_well_formed(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    sources = {f"{name(page)}:{line}": js for page in PAGES for line, js in blocks(page, "js")}
    html = [(f"{name(page)}:{line}", text) for page in PAGES for line, text in blocks(page, "html")]
    for where, text in [*html, (name(CHAT / "index.html"), (CHAT / "index.html").read_text())]:
        for js in re.findall(r"<script type=\"module\">(.*?)</script>", text, re.DOTALL):
            sources[where] = js
    assert sources
    for where, js in sources.items():
        file = tmp_path / "block.mjs"
        file.write_text(js)
        done = subprocess.run([node, "--check", str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{where}: {done.stderr}"


@pytest.mark.parametrize("file", ["main.py", "index.html"])
def test_the_tutorial_shows_the_example(file: str) -> None:
    assert (CHAT / file).read_text() in (ROOT / "docs" / "tutorial.md").read_text()
    assert len((CHAT / file).read_text().splitlines()) <= 40


def test_the_deployment_guide_shows_what_is_tested() -> None:
    guide = ROOT / "docs" / "guides" / "deployment.md"
    assert (guide.parent / "nginx.conf").read_text() in [text for _, text in blocks(guide, "nginx")]
    shown = [text.splitlines() for _, text in blocks(guide, "console")]
    assert [f"$ {command.format(app='main:app', port=8000)}" for command in COMMANDS.values()] in shown


@pytest.mark.e2e
def test_the_example_serves_its_page_and_the_client(chat: str) -> None:
    page = fetch(f"http{chat}/")
    assert (CHAT / "index.html").read_text() == page
    imported = re.search(r'from "(/[^"]+)"', page)
    assert imported
    assert "export" in fetch(f"http{chat}{imported[1]}")


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: bytes = answer.read()
    return text.decode()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:tests|sente|examples|js|docs)/[\w./-]+)`", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    for page in PAGES:
        code = "\n".join(
            [*re.findall(r"`([^`\n]+)`", page.read_text()), *(text for _, text in blocks(page, "console"))]
        )
        shown = set(re.findall(r"\bmake (\w+)", code))
        assert shown <= targets, name(page)


def test_extras_exist() -> None:
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"sente-channels\[(\w+)\]", page.read_text())) <= extras, name(page)


# -- reference


@pytest.mark.parametrize("public", sente.__all__)
def test_every_public_name_is_in_the_reference(public: str) -> None:
    assert re.search(rf"\b{public}\b", API.read_text())


def members(cls: type) -> list[str]:
    return [member for member in vars(cls) if not member.startswith("_")]


@pytest.mark.parametrize("cls", [sente.ChannelSocket, Client], ids=lambda cls: cls.__name__)
def test_every_member_is_in_the_reference(cls: type) -> None:
    text = API.read_text()
    assert [member for member in members(cls) if not re.search(rf"`[^`]*\b{member}\b[^`]*`", text)] == []
    arguments = list(inspect.signature(cls).parameters)
    signature = re.search(rf"^`{cls.__name__}\((.*)\)`$", text, re.MULTILINE)
    assert signature
    assert re.findall(r"(\w+)=", signature[1].replace("*, ", "")) == arguments


def reasons(cls: type) -> dict[str, str]:
    """The docstring below each field."""
    body = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=field_name)), ast.Expr(value=ast.Constant(value=str(reason))):
                found[field_name] = " ".join(reason.split())
    return found


def shown(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return f"`{type(value).__name__}()`"
    if isinstance(value, int) and value % 1024 == 0 and value >= 64 * 1024:
        size, unit = (value // 2**20, "MiB") if value % 2**20 == 0 else (value // 1024, "KiB")
        return f"{value} ({size} {unit})"
    return f"{value:g}" if isinstance(value, float) else str(value)


NAMED_TEST = re.compile(r"`((?:tests|js)/[\w/.]+\.(?:py|ts))::([^`]+)`")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_test_that_is_named_exists(page: Path) -> None:
    missing = []
    for file, test in NAMED_TEST.findall(page.read_text()):
        source = (ROOT / file).read_text() if (ROOT / file).exists() else ""
        if not re.search(rf"def {re.escape(test)}\(" if file.endswith(".py") else rf'test\("{re.escape(test)}', source):
            missing.append(f"{file}::{test}")
    assert missing == []


def test_each_threat_names_its_test() -> None:
    rows = [line for line in (ROOT / "docs/explanation/security.md").read_text().splitlines() if line[:2] == "| "][1:]
    assert len(rows) > 30
    assert [row for row in rows if not NAMED_TEST.search(row)] == []


def table(cls: Any) -> str:
    why = reasons(cls)
    rows = ["| setting | default | |", "|---|---|---|"]
    for field in dataclasses.fields(cls):
        rows.append(f"| `{field.name}` | {shown(getattr(cls(), field.name))} | {why.get(field.name, '')} |")
    return "\n".join(rows)


@pytest.mark.parametrize("cls", SETTINGS, ids=lambda cls: cls.__name__)
def test_the_settings_are_those_of_the_code(cls: Any) -> None:
    section = re.search(rf"^### {cls.__name__}\n(.*?)(?=^#|\Z)", API.read_text(), re.MULTILINE | re.DOTALL)
    assert section
    assert table(cls) in section[1], f"put this below '### {cls.__name__}' in {name(API)}:\n\n{table(cls)}\n"


def test_the_json_of_the_protocol_is_what_the_code_reads() -> None:
    kinds = set()
    for _, text in blocks(PROTOCOL, "json"):
        for plain in values(text):
            kinds.add(kind(plain))
    assert kinds == {"welcome", "hello", "info", "Head", "answer's head", "Events", "Request", "Reply", "Ack"}


def values(text: str) -> Iterator[Any]:
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        plain, end = decoder.raw_decode(rest)
        yield plain
        rest = rest[end:].strip()


def kind(plain: Any) -> str:
    if isinstance(plain, list):
        return type(read_packet(plain)).__name__
    if "sente" in plain:
        return "welcome"
    if "v" in plain:
        assert read_info(plain)
        return "info"
    if "hello" in plain:
        assert isinstance(read_first(json.dumps(plain)), Hello)
        return "hello"
    if "session" not in plain:
        return "answer's head"
    head = read_first(json.dumps(plain))
    assert isinstance(head, Head)
    return type(head).__name__
