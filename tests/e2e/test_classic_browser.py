"""Our JavaScript client as one of Sente's own, in a real browser that loads it without a build step."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.asgi import until
from tests.classic.server import observed
from tests.demo.test_browser import ARGUMENTS, CHROMIUM
from tests.e2e.serving import serving

DIST = Path(__file__).parents[2] / "js" / "dist"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not (DIST / "classic.js").exists(), reason="the JavaScript client is not built"),
]

PAGE = """<!doctype html>
<script type="importmap">
  {"imports": {"sente-client": "/dist/index.js", "sente-client/classic": "/dist/classic.js"}}
</script>
<script type="module">
  import { RequestFailed } from "sente-client";
  import { connectClassic } from "sente-client/classic";

  const transport = new URLSearchParams(location.search).get("transport");
  const chsk = connectClassic("/chsk", { transport, params: { uid: "ada" }, csrf: async () => "to&ken" });
  const pushed = new Promise((resolve) => chsk.on("bench/push", resolve));
  globalThis.talked = (async () => {
    await chsk.ready;
    const echoed = await chsk.request("bench/echo", { text: "先手 &+%" });
    await chsk.request("bench/push-me", 1);
    const push = await pushed;
    const failed = await chsk.request("bench/broken").catch((error) => error instanceof RequestFailed && error.code);
    chsk.send("test/note", "last words");
    chsk.disconnect();
    return { transport: chsk.state.transport, uid: chsk.state.uid, echoed, push, failed };
  })();
</script>
"""


@asynccontextmanager
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield await browser.new_page()
        await browser.close()


@pytest.mark.parametrize("transport", ["auto", "poll"])
async def test_a_page_talks_to_a_classic_server(transport: str) -> None:
    async with observed(csrf=lambda _, token: token == "to&ken") as (chsk, handled):

        @chsk.on("bench/broken")
        async def broken(msg: Any) -> None:
            raise ValueError("not today")

        routes = [Route("/", lambda _: HTMLResponse(PAGE)), Mount("/dist", StaticFiles(directory=DIST))]
        site = Starlette(routes=routes)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await (chsk if scope["path"] == "/chsk" else site)(scope, receive, send)

        async with serving(app) as port, page() as tab:
            await tab.goto(f"http://127.0.0.1:{port}/?transport={transport}")
            talked = await tab.evaluate("globalThis.talked")
            assert talked == {
                "transport": "ws" if transport == "auto" else "poll",
                "uid": "ada",
                "echoed": {"text": "先手 &+%"},
                "push": {"i": 0},
                "failed": "error",
            }
            await until(lambda: ("test/note", "last words") in [said[:2] for said in handled])
