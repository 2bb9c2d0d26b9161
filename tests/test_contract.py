"""The contract for its readers: the page and the document over ASGI, under FastAPI, and on the command line."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel

from sente import ChannelSocket, ConfigError, EventRegistry
from sente.cli import main
from sente.contract import ContractPage
from sente.integrations.fastapi import asyncapi_router
from tests.asgi import WebSocket, fetch
from tests.events.contract import contract


def make_socket() -> ChannelSocket:
    return ChannelSocket(events=contract(), packers="msgpack,json")


async def test_one_application_is_page_and_document() -> None:
    page = make_socket().asyncapi(title="Chat", version="3")
    html = await fetch(page, path="/asyncapi", query="")
    assert html.status == 200 and html.headers["content-type"] == "text/html; charset=utf-8"
    document = await fetch(page, path="/asyncapi.json", query="")
    assert document.headers["content-type"] == "application/json" and document.json == page.document
    assert document.json["info"] == {
        "title": "Chat",
        "version": "3",
        "x-sente-packers": {"msgpack": "application/vnd.sente.v1+msgpack", "json": "application/vnd.sente.v1+json"},
    }


async def test_the_page_runs_nothing_but_itself() -> None:
    answer = await fetch(make_socket().asyncapi(), query="")
    page, policy = answer.body.decode(), answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy
    assert "innerHTML" not in page and " style=" not in page and "src=" not in page and "http" not in page


def test_what_an_event_is_called_cannot_get_out_of_its_place() -> None:
    events = EventRegistry()
    events.event("x/y", of=int, doc="</script><script>alert(1)</script>")
    html = ContractPage(events).html
    assert html.count("</script>") == 2
    inside = re.search(r'id="document">(.*?)</script>', html, re.DOTALL)
    assert inside is not None
    assert json.loads(inside[1])["channels"]["x/y"]["description"] == "</script><script>alert(1)</script>"


async def test_it_is_read_only() -> None:
    page = make_socket().asyncapi()
    assert (await fetch(page, "POST", query="")).status == 405
    assert (await WebSocket(page).closed())[0] == 4405


def test_types_may_be_defined_after_the_page() -> None:
    events = EventRegistry()
    page = ContractPage(events)
    events.event("late/one", of=int)
    assert list(page.document["channels"]) == ["late/one"]
    assert page.document is page.document


def test_without_a_contract_there_is_nothing_to_show() -> None:
    with pytest.raises(ConfigError, match=r"no contract to show: give ChannelSocket\(events=\.\.\.\)"):
        ChannelSocket().asyncapi()


async def test_fastapi_serves_both_and_asks_for_somebody_at_the_door() -> None:
    def nobody() -> None:
        raise HTTPException(403, "for developers")

    app = FastAPI()
    app.include_router(asyncapi_router(make_socket(), title="Chat", version="3"))
    app.include_router(asyncapi_router(make_socket(), "/closed", dependencies=[Depends(nobody)]))
    assert b"<title>Contract" in (await fetch(app, path="/asyncapi", query="")).body
    assert (await fetch(app, path="/asyncapi.json", query="")).json["info"]["title"] == "Chat"
    for path in ("/closed", "/closed.json"):
        assert (await fetch(app, path=path, query="")).status == 403


def test_the_path_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"asyncapi_router\(path='docs/'\): write it like"):
        asyncapi_router(make_socket(), "docs/")


# -- the command line

SHOP = """
from types import SimpleNamespace
from pydantic import BaseModel
from sente import ChannelSocket, EventRegistry

events = EventRegistry()

@events.event("shop/buy", direction="to-server")
class Buy(BaseModel):
    item: str

chsk = ChannelSocket(events=events)
within = SimpleNamespace(chsk=chsk)
untyped = ChannelSocket()
NUMBER = 3
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the user is in, with a module of theirs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("shop", "fails"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "fails.py").write_text("raise LookupError('no database')")
    return tmp_path


@pytest.mark.parametrize("target", ["shop:chsk", "shop:events", "shop:within.chsk"])
def test_asyncapi_prints_the_document(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["asyncapi", target, "--title", "Shop", "--version", "2"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["info"]["title"] == "Shop" and document["info"]["version"] == "2"
    assert list(document["channels"]) == ["shop/buy"]


def test_asyncapi_writes_a_page(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["asyncapi", "shop:chsk", "--html", "--output", "page.html"]) == 0
    assert (place / "page.html").read_text().startswith("<!doctype html>") and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shop"], "'shop': give module:name of a ChannelSocket or an EventRegistry, like app:chsk"),
        (["shop:"], "'shop:': give module:name"),
        (["nowhere:chsk"], "nowhere:chsk: ModuleNotFoundError: No module named 'nowhere'"),
        (["fails:chsk"], "fails:chsk: LookupError: no database"),
        (["shop:gone"], "shop:gone: AttributeError"),
        (["shop:NUMBER"], "shop:NUMBER is a int: give module:name"),
        (["shop:untyped"], "there is no contract to show"),
        (["shop:chsk", "--output", "no/folder"], "cannot write no/folder: No such file or directory"),
    ],
)
def test_asyncapi_says_what_is_wrong(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["asyncapi", *arguments])
    assert ended.value.code == 1 and f"sente: {message}" in capsys.readouterr().err


def saved(place: Path, **fields: Any) -> None:
    """What ``shop`` was earlier, in old.json."""
    events = EventRegistry()
    buy = type("Buy", (BaseModel,), {"__annotations__": fields, "__module__": __name__})
    events.event("shop/buy", direction="to-server")(buy)
    (place / "old.json").write_text(ContractPage(events).json)


def test_diff_says_what_breaks_first(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved(place, item=int, note=str)
    assert main(["diff", "old.json", "shop:chsk"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "breaking  shop/buy  from-client.item: may be integer no more",
        "ok        shop/buy  from-client.note: removed",
        "ok        shop/buy  from-client.item: may be string now",
        "3 changes, 1 of them breaking",
    ]


def test_diff_is_content_with_what_breaks_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved(place, item=str, note=str)
    assert main(["diff", "old.json", "shop:chsk", "--json"]) == 0
    change = {"event": "shop/buy", "where": "from-client.note", "text": "removed", "breaking": False}
    assert json.loads(capsys.readouterr().out) == [change]
    assert main(["diff", "old.json", "old.json"]) == 0
    assert capsys.readouterr().out == "nothing changed\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.json", "shop:chsk"], "cannot read gone.json: No such file or directory"),
        (["shop.py", "shop:chsk"], "shop.py is no JSON"),
        (["bytes.json", "shop:chsk"], "bytes.json is no JSON"),
        (["deep.json", "shop:chsk"], "deep.json is no JSON"),
        (["number.json", "shop:chsk"], "the old document is no AsyncAPI 3"),
        (["old.json", "number.json"], "the new document is no AsyncAPI 3"),
        (["old.json", "fails:chsk"], "fails:chsk: LookupError: no database"),
    ],
)
def test_diff_tells_what_cannot_be_compared_from_what_breaks(
    arguments: list[str], message: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(place, item=str)
    (place / "number.json").write_text("3")
    (place / "bytes.json").write_bytes(b"\xff\xfe\xff")
    (place / "deep.json").write_text("[" * 100_000)
    assert main(["diff", *arguments]) == 2
    assert f"sente: {message}" in capsys.readouterr().err


def test_diff_without_arguments_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["diff", "old.json"])
    assert ended.value.code == 2
