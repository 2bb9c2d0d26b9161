"""Signals: first drain, then whoever was there before."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sente.draining import SIGNALS, drain_on_signals
from tests.asgi import until


@pytest.fixture(autouse=True)
def log() -> Iterator[list[str]]:
    """What happens, in order; with handlers of a server that only write it down."""
    log: list[str] = []
    before = {
        number: signal.signal(number, lambda number, frame: log.append(signal.Signals(number).name))
        for number in SIGNALS
    }
    yield log
    for number, handler in before.items():
        signal.signal(number, handler)


class Drain:
    def __init__(self, log: list[str], name: str = "drain") -> None:
        self.go_on = asyncio.Event()
        self.log = log
        self.name = name

    async def __call__(self) -> None:
        self.log.append(f"{self.name} begins")
        await self.go_on.wait()
        self.log.append(f"{self.name} ends")


@pytest.mark.parametrize("number", SIGNALS)
async def test_the_server_is_told_after_the_drain(log: list[str], number: signal.Signals) -> None:
    drain = Drain(log)
    undo = drain_on_signals(drain)
    signal.raise_signal(number)
    await until(lambda: log == ["drain begins"])
    drain.go_on.set()
    await until(lambda: len(log) == 3)
    assert log == ["drain begins", "drain ends", number.name]
    undo()


async def test_a_second_signal_is_passed_on_at_once(log: list[str]) -> None:
    undo = drain_on_signals(Drain(log))
    signal.raise_signal(signal.SIGTERM)
    await until(lambda: log)
    signal.raise_signal(signal.SIGINT)
    assert log == ["drain begins", "SIGINT"]
    undo()


async def test_two_sockets_drain_at_once(log: list[str]) -> None:
    drains = [Drain(log, "one"), Drain(log, "two")]
    undos = [drain_on_signals(drain) for drain in drains]
    signal.raise_signal(signal.SIGTERM)
    await until(lambda: len(log) == 2)
    for drain in drains:
        drain.go_on.set()
    await until(lambda: len(log) == 5)
    assert log == ["one begins", "two begins", "one ends", "two ends", "SIGTERM"]
    for undo in undos:
        undo()


async def test_a_socket_that_stops_takes_its_drain_back(log: list[str]) -> None:
    server = signal.getsignal(signal.SIGTERM)
    one, two = drain_on_signals(Drain(log, "one")), drain_on_signals(Drain(log, "two"))
    one()
    signal.raise_signal(signal.SIGTERM)
    await until(lambda: log == ["two begins"])
    two()
    assert signal.getsignal(signal.SIGTERM) is server


async def test_whoever_came_later_stays(log: list[str]) -> None:
    undo = drain_on_signals(Drain(log))
    later: Any = lambda number, frame: None  # noqa: E731
    signal.signal(signal.SIGTERM, later)
    undo()
    assert signal.getsignal(signal.SIGTERM) is later


@pytest.mark.parametrize(("previous", "killed"), [(signal.SIG_DFL, [signal.SIGTERM]), (signal.SIG_IGN, [])])
async def test_without_a_server_the_signal_does_what_it_does(
    log: list[str], monkeypatch: pytest.MonkeyPatch, previous: signal.Handlers, killed: list[int]
) -> None:
    kills: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: kills.append(number))
    signal.signal(signal.SIGTERM, previous)
    drain = Drain(log)
    undo = drain_on_signals(drain)
    signal.raise_signal(signal.SIGTERM)
    drain.go_on.set()
    await until(lambda: len(log) == 2)
    await asyncio.sleep(0)
    assert kills == killed
    undo()


async def test_outside_the_main_thread_nothing_is_done() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def drain() -> None:
        raise AssertionError

    def run() -> None:
        drain_on_signals(drain)()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
