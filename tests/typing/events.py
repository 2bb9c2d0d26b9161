"""Typed events as type checkers see them: what infers what, and what is wrong. Checked by `make check`, never run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, assert_type

from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict

from sente import (
    ChannelSocket,
    Client,
    ContractDifference,
    EventContract,
    EventRegistry,
    InvalidEvent,
    Message,
    Receipt,
    Registry,
    Request,
    TypeHandler,
    latest,
)
from sente.client.streams import Stream
from sente.events import Latest
from sente.protocol.messages import Event

events = EventRegistry(strict=True, extra="forbid")


class Ack(BaseModel):
    number: int


@events.event("chat/say", deadline=3)
class Say(BaseModel, Request[Ack]):
    text: str


@events.event("game/move", direction="to-server")
@dataclass
class Move(Request[bool]):
    x: int


@events.event("chat/said")
class Said(BaseModel):
    text: str


@events.event("map/sight")
class Sight(TypedDict):
    lat: float


typing = events.event("chat/typing", of=list[str])
either = events.event("a/either", of=Say | Move)
assert_type(typing, EventContract[list[str]])
assert_type(either, EventContract[Any])
assert_type(typing.adapter, TypeAdapter[list[str]])
assert_type(Say(text="hi"), Say)  # a decorated class stays what it was
registry: Registry = events

assert_type(events.event("a/latest", of=list[str], delivery=latest()), EventContract[list[str]])
assert_type(events.event("a/first", of=list[str], delivery=latest(lambda names: names[0])), EventContract[list[str]])
assert_type(events.event("a/field", delivery=latest("x"))(Move), type[Move])
assert_type(latest("x"), Latest)
events.event("a/b", delivery="unreliable")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
events.event("a/b", direction="up")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]

chsk = ChannelSocket(events=events)
client = Client("http://localhost/chsk", events=events)
ChannelSocket(events={})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# -- handlers of the server


@chsk.on(Say)
async def say(msg: Message[Say]) -> Ack:
    assert_type(msg.data, Say)
    assert_type(msg.event, tuple[str, Say])
    assert_type(await msg.request(Move(1)), bool)
    assert_type(await msg.request("a/b", 1, timeout=2), Any)
    return Ack(number=1)


@chsk.on(Move, concurrent=True)
def move(msg: Message[Move]) -> bool:
    return msg.data.x > 1


@chsk.on(Said)
async def said(msg: Message[Said]) -> None:
    assert_type(msg.data.text, str)


@chsk.on(Sight)
def sight(msg: Message[Sight]) -> None:
    assert_type(msg.data["lat"], float)


@chsk.on(typing)
async def typists(msg: Message[list[str]]) -> None: ...


@chsk.on("chat/say")
async def untyped(msg: Message) -> int:
    assert_type(msg.data, Any)
    return 1


@chsk.on(Say)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
async def wrong_reply(msg: Message[Say]) -> str:
    return "no Ack"


@chsk.on(Move)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
def wrong_sync_reply(msg: Message[Move]) -> str:
    return "no bool"


@chsk.on(Say)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
async def wrong_data(msg: Message[Said]) -> Ack:
    return Ack(number=1)


@chsk.on(Said)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
async def unasked(msg: Message[Said]) -> int:
    return 1


assert_type(Client("http://localhost", events=events).state.contract, ContractDifference | None)
assert_type(move, Callable[[Message[Any]], bool])
assert_type(say, Callable[[Message[Any]], Awaitable[Ack]])

# -- handlers of the client


@client.on(Said)
async def heard(said: Said) -> None:
    assert_type(said.text, str)


@client.on(Move)
def confirm(move: Move) -> bool:
    return True


@client.on(Move)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
def refuse(move: Move) -> str:
    return "no"


@client.on(Said)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
def mistaken(said: Say) -> None: ...


assert_type(client.on(Said, print), Callable[[], None])
assert_type(client.events(Said), Stream[Event[Said]])
assert_type(client.events(typing), Stream[Event[list[str]]])
assert_type(client.events("chat/say", Said, typing), Stream[Event[Any]])
client.events(7)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]

# -- saying


async def use() -> None:
    assert_type(chsk.send("ada", Said(text="hi")), Receipt)
    assert_type(chsk.broadcast(Move(1), flush=True), Receipt)
    assert_type(chsk.broadcast("map/sight", Sight(lat=1)), Receipt)
    assert_type(await chsk.request("c1", Say(text="hi"), timeout=1), Ack)
    assert_type(await chsk.request("c1", "chat/say", {"text": "hi"}), Any)
    assert_type(client.send(Say(text="hi")), bool)
    assert_type(client.send(typing, ["ada"]), bool)
    assert_type(chsk.send("ada", typing, ["ada"]), Receipt)
    chsk.broadcast(typing, [7])  # type: ignore[misc]  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert_type(await client.request(Say(text="hi")), Ack)
    assert_type(await client.request(Move(1)), bool)
    assert_type(await client.request("chat/say", {"text": "hi"}), Any)
    chsk.send("ada", 7)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    chsk.broadcast(Said(text="hi"), 1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    client.send(None)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await client.request(Said(text="hi"))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await chsk.request("c1", Said(text="hi"))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    Said(txt="hi")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    try:
        chsk.send("ada", "chat/said", 7)
    except InvalidEvent as error:
        assert_type(error.errors, list[dict[str, Any]])


# -- custom types


@dataclass(frozen=True)
class Money:
    cents: Decimal


MONEY = TypeHandler(tag="app/money", type=Money, encode=lambda money: money.cents, decode=lambda rep: Money(rep))
assert_type(MONEY, TypeHandler[Money])
TypeHandler(tag="app/money", type=Money, encode=lambda money: money.euros)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
TypeHandler[Money](tag="app/money", type=Money, encode=str, decode=str)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
TypeHandler(tag=1, type=Money, encode=str)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ChannelSocket(types=[MONEY])
Client("http://localhost/chsk", types=[MONEY])
ChannelSocket(types=MONEY)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@events.event("shop/paid")
class Paid(BaseModel):
    total: Annotated[Money, MONEY]


assert_type(Paid(total=Money(Decimal(1))).total, Money)
