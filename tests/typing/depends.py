"""Handlers with FastAPI's dependencies as type checkers see them. Checked by `make check`, never run."""

from typing import Annotated, Any, assert_type

from fastapi import Depends, FastAPI, Header, Request, Security
from pydantic import BaseModel

from sente import ChannelSocket, EventRegistry, HandlerBinder, Message
from sente import Request as Requesting
from sente.integrations.depends import FastAPIBinder
from sente.integrations.fastapi import channel_router, current_message, per_connection
from sente.testing import Received, Served

events = EventRegistry()


class User(BaseModel):
    name: str


@events.event("chat/say")
class Say(BaseModel, Requesting[int]):
    text: str


@events.event("chat/said")
class Said(BaseModel):
    text: str


async def current_user(request: Request) -> User:
    return User(name=request.session["uid"])


async def room(msg: Annotated[Message, Depends(current_message)]) -> str:
    assert_type(msg, Message[Any])
    return str(msg.data)


CurrentUser = Annotated[User, Depends(current_user)]
chsk = ChannelSocket(events=events)
app = FastAPI()
app.include_router(channel_router(chsk))
chsk.bind(FastAPIBinder())
binder: HandlerBinder = FastAPIBinder()
chsk.bind(print)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@chsk.on(Say)
async def say(msg: Message[Say], user: CurrentUser, room: Annotated[str, Depends(room)]) -> int:
    assert_type(user, User)
    return len(msg.data.text + user.name + room)


@chsk.on(Say)
def say_in_thread(msg: Message[Say], *, user: CurrentUser, x_name: Annotated[str, Header()] = "") -> int:
    return 1


@chsk.on(Said, concurrent=True)
async def said(msg: Message[Said], user: Annotated[User, Security(per_connection(current_user), scopes=["a"])]) -> None:
    assert_type(msg.data.text, str)


@chsk.on("chat/untyped")
async def untyped(msg: Message, user: CurrentUser) -> str:
    assert_type(msg.data, Any)
    return user.name


@chsk.on(Say)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
async def wrong_reply(msg: Message[Say], user: CurrentUser) -> str:
    return "no int"


@chsk.on(Say)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
async def wrong_data(msg: Message[Said], user: CurrentUser) -> int:
    return 1


@chsk.on(Say)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
async def no_message(user: CurrentUser) -> int:
    return 1


@chsk.on("chat/untyped")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
async def no_message_either(user: CurrentUser) -> int:
    return 1


async def use(message: Message[Say], user: User) -> None:
    assert_type(await say(message, user, "room"), int)  # what it takes is kept, for a test that calls it
    assert_type(say_in_thread(message, user=user), int)
    assert_type(await untyped(message, user), str)
    await say(message, "ada", "room")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def in_a_test() -> None:
    async with Served(app, "/chsk") as server, server.client(params={"name": "ada"}) as ada:
        assert_type(ada.received, Received)
        assert_type(await ada.request(Say(text="hi")), int)
        assert_type((await ada.received.next(Said)).id, str)
