"""``sente doctor`` before servers and proxies that are right, and that are wrong in one way each."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sente import ChannelSocket, ServerSettings, cli
from sente.cli import doctor
from tests.asgi import until
from tests.e2e.nginx import nginx
from tests.e2e.ports import free_port
from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e

SETTINGS = ServerSettings(poll=0.3)
UPGRADE = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
HOST = "proxy_set_header Host $http_host;"


class Report:
    def __init__(self, code: int, findings: list[Any]) -> None:
        self.code = code
        self.wrong = [finding["check"] for finding in findings if finding["ok"] is False]
        self.unsure = [finding["check"] for finding in findings if finding["ok"] is None]
        self.text = "\n".join(f"{finding['check']}: {finding['said']} {finding['fix']}" for finding in findings)


@pytest.fixture
def examine(capsys: pytest.CaptureFixture[str]) -> Any:
    async def run(url: str, *options: str) -> Report:
        code = await asyncio.to_thread(cli.main, ["doctor", url, "--json", *options])
        return Report(code, json.loads(capsys.readouterr().out))

    return run


@asynccontextmanager
async def behind(directory: Path, lines: str, **options: Any) -> AsyncIterator[str]:
    """The address at an nginx whose location has these lines."""
    port = free_port()
    async with serving(ChannelSocket(**{"settings": SETTINGS, **options})) as upstream:
        location = f"location /chsk {{ proxy_pass http://127.0.0.1:{upstream}; {lines} }}"
        async with nginx(f"server {{ listen 127.0.0.1:{port}; {location} }}", port, directory):
            yield f"http://127.0.0.1:{port}/chsk"


async def test_a_good_server_passes_and_keeps_nothing(examine: Any) -> None:
    chsk = ChannelSocket(settings=SETTINGS)
    async with serving(chsk) as port:
        report = await examine(f"http://127.0.0.1:{port}/chsk")
        assert (report.code, report.wrong, report.unsure) == (0, [], [])
        assert "packers: auto,json" in report.text
        assert "held for 0.3 s" in report.text
        await until(lambda: chsk.stats["ended goodbye"] == 1)


async def test_a_good_proxy_passes(examine: Any, tmp_path: Path) -> None:
    async with behind(tmp_path, HOST + UPGRADE) as url:
        report = await examine(url, "--quick")
    assert (report.code, report.wrong, report.unsure) == (0, [], ["poll"])


@pytest.mark.parametrize(
    ("lines", "check", "fix"),
    [
        (HOST, "websocket", "proxy_set_header Upgrade $http_upgrade;"),
        (UPGRADE, "origin", HOST),
        (HOST + UPGRADE + "proxy_hide_header Cache-Control;", "caching", "proxy_hide_header Cache-Control"),
        (HOST + UPGRADE + "add_header Access-Control-Allow-Origin * always;", "cors", "nginx: add_header"),
    ],
)
async def test_a_proxy_that_lacks_a_line_is_told_which(
    examine: Any, tmp_path: Path, lines: str, check: str, fix: str
) -> None:
    async with behind(tmp_path, lines) as url:
        report = await examine(url, "--quick")
    assert (report.code, report.wrong) == (1, [check])
    assert fix in report.text


async def test_a_proxy_that_gives_up_before_the_poll(examine: Any, tmp_path: Path) -> None:
    settings = ServerSettings(poll=5)
    async with behind(tmp_path, HOST + UPGRADE + "proxy_read_timeout 1s;", settings=settings) as url:
        report = await examine(url)
    assert (report.code, report.wrong) == (1, ["poll"])
    assert "a poll of 5 s is cut after 1." in report.text
    assert "proxy_read_timeout 60s;" in report.text


async def test_something_that_holds_answers_back(examine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 1.0)
    chsk = ChannelSocket(settings=SETTINGS)
    posts = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def late(message: Any) -> None:
            if posts == 3 and message["type"] == "http.response.start":  # two hellos, then the poll
                await asyncio.sleep(1.5)
            await send(message)

        nonlocal posts
        posts += scope.get("method") == "POST"
        await chsk(scope, receive, late)

    async with serving(app) as port:
        report = await examine(f"http://127.0.0.1:{port}/chsk")
    assert (report.code, report.wrong) == (1, ["poll"])
    assert "is held back by something in between" in report.text
    assert "proxy_buffering off;" in report.text


async def test_a_location_without_what_is_below_it(examine: Any, tmp_path: Path) -> None:
    port = free_port()
    async with serving(ChannelSocket(settings=SETTINGS)) as upstream:
        location = f"location = /chsk {{ proxy_pass http://127.0.0.1:{upstream}; {HOST + UPGRADE} }}"
        async with nginx(f"server {{ listen 127.0.0.1:{port}; {location} }}", port, tmp_path):
            report = await examine(f"http://127.0.0.1:{port}/chsk", "--quick")
    assert (report.code, report.wrong) == (1, ["client.js"])


async def test_a_redirect_is_said_to_be_none_for_websockets(examine: Any, tmp_path: Path) -> None:
    port = free_port()
    redirect = f"server {{ listen 127.0.0.1:{port}; return 301 https://app.example.com$request_uri; }}"
    async with nginx(redirect, port, tmp_path):
        report = await examine(f"http://127.0.0.1:{port}/chsk")
    assert (report.code, report.wrong) == (1, ["redirects"])
    assert "use the address https://app.example.com/chsk'" in report.text


@pytest.mark.parametrize(
    ("status", "hint"),
    [(200, "channel_router(chsk"), (404, "channel_router(chsk"), (500, "lifespan"), (502, "proxy_pass")],
)
async def test_what_is_no_channel_socket_is_said_to_be_none(examine: Any, status: int, hint: str) -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<h1>Hello</h1>"})

    async with serving(page) as port:
        report = await examine(f"http://127.0.0.1:{port}/")
    assert (report.code, report.wrong) == (1, ["reachable"])
    assert f"HTTP {status}, text/html" in report.text
    assert hint in report.text


async def test_nobody_there(examine: Any) -> None:
    report = await examine(f"http://127.0.0.1:{free_port()}/chsk")
    assert (report.code, report.wrong) == (1, ["reachable"])
    assert "Connection refused" in report.text


async def test_a_server_that_takes_pages_of_anywhere(examine: Any) -> None:
    async with serving(ChannelSocket(settings=SETTINGS, allowed_origins=["*"])) as port:
        report = await examine(f"http://127.0.0.1:{port}/chsk", "--quick")
    assert (report.code, report.wrong) == (1, ["foreign origin"])
    assert "allowed_origins=['https://app.example.com']" in report.text


async def test_what_needs_a_login_or_a_token_is_no_fault(examine: Any) -> None:
    def right(connection: Any, token: str | None) -> bool:
        return token == "secret" and "session" in connection.cookies

    async with serving(ChannelSocket(settings=SETTINGS, csrf=right)) as port:
        url = f"http://127.0.0.1:{port}/chsk"
        report = await examine(url)
        assert (report.code, report.unsure) == (0, ["csrf"])
        assert "--csrf" in report.text
        report = await examine(url, "--csrf", "secret", "--header", "Cookie: session=1")
        assert (report.code, report.unsure) == (0, [])
    async with serving(ChannelSocket(settings=SETTINGS, authorize=lambda _: False)) as port:
        report = await examine(f"http://127.0.0.1:{port}/chsk")
        assert (report.code, report.unsure) == (0, ["login"])


async def test_it_prints_each_finding_with_the_lines_to_add(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    async with behind(tmp_path, HOST) as url:
        assert await asyncio.to_thread(cli.main, ["doctor", url, "--quick"]) == 1
    said = capsys.readouterr().out
    assert "ok    packers         auto,json\n" in said
    assert "FAIL  websocket       the upgrade does not get through" in said
    assert f"{'':22}nginx: proxy_http_version 1.1;" in said
    assert "--    poll " in said
