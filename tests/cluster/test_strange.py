"""Whatever comes from the broker: it is what it should be, or it is counted, and nothing else happens."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sente import ChannelSocket
from sente.brokers.memory import MemoryBroker
from sente.cluster.notices import read, write
from sente.errors import ProtocolError
from sente.protocol.framing import write_row
from tests.cluster.several import user_of

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**60) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
number = st.integers(0, 3)
uid = st.sampled_from(["ada", 7, None])
users = st.lists(st.tuples(uid, st.integers(0, 7)), max_size=3)
request = st.fixed_dictionaries(
    {"type": st.sampled_from(["http", "websocket"]), "scheme": st.just("http"), "path": st.just("/")}
    | {"query": st.just({"client-id": "c1"}) | plain, "headers": st.just([["a", "b"]]) | plain}
    | {"client": st.just([]) | plain, "session": st.just({}) | plain}
)
limits = st.fixed_dictionaries({}, optional={"packet": number, "window": number, "bytes": number})
hello = st.fixed_dictionaries({"hello": st.just(1), "n": number, "ack": number, "limits": limits | plain})
opening = hello | st.fixed_dictionaries({"session": st.just("s"), "n": number, "ack": number, "seq": number}) | plain
event = {"event": st.sampled_from(["a/b", "chsk/x", "no id"]), "packer": number, "form": st.none() | st.just("json")}
hop = {"hop": number, "seq": number}

# What each op says when it is right.
OPS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "beat": {"v": number, "last": number, "settled": st.booleans(), "back": st.booleans()},
    "probe": {},
    "who": {},
    "state": {"v": number, "first": st.booleans(), "last": st.booleans(), "users": users},
    "delta": {"v": number, "users": users},
    "told": {"uid": uid, "what": st.sampled_from(["open", "close"])},
    "gone": {},
    "again": {"since": number, "ms": number, "ask": number},
    "kept": {"channel": st.sampled_from(["all", "user:null"]), "ask": number},
    "caught up": {"last": number, "gap": st.booleans(), "ask": number, "departed": st.just(["n"])},
    "event": {**event, "uid": uid, "n": number, "delivery": st.sampled_from([None, "latest", "volatile"])},
    "stored": {**event, "uid": uid, "of": number, "flush": st.booleans()},
    "unstored": {"uid": uid, "n": number},
    "disconnect": {"uid": uid, "reason": st.text(max_size=5), "n": number},
    "settle": {"of": number, "ask": number, "ms": number},
    "settled": {"ask": number, "clients": number, "acknowledged": number, "lost": number, "waiting": st.just(["c1"])},
    "find": {"ask": number, "client": st.just("c1")},
    "found": {"ask": number},
    "ask": {**event, "ask": number, "ms": number, "client": st.just("c1"), "again": st.booleans()},
    "unask": {"ask": number},
    "reply": {"ask": number, "outcome": st.sampled_from(["reply", "failed", "timeout", "?"]), "packer": number},
    "taken": hop,
    "refused": {**hop, "status": st.just(403), "reason": st.just("no"), "check": st.just("csrf")},
    "frames": hop,
    "answer": {**hop, "answer": st.just({})},
    "close": {**hop, "code": st.just(1001), "reason": st.just("bye")},
    "open": {
        **hop,
        "kind": st.sampled_from(["hello", "exchange", "classic", "?"]),
        "connection": request,
        "opening": opening,
        "csrf": st.none() | st.just("t"),
        "handshake": st.booleans(),
    },
    "frame": hop,
    "over": {**hop, "how": st.sampled_from(["lost", "cut", "goodbye", "?"])},
    "what?": {},
}
frames = st.lists(
    st.binary(max_size=9) | st.text(max_size=9) | st.sampled_from(["[1]", b"\x91\x01", '{"s": 1}']), max_size=2
)


@st.composite
def heads(draw: st.DrawFn, op: str) -> dict[str, Any]:
    """What an op says, with up to two things in it wrong or missing."""
    said = {key: draw(strategy) for key, strategy in OPS[op].items()}
    for key in draw(st.lists(st.sampled_from([*OPS[op], "n"]), max_size=2)):
        if draw(st.booleans()):
            said[key] = draw(plain)
        else:
            said.pop(key, None)
    return said


@pytest.mark.parametrize("op", OPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.data())
def test_notices_of_any_kind(op: str, data: st.DataObject, caplog: pytest.LogCaptureFixture) -> None:
    said = data.draw(st.lists(st.tuples(heads(op), frames), min_size=1, max_size=4))
    caplog.clear()

    async def hears() -> None:
        broker = MemoryBroker()
        stored = op in ("stored", "unstored")
        chsk = ChannelSocket(user_id=user_of, broker=broker, durable=stored, classic=None if stored else "edn")
        async with chsk:
            line = await broker.connect(lambda *_: None, lambda _: None)
            for head, wires in said:
                body = write(op, "stranger", head, wires)
                for channel in ("all", f"node:{chsk._hub.node}"):
                    line.publish(channel, body)
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            chsk.broadcast("still/there", 1)

    asyncio.run(hears())
    assert not [record for record in caplog.records if record.levelname == "ERROR"], caplog.text


rows = st.lists(st.binary(max_size=9) | st.text(max_size=20) | plain.map(json.dumps), max_size=3).map(write_row)


@given(st.binary(max_size=60) | rows)
def test_bodies_of_any_kind(body: bytes) -> None:
    try:
        notice = read(body)
    except ProtocolError:
        return
    assert isinstance(notice.op, str)
    assert isinstance(notice.sender, str)


def test_every_op_is_tried() -> None:
    """An op that is added is tried above too."""

    async def ops() -> set[str]:
        async with ChannelSocket(broker=MemoryBroker(), classic="edn") as chsk:
            assert chsk._cluster is not None
            return {*chsk._cluster._node.on, "what?"}

    assert asyncio.run(ops()) == set(OPS)
