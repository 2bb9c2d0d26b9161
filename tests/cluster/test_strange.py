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

OPS = [
    *(
        "beat",
        "probe",
        "who",
        "state",
        "delta",
        "told",
        "gone",
        "again",
        "kept",
        "caught up",
        "event",
    ),
    *(
        "disconnect",
        "settle",
        "settled",
        "find",
        "found",
        "ask",
        "unask",
        "reply",
        "taken",
        "refused",
    ),
    *(
        "frames",
        "answer",
        "close",
        "open",
        "frame",
        "over",
    ),
]

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**60) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = [
    *(
        "v",
        "settled",
        "last",
        "age",
        "back",
        "new",
        "first",
        "users",
        "uid",
        "what",
        "since",
        "channel",
        "gap",
    ),
    *(
        "n",
        "event",
        "packer",
        "form",
        "flush",
        "delivery",
        "reason",
        "of",
        "ask",
        "ms",
        "clients",
    ),
    *(
        "acknowledged",
        "lost",
        "waiting",
        "client",
        "again",
        "outcome",
        "message",
        "plain",
        "hop",
        "kind",
    ),
    *(
        "connection",
        "opening",
        "csrf",
        "handshake",
        "seq",
        "how",
        "status",
        "check",
        "code",
        "answer",
    ),
]
NUMBERS = {"v", "last", "age", "since", "n", "packer", "of", "ask", "ms", "hop", "seq", "status", "code", "clients"}
head = st.fixed_dictionaries(
    {}, optional={key: (st.integers(0, 3) | plain if key in NUMBERS else plain) for key in KEYS}
)
TELLING = {
    "kind": st.sampled_from(["hello", "exchange", "classic"]),
    "event": st.just("a/b"),
    "what": st.just("open"),
    "how": st.sampled_from(["lost", "cut", "goodbye"]),
    "users": st.lists(st.tuples(st.text(max_size=3), st.integers(0, 7)), max_size=3),
    "connection": st.fixed_dictionaries(
        {"type": st.sampled_from(["http", "websocket"]), "scheme": st.just("http"), "path": st.just("/")},
        optional={"query": plain | st.just({"client-id": "c1"}), "headers": plain | st.just([]), "client": st.just([])},
    ),
    "opening": plain | st.fixed_dictionaries({"hello": st.just(1), "n": st.just(1), "ack": st.just(0)}),
    "client": st.just("c1"),
}
head = st.builds(lambda one, more: {**one, **more}, head, st.fixed_dictionaries({}, optional=TELLING))
frames = st.lists(st.binary(max_size=9) | st.text(max_size=9) | st.just("[1]"), max_size=2)


@pytest.mark.parametrize("op", [*OPS, "what?"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(heads=st.lists(st.tuples(head, frames), min_size=1, max_size=4))
def test_notices_of_any_kind(op: str, heads: list[tuple[Any, Any]], caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()

    async def hears() -> None:
        broker = MemoryBroker()
        chsk = ChannelSocket(user_id=user_of, broker=broker, classic="edn")
        async with chsk:
            line = await broker.connect(lambda *_: None, lambda _: None)
            for plain_head, wires in heads:
                body = write(op, "stranger", plain_head, wires)
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
            return set(chsk._cluster._node.on)

    assert asyncio.run(ops()) == set(OPS)
