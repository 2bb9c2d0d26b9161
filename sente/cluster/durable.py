"""Sessions that outlive their process: each is kept in a store, from where another process goes on with it.

What is said to a session goes into its outbox in the store, wherever it is said, and has its number from there. The
process that owns the session, as the store knows, hears of it and tells the client. What the client says is handled
first and acknowledged when the store knows of it: what a handler sends meanwhile is stored together with that, so
either both have happened or neither when the process dies.
"""

import asyncio
import itertools
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

from sente.brokers.store import Moved, Store, StoreError, Taken
from sente.cluster.node import Node
from sente.cluster.notices import EVERYONE, user_channel, write
from sente.cluster.stored_items import StoredItems
from sente.errors import Rejected
from sente.hub import Hub
from sente.interfaces import UserId
from sente.protocol import actions as act
from sente.protocol.greeting import Hello
from sente.protocol.outbox import Item
from sente.protocol.sessions import Client
from sente.protocol.stored_session import StoredSession
from sente.push import Push
from sente.receipts import Letter

PATIENCE = 5.0
"""Seconds that the store has before a client is told to come back."""

COME_BACK = "retry_after=1000"

NAME = re.compile(r"[A-Za-z0-9_-]{32}")
"""Of a session: 24 random bytes."""

MOVED = "another process serves this session now"

MISSING = 0.25
"""Seconds after which something that came early is taken to have been overtaken by nothing: the store is asked."""

TOUCH = 4
"""How often, while a session can be resumed, the store is told that it goes on."""


class OwnedElsewhere(Rejected):
    """Another process has the session."""

    def __init__(self, owner: str) -> None:
        super().__init__(503, COME_BACK)
        self.owner = owner


@dataclass(slots=True, eq=False)
class _Shelf:
    """A session in the store that belongs to this process."""

    name: str
    since: float
    epoch: int = 0
    client: Client | None = None
    early: list[tuple[int, Item]] = field(default_factory=list)
    """What came before its client did."""
    fetching: bool = False

    @property
    def session(self) -> StoredSession | None:
        """While it goes on."""
        session = self.client.session if self.client else None
        return session if isinstance(session, StoredSession) and not session.ended else None


