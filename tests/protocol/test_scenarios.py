"""The client core against ``tests/scenarios/``, which the JavaScript core is held to as well."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

import sente.errors
from sente.protocol import actions as act
from sente.protocol.client_session import ClientSession
from sente.protocol.contract import Contract
from sente.protocol.messages import VOLATILE, Event, read_packet, write_packet
from sente.protocol.settings import AckPolicy, ClientSettings, Limits

FOLDER = Path(__file__).parent.parent / "scenarios"
DEFAULTS = json.loads((FOLDER / "defaults.json").read_text())
SCENARIOS = sorted(path for path in FOLDER.glob("*.json") if path.name != "defaults.json")
SIZE = 20
EPOCH = 1000.0


class Player:
    """A client core whose clock and line are the steps of a scenario."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        numbers = itertools.count(1)
        self.now = 0.0
        self.core = ClientSession(
            _settings(scenario.get("settings", {})),
            new_client_id=lambda: f"client-{next(numbers)}",
            jitter=lambda: 0.5,
            transport=scenario.get("transport", "ws"),
            epoch=EPOCH,
            renewable=scenario.get("renewable", False),
        )
        if "contract" in scenario:
            self.core.contract = Contract(**scenario["contract"])
        self.state = self.core.state
        self.steps = DEFAULTS["begin"].get(scenario.get("begin"), []) + scenario["steps"]

    def play(self, step: dict[str, Any]) -> list[Any]:
        """Give the step's input; what the core wants done."""
        word = next(iter(step))
        if "raises" in step:
            with pytest.raises(getattr(sente.errors, step["raises"])):
                self._input(word, step[word], step)
        else:
            returned = self._input(word, step[word], step)
            assert returned == step.get("returns", returned)
        return self._done()

    def _input(self, word: str, value: Any, step: dict[str, Any]) -> Any:
        core, now = self.core, self.now
        match word, value:
            case (("connect" | "disconnect" | "reconnect" | "delivered" | "wake"), True):
                getattr(core, word)(now)
            case "renewed", True:
                core.renewed()
            case "prefer", transport:
                core.prefer(transport, now)
            case "send", [id, data]:
                return core.send(Event(id, data, SIZE))
            case "send", [id, data, size]:
                return core.send(Event(id, data, size))
            case "send", [id, data, size, key]:
                return core.send(Event(id, data, size, key=VOLATILE if key == "volatile" else key))
            case "request", [id, data, timeout, *again]:
                return core.request(Event(id, data, SIZE), timeout, now, idempotent=again == [True])
            case "cancel", ref:
                core.cancel(ref)
            case "reply", [ref, answer, *more]:
                core.reply(ref, answer, failed=bool(more[:1] == [True]), size=more[1] if more[1:] else SIZE)
            case "first_frame", [link, plain]:
                core.first_frame(link, plain, now)
            case "welcome", link:
                core.first_frame(link, DEFAULTS["welcome"], now)
            case "receive", [link, plain]:
                core.receive(link, read_packet(plain, SIZE), SIZE, now)
            case "receive", [link, plain, size]:
                core.receive(link, read_packet(plain, size), size, now)
            case "handshake", [link, info]:
                core.receive(link, read_packet(_handshake(info, step)), SIZE, now)
            case "exchanged", [link, head, plains]:
                core.exchanged(link, head, [(read_packet(plain, SIZE), SIZE) for plain in plains], now)
            case "handshake_answer", [link, info, *plains]:
                packets = [(read_packet(plain, SIZE), SIZE) for plain in [_handshake(info, step), *plains]]
                core.exchanged(link, {"ack": info.get("ack", 0), "seq": step.get("seq", 1)}, packets, now)
            case "link_lost", [link, code, message]:
                core.link_lost(link, now, code=code, message=message)
            case "broken", [link, reason]:
                core.broken(link, reason, now)
            case "advance", seconds:
                self._advance(now + seconds)
            case _:
                pytest.fail(f"no input: {word}: {value}")
        return None

    def _advance(self, until: float) -> None:
        for _ in range(100):
            when = self.core.next_timer()
            if when is None or when > until:
                break
            self.now = max(self.now, when)
            self.core.handle_timer(self.now)
        else:
            pytest.fail("the timers never come to rest")
        self.now = until

    def _done(self) -> list[Any]:
        done = []
        for action in self.core.take_actions():
            if isinstance(action, act.StateChanged):
                assert action.old == self.state and action.new != action.old
                self.state = action.new
            else:
                done.append(_plain(action))
        assert self.state == self.core.state
        return done


