"""The demo's page in a real browser."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import pytest
from playwright.async_api import BrowserContext, Locator, Page, async_playwright, expect

from sente.demo import create_app
from sente.interfaces import ASGIApp
from sente.transports.script import FILE as CLIENT
from tests.e2e.serving import serving

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not CLIENT.exists(), reason="the JavaScript client is not built"),
]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=30_000)

LINE_TROUBLE = ("WebSocket connection to", "Failed to load resource")
"""What Chromium itself writes to the console about a line that is cut."""


class Tab:
    """A page of the demo, in words of its visitor."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def open(self) -> None:
        await self.page.goto(self.url)
        await self.line("open")

    async def line(self, state: str, transport: str = "") -> None:
        """Wait for a state of the line."""
        also = f"[data-transport={transport}]" if transport else ""
        await expect(self.page.locator(f"body[data-line={state}]{also}")).to_be_visible()

    async def join(self, name: str) -> None:
        await self.page.get_by_label("Join as").fill(name)
        await self.page.get_by_role("button", name="Join").click()
        await expect(self.page.get_by_label("Message", exact=True)).to_be_visible()

    async def say(self, text: str) -> None:
        await self.page.get_by_label("Message", exact=True).fill(text)
        await self.page.get_by_role("button", name="Send").click()

    async def choose(self, transport: str) -> None:
        await self.page.locator(".switch").get_by_text(transport, exact=True).click()

    def message(self, text: str) -> Locator:
        return self.page.locator(".message").filter(has_text=text)

    def notice(self, text: str) -> Locator:
        return self.page.locator(".notice").filter(has_text=text)

    def fact(self, name: str) -> Locator:
        return self.page.locator("dl div").filter(has_text=name).locator("dd")

    def person(self, name: str) -> Locator:
        return self.page.locator(".person").filter(has_text=name)


Visit: TypeAlias = Callable[..., Awaitable[Tab]]
Demo: TypeAlias = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    """Runs a new demo, and afterwards looks whether a page had something to complain about."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)

        @asynccontextmanager
        async def run(
            around: Callable[[ASGIApp], ASGIApp] = lambda app: app, trouble: bool = False
        ) -> AsyncIterator[Visit]:
            tabs: list[Tab] = []
            async with serving(around(create_app())) as port:

                async def visit(name: str | None = None, context: BrowserContext | None = None, **device: Any) -> Tab:
                    context = context or await browser.new_context(**device)
                    tab = Tab(await context.new_page(), f"http://127.0.0.1:{port}/")
                    tabs.append(tab)
                    await tab.open()
                    if name is not None:
                        await tab.join(name)
                    return tab

                try:
                    yield visit
                finally:
                    for tab in tabs:
                        await tab.page.close(run_before_unload=False)
                    for context in browser.contexts:
                        await context.close()
            complaints = [text for tab in tabs for text in tab.complaints]
            if trouble:
                complaints = [text for text in complaints if not text.startswith(LINE_TROUBLE)]
            assert complaints == []

        yield run
        await browser.close()


def without_websockets(app: ASGIApp) -> ASGIApp:
    """A proxy that does not let WebSockets through."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await app(scope, receive, send)

    return serve


async def test_two_people_talk(demo: Demo) -> None:
    async with demo() as visit:
        ada, bob = await visit("Ada"), await visit("Bob")
        await ada.say("<b>Hello</b> & good day")
        await expect(ada.message("<b>Hello</b> & good day")).to_contain_text("sent ✓")
        await expect(bob.message("<b>Hello</b> & good day")).to_contain_text("Ada")
        await bob.page.get_by_label("Message", exact=True).press_sequentially("Good")
        await expect(ada.page.locator("#typing")).to_have_text("Bob is typing")
        await bob.say("Good day to you")
        await expect(ada.message("Good day to you")).to_have_count(1)
        await expect(ada.page.locator("#typing")).to_be_empty()
        await expect(bob.message("Good day to you")).to_have_count(1)
        await expect(ada.person("Bob")).to_contain_text("WebSocket")


