"""The JavaScript client, served from the path of the socket."""

from pathlib import Path

import pytest

from sente import ChannelSocket
from sente.transports import script
from tests.asgi import Answer, fetch


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "client.js"
    monkeypatch.setattr(script, "FILE", path)
    script._script.cache_clear()
    return path


@pytest.fixture
def built(path: Path) -> bytes:
    path.write_bytes(b"export const connect = 1;")
    return path.read_bytes()


async def get(method: str = "GET", **headers: str) -> Answer:
    async with ChannelSocket() as chsk:
        return await fetch(chsk, method, "", path="/chsk/client.js", headers=headers)


async def test_the_script_is_served_and_may_be_cached_until_it_changes(built: bytes) -> None:
    answer = await get()
    assert (answer.status, answer.body) == (200, built)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    again = await get(**{"if-none-match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    other = await get(**{"if-none-match": '"other"'})
    assert (other.status, other.body) == (200, built)


async def test_a_checkout_without_the_script_says_how_to_build_it() -> None:
    answer = await get()
    assert answer.status == 404
    assert b"make test" in answer.body


@pytest.mark.usefixtures("built")
async def test_nothing_else_is_served_there() -> None:
    assert (await get("POST")).status == 400  # no client-id: it is taken for a client
