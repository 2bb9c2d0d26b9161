"""Typed events between a real ``ChannelSocket`` and its clients: in which form they arrive, and who is told what."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from sente import (
    ChannelSocket,
    Client,
    ConfigError,
    Disconnected,
    EventRegistry,
    InvalidEvent,
    Message,
    RequestFailed,
    RequestTimeout,
    UnknownEvent,
)
from sente.testing import check_registry
from tests.client.line import until
from tests.events.contract import Ack, Confirm, Move, Said, Say, contract
from tests.packers.examples import Colour

NOW = datetime.now(UTC)

over_both = pytest.mark.parametrize("transport", ["ws", "poll"])
every_packer = pytest.mark.parametrize("packers", ["json", "auto", "msgpack", "transit"])
strictly = pytest.mark.parametrize("strict", [None, True])


class Chat:
    """A channel socket with a contract, and what its handlers were given."""

    def __init__(self, **options: Any) -> None:
        self.events = contract(**options.pop("registry", {}))
        self.chsk = ChannelSocket(events=self.events, **{"user_id": lambda _: "ada", **options})
        self.got: list[Any] = []
        self.bad: list[Any] = []
        self.told: list[Any] = []
        self.reply: Any = Ack(at=NOW)
        self.chsk.on_error = lambda error, msg: self.told.append(error)

        @self.chsk.on(Say)
        async def say(msg: Message[Say]) -> Ack:
            self.got.append(msg.data)
            reply: Ack = self.reply
            return reply

        @self.chsk.on(Move, concurrent=True)
        def move(msg: Message[Move]) -> tuple[int, str]:
            self.got.append(msg.data)
            return msg.data.x, "x"

        @self.chsk.on("chat/typing")
        async def typing(msg: Message[list[str]]) -> None:
            self.got.append(msg.data)

        @self.chsk.on("chsk/bad-event")
        async def bad(msg: Message) -> None:
            self.bad.append(msg.data)

    def client(self, *, typed: bool = True, **options: Any) -> Client:
        return Client(app=self.chsk, events=self.events if typed else None, **options)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Chat]:
    chat = Chat(**options)
    async with chat.chsk:
        yield chat


# -- in which form they arrive


@strictly
@over_both
@every_packer
async def test_both_sides_get_what_the_contract_says(transport: Any, packers: str, strict: bool | None) -> None:
    options: dict[str, Any] = {"packers": packers, "registry": {"strict": strict}}
    async with serving(**options) as chat, chat.client(transport=transport, packers=packers) as client:
        heard: asyncio.Queue[Said] = asyncio.Queue()
        client.on(Said)(heard.put_nowait)
        say = Say(text="hi", tags=frozenset({"a"}), id=UUID(int=7))
        assert await client.request(say) == Ack(at=NOW, colour=Colour.RED)
        assert await client.request(Move(1, 2)) == (1, "x")
        assert client.send(say)
        assert client.send("chat/typing", ["ada"])
        chat.chsk.send("ada", Said(text="hi", at=NOW))
        chat.chsk.broadcast("chat/said", {"text": "all", "at": NOW})
        assert await heard.get() == Said(text="hi", at=NOW)
        assert await heard.get() == Said(text="all", at=NOW)
        await until(lambda: len(chat.got) == 4)
        assert chat.got == [say, Move(1, 2), say, ["ada"]]
        assert (chat.bad, chat.told) == ([], [])


@over_both
@every_packer
async def test_the_server_asks_and_gets_the_reply_as_its_type(transport: Any, packers: str) -> None:
    async with serving(packers=packers) as chat, chat.client(transport=transport, packers=packers) as client:
        asked: list[Any] = []

        @client.on(Confirm)
        async def confirm(confirm: Confirm) -> bool:
            asked.append(confirm)
            return True

        @chat.chsk.on("device/confirm")
        async def ask_back(msg: Message[Confirm]) -> bool:
            return await msg.request(msg.data)

        assert await chat.chsk.request(client.state.client_id, Confirm(what="x")) is True
        assert await client.request(Confirm(what="y")) is True
        assert asked == [Confirm(what="x"), Confirm(what="y")]


async def test_a_packer_is_asked_whether_it_is_plain_by_each_client() -> None:
    async with serving(registry={"strict": True}) as chat:
        async with chat.client(packers="json") as plain, chat.client(packers="auto") as typed:
            for client in (plain, typed, plain):
                assert await client.request(Say(text="hi", id=UUID(int=7))) == Ack(at=NOW)
        async with chat.client(typed=False, packers="json") as plain, chat.client(typed=False) as typed:
            strings = {"text": "hi", "id": str(UUID(int=7))}
            assert await plain.request("chat/say", strings)
            with pytest.raises(RequestFailed, match="invalid_event"):
                await typed.request("chat/say", strings)


@over_both
async def test_the_clients_of_sente_speak_plain_json(transport: Any) -> None:
    async with serving(classic="json", registry={"strict": True}) as chat:
        async with chat.client(transport=transport, classic="json") as client:
            heard = client.events(Said)
            assert await client.request(Say(text="hi", id=UUID(int=7))) == Ack(at=NOW)
            chat.chsk.broadcast(Said(text="hi", at=NOW))
            assert (await anext(heard)).data == Said(text="hi", at=NOW)
        assert chat.got == [Say(text="hi", id=UUID(int=7))]


async def test_a_contract_names_its_event() -> None:
    events = EventRegistry()
    names = events.event("chat/typing", of=list[str])
    chsk = ChannelSocket(events=events, user_id=lambda _: "ada")
    came: list[Any] = []

    @chsk.on(names)
    async def typing(msg: Message[list[str]]) -> None:
        came.append(msg.data)

    async with chsk, Client(app=chsk, events=events) as client:
        heard = client.events(names)
        client.on(names, came.append)
        assert client.send(names, ["bob"])
        chsk.send("ada", names, ["ada"])
        assert (await anext(heard)).data == ["ada"]
        await until(lambda: len(came) == 2)
        with pytest.raises(InvalidEvent):
            chsk.broadcast(names, None)  # type: ignore[misc]  # pyright: ignore
    assert sorted(came) == [["ada"], ["bob"]]


async def test_a_loop_gets_typed_messages_too() -> None:
    events = contract()
    chsk = ChannelSocket(events=events)
    async with chsk, Client(app=chsk, events=events) as client:
        messages = chsk.messages()
        first = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0)
        client.send(Say(text="hi"))
        assert (await first).event == ("chat/say", Say(text="hi"))


# -- what does not fit


@over_both
@every_packer
async def test_the_asker_is_told_what_is_wrong_where(transport: Any, packers: str) -> None:
    async with serving(packers=packers) as chat:
        async with chat.client(typed=False, transport=transport, packers=packers) as client:
            with pytest.raises(RequestFailed) as failed:
                await client.request("chat/say", {"text": "", "tags": [1]})
            assert failed.value.code == "invalid_event"
            assert [error["loc"] for error in failed.value.data["errors"]] == [["text"], ["tags", 0]]
            assert failed.value.data["more"] == 0
            with pytest.raises(RequestFailed, match="unknown_event: chat/sya: there is no such event"):
                await client.request("chat/sya", {"text": "hi"})
            with pytest.raises(RequestFailed, match="invalid_event: chat/said: the client does not say this event"):
                await client.request("chat/said", {"text": "hi", "at": NOW})
            with pytest.raises(RequestFailed) as many:
                await client.request("chat/typing", [1] * 10_000)
            assert (len(many.value.data["errors"]), many.value.data["more"]) == (20, 9980)
        assert (chat.got, chat.bad, chat.told) == ([], [], [])


@over_both
async def test_what_nobody_waits_for_is_a_bad_event(transport: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as chat, chat.client(typed=False, transport=transport) as client:
        client.send("chat/say", {"text": 7})
        client.send("chat/sya\nlog: forged", None)
        client.send("chat/typing", ["ada"])
        await until(lambda: chat.got)
        assert chat.bad == [["chat/say", {"text": 7}], ["chat/sya\nlog: forged", None]]
        assert [type(error) for error in chat.told] == [InvalidEvent, UnknownEvent]
        assert chat.got == [["ada"]], "and the next one is handled"
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line.partition(":")[0] for line in lines] == ["not handled", "not handled"]
    assert "\n" not in "".join(lines)


async def test_a_hook_that_raises_costs_nothing_else() -> None:
    async with serving() as chat, chat.client(typed=False) as client:
        chat.chsk.on_error = lambda error, msg: [].pop()
        client.send("chat/say", {"text": 7})
        await until(lambda: chat.bad)
        assert await client.request("chat/typing", ["ada"]) is None


@pytest.mark.parametrize("wrong", [None, 7, {"at": "yesterday"}, Say(text="hi")])
async def test_a_reply_that_does_not_fit_is_an_internal_error(wrong: Any) -> None:
    async with serving() as chat, chat.client() as client:
        chat.reply = wrong
        with pytest.raises(RequestFailed, match="internal: the server could not handle this"):
            await client.request(Say(text="hi"))
        assert [type(error) for error in chat.told] == [InvalidEvent]
        client.send(Say(text="hi"))
        await until(lambda: len(chat.got) == 2)
        assert len(chat.told) == 1, "nobody asked for it"


async def test_a_reply_that_is_given_by_hand_is_checked_too() -> None:
    events = contract()
    chsk = ChannelSocket(events=events)
    caught: list[Any] = []

    @chsk.on("chat/say")
    async def say(msg: Message) -> Any:
        assert msg.reply is not None
        try:
            msg.reply(7)
        except InvalidEvent as error:
            caught.append(error)
        msg.reply(Ack(at=NOW))
        raise RuntimeError("after the reply")

    async with chsk, Client(app=chsk, events=events) as client:
        assert await client.request(Say(text="hi")) == Ack(at=NOW)
    assert len(caught) == 1


async def test_nothing_is_sent_of_what_does_not_fit() -> None:
    async with serving() as chat, chat.client() as client:
        heard = client.events("chat/said")
        ways: list[Callable[..., Any]] = [chat.chsk.broadcast, partial(chat.chsk.send, "ada")]
        for say in ways:
            for event in (("chat/said", {"text": 7, "at": NOW}), ("chat/sya", 1), (Move(1, 2),), (Ack(at=NOW),)):
                with pytest.raises((InvalidEvent, UnknownEvent)):
                    say(*event)
            with pytest.raises(ConfigError, match="chat/said: an object of the event's class is its data"):
                say(Said(text="hi", at=NOW), 1)
        with pytest.raises(InvalidEvent):
            await chat.chsk.request(client.state.client_id, "device/confirm", {"what": 7})
        for event_id, data in (("chat/say", {"text": ""}), ("chat/said", {"text": "hi", "at": NOW})):
            with pytest.raises(InvalidEvent):
                client.send(event_id, data)
            with pytest.raises(InvalidEvent):
                await client.request(event_id, data)
        assert chat.chsk.stats["sent"] == chat.chsk.stats["received"] == 0
        chat.chsk.send("ada", Said(text="hi", at=NOW))
        assert (await anext(heard)).data == Said(text="hi", at=NOW)


# -- a client that is told what its contract does not know


async def test_a_client_hands_out_only_what_fits(caplog: pytest.LogCaptureFixture) -> None:
    chsk = ChannelSocket(user_id=lambda _: "ada")
    async with chsk, Client(app=chsk, events=contract()) as client:
        heard: list[Any] = []
        bad: list[Any] = []
        client.on(Said, heard.append)
        client.on("chsk/bad-event", bad.append)
        for event_id, data in (("chat/said", {"text": 7}), ("chat/sya", 1), ("chat/said", {"text": "hi", "at": NOW})):
            chsk.send("ada", event_id, data)
        await until(lambda: heard)
        assert heard == [Said(text="hi", at=NOW)]
        assert bad == [["chat/said", {"text": 7}], ["chat/sya", 1]]
        assert "not handled" in caplog.text


async def test_a_client_refuses_what_it_is_asked_wrongly() -> None:
    chsk = ChannelSocket()
    async with chsk, Client(app=chsk, events=contract()) as client:
        answers: list[Any] = [1, True]
        client.on(Confirm, lambda confirm: answers.pop(0))
        ask: Callable[..., Any] = chsk.request
        me = client.state.client_id
        for event_id, data, code in (("device/confirm", {}, "invalid_event"), ("a/b", 1, "unknown_event")):
            with pytest.raises(RequestFailed) as failed:
                await ask(me, event_id, data)
            assert failed.value.code == code
        assert await ask(me, "device/confirm", {"what": "x"}) is True, "1 is True for pydantic"
        assert await ask(me, "device/confirm", {"what": "x"}) is True
        client.on(Move, print)


async def test_a_reply_of_the_other_side_that_does_not_fit_is_raised() -> None:
    chsk = ChannelSocket()
    chsk.on("chat/say")(lambda msg: "no Ack")
    async with chsk, Client(app=chsk, events=contract()) as client:
        with pytest.raises(InvalidEvent, match="chat/say: Input should be"):
            await client.request(Say(text="hi"))
    async with serving() as chat, chat.client(typed=False) as client:
        client.on("device/confirm", lambda data: "no bool")
        with pytest.raises(InvalidEvent, match="device/confirm: Input should be a valid boolean"):
            await chat.chsk.request(client.state.client_id, Confirm(what="x"))


# -- deadlines


async def test_a_request_waits_as_long_as_its_event_says() -> None:
    events = EventRegistry()
    events.event("chat/say", deadline=0.02)(Say)
    events.event("device/confirm", deadline=0.02)(Confirm)
    chsk = ChannelSocket(events=events)

    async def wait(data: Any) -> Any:
        await asyncio.sleep(0.2)

    chsk.on("chat/say", concurrent=True)(wait)
    async with chsk, Client(app=chsk, events=events) as client:
        client.on(Confirm, wait)
        me = client.state.client_id
        with pytest.raises(RequestTimeout, match=r"chat/say within 0\.02 s"):
            await client.request(Say(text="hi"))
        with pytest.raises(RequestTimeout, match=r"chat/say within 0\.01 s"):
            await client.request(Say(text="hi"), timeout=0.01)
        with pytest.raises(RequestTimeout, match=r"device/confirm within 0\.02 s"):
            await chsk.request(me, Confirm(what="x"))
        with pytest.raises(RequestTimeout, match=r"device/confirm within 0\.01 s"):
            await chsk.request(me, Confirm(what="x"), timeout=0.01)
        with pytest.raises(Disconnected):
            await chsk.request("nobody", Confirm(what="x"))


# -- what is registered, and what is not


def test_a_handler_is_for_an_event_of_the_contract() -> None:
    chsk = ChannelSocket(events=contract())
    client = Client("http://localhost/chsk", events=contract())
    for on in (chsk.on, client.on, client.events):
        register: Callable[..., Any] = on
        with pytest.raises(ConfigError, match="chat/sya: there is no such event in the registry"):
            register("chat/sya")
        with pytest.raises(ConfigError, match="Ack: this type is no event of the registry"):
            register(Ack)
    chsk.on("chsk/uidport-open")(print)


async def test_without_a_registry_an_event_has_an_id() -> None:
    chsk = ChannelSocket()
    on: Callable[..., Any] = chsk.on
    with pytest.raises(ConfigError, match="Say: without events=EventRegistry"):
        on(Say)
    async with chsk, Client(app=chsk) as client:
        for say in (chsk.broadcast, client.send):
            with pytest.raises(ConfigError, match=r"an event is named by its id|an event id is"):
                say(Say(text="hi"))


def test_events_takes_a_registry() -> None:
    for make in (ChannelSocket, lambda **options: Client("http://localhost/chsk", **options)):
        with pytest.raises(ConfigError, match=r"events=\{\}: give an EventRegistry"):
            make(events={})  # type: ignore[arg-type]


class Shouting:
    """A third party's registry: every event is a string, and said loudly."""

    def identify(self, event: object, /) -> str:
        if not isinstance(event, str):
            raise UnknownEvent(type(event).__name__)
        return event

    def load(self, event_id: str, value: Any, /, **options: Any) -> Any:
        if not isinstance(value, str):
            raise InvalidEvent(event_id, [{"type": "string", "loc": [], "msg": "a string, please"}])
        return value.upper()

    dump = load

    def deadline(self, event_id: str, /) -> float:
        return 5


async def test_a_third_partys_registry_fits() -> None:
    check_registry(Shouting(), ("chat/say", "HI"))
    chsk = ChannelSocket(events=Shouting())

    @chsk.on("chat/say")
    async def say(msg: Message) -> str:
        assert msg.data == "HI"
        return "and hello"

    async with chsk, Client(app=chsk) as client:
        assert await client.request("chat/say", "hi") == "AND HELLO"
        with pytest.raises(RequestFailed, match="a string, please"):
            await client.request("chat/say", 7)
