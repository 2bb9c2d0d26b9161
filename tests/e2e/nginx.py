"""Debian's nginx as a child process on 127.0.0.1, with a directory of its own."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.ports import accepts

MAIN = """
daemon off;
master_process off;  # started by root, its workers would be another user
pid {directory}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {configuration}
}}
"""


def find_nginx() -> str:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx, "these tests need nginx: scripts/debian-packages nginx"
    return nginx


@asynccontextmanager
async def nginx(configuration: str, port: int, directory: Path) -> AsyncIterator[None]:
    """Run nginx with what stands in its http block, until it listens at ``port``."""
    file = directory / "nginx.conf"
    file.write_text(MAIN.format(directory=directory, configuration=configuration))
    process = await asyncio.create_subprocess_exec(find_nginx(), "-c", str(file), "-p", str(directory), "-e", "stderr")
    try:
        while not await accepts(port):
            assert process.returncode is None, "nginx has ended"
            await asyncio.sleep(0.01)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
