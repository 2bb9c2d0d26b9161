"""The contract's page in a real browser, opened from a file: it needs no server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from sente import EventRegistry
from sente.contract import ContractPage
from tests.demo.test_browser import ARGUMENTS, CHROMIUM
from tests.events.contract import contract
from tests.events.test_asyncapi import odd

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page that may not complain, of a phone and in the dark, which is the harder case for its looks."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        await browser.close()
        assert complaints == []


async def show(page: Page, place: Path, events: EventRegistry) -> ContractPage:
    made = ContractPage(events, title="Test", version="7")
    (place / "contract.html").write_text(made.html)
    await page.goto(f"file://{place}/contract.html")
    return made


async def test_it_says_what_each_side_says(page: Page, tmp_path: Path) -> None:
    await show(page, tmp_path, contract())
    assert await page.title() == "Test: contract"
    move = page.locator("article").filter(has=page.get_by_role("heading", name="game/move", exact=True))
    await expect(move).to_contain_text("client → server")
    await expect(move).not_to_contain_text("server → client")
    await expect(move).to_contain_text("A stone is set.")
    await expect(move.locator("h3")).to_have_text(["The client says Move", "The server replies"])
    await expect(move.locator("tbody tr").first).to_have_text("xinteger")
    await expect(move).to_contain_text("[integer, string]")
    await move.get_by_text("Example").first.click()
    await expect(move.locator("pre").first).to_contain_text('"x": 1')
    await expect(page.locator("article").filter(has_text="chat/say").first).to_contain_text("at least 1 character")
    await expect(page.locator("main")).not_to_contain_text("1 characters")
    typing = page.locator("article").filter(has=page.get_by_role("heading", name="chat/typing", exact=True))
    await expect(typing.locator("h3")).to_have_text(["Either side says"])
    await expect(typing).to_contain_text("list of string")


async def test_what_is_searched_for_is_what_is_shown(page: Page, tmp_path: Path) -> None:
    await show(page, tmp_path, contract())
    await page.keyboard.press("/")
    await page.keyboard.type("LAT")
    await expect(page.locator("article:visible h2")).to_have_text(["map/sight", "Sight"])
    await page.get_by_label("Search").fill("nothing like it")
    await expect(page.get_by_text("Nothing has that in it.")).to_be_visible()
    await page.get_by_label("Search").fill("map/")
    await page.locator("article:visible").get_by_role("link", name="Sight").click()
    await expect(page.get_by_role("heading", name="Sight", exact=True)).to_be_in_viewport()


async def test_odd_types_and_ids_are_shown(page: Page, tmp_path: Path) -> None:
    await show(page, tmp_path, odd())
    await expect(page.get_by_role("heading", name="odd/a~b/c#d?é{e}", exact=True)).to_be_visible()
    union = page.locator("article").filter(has=page.get_by_role("heading", name="odd/union", exact=True))
    await expect(union).to_contain_text("Cat-Input or Dog")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_without_events_it_says_so(page: Page, tmp_path: Path) -> None:
    await show(page, tmp_path, EventRegistry())
    await expect(page.get_by_text("No events yet.")).to_be_visible()


async def test_the_document_is_saved_from_it(page: Page, tmp_path: Path) -> None:
    made = await show(page, tmp_path, contract())
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Save as JSON").click()
    download = await saved.value
    assert download.suggested_filename == "asyncapi.json"
    assert json.loads((await download.path()).read_text()) == made.document
