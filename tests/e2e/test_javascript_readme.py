"""The front page of the npm package: its examples, one after the other, as one program in Node against a server."""

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sente import ChannelSocket, Message
from tests.e2e.serving import serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

JS = Path(__file__).parents[2] / "js"
README = (JS / "README.md").read_text()
URL = "https://example.com/chsk"
SAYS = """\
bob: hello
bob: 先手
2 have it
no_handler nobody handles chat/nobody-handles-this
bob: for the loop
for the loop
0.20
"""


def program(port: int) -> str:
    blocks = re.findall(r"^```js\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    code = "".join(blocks)
    assert code.count(URL) == 2
    return code.replace(URL, f"http://127.0.0.1:{port}/chsk")


async def test_the_examples_say_what_they_promise() -> None:
    node = shutil.which("node")
    assert node, "this test needs Node"
    chsk = ChannelSocket(user_id=lambda _: "bob")

    @chsk.on("chat/say")
    def say(msg: Message) -> int:
        chsk.broadcast("chat/said", {"by": msg.uid, "text": msg.data["text"]}, flush=True)
        return 2

    @chsk.on("shop/double")
    def double(msg: Message) -> Decimal:
        assert type(msg.data) is Decimal
        return msg.data * 2

    async with serving(chsk) as port:
        script = JS / ".build" / "readme.mjs"  # inside the package, which so finds itself by its name
        script.parent.mkdir(exist_ok=True)
        script.write_text(program(port))
        process = await asyncio.create_subprocess_exec(node, str(script), stdout=PIPE, stderr=PIPE)
        said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    assert Counter(said.decode().splitlines()) == Counter(SAYS.splitlines())


def test_the_sizes_are_those_that_are_held() -> None:
    sizes: dict[str, Any] = {
        name: int(size.replace("_", ""))
        for name, size in re.findall(r'"src/(?:packers/)?(\w+)\.ts": ([\d_]+)', (JS / "size.mjs").read_text())
    }
    shown = {
        name: round(float(size) * 1000)
        for names, size in re.findall(r"^\| (.+?) \| ([\d.]+) KB", README, re.MULTILINE)
        for name in re.findall(r"`sente-client/?(\w*)`", names)
    }
    assert shown == {"" if name == "index" else name: size for name, size in sizes.items()}
