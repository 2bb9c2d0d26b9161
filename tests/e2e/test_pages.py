"""The JavaScript client in pages of a real browser: how they are served, put to sleep, put away, opened twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from starlette.middleware.sessions import SessionMiddleware

from sente import ChannelSocket, Message
from sente.integrations.fastapi import channel_router
from sente.testing import FaultProxy
from sente.transports.script import FILE as CLIENT
from tests.asgi import until
from tests.demo.test_browser import ARGUMENTS, CHROMIUM
from tests.e2e.serving import serving

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not CLIENT.exists(), reason="the JavaScript client is not built"),
]

CSP = "default-src 'none'; script-src 'self'; connect-src 'self'"

SCRIPT = """
import { connect } from "./chsk/client.js";

const query = new URLSearchParams(location.search);
const csrf = async () => (await fetch("token")).text();
const settings = JSON.parse(query.get("settings") ?? "{}");
const chsk = connect("chsk", { transport: query.get("transport") ?? "auto", csrf, settings, queue: true });
Object.assign(globalThis, { chsk, got: [], unconfirmed: [], persisted: null });
chsk.on("test/push", (data) => got.push(data));
chsk.addEventListener("unconfirmed", ({ detail }) => unconfirmed.push(...detail.map(({ data }) => data)));
addEventListener("pageshow", (event) => (persisted = event.persisted));
"""

GAP = (
    "globalThis.gap = 0; let ran = Date.now(); setInterval(() => (gap = Math.max(gap, -ran + (ran = Date.now()))), 20)"
)
"""How long the page's timers stood still, in milliseconds."""


