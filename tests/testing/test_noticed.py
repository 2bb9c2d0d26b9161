"""When each side notices what no network tells it: at the times that the settings say, and not a second later.

All on the clock of the pair: half-open lines, computers that sleep, clocks that jump.
"""

from collections.abc import Callable

import pytest

from sente.protocol.route import Wanted
from sente.protocol.settings import ClientSettings, ServerSettings
from sente.testing import ChskPair
from tests.asgi import TRANSPORTS, TransportName

over_both = pytest.mark.parametrize("transport", TRANSPORTS)
SERVER, CLIENT = ServerSettings(), ClientSettings()

CLIENT_NOTICES = {"ws": CLIENT.ping + CLIENT.ping_timeout, "poll": SERVER.poll + CLIENT.poll_margin}
SERVER_NOTICES = {"ws": SERVER.ping + SERVER.ping_timeout, "poll": SERVER.poll}
GRACE = {"ws": SERVER.grace_ws, "poll": SERVER.grace_poll}


def opened(transport: Wanted) -> ChskPair:
    pair = ChskPair(transport)
    pair.connect()
    pair.run(1)
    assert pair.core.state.open
    return pair


def time_until(pair: ChskPair, condition: Callable[[], bool]) -> float:
    """Seconds of the pair until it is so, to a tenth."""
    began = pair.now
    while not condition():
        pair.run(0.1)
        assert pair.now - began < 1000, "it is never noticed"
    return pair.now - began


@over_both
def test_the_client_of_a_half_open_line_finds_out(transport: TransportName) -> None:
    pair = opened(transport)
    pair.silence()
    assert time_until(pair, lambda: pair.core.state.last_close is not None) <= CLIENT_NOTICES[transport] + 0.1
    pair.settle()
    pair.check()
    assert pair.core.state.resumed


@over_both
def test_the_server_of_a_half_open_line_finds_out(transport: TransportName) -> None:
    pair = opened(transport)
    pair.silence()
    pair.asleep = True  # or the client would be back, and the server know nothing of it
    absent = time_until(pair, lambda: not pair.present)
    assert absent <= SERVER_NOTICES[transport] + GRACE[transport] + 0.1
    gone = absent + time_until(pair, lambda: not list(pair.sessions))
    assert SERVER.resume <= gone <= SERVER_NOTICES[transport] + SERVER.resume + 0.1


@over_both
def test_a_question_over_a_half_open_line_has_its_outcome_in_time(transport: TransportName) -> None:
    pair = opened(transport)
    pair.silence()
    short = pair.client_request("a/b", 1, timeout=3.0)
    long = pair.client_request("a/b", 2, timeout=60.0)
    assert time_until(pair, lambda: bool(short.outcomes)) <= 3.1
    assert short.outcomes == [("timeout", None) if transport == "ws" else ("reply", 1)], "a POST is another line"
    assert time_until(pair, lambda: bool(long.outcomes)) < CLIENT_NOTICES[transport] + 1
    assert long.outcomes == [("reply", 2)]


@over_both
@pytest.mark.parametrize("seconds", [5.0, 60.0, 110.0])
def test_a_computer_that_sleeps_resumes(transport: TransportName, seconds: float) -> None:
    pair = opened(transport)
    pair.sleep(seconds)
    for number in range(3):
        pair.server_send("a/b", number)
    assert time_until(pair, lambda: pair.received == [0, 1, 2]) <= CLIENT_NOTICES[transport] + 1
    pair.settle()
    pair.check()
    assert pair.core.state.lost == 0
    assert len(list(pair.sessions)) == 1


@over_both
def test_a_computer_that_sleeps_too_long_is_told_what_it_lost(transport: TransportName) -> None:
    pair = opened(transport)
    pair.sleep(60)
    pair.server_send("a/b", 1)
    pair.sleep(SERVER_NOTICES[transport] + SERVER.resume)
    pair.server_send("a/b", 2)
    assert time_until(pair, lambda: len(pair.losses) == 2) <= CLIENT_NOTICES[transport] + 1
    assert pair.losses == [0, 2]
    pair.settle()
    pair.check()


@over_both
@pytest.mark.parametrize("seconds", [1.0, 60.0, 3600.0, 86_400.0])
def test_clocks_that_jump(transport: TransportName, seconds: float) -> None:
    """Deadlines have passed; what else was under way arrives."""
    pair = opened(transport)
    asked = pair.client_request("a/b", 1, timeout=seconds / 2)
    pair.jump(seconds)
    pair.server_send("a/b", 2)
    pair.settle()
    pair.check()
    assert asked.outcomes in ([("timeout", None)], [("reply", 1)])
    assert pair.received == [2]
    assert pair.core.state.lost == 0