def _settings(plain: dict[str, Any]) -> ClientSettings:
    limits = dict(plain.get("limits", {}))
    ack = AckPolicy(**limits.pop("ack", {}))
    times = {name: value for name, value in plain.items() if name != "limits"}
    return ClientSettings(**times, limits=Limits(**limits, ack=ack))


def _handshake(info: dict[str, Any], step: dict[str, Any]) -> list[Any]:
    limits = {**DEFAULTS["info"]["limits"], **info.get("limits", {})}
    whole = {**DEFAULTS["info"], **info, "limits": limits}
    uid = step.get("uid", DEFAULTS["uid"])
    return [["chsk/handshake", [uid, None, DEFAULTS["handshake_data"], whole]], None, 0]


def _plain(action: act.ClientAction) -> list[Any]:
    match action:
        case act.OpenLink(link, transport):
            return ["open", link, transport]
        case act.SayHello(link, transport, hello):
            return ["hello", link, transport, hello]
        case act.Transmit(link, packets):
            return ["transmit", link, [write_packet(packet, "client") for packet in packets]]
        case act.TransmitVolatile(link, packet):
            return ["transmit", link, [write_packet(packet, "client")]]
        case act.Exchange(link, head, packets):
            return ["exchange", link, head, [write_packet(packet, "client") for packet in packets]]
        case act.Close(link, code, reason):
            return ["close", link, code, reason]
        case act.Deliver(event, ref):
            return ["deliver", event.id, event.data, *([] if ref is None else [ref])]
        case act.Cancelled(ref):
            return ["cancelled", ref]
        case act.Settle(ref, outcome, value):
            return ["settle", ref, outcome, value]
        case act.Unconfirmed(events):
            return ["unconfirmed", [[event.id, event.data] for event in events]]
        case act.StateChanged():
            raise AssertionError("is compared apart")


def _holds(expected: Any, got: Any) -> bool:
    """Whether what is expected of an object is so; it may hold more."""
    if isinstance(expected, dict):
        return all(
            _holds(value, got[key] if isinstance(got, dict) else getattr(got, key)) for key, value in expected.items()
        )
    got = list(got) if isinstance(got, tuple) else got
    return bool(expected == (round(got, 6) if isinstance(got, float) else got))


def _same(expected: list[Any], got: list[Any]) -> bool:
    """Actions are compared whole, but for a hello, which also states limits."""
    return len(expected) == len(got) and all(
        e[:3] == g[:3] and _holds(e[3], g[3]) if e[0] == "hello" == g[0] else e == g
        for e, g in zip(expected, got, strict=True)
    )


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    player = Player(json.loads(path.read_text()))
    for number, step in enumerate(player.steps, 1):
        where = f"step {number} {json.dumps(step)}"
        got = player.play(step)
        assert _same(step.get("then", []), got), f"{where}\ngot {json.dumps(got)}"
        for key, value in step.get("state", {}).items():
            assert _holds(value, getattr(player.state, key)), f"{where}\ngot {key}: {getattr(player.state, key)}"
        if "next_timer" in step:
            assert _holds(step["next_timer"], player.core.next_timer()), f"{where}\ngot {player.core.next_timer()}"


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 20
