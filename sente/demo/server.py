"""Runs the demo on uvicorn."""

import logging
import socket

import uvicorn

from sente.demo.app import create_app


def run(listener: socket.socket) -> None:
    """Serve the demo on a socket that is bound, until Ctrl+C."""
    config = uvicorn.Config(create_app(), log_level="warning", timeout_graceful_shutdown=5)
    # Said of what LineCutter has cut. It is what was asked for, and no error.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "without completing" not in record.msg)
    uvicorn.Server(config).run(sockets=[listener])
