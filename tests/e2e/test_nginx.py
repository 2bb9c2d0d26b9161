"""Behind nginx, with the very configuration that the deployment guide shows: TLS, a sub-path, both transports."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sente import ChannelSocket, Client, Rejected
from tests.asgi import PATIENCE, TRANSPORTS, TransportName, until
from tests.e2e.nginx import nginx
from tests.e2e.ports import free_port
from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e

CONFIGURATION = Path(__file__).parents[2] / "docs" / "guides" / "nginx.conf"
NEARLY_A_MEGABYTE = "x" * (1024 * 1024 - 100)


def certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed one for localhost, and its key."""
    pem, key = directory / "localhost.pem", directory / "localhost.key"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*command, *names, "-out", pem, "-keyout", key], check=True, capture_output=True)
    return pem, key


@pytest.fixture
async def behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ChannelSocket, str]]:
    """A socket, and its address at nginx."""
    pem, key = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    chsk = ChannelSocket(user_id=lambda _: "ada")
    chsk.on("chat/echo")(lambda msg: [msg.data, msg.connection.headers["host"], msg.connection.path])
    async with serving(chsk) as upstream:
        port = free_port()
        text = CONFIGURATION.read_text()
        for shown, here in {
            "127.0.0.1:8000": f"127.0.0.1:{upstream}",
            "listen 443": f"listen 127.0.0.1:{port}",
            "/etc/ssl/chat.example.com.pem": str(pem),
            "/etc/ssl/chat.example.com.key": str(key),
        }.items():
            assert text.count(shown) == 1
            text = text.replace(shown, here)
        async with nginx(text, port, tmp_path):
            yield chsk, f"localhost:{port}"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_both_transports_get_through(behind: tuple[ChannelSocket, str], transport: TransportName) -> None:
    chsk, host = behind
    origin = {"origin": f"https://{host}"}
    async with Client(f"https://{host}/app/chsk", transport=transport, headers=origin) as client:
        assert client.state.transport == transport
        assert await client.request("chat/echo", "先手", timeout=PATIENCE) == ["先手", host, "/chsk"]
        events = client.events("chat/said")
        chsk.send("ada", "chat/said", NEARLY_A_MEGABYTE)
        assert (await anext(events)).data == NEARLY_A_MEGABYTE
        [echo, *_] = await client.request("chat/echo", NEARLY_A_MEGABYTE, timeout=PATIENCE)
        assert echo == NEARLY_A_MEGABYTE
    await until(lambda: chsk.stats["ended goodbye"])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_page_of_another_host_is_refused(behind: tuple[ChannelSocket, str], transport: TransportName) -> None:
    with pytest.raises(Rejected, match="allowed_origins"):
        async with Client(
            f"https://{behind[1]}/app/chsk", transport=transport, headers={"origin": "https://evil.example"}
        ):
            pass