class Durable:
    """Implements ``Shelving``, and what ``Fanout`` needs of it."""

    def __init__(
        self,
        node: Node,
        hub: Hub,
        store: Callable[[Callable[[], None]], Store],
        items: StoredItems,
    ) -> None:
        self._node = node
        self._hub = hub
        self._items = items
        self._shelves: dict[str, _Shelf] = {}
        self._prepared: _Shelf | None = None
        self._taking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._numbers = itertools.count(1)
        self._touched = node.now
        self._tasks: set[asyncio.Task[None]] = set()
        self._store = store(self.catch_up)

    @property
    def unsaid(self) -> int | None:
        """How much the store has not been given yet; ``None``: it has all."""
        return self._store.waiting or None

    async def aclose(self) -> None:
        """Store what waits, and let go: other processes go on with the sessions."""
        for task in self._tasks:
            task.cancel()
        await self._store.aclose()

    # -- Shelving

    new_session = StoredSession

    async def prepare(self, hello: Hello, uid: UserId, client_id: str) -> Hello:
        """See ``Shelving``. Raises ``Rejected``, ``OwnedElsewhere``."""
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._find(hello, uid, client_id)
                if found is None:
                    self._prepared = await self._create(uid, client_id)  # and nothing is waited for until it is used
        except (StoreError, TimeoutError):
            raise Rejected(503, COME_BACK) from None
        if self._hub.draining:
            if found is not None:  # whoever is next takes it
                self._shelves.pop(_name(found), None)
            raise Rejected(503, COME_BACK)
        return hello if found is None else replace(hello, session=found.token)

    async def _create(self, uid: UserId, client_id: str) -> _Shelf:
        shelf = self._shelf(secrets.token_urlsafe(24))  # it hears what is said as soon as it is there
        try:
            shelf.epoch = await self._store.create(shelf.name, json.dumps(uid), client_id)
        except BaseException:
            del self._shelves[shelf.name]
            raise
        return shelf

    async def _find(self, hello: Hello, uid: UserId, client_id: str) -> Client | None:
        owner, _, name = (hello.session or "").partition(".")
        if NAME.fullmatch(name) is None:
            return None
        async with self._taking.setdefault(name, asyncio.Lock()):  # a client may say hello twice
            while True:
                shelf = self._shelves.get(name)
                if owner == self._node.name and shelf is not None and shelf.client is not None:
                    mine = (shelf.client.uid, shelf.client.client_id) == (uid, client_id)
                    return shelf.client if mine else None
                found = await self._take(name, hello, uid, client_id, owner)
                if not isinstance(found, str):
                    return found
                owner = found
                if owner != self._node.name and self._node.may_be_there(owner):
                    raise OwnedElsewhere(owner)

    def new_token(self) -> str:
        """See ``Shelving``."""
        assert self._prepared is not None, "it has been prepared"
        return f"{self._node.name}.{self._prepared.name}"

    def entered(self, client: Client) -> None:
        """See ``Shelving``."""
        shelf = self._shelves.get(_name(client))
        if shelf is not None and shelf.client is None:
            shelf.client = client
            for number, item in shelf.early:
                self._arrived(shelf, number, item, flush=True)

    async def _take(self, name: str, hello: Hello, uid: UserId, client_id: str, owner: str) -> Client | str | None:
        old = self._shelves.get(name)
        shelf = old or self._shelf(name)  # it hears already what is said from the moment on that it is taken
        taken = None
        try:
            taken = await self._store.take(name, json.dumps(uid), client_id, owner)
        finally:
            if not isinstance(taken, Taken) and old is None:
                del self._shelves[name]
        if not isinstance(taken, Taken):
            return taken
        if old is not None and old.client is not None:  # its client has been served by another since then
            self._close(old.client, 1001, MOVED, word="moved")
            shelf = self._shelf(name)
            self._fetch(shelf, 0.0)  # what the old one has heard meanwhile
        shelf.epoch = taken.epoch
        session = StoredSession(self._hub.settings, hello.limits, self._hub.now)
        session.restore(taken.acked, taken.heard, [self._items.read(body) for _, body in taken.entries])
        client = Client(f"{self._node.name}.{name}", client_id, uid, session)
        self._hub.sessions.adopt(client)
        self._hub.stats["taken over"] += 1
        return client

    def carry_out(self, client: Client, action: act.Store | act.Note) -> None:
        """See ``Shelving``."""
        shelf = self._shelves.get(_name(client))
        if shelf is None:
            return
        if isinstance(action, act.Store):
            put = self._store.put(shelf.name, shelf.epoch, self._items.write(action.item))
            put.add_done_callback(lambda done: self._stored(shelf, action.item, done))
        else:
            note = self._store.note(shelf.name, shelf.epoch, action.acked, action.heard)
            note.add_done_callback(lambda done: self._noted(shelf, action.heard, done))

    def ended(self, client: Client, word: str) -> None:
        """See ``Shelving``. Whoever has it now, or will have, is not disturbed."""
        self._hub.sessions.let_go(client)
        if (shelf := self._shelves.pop(_name(client), None)) is not None and word not in ("stopped", "moved"):
            self._store.end(shelf.name, shelf.epoch).add_done_callback(_ignore)

    # -- saying

    def say(self, letter: Letter, push: Push, *, flush: bool) -> None:
        """Put an event into the outboxes of all it is for, wherever they are served."""
        peers = self._hub.peers.everyone() if push.everyone else self._hub.peers.of(push.uid)
        for client in peers:
            if isinstance(client.session, StoredSession):
                client.session.expect(push)
        push.addressed = len(peers)
        self._hub.stats["sent"] += 1
        self._hub.memory.add(push.size)
        letter.n = next(self._numbers)
        uid, channel, head = _address(push)
        body = write("stored", self._node.name, {**letter.head, **head, "of": letter.n}, [letter.wire])
        said = self._store.say(uid, channel, body)
        said.add_done_callback(lambda done: self._said(push, flush, done))
        letter.ready = said

    def _said(self, push: Push, flush: bool, done: "asyncio.Future[Mapping[str, int]]") -> None:
        if done.cancelled():
            return
        if done.exception() is None:
            self.arrived(done.result(), push, flush=flush)
            return
        self._hub.stats["not stored"] += 1
        self.unstored(push.uid, everyone=push.everyone)
        uid, channel, head = _address(push)
        self._store.forget(uid, channel, write("unstored", self._node.name, head)).add_done_callback(_ignore)

    def arrived(self, numbers: Mapping[str, Any], push: Push, *, flush: bool) -> int:
        """An event has these numbers in sessions, some of them of this process: of how many."""
        here = 0
        for name, number in numbers.items():
            if (shelf := self._shelves.get(name)) is not None:
                here += 1
                self._arrived(shelf, number, push, flush=flush)
        return here

    def unstored(self, uid: UserId, *, everyone: bool) -> None:
        """What was said to these could not be stored: they are told that something is lost."""
        for client in self._hub.peers.everyone() if everyone else self._hub.peers.of(uid):
            self._close(client, 4410, "what was said could not be stored", word="not stored")

    # -- what the store says

    def _stored(self, shelf: _Shelf, item: Item, done: "asyncio.Future[int]") -> None:
        if not self._failed(shelf, done):
            self._arrived(shelf, done.result(), item, flush=True)

    def _noted(self, shelf: _Shelf, heard: int, done: "asyncio.Future[None]") -> None:
        if not self._failed(shelf, done) and shelf.client is not None and (session := shelf.session) is not None:
            session.secured(heard, self._hub.now)
            self._hub.run(shelf.client)

    def _failed(self, shelf: _Shelf, done: "asyncio.Future[Any]") -> bool:
        if done.cancelled():
            return True
        error = done.exception()
        if error is not None and shelf.client is not None:
            if isinstance(error, Moved):
                self._close(shelf.client, 1001, MOVED, word="moved")
            else:
                self._close(shelf.client, 4410, "what was said could not be stored", word="not stored")
        return error is not None

    def _arrived(self, shelf: _Shelf, number: int, item: Item, *, flush: bool) -> None:
        if shelf.client is None:
            shelf.early.append((number, item))
        elif number == 0:
            self._close(shelf.client, 4420, "the client does not keep up with what is sent to it", word="slow")
        elif (session := shelf.session) is not None:
            session.stored(number, item, self._hub.now, flush=flush)
            self._hub.run(shelf.client) if session.actions else self._hub.look_after(shelf.client)
            if session.gap is not None:
                self._fetch(shelf, MISSING)

    def _fetch(self, shelf: _Shelf, after: float) -> None:
        if not shelf.fetching:
            shelf.fetching = True
            task = asyncio.create_task(self._fill(shelf, after))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _fill(self, shelf: _Shelf, after: float) -> None:
        try:
            await asyncio.sleep(after)
            if (session := shelf.session) is None:
                return
            missing = session.known + 1
            entries = await self._store.fetch(shelf.name, session.known)
        except StoreError:
            return  # it is asked again when it is back
        finally:
            shelf.fetching = False
        for number, body in entries:
            self._arrived(shelf, number, self._items.read(body), flush=True)
        if session.gap == missing:  # what has a larger number was stored later, so it is not on its way
            self._close(shelf.client, 4410, "something that was stored is gone", word="not stored")

    def catch_up(self) -> None:
        """The store or the broker was away: what was numbered meanwhile was not heard."""
        for shelf in self._shelves.values():
            self._fetch(shelf, 0.0)
        self._touch()

    def sweep(self) -> None:
        """Have the store keep the sessions of this process. To be called every few seconds."""
        if self._node.now >= self._touched + self._hub.settings.resume / TOUCH:
            self._touch()

    def _touch(self) -> None:
        self._touched = now = self._node.now
        refused = [shelf for shelf in self._shelves.values() if shelf.client is None and shelf.since < now - PATIENCE]
        for shelf in refused:  # they were prepared, and then there was no room, say
            del self._shelves[shelf.name]
            self._store.end(shelf.name, shelf.epoch).add_done_callback(_ignore)
        entered = [name for name, shelf in self._shelves.items() if shelf.client is not None]
        if entered:
            self._store.touch(entered).add_done_callback(self._on_touched)

    def _on_touched(self, done: "asyncio.Future[Sequence[str]]") -> None:
        if done.cancelled() or done.exception() is not None:
            return
        for name in done.result():
            if (shelf := self._shelves.get(name)) is not None and shelf.client is not None:
                self._close(shelf.client, 1001, MOVED, word="moved")

    def _shelf(self, name: str) -> _Shelf:
        return self._shelves.setdefault(name, _Shelf(name, self._node.now))

    def _close(self, client: Any, code: int, reason: str, *, word: str) -> None:
        client.session.close(code, reason, self._hub.now, word=word)
        self._hub.run(client)


def _address(push: Push) -> tuple[str | None, str, dict[str, UserId]]:
    """Whom it is for, as the store, the broker and the other processes are told."""
    if push.everyone:
        return None, EVERYONE, {}
    return json.dumps(push.uid), user_channel(push.uid), {"uid": push.uid}


def _name(client: Client) -> str:
    return client.token.partition(".")[2]


def _ignore(done: "asyncio.Future[Any]") -> None:
    """What the store will forget by itself."""
    if not done.cancelled():
        done.exception()
