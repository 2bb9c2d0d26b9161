"""Several processes that nothing joins: it is said at the start, and to whoever reaches the wrong one."""

import logging
import sys

import pytest

from sente import ChannelSocket
from sente.brokers.memory import MemoryBroker
from sente.processes import workers


@pytest.mark.parametrize(
    ("command", "environment", "process", "expected"),
    [
        ("uvicorn app:app", None, "MainProcess", 1),
        ("uvicorn app:app --workers 4", None, "SpawnProcess-1", 4),
        ("uvicorn app:app --workers=4", None, "SpawnProcess-1", 4),
        ("uvicorn app:app --workers 1", None, "SpawnProcess-1", 1),
        ("uvicorn app:app --workers", None, "MainProcess", 1),
        ("uvicorn app:app --workers many", None, "MainProcess", 1),
        ("uvicorn app:app --reload", None, "SpawnProcess-1", 1),
        ("gunicorn -k uvicorn.workers.UvicornWorker -w 4 app:app", None, "MainProcess", 4),
        ("gunicorn -w4 app:app", None, "MainProcess", 4),
        ("uvicorn app:app", "3", "MainProcess", 3),
        ("uvicorn app:app", "", "MainProcess", 1),
        ("python server.py", None, "SpawnProcess-2", 2),
        ("python server.py", None, "Worker-7", 1),
    ],
)
def test_how_many_there_are(command: str, environment: str | None, process: str, expected: int) -> None:
    assert workers(command.split(), environment, process) == expected


async def test_workers_without_a_broker_are_warned_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["uvicorn", "app:app", "--workers", "2"])
    async with ChannelSocket():
        pass
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "no broker joins them" in record.message
    caplog.clear()
    async with ChannelSocket(broker=MemoryBroker()):
        pass
    monkeypatch.setattr(sys, "argv", ["uvicorn", "app:app"])
    async with ChannelSocket():
        pass
    assert not caplog.records
