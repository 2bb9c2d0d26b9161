"""Fixtures for tests of an application: ``pytest_plugins = ["sente.testing.plugin"]`` in your ``conftest.py``."""

import inspect
import random
import re
import textwrap
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

import sente
from sente import testing as lab
from sente.interfaces import ASGIApp
from sente.testing.clock import FakeClock
from sente.testing.faults import Faults, Plan
from sente.testing.pair import ChskPair
from sente.testing.proxy import FaultProxy
from sente.testing.served import Served

AGAIN: pytest.StashKey[list[Callable[[], str]]] = pytest.StashKey()
"""What to show of a test that failed, by whom it took its faults from."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--sente-seed``."""
    parser.addoption(
        "--sente-seed", type=int, help="the seed of chsk_pair and fault_proxy: as a failure has printed it"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed with faults by chance says how to have the same ones again."""
    report = yield
    if report.failed:
        report.sections += [("sente: the same faults again", _test_of(show())) for show in item.stash.get(AGAIN, [])]
    return report


@pytest.fixture
def sente_app() -> ASGIApp:
    """The application to test. Yours returns it."""
    raise pytest.UsageError("sente_app: define a fixture of this name that returns your ASGI application")


@pytest.fixture
def sente_url() -> str:
    """The path of the channel socket in it."""
    return "/chsk"


@pytest.fixture(params=["ws", "poll"])
def sente_transport(request: pytest.FixtureRequest) -> str:
    """How clients connect: whoever uses it, and so ``sente_server``, is run over WebSocket and over polling."""
    transport: str = request.param
    return transport


@pytest.fixture
def sente_server(sente_app: ASGIApp, sente_url: str, sente_transport: str) -> Served:
    """The application, to be started: ``async with sente_server, sente_server.client() as client: ...``."""
    return Served(sente_app, sente_url, transport=sente_transport)


@pytest.fixture
def sente_overrides(sente_app: Any) -> Iterator[dict[Callable[..., Any], Callable[..., Any]]]:
    """``app.dependency_overrides`` of a FastAPI application; after the test they are what they were."""
    overrides = getattr(sente_app, "dependency_overrides", None)
    if overrides is None:
        raise pytest.UsageError("sente_overrides: sente_app is no FastAPI application, and has no dependencies")
    before = dict(overrides)
    yield overrides
    overrides.clear()
    overrides.update(before)


# -- the fault lab


@pytest.fixture
def sente_seed(request: pytest.FixtureRequest) -> int:
    """What faults by chance come from: another number for each test, unless ``--sente-seed`` says which."""
    seed: int | None = request.config.getoption("--sente-seed")
    return random.SystemRandom().randrange(1_000_000) if seed is None else seed


@pytest.fixture
def sente_faults(sente_seed: int) -> Plan:
    """What befalls the lines of ``chsk_pair`` and ``fault_proxy``. Yours returns another plan."""
    return Faults(seed=sente_seed, cut=0.5, delay=0.3, repeat=0.1)


@pytest.fixture
def chsk_pair(request: pytest.FixtureRequest, sente_transport: Any, sente_faults: Plan) -> ChskPair:
    """A client and a server in memory, with lines that fail and a clock of their own: begin with ``connect()``."""
    pair = ChskPair(sente_transport, faults=sente_faults)
    _on_failure(request, lambda: str(pair))
    return pair


@pytest.fixture
def fault_proxy(request: pytest.FixtureRequest, sente_faults: Plan) -> Callable[..., FaultProxy]:
    """Makes a ``FaultProxy``: ``async with fault_proxy(8000) as proxy: ...``."""

    def make(*targets: int | str, faults: Plan = sente_faults) -> FaultProxy:
        proxy = FaultProxy(*targets, faults=faults)
        _on_failure(request, lambda: _planned(request, faults))
        return proxy

    return make


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock for one test: ``fake_clock.run(scenario())``, in a test that is no coroutine itself."""
    return FakeClock()


def _on_failure(request: pytest.FixtureRequest, show: Callable[[], str]) -> None:
    request.node.stash.setdefault(AGAIN, []).append(show)


def _test_of(text: str) -> str:
    """The text, with what it has to import."""
    named = {module: [name for name in module.__all__ if re.search(rf"\b{name}\b", text)] for module in (sente, lab)}
    imports = [f"from {module.__name__} import {', '.join(names)}" for module, names in named.items() if names]
    return "\n".join(["import pytest", "", *imports, "", "", text])


def _planned(request: pytest.FixtureRequest, faults: Plan) -> str:
    """The test that failed, behind a fixture that says what befell it."""
    fixture = f"@pytest.fixture\ndef sente_faults() -> Plan:\n    return {faults!r}"
    return f"{fixture}\n\n\n{textwrap.dedent(inspect.getsource(request.function))}"
