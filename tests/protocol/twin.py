"""The JavaScript client core beside Python's: each input goes to both, and both must want the same done."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

from sente.errors import SenteError
from sente.protocol import actions as act
from sente.protocol.client_session import ClientSession
from sente.protocol.messages import VOLATILE, Packet, write_packet
from tests.protocol.test_scenarios import _plain

CORE = Path(__file__).parents[2] / "js" / "e2e" / "core.mjs"


class Node:
    """The JavaScript core in a process of its own."""

    def __init__(self) -> None:
        node = shutil.which("node")
        assert node, "these tests need Node"
        self._process = subprocess.Popen([node, str(CORE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def play(self, step: dict[str, Any]) -> dict[str, Any]:
        """Give it an input; what it wants done, its state and its timer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(step) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the JavaScript core failed at {step}"
        return dict(json.loads(answer))

    def close(self) -> None:
        self._process.communicate()


class Twin(ClientSession):
    """Python's core, whose every input the one in JavaScript gets, too."""

    node: Node

    def __init__(self, settings: Any, **options: Any) -> None:
        super().__init__(settings, **options)
        self._inside = False
        self._theirs: list[Any] = []
        begin = {"settings": asdict(settings), "transport": options["transport"], "epoch": 0, "steps": []}
        self.node.play({"begin": begin})

    def tell(self, word: str, value: Any, now: float | None, **more: Any) -> None:
        """An input for the JavaScript core."""
        answer = self.node.play({word: value, "now": now, **more})
        self._theirs += answer["done"]
        state = {_camel(key): value for key, value in asdict(self.state).items() if key != "client_id"}
        assert answer["state"] == {**state, "clientId": answer["state"]["clientId"]}, word
        assert answer["timer"] == self.next_timer(), word

    def take_actions(self) -> list[act.ClientAction]:
        actions = super().take_actions()
        ours = [_plain(action) for action in actions if not isinstance(action, act.StateChanged)]
        theirs, self._theirs = self._theirs, []
        assert json.loads(json.dumps(ours)) == theirs, f"{ours}\n{theirs}"
        return actions

    def climb_now(self, now: float) -> None:
        self._climb_at = now
        self.tell("climb_soon", True, now)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _sent(packet: Packet) -> list[Any]:
    return write_packet(packet, "server")


# How each input is written as the step of a scenario: its value.
INPUTS: dict[str, Callable[..., Any]] = {
    "connect": lambda now: True,
    "disconnect": lambda now: True,
    "reconnect": lambda now: True,
    "wake": lambda now: True,
    "handle_timer": lambda now: True,
    "delivered": lambda now: True,
    "prefer": lambda transport, now: transport,
    "send": lambda event: [event.id, event.data, event.size, "volatile" if event.key is VOLATILE else event.key],
    "request": lambda event, timeout, now, *, idempotent=False: [event.id, event.data, timeout, idempotent],
    "cancel": lambda ref: ref,
    "reply": lambda ref, value, *, failed=False, size=0: [ref, value, failed, size],
    "first_frame": lambda link, plain, now: [link, plain],
    "receive": lambda link, packet, size, now: [link, _sent(packet), size],
    "exchanged": lambda link, head, packets, now: [
        link, head, [_sent(packet) for packet, _ in packets], [size for _, size in packets]
    ],
    "link_lost": lambda link, now, *, code=None, message="": [link, code, message],
}  # fmt: skip


def _both(word: str) -> Callable[..., Any]:
    ours: Callable[..., Any] = getattr(ClientSession, word)

    @wraps(ours)
    def method(self: Twin, *args: Any, **options: Any) -> Any:
        if self._inside:
            return ours(self, *args, **options)
        step = INPUTS[word](*args, **options)  # written first: what is heard may be changed
        now = next((value for value in reversed(args) if isinstance(value, float)), None)
        self._inside = True
        try:
            returned = ours(self, *args, **options)
        except SenteError as error:
            self.tell(word, step, now, raises=type(error).__name__)
            raise
        finally:
            self._inside = False
        self.tell(word, step, now, **({} if returned is None else {"returns": returned}))
        return returned

    return method


for _word in INPUTS:
    setattr(Twin, _word, _both(_word))
