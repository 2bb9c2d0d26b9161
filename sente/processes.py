"""Several processes that nothing joins: what is told of them, as they do not work together."""

import logging
import os
import re
import sys
from collections.abc import Sequence
from multiprocessing import current_process

log = logging.getLogger("sente")

OPTION = re.compile(r"(?:--workers|-w)(?:=(\d+))?|-w(\d+)")

GONE = "this session is gone: say hello again"
"""Why there is no such session."""

GONE_OR_ELSEWHERE = f"{GONE}; or another worker has it, which only a broker= can ask"
"""The same where nobody can be asked. It is said of every session, be it anybody's or none."""


def workers(arguments: Sequence[str], environment: str | None, process: str) -> int:
    """How many processes serve this application, as far as one of them can know: by the command line of uvicorn,
    gunicorn, hypercorn or granian, by ``WEB_CONCURRENCY``, or as it is not the first that was spawned.

    >>> workers(["uvicorn", "app:app", "--workers", "4"], None, "MainProcess")
    4
    """
    for at, argument in enumerate(arguments):
        if found := OPTION.fullmatch(argument):
            count = found[1] or found[2] or next(iter(arguments[at + 1 : at + 2]), "")
            return int(count) if count.isdecimal() else 1
    if environment is not None and environment.isdecimal():
        return int(environment)
    _, _, number = process.rpartition("-")
    return int(number) if process.startswith("SpawnProcess-") and number.isdecimal() else 1


def warn_of_workers() -> None:
    """Say at the start what will not work, if this is one of several processes."""
    if workers(sys.argv, os.environ.get("WEB_CONCURRENCY"), current_process().name) > 1:
        log.warning(
            "several workers, and no broker joins them: each knows its own clients only, so what it sends reaches no "
            "others, and polls and lines that come back must reach the worker of their session. "
            "ChannelSocket(broker=RedisBroker('redis://...')) joins them"
        )
