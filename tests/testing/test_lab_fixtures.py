"""The fixtures of the lab, in a pytest of their own: what a failure prints brings the same failure again."""

import re
from pathlib import Path

import pytest

from tests.testing.test_served import run_pytest

pytestmark = pytest.mark.timeout(240)  # up to three pytests, one after the other

PAIR = """
import pytest
pytest_plugins = ["sente.testing.plugin"]

@pytest.fixture(params=["poll"])
def sente_transport(request):
    return request.param

def test_pair(chsk_pair):
    chsk_pair.connect()
    for number in range(100):
        chsk_pair.server_send("count/down", number)
        chsk_pair.run(1)
    chsk_pair.settle()
    chsk_pair.check()
    {claim}
"""

PROXY = """
import asyncio
import pytest
from sente.testing import Cut, Plan, Script
pytest_plugins = ["sente.testing.plugin"]

async def test_proxy(fault_proxy):
    async def serve(reader, writer):
        writer.write(b"x" * 100_000)
        await asyncio.sleep(0.2)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with fault_proxy(server.sockets[0].getsockname()[1]) as proxy:
        for _ in range(12):
            reader, writer = await asyncio.open_connection(*proxy.address.split(":"))
            try:
                await reader.read(-1)
            except ConnectionResetError:
                pass
            writer.close()
    server.close()
    assert proxy.befell["cut"] == 0, dict(proxy.befell)
"""


def again(said: str) -> str:
    """The test that a failure printed."""
    _, _, rest = said.partition("sente: the same faults again")
    test, *_ = re.split(r"\n(?:-{5,}|={5,}) ", rest.partition("\n")[2])
    return test


def test_a_pair_that_fails_shows_itself_as_a_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["sente.testing.plugin"]')
    source = PAIR.format(claim='assert "cut" not in chsk_pair.befell, chsk_pair.befell')
    said = run_pytest(tmp_path, source.replace("pytest_plugins", "plugins"), "--sente-seed=77")  # by chance none is cut
    assert "1 failed" in said
    befell = re.search(r"AssertionError: (Counter\(.*\))", said)
    assert befell
    test = again(said)
    assert test.startswith(
        "import pytest\n\nfrom sente.testing import ChskPair, Faults\n\n\ndef test_again() -> None:\n"
    )
    said = run_pytest(tmp_path, f"{test}\n    assert False, pair.befell")
    assert f"AssertionError: {befell[1]}" in said, "it is the same again"


def test_the_seed_of_a_failure_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["sente.testing.plugin"]')
    source = PAIR.format(claim="assert False, str(chsk_pair.faults)").replace("pytest_plugins", "plugins")
    first, second = (run_pytest(tmp_path, source, "--sente-seed=77") for _ in range(2))
    other = run_pytest(tmp_path, source)
    for said in (first, second):
        assert "Faults(seed=77, " in said
    assert "Faults(seed=77, " not in other


def test_what_passes_says_nothing(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, PAIR.format(claim="pass"))
    assert "1 passed" in said
    assert "same faults" not in said


def test_a_proxy_that_fails_shows_its_faults_and_the_test(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, PROXY)
    assert "1 failed" in said
    befell = re.search(r"AssertionError: (\{.*\})", said)
    assert befell
    test = again(said)
    assert re.search(r"def sente_faults\(\) -> Plan:\n    return Faults\(seed=\d+, cut=0\.5", test)
    head = 'import asyncio\nimport pytest\npytest_plugins = ["sente.testing.plugin"]\n'
    assert f"AssertionError: {befell[1]}" in run_pytest(tmp_path, head + test), "the same number of lines is cut"


def test_a_plan_of_ones_own(tmp_path: Path) -> None:
    mine = "@pytest.fixture\ndef sente_faults():\n    return Script({3: [Cut(after=10)]})\n"
    assert "AssertionError: {'lines': 12, 'cut': 1}" in run_pytest(tmp_path, PROXY + mine)


def test_a_clock(tmp_path: Path) -> None:
    said = run_pytest(
        tmp_path,
        'import asyncio\npytest_plugins = ["sente.testing.plugin"]\n'
        "def test_clock(fake_clock):\n    fake_clock.run(asyncio.sleep(3600))\n",
    )
    assert "1 passed" in said


@pytest.mark.parametrize("name", ["sente_seed", "sente_faults", "chsk_pair", "fault_proxy", "fake_clock"])
def test_fixtures_are_described(name: str, tmp_path: Path) -> None:
    said = run_pytest(tmp_path, 'pytest_plugins = ["sente.testing.plugin"]', "--fixtures")
    assert re.search(rf"^{name} -- .*\n    \w", said, re.MULTILINE)
