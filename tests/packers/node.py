"""JavaScript's packers, for tests in Python: a process to talk to."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

NODE = Path(__file__).parents[2] / "js" / "e2e" / "packers.mjs"


class Node:
    """A Node that unpacks and packs again, or shows what it unpacked."""

    def __init__(self) -> None:
        node = shutil.which("node")
        assert node, "these tests need Node"
        self._process = subprocess.Popen([node, str(NODE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def again(self, packer: str, wire: str | bytes) -> str | bytes:
        match self._ask(packer, wire):
            case {"text": text}:
                return str(text)
            case {"hex": packed}:
                return bytes.fromhex(packed)
            case answer:
                raise AssertionError(answer)

    def shown(self, packer: str, wire: str | bytes) -> str:
        """The JavaScript that makes the value."""
        match self._ask(packer, wire, show=True):
            case {"shown": shown}:
                return str(shown)
            case answer:
                raise AssertionError(answer)

    def refused(self, packer: str, wire: str | bytes) -> str:
        """Why it is not unpacked."""
        match self._ask(packer, wire):
            case {"error": error}:
                return str(error)
            case answer:
                raise AssertionError(answer)

    def _ask(self, packer: str, wire: str | bytes, *, show: bool = False) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        frame = {"text": wire} if isinstance(wire, str) else {"hex": wire.hex()}
        self._process.stdin.write(json.dumps({"packer": packer, "show": show, **frame}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()
