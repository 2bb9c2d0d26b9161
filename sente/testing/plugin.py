"""Fixtures for tests of an application: ``pytest_plugins = ["sente.testing.plugin"]`` in your ``conftest.py``."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sente.interfaces import ASGIApp
from sente.testing.served import Served


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
