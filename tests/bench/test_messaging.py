"""What the messaging benchmark measures, and how it is told."""

import itertools

from benchmarks.messaging import profile
from benchmarks.messaging.profile import shares
from benchmarks.messaging.run import ROOT
from benchmarks.messaging.tables import Found, shares_table, table, tables, targets
from benchmarks.messaging.workloads import LOADS, SERVERS, TABLES, TARGETS

FOUND: Found = {
    "echo": {
        "direct": [[40_000, 24.0, 80], [50_000, 20.0, 90], [45_000, 22.0, 70]],
        "socketio": [[9_000, 100.0, 30]] * 3,
        "socketio-node": [[90_000, 11.0, 99]] * 3,
    },
    "idle": {"direct": [[20.72, None, 0]]},
}


def test_every_load_has_servers_and_a_table() -> None:
    assert {server for load in LOADS.values() for server in load.servers} == {*SERVERS}
    assert [*itertools.chain(*TABLES.values())] == [*LOADS]
    for target in TARGETS:
        assert {target.server, target.peer or target.server} <= {*LOADS[target.load].servers}
    assert {*profile.WHAT} <= {*LOADS}


def test_a_row_holds_what_was_measured() -> None:
    head, ours, theirs, node = table(FOUND, ("echo", "latency"))
    assert head == ["on one core", "requests/s, 50 connections"]
    assert ours[1] == "45,000 [40,000-50,000], 5.00×, 22 µs CPU"
    assert theirs == ["python-socketio", "9,000 [9,000-9,000], 1.00×, 100 µs CPU"]
    assert node[1].endswith("11 µs CPU, the load was full")
    assert table(FOUND, ("idle",))[1] == [SERVERS["direct"].title, "20.7"]
    assert {*tables(FOUND)} == {"requests", "standing", "targets"}


def test_a_target_is_judged_by_the_smaller_ratio_and_by_cpu_where_the_load_was_full() -> None:
    _, rate, full, absolute = targets(FOUND)
    assert rate[2:] == ["5×", "5.00×, missed", "4.55×"]
    assert full[2:] == ["1.3×", "0.50×, missed", "0.50×"]
    cheaper: Found = {"echo": {**FOUND["echo"], "socketio": [[9_000, 110.0, 30]] * 3}}
    assert targets(cheaper)[1][2:] == ["5×", "5.00×", "5.00×"]
    assert absolute[1:] == ["", "10", "20.7, missed", ""]
    assert targets({"echo": {**FOUND["echo"], "socketio-node": [[90_000, 50.0, 99]]}})[2][3] == "0.50×"


def test_shares_go_to_who_is_at_work() -> None:
    loop = "run (/usr/lib/python3/asyncio/runners.py:118)"
    direct = ROOT / "sente/integrations/uvicorn.py"
    writing = next(n for n, line in enumerate(direct.read_text().splitlines(), 1) if "transport.write(" in line)
    stacks = [
        "<module> (/usr/lib/python3/runpy.py:1) 50",  # it starts
        f"{loop};_find_and_load (<frozen importlib._bootstrap>:1);<module> ({ROOT}/sente/hub.py:1) 50",
        f"{loop} 10",
        f"{loop};serve ({ROOT}/.venv/lib/python3/site-packages/uvicorn/protocols/http/x.py:9) 20",
        f"{loop};write ({direct}:{writing}) 40",
        f"{loop};run ({ROOT}/sente/hub.py:1) 20",
        f"{loop};pack ({ROOT}/sente/packers/json.py:1) 8",
        f"{loop};loads (/usr/lib/python3/json/decoder.py:1) 2",
    ]
    assert shares(stacks) == {
        profile.WRITING: 40.0,
        "uvicorn": 20.0,
        "sente": 20.0,
        "the event loop": 10.0,
        "sente's packers": 8.0,
        "the rest of Python": 2.0,
    }


def test_the_busiest_come_first() -> None:
    rows = shares_table({"echo": {"sente": {"uvicorn": 40.4, "sente": 59.6}, "direct": {"sente": 100.0}}})
    assert rows[0] == ["% of the time", "sente", "uvicorn"]
    assert [row[1:] for row in rows[1:]] == [["60", "40"], ["100", "0"]]