class Site:
    """An application that lives below ``/app``, with a login in its cookie and a strict policy."""

    def __init__(self, **options: Any) -> None:
        self.chsk = ChannelSocket(user_id=lambda connection: connection.session.get("uid"), csrf=True, **options)
        self.got: list[Any] = []
        inner = FastAPI()
        inner.include_router(channel_router(self.chsk, "/chsk"))
        inner.add_api_route("/", self._page)
        inner.add_api_route("/page.js", self._script)
        inner.add_api_route("/elsewhere", self._elsewhere)
        inner.add_api_route("/token", self._token)
        inner.add_middleware(SessionMiddleware, secret_key="secret")
        self.app = FastAPI(lifespan=lambda _: self.chsk.lifespan(inner))
        self.app.mount("/app", inner)
        self.chsk.on("test/echo")(self._echo)
        self.chsk.on("test/note")(self._note)

    async def _page(self, request: Request, uid: str = "ada") -> Response:
        request.session["uid"] = uid
        self.chsk.csrf_token(request)  # is in the cookie from now on
        return HTMLResponse('<script type="module" src="page.js"></script>', headers={"Content-Security-Policy": CSP})

    async def _script(self) -> Response:
        return Response(SCRIPT, media_type="text/javascript")

    async def _elsewhere(self) -> Response:
        return HTMLResponse("elsewhere")

    async def _token(self, request: Request) -> Response:
        return PlainTextResponse(self.chsk.csrf_token(request))

    async def _echo(self, msg: Message) -> Any:
        return [msg.uid, msg.data]

    async def _note(self, msg: Message) -> None:
        self.got.append(msg.data)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # what keeps pages in memory is switched off for tests, unless they are of it
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, ignore_default_args=["--disable-back-forward-cache"]
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def visiting(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context()
    try:
        yield context
    finally:
        await context.close()


async def visit(context: BrowserContext, address: str, complaints: list[str] | None = None) -> Page:
    page = await context.new_page()
    if complaints is not None:
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(address)
    await page.evaluate("chsk.ready")
    return page


async def comes(page: Page, condition: str) -> None:
    """Wait until something holds in the page, whose policy forbids it to wait by itself."""
    async with asyncio.timeout(20):
        while not await page.evaluate(condition):  # noqa: ASYNC110  (anything may make it true)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("transport", ["ws", "poll"])
async def test_below_a_path_under_a_strict_policy_with_cookie_and_token(browser: Browser, transport: str) -> None:
    site, complaints = Site(), list[str]()
    async with serving(site.app) as port, visiting(browser) as context:
        page = await visit(context, f"http://127.0.0.1:{port}/app/?transport={transport}", complaints)
        assert await page.evaluate("chsk.request('test/echo', '先手')") == ["ada", "先手"]
        assert await page.evaluate("[chsk.state.uid, chsk.state.transport]") == ["ada", transport]
        site.chsk.send("ada", "test/push", 1)
        await comes(page, "got.length === 1")
    assert [complaint for complaint in complaints if "Content Security" in complaint] == []


@pytest.mark.parametrize("transport", ["ws", "poll"])
async def test_from_another_origin_that_is_allowed(browser: Browser, transport: str) -> None:
    async with serving(Site().app) as here, visiting(browser) as context:
        there = ChannelSocket(allowed_origins=[f"http://127.0.0.1:{here}"])

        @there.on("test/echo")
        async def echo(msg: Message) -> Any:
            return msg.data

        async with there, serving(there) as port:
            page = await context.new_page()
            await page.goto(f"http://127.0.0.1:{here}/app/elsewhere")
            asked = """async ([url, transport]) => {
                const { connect } = await import("./chsk/client.js");
                const chsk = connect(url, { transport });
                await chsk.ready;
                const echoed = await chsk.request("test/echo", 1);
                await chsk.close();
                return [echoed, chsk.state.transport];
            }"""
            assert await page.evaluate(asked, [f"http://127.0.0.1:{port}/", transport]) == [1, transport]


async def test_from_another_origin_that_is_not_allowed(browser: Browser) -> None:
    async with serving(Site().app) as here, visiting(browser) as context:
        there = ChannelSocket()
        async with there, serving(there) as port:
            page = await context.new_page()
            await page.goto(f"http://127.0.0.1:{here}/app/elsewhere")
            asked = """async (url) => {
                const { connect } = await import("./chsk/client.js");
                const chsk = connect(url, { transport: "ws" });
                await chsk.ready.catch(() => {});
                return [chsk.state.refused.code, chsk.state.refused.message];
            }"""
            code, message = await page.evaluate(asked, f"http://127.0.0.1:{port}/")
            assert code == 4403
            assert "allowed_origins" in message


@pytest.mark.parametrize("transport", ["ws", "poll"])
async def test_a_frozen_tab_and_back(browser: Browser, transport: str) -> None:
    """Its timers stand still for longer than a ping and its answer may take: that does not make the line a dead one."""
    site, settings = Site(), '{"ping":300,"pingTimeout":300}'
    async with serving(site.app) as port, visiting(browser) as context:
        page = await visit(context, f"http://127.0.0.1:{port}/app/?transport={transport}&settings={settings}")
        await page.evaluate(GAP)
        debugger = await context.new_cdp_session(page)
        await debugger.send("Debugger.enable")
        await debugger.send("Debugger.pause")  # nothing runs, as when it is frozen: DevTools' own word freezes no page
        for value in range(20):
            site.chsk.send("ada", "test/push", value)
            await asyncio.sleep(0.1)
        await debugger.send("Debugger.resume")
        await debugger.send("Debugger.disable")
        await comes(page, "got.length >= 20")
        assert await page.evaluate("got") == list(range(20))
        assert await page.evaluate("gap") > 1500
        assert await page.evaluate("[chsk.state.open, chsk.state.lost, chsk.state.lastClose]") == [True, 0, None]


@pytest.mark.parametrize("transport", ["ws", "poll"])
async def test_a_page_that_is_put_away_resumes_from_the_cache(browser: Browser, transport: str) -> None:
    site = Site()
    async with serving(site.app) as port, visiting(browser) as context:
        page = await visit(context, f"http://127.0.0.1:{port}/app/?transport={transport}")
        site.chsk.send("ada", "test/push", 1)
        await comes(page, "got.length === 1")
        await page.goto(f"http://127.0.0.1:{port}/app/elsewhere")
        for value in (2, 3):
            site.chsk.send("ada", "test/push", value)
        await page.go_back(wait_until="commit")  # nothing is loaded
        await comes(page, "chsk.state.open && got.length >= 3")
        assert await page.evaluate("[persisted, got]") == [True, [1, 2, 3]]
        assert await page.evaluate("[chsk.state.resumed, chsk.state.lost]") == [True, 0]
        assert await page.evaluate("chsk.state.lastClose.reason") == "page-hidden"


async def test_a_duplicated_tab_is_a_client_of_its_own(browser: Browser) -> None:
    site = Site()
    async with serving(site.app) as port, visiting(browser) as context:
        first = await visit(context, f"http://127.0.0.1:{port}/app/")
        async with context.expect_page() as opened:
            await first.evaluate("sessionStorage.setItem('kept', 'copied'); open(location.href)")  # copies its storage
        second = await opened.value
        await comes(second, "globalThis.chsk?.state.open")
        assert await second.evaluate("sessionStorage.getItem('kept')") == "copied"
        assert site.chsk.send("ada", "test/push", 1).clients == 2
        for page in (first, second):
            await comes(page, "got.length === 1")
            assert await page.evaluate("chsk.state.lastClose") is None
        ids = [await page.evaluate("chsk.state.clientId") for page in (first, second)]
        assert ids[0] != ids[1]


@pytest.mark.parametrize("transport", ["ws", "poll"])
async def test_a_server_that_is_replaced_in_the_middle(browser: Browser, transport: str) -> None:
    """Nothing is handled twice; what nobody can know of is told, and so is that something may have been missed."""
    old, new = Site(), Site()
    async with serving(new.app) as port_of_new, visiting(browser) as context, AsyncExitStack() as life:
        port = await life.enter_async_context(serving(old.app))
        async with FaultProxy(port) as proxy:
            page = await visit(context, f"http://{proxy.address}/app/?transport={transport}")
            say = "let said = 0; const saying = setInterval(() => chsk.send('test/note', said++), 5);"
            await page.evaluate(f"{say} Object.assign(globalThis, {{ stop: () => (clearInterval(saying), said) }})")
            await until(lambda: len(old.got) > 20)
            proxy.targets = [port_of_new]
            await life.aclose()
            await until(lambda: len(new.got) > 20)
            said = await page.evaluate("stop()")
            await until(lambda: new.got[-1] == said - 1)
            assert await page.evaluate("[chsk.state.open, chsk.state.resumed, chsk.state.lost]") == [True, False, None]
            doubtful = await page.evaluate("unconfirmed")
            await page.close()
    assert old.got + new.got == sorted({*old.got, *new.got})
    assert {*old.got, *new.got, *doubtful} == set(range(said))


WORKER = """async (url) => {
    const script = `
        import { connect } from "${url}/client.js";
        const chsk = connect("${url}", { transport: "TRANSPORT" });
        await chsk.ready;
        postMessage([await chsk.request("test/echo", new Set(["先手"])), chsk.state.transport]);
        await chsk.close();`;
    const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })), { type: "module" });
    return new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve([[...data[0]], data[1]]);
        worker.onerror = (event) => reject(event);
    });
}"""


@pytest.mark.parametrize("transport", ["ws", "poll"])
async def test_a_worker_of_a_page(browser: Browser, transport: str) -> None:
    chsk = ChannelSocket(packers="auto", csrf=False)

    @chsk.on("test/echo")
    async def echo(msg: Message) -> Any:
        return msg.data

    app = FastAPI(lifespan=chsk.lifespan)
    app.include_router(channel_router(chsk, "/chsk"))
    app.add_api_route("/", lambda: HTMLResponse("<title>page</title>"))
    async with serving(app) as port, visiting(browser) as context:
        page = await context.new_page()
        await page.goto(f"http://127.0.0.1:{port}/")
        ask = WORKER.replace("TRANSPORT", transport)
        assert await page.evaluate(ask, f"http://127.0.0.1:{port}/chsk") == [["先手"], transport]
