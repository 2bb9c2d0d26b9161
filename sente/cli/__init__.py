"""The command ``sente``."""

import argparse
import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from typing import NoReturn
from urllib.parse import urlsplit

from sente.cli import bench, contract, send, types
from sente.errors import ConfigError
from sente.transports.script import FILE as CLIENT

PORT = 8000
PORTS = 100
"""How many ports from ``PORT`` on are tried, if none is asked for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="sente", description="Realtime channel sockets for Python.")
    parser.add_argument("--version", action="version", version=f"sente-channels {version('sente-channels')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo = commands.add_parser("demo", help="run the demo, a chat to click on", description="Run the demo.")
    demo.add_argument("--port", type=_port, help=f"default: {PORT}, or the next one that is free")
    demo.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, which only this computer can reach")
    demo.set_defaults(run=lambda options: _demo(options.host, options.port))
    doctor = commands.add_parser(
        "doctor", help="say why clients do not reach a server", description="Examine a running channel socket."
    )
    doctor.add_argument("url", help="its address, as clients have it: https://app.example.com/chsk")
    doctor.add_argument("--quick", action="store_true", help="do not hold a poll, which takes 20 s")
    doctor.add_argument("--json", action="store_true", help="print a list of findings for programs")
    doctor.add_argument("--csrf", metavar="TOKEN", help="what clients of this server present as csrf")
    doctor.add_argument("--header", action="append", default=[], type=_header, help="for example 'Cookie: session=...'")
    doctor.set_defaults(
        run=lambda options: _doctor(
            options.url, dict(options.header), options.csrf, quick=options.quick, as_json=options.json
        )
    )
    bench.add_to(commands)
    contract.add_to(commands)
    types.add_to(commands)
    send.add_to(commands)
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        status = run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has enough, as `head` has: the interpreter is not to say it again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ConfigError as error:
        _fail(str(error))
    return status


def _doctor(url: str, headers: dict[str, str], csrf: str | None, *, quick: bool, as_json: bool) -> int:
    if find_spec("websockets") is None:
        _fail('the doctor needs websockets: pip install "sente-channels[client]"')
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        _fail(f"{url!r} is no address: give the whole of it, for example http://localhost:8000/chsk")
    from sente.cli.doctor import Doctor  # here, as its library is optional

    findings = []
    for finding in Doctor(url, headers, csrf, quick).examine():
        findings.append(finding)
        if not as_json:
            word = {True: "ok  ", False: "FAIL", None: "--  "}[finding.ok]
            print(f"{word}  {finding.check:<14}  {finding.said}", flush=True)
            for line in finding.fix:
                print(f"{'':22}{line}", flush=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    return int(any(finding.ok is False for finding in findings))


def _demo(host: str, port: int | None) -> int:
    missing = [name for name in ("fastapi", "itsdangerous", "uvicorn") if find_spec(name) is None]
    if missing:
        _fail(f'the demo needs {" and ".join(missing)}: pip install "sente-channels[demo]"')
    if not CLIENT.exists():
        _fail("the JavaScript client is not built: in a checkout of the sources run `make demo`, which builds it")
    from sente.demo.server import run  # here, as these libraries are optional

    with _listener(host, port) as listener:
        found = listener.getsockname()[1]
        if port is None and found != PORT:
            print(f"Port {PORT} is taken, so the demo takes {found}.")
        print(f"Open {_url(host, found)} in two browsers. Ctrl+C ends the demo.", flush=True)
        with suppress(KeyboardInterrupt):  # not raised where Ctrl+C was ignored from the start: in a background job
            run(listener)
        print("\nGoodbye.")
    return 0


def _listener(host: str, port: int | None) -> socket.socket:
    """A socket that listens: a browser that is faster than the server waits for it."""
    for candidate in range(PORT, PORT + PORTS) if port is None else [port]:
        try:
            family, *_, address = socket.getaddrinfo(host, candidate, type=socket.SOCK_STREAM)[0]
            return socket.create_server(address[:2], family=family)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                _fail(f"cannot listen on {host}, port {candidate}: {error.strerror or error}")
    if port is None:
        _fail(f"the ports {PORT} to {PORT + PORTS - 1} are taken: give another one with --port")
    _fail(f"port {port} is taken: give another one with --port, or leave that out for the next free one")


def _url(host: str, port: int) -> str:
    if host in ("", "0.0.0.0", "::"):  # every address of this computer
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535")
    return int(text)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no header: write it like 'Cookie: session=...'")
    return name.strip(), value.strip()


def _fail(message: str) -> NoReturn:
    print(f"sente: {message}", file=sys.stderr)
    raise SystemExit(1)
