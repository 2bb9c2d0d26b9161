"""Which session a hello continues, and what is told of one that is gone."""

import itertools
from typing import Any

from sente.protocol.actions import Transmit
from sente.protocol.greeting import Hello, PeerLimits
from sente.protocol.messages import Event, Handshake
from sente.protocol.sessions import Client, Sessions
from sente.protocol.settings import ServerSettings

PEER = PeerLimits(1000, 100, 10_000)
PUSH = Event("a/push", None, 10)


class Server:
    def __init__(self, settings: ServerSettings | None = None) -> None:
        self.numbers = itertools.count(1)
        self.sessions = Sessions(settings or ServerSettings(), lambda: f"token-{next(self.numbers)}", 0.0)
        self.now = 200.0  # no longer young

    def hello(
        self, token: str | None = None, *, ack: int = 0, client_id: str = "c1", uid: Any = "ada"
    ) -> tuple[Client, dict[str, Any]]:
        hello = Hello(token, next(self.numbers), 0, None, None, PEER, got=ack)
        client = self.sessions.meet(next(self.numbers), "ws", hello, client_id, uid, None, self.now)
        actions = client.session.take_actions()
        handshake = next(
            packet
            for action in actions
            if isinstance(action, Transmit)
            for packet in action.packets
            if isinstance(packet, Handshake)
        )
        return client, dict(handshake.info)

    def push(self, client: Client) -> None:
        self.sessions.addressed(client.uid, self.now)
        client.session.send(PUSH, self.now)

    def end(self, client: Client) -> None:
        client.session.close(4410, "over", self.now, word="test")
        self.sessions.bury(client, self.now)


def test_a_token_resumes() -> None:
    server = Server()
    client, info = server.hello()
    assert (info["resumed"], info["lost"], info["prev"]) == (False, 0, None)
    again, info = server.hello(client.token)
    assert again is client
    assert (info["resumed"], info["lost"]) == (True, 0)
    assert list(server.sessions) == [client]
    assert len(server.sessions) == 1
    assert server.sessions.find(client.token) is client


def test_a_token_is_worth_nothing_to_another_client() -> None:
    server = Server()
    client, _ = server.hello()
    other, info = server.hello(client.token, client_id="c2")
    assert other is not client
    assert (info["resumed"], info["lost"]) == (False, None)
    assert not client.session.ended
    server.end(client)
    assert server.hello(client.token, client_id="c2")[1]["lost"] is None


def test_another_user_ends_the_session_and_begins_anew() -> None:
    server = Server()
    client, _ = server.hello(uid=None)
    server.push(client)
    other, info = server.hello(client.token, uid="ada")
    assert client.session.ended
    assert other.uid == "ada"
    assert (info["resumed"], info["lost"], info["prev"]) == (False, 1, 0)


def test_an_unknown_token_knows_nothing() -> None:
    assert Server().hello("never")[1]["lost"] is None


def test_lost_is_what_was_not_acknowledged_and_what_came_since() -> None:
    server = Server()
    client, _ = server.hello()
    for _ in range(3):
        server.push(client)
    server.end(client)
    server.sessions.addressed("ada", server.now)
    server.sessions.addressed("bob", server.now)
    server.sessions.addressed_all()
    _, info = server.hello(client.token, ack=1)
    assert (info["lost"], info["prev"]) == (4, 0)


def test_lost_is_told_again_until_the_new_token_is_used() -> None:
    server = Server()
    client, _ = server.hello()
    server.push(client)
    server.end(client)
    first, info = server.hello(client.token)
    server.push(first)
    again, info = server.hello(client.token)
    assert again is first
    assert info["lost"] == 1


def test_a_successor_nobody_heard_of_is_lost_with_all_that_was_said_to_it() -> None:
    server = Server()
    client, _ = server.hello()
    server.push(client)
    server.end(client)
    first, _ = server.hello(client.token)
    server.push(first)
    server.sessions.addressed_all()
    first.session.send(PUSH, server.now)
    server.end(first)
    server.sessions.addressed_all()
    assert server.hello(client.token)[1]["lost"] == 4


def test_a_grave_is_closed_after_the_time_to_resume() -> None:
    server = Server()
    client, _ = server.hello()
    server.end(client)
    server.now += 120
    assert server.hello(client.token)[1]["lost"] is None


def test_graves_are_bounded() -> None:
    server = Server(ServerSettings(graves=2))
    first, _ = server.hello()
    second, _ = server.hello(client_id="c2")
    third, _ = server.hello(client_id="c3", uid="bob")
    fourth, _ = server.hello(client_id="c4", uid="bob")
    for client in (third, first, second, fourth):
        server.end(client)
    assert server.hello(third.token, client_id="c3", uid="bob")[1]["lost"] is None
    assert server.hello(first.token)[1]["lost"] is None
    assert server.hello(fourth.token, client_id="c4", uid="bob")[1]["lost"] == 0


def test_a_young_server_says_what_it_has_said_since_it_started() -> None:
    server = Server()
    server.now = 1.5
    server.sessions.addressed("ada", server.now)
    server.sessions.addressed("bob", server.now)
    server.sessions.addressed_all()
    _, info = server.hello("of the server before")
    assert (info["lost"], info["since_start"], info["uptime"]) == (None, 2, 1500)
    assert "since_start" not in server.hello()[1]
    server.now = 120.0
    server.sessions.addressed("ada", server.now)
    assert "since_start" not in server.hello("of the server before")[1]


def test_who_is_remembered_and_forgotten() -> None:
    server = Server()
    client, _ = server.hello()
    assert not server.sessions.remembered
    server.end(client)
    assert set(server.sessions.remembered) == {"ada"}
    server.sessions.forget()
    assert not server.sessions.remembered
    _, info = server.hello(client.token)
    assert (info["lost"], info["prev"]) == (None, None)


def test_one_of_many_does_not_know_what_others_said_before() -> None:
    """``since_start`` would count what this process said, and the client may come from another."""
    for alone in (True, False):
        sessions = Sessions(ServerSettings(), lambda: "token", 0.0, alone=alone)
        sessions.addressed("ada", 1.0)
        hello = Hello("n1.unknown", 1, 0, None, None, PEER, got=0)
        client = sessions.meet(1, "ws", hello, "c1", "ada", None, 1.0)
        (transmit,) = (action for action in client.session.take_actions() if isinstance(action, Transmit))
        (handshake,) = (packet for packet in transmit.packets if isinstance(packet, Handshake))
        assert ("since_start" in handshake.info) is alone