async def test_one_polls_and_nobody_notices(demo: Demo) -> None:
    async with demo() as visit:
        ada, bob = await visit("Ada"), await visit("Bob")
        await bob.choose("Polling")
        await bob.line("open", "poll")
        await expect(bob.notice("Now over long-polling, in the same session.")).to_be_visible()
        await expect(ada.person("Bob")).to_contain_text("polling")
        await bob.say("over a poll")
        await ada.say("over a WebSocket")
        for tab in (ada, bob):
            await expect(tab.message("over a poll")).to_have_count(1)
            await expect(tab.message("over a WebSocket")).to_have_count(1)
        await bob.choose("WebSocket")
        await bob.line("open", "ws")
        await expect(bob.fact("Session")).to_have_text("resumed 2×")
        await expect(bob.fact("Events lost")).to_have_text("0")


async def test_where_websockets_do_not_get_through_it_polls(demo: Demo) -> None:
    async with demo(without_websockets, trouble=True) as visit:
        ada, bob = await visit("Ada"), await visit("Bob")
        await ada.line("open", "poll")
        await expect(ada.page.locator("#detail")).to_have_text("WebSocket did not get through.")
        await ada.say("still here")
        await expect(bob.message("still here")).to_have_count(1)


@pytest.mark.parametrize("transport", ["WebSocket", "Polling"])
async def test_a_line_that_was_cut_comes_back_and_nothing_is_lost(demo: Demo, transport: str) -> None:
    async with demo(trouble=True) as visit:
        ada, bob = await visit("Ada"), await visit("Bob")
        await ada.choose(transport)
        await ada.line("open", "ws" if transport == "WebSocket" else "poll")
        await ada.say("before")
        await expect(ada.message("before")).to_contain_text("sent ✓")
        await ada.page.get_by_role("button", name="Cut my line").click()
        await expect(ada.notice("The line is down.")).to_be_visible()
        for text in ("first word", "second word"):
            await ada.say(text)
            await expect(ada.message(text)).to_contain_text("waits for the line")
        await bob.say("meanwhile")
        await expect(bob.message("meanwhile")).to_contain_text("sent ✓")
        await expect(ada.message("meanwhile")).to_have_count(0)
        await ada.line("open")
        await expect(ada.notice("1 message caught up, nothing lost.")).to_be_visible()
        await expect(ada.notice("The line is down.")).to_have_count(0)
        await expect(ada.message("meanwhile")).to_have_count(1)
        for text in ("first word", "second word"):
            await expect(ada.message(text)).to_contain_text("sent ✓")
            await expect(bob.message(text)).to_have_count(1)
        for tab in (ada, bob):
            expected = ["before", "meanwhile", "first word", "second word"]
            await expect(tab.page.locator(".message .bubble")).to_have_text(expected)


