"""``sente send``: an event for a user of a running application, from the command line."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sente.brokers.redis import RedisBroker
from sente.cli import main
from tests.brokers.servers import Server, redis_server
from tests.cluster.several import client_of, several

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    with redis_server() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, redis: Server) -> Path:
    """Where ``app:chsk`` is found."""
    (tmp_path / "app.py").write_text(
        "from sente import ChannelSocket\n"
        "from sente.brokers.redis import RedisBroker\n"
        f"chsk = ChannelSocket(broker=RedisBroker('redis://127.0.0.1:{redis.port}'))\n"
        "alone = ChannelSocket()\n"
        "nothing = 7\n"
    )
    return tmp_path


async def send(folder: Path, *arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import sys; from sente.cli import main; sys.exit(main())", "send", *arguments),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_it_says_who_has_it(folder: Path, redis: Server) -> None:
    broker = RedisBroker(f"redis://127.0.0.1:{redis.port}")
    numbered: dict[str, Any] = {"user_id": lambda connection: int(connection.query["user"])}
    async with several(broker, 2) as app, client_of(app, "ada") as ada, client_of(app, "ada", "poll") as too:
        code, out, err = await send(folder, "app:chsk", "ada", "job/done", '{"id": 7}')
        assert (code, out, err) == (0, "2 of 2 clients have it\n", "")
        for client in (ada, too):
            assert (await client.received.next("job/done")).data == {"id": 7}
        assert await send(folder, "app:chsk", "*", "news/told") == (0, "2 of 2 clients have it\n", "")
        assert (await ada.received.next("news/told")).data is None
        assert await send(folder, "app:chsk", "eve", "job/done") == (1, "0 of 0 clients have it\n", "")
    async with several(broker, 1, **numbered) as app, client_of(app, "7"):
        assert await send(folder, "app:chsk", "7", "job/done") == (1, "0 of 0 clients have it\n", "")
        assert (await send(folder, "app:chsk", "7", "job/done", "--integer"))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["app:nothing", "ada", "a/b"], "app:nothing is a int, not a ChannelSocket"),
        (["app:alone", "ada", "a/b"], "needs a broker"),
        (["app:missing", "ada", "a/b"], "missing"),
        (["app:chsk", "ada", "no id"], "an event id is"),
        (["app:chsk", "ada", "a/b", "{"], "this is no JSON"),
        (["app:chsk", "ada", "a/b", "--integer"], "'ada' is none"),
    ],
)
async def test_what_is_wrong_is_said(folder: Path, arguments: list[str], said: str) -> None:
    code, out, err = await send(folder, *arguments)
    assert code not in (0, None)
    assert said in err
    assert "Traceback" not in err + out


def test_it_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["send", "--help"])
    assert "--wait SECONDS" in capsys.readouterr().out
