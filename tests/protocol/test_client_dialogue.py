"""What a client's conversation takes into the next session."""

from sente.protocol.client_dialogue import Dialogue
from sente.protocol.messages import Event
from sente.protocol.settings import Limits


def position(n: int, key: str = "a") -> Event:
    return Event("map/position", n, 10, key=key)


def test_only_the_latest_is_carried_over() -> None:
    dialogue = Dialogue(Limits(), [])
    dialogue.put(position(1))
    dialogue.put(position(1, key="b"))
    dialogue.talk.say()
    dialogue.put(position(2))  # the one before has left, but did not arrive
    dialogue.start_anew(0)
    assert dialogue.talk.outbox.waiting() == [position(1, key="b"), position(2)]