async def test_what_is_refused_can_be_tried_again(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    async with demo() as visit:
        ada = await visit("Ada")
        monkeypatch.setattr("sente.demo.lobby.TEXT_LIMIT", 5)
        await ada.say("too long")
        await expect(ada.message("too long")).to_contain_text("Not sent: a message has at most 5 characters")
        monkeypatch.undo()
        await ada.page.get_by_role("button", name="Retry").click()
        await expect(ada.message("too long")).to_contain_text("sent ✓")


async def test_two_tabs_are_one_user(demo: Demo) -> None:
    async with demo() as visit:
        first, bob = await visit("Ada"), await visit("Bob")
        second = await visit(context=first.page.context)
        await expect(second.page.get_by_label("Message", exact=True)).to_be_visible()
        await first.say("from the first tab")
        await expect(second.message("from the first tab")).to_have_class("message new mine first last")
        await expect(bob.person("Ada")).to_have_count(1)
        await second.page.get_by_role("button", name="Log out").click()
        for tab in (first, second):
            await expect(tab.page.get_by_label("Join as")).to_be_visible()
        await expect(bob.person("Ada")).to_have_count(0)
        await second.join("Ada")
        await expect(first.page.get_by_label("Message", exact=True)).to_be_visible()


async def test_who_comes_later_sees_what_was_said(demo: Demo) -> None:
    async with demo() as visit:
        ada = await visit("Ada")
        await expect(ada.page.get_by_role("heading", name="An empty board")).to_be_visible()
        await ada.say("first move")
        late = await visit()
        await expect(late.message("first move")).to_have_count(1)
        await expect(late.page.get_by_role("heading", name="An empty board")).to_be_hidden()
        await late.page.reload()
        await late.line("open")
        await expect(late.message("first move")).to_have_count(1)


async def test_a_name_that_does_not_do_is_explained(demo: Demo) -> None:
    async with demo(trouble=True) as visit:
        tab = await visit()
        await tab.page.get_by_label("Join as").fill("   ")
        await tab.page.get_by_role("button", name="Join").click()
        await expect(tab.page.get_by_role("alert")).to_have_text("a name has 1 to 32 letters")


async def test_it_fits_on_a_phone(demo: Demo) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    async with demo() as visit:
        tab = await visit("A name of thirty-two characters!", **phone)
        await tab.say("w" * 300)
        await expect(tab.message("www")).to_contain_text("sent ✓")
        assert await fits(tab)
        await expect(tab.page.get_by_role("button", name="Cut my line")).to_be_hidden()
        await tab.page.locator("#chip").click()
        await expect(tab.page.get_by_role("button", name="Cut my line")).to_be_visible()
        assert await fits(tab)
        await tab.page.keyboard.press("Escape")
        await expect(tab.page.get_by_role("button", name="Cut my line")).to_be_hidden()


async def fits(tab: Tab) -> bool:
    """Whether nothing is wider than the box it is in."""
    return bool(
        await tab.page.evaluate(
            """() => [document.documentElement, ...document.querySelectorAll("main, .scroller, .panel, .card")]
                .every((box) => box.scrollWidth <= box.clientWidth)"""
        )
    )


async def test_the_inspector_shows_who_is_there_and_what_travels(demo: Demo) -> None:
    async with demo() as visit:
        ada = await visit("Ada")
        await ada.choose("Polling")
        inspector = Tab(await ada.page.context.new_page(), f"{ada.url}inspector")
        await inspector.page.goto(inspector.url)
        await expect(inspector.page.get_by_role("status")).to_have_text("live")
        await expect(inspector.page.locator("#clients tr").filter(has_text="Ada")).to_contain_text("poll")
        await ada.say("a secret")
        note = inspector.page.locator("#notes tr").filter(has_text="chat/say")
        await expect(note).to_contain_text("in")
        await inspector.page.get_by_label("Filter the log").fill("nothing like it")
        await expect(inspector.page.locator("#quiet")).to_have_text("Nothing fits the filter.")
        assert "a secret" not in await inspector.page.content()
        assert inspector.complaints == []


async def test_the_contract_lists_what_the_lobby_says(demo: Demo) -> None:
    async with demo() as visit:
        watcher = await visit()
        async with watcher.page.context.expect_page() as opened:
            await watcher.page.get_by_role("link", name="contract").click()
        contract = Tab(await opened.value, f"{watcher.url}asyncapi")
        await expect(contract.page.get_by_role("heading", name="sente demo")).to_be_visible()
        assert await contract.page.locator("article h2").all_text_contents() == [
            *("chat/said", "chat/say", "chat/typing", "lobby/online"),
            *("Online", "Said", "Say", "Typist"),
        ]
        document = await contract.page.request.get(f"{contract.url}.json")
        assert "chat/say" in (await document.json())["channels"]
        await contract.page.get_by_label("Search").fill("key")
        assert contract.complaints == []
