"""What changed between two versions of a contract, and whether a client of the older one still gets along.

Both sides count. Of what the server takes, less is breaking: somebody still says it. Of what it sends, more is: a
client has never seen it. Fields that a side does not know are no harm, unless its type forbids them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

from sente.errors import ConfigError
from sente.events.asyncapi import id_of
from sente.events.compare import Comparison, Effect, mapping

TAKEN: Final = frozenset({"from-client", "reply-from-client"})
"""The messages that the server takes; it sends the others."""

UNKNOWN_FIELDS: Final = "x-sente-unknown-fields"


@dataclass(frozen=True, slots=True)
class Difference:
    """One change of an event."""

    event: str
    where: str
    """The message and the field, ``from-client.items[].price``; empty if it is the event as such."""
    text: str
    breaking: bool

    def __str__(self) -> str:
        return f"{self.event}  {self.where}: {self.text}" if self.where else f"{self.event}: {self.text}"


def diff(old: Any, new: Any) -> list[Difference]:
    """Compare two documents of ``asyncapi``, which may come from anywhere.

    >>> old = {"asyncapi": "3.0.0", "channels": {"chat/say": {"messages": {}}}}
    >>> [str(change) for change in diff(old, {"asyncapi": "3.0.0"})]
    ['chat/say: removed']

    Raises:
        ConfigError: one is no AsyncAPI 3 document, or nested too deep.
    """
    for which, document in (("old", old), ("new", new)):
        if not str(mapping(document).get("asyncapi")).startswith("3."):
            raise ConfigError(f"the {which} document is no AsyncAPI 3: make it with `sente asyncapi`")
    olds, news = mapping(old.get("channels")), mapping(new.get("channels"))
    try:
        found = [_event(old, new, event) for event in olds if event in news]
    except RecursionError as error:
        raise ConfigError("a document is nested too deep to be compared") from error
    gone = [Difference(event, "", "removed", True) for event in olds if event not in news]
    come = [Difference(event, "", "added", False) for event in news if event not in olds]
    changes = [*gone, *chain.from_iterable(found), *come]
    return [replace(change, event=id_of(change.event)) for change in changes]


def _event(old: Any, new: Any, event: str) -> list[Difference]:
    before, after = (mapping(mapping(document["channels"])[event]) for document in (old, new))
    olds, news = mapping(before.get("messages")), mapping(after.get("messages"))
    found = [*_around(old, new, event, before, after, taken="from-client" in olds)]
    for said in olds:
        if said not in news:
            found.append(Difference(event, said, "removed", said != "reply-from-client"))
            continue
        comparison = Comparison(old, new, before.get(UNKNOWN_FIELDS), after.get(UNKNOWN_FIELDS))
        for change in comparison.compare(mapping(olds[said]).get("payload"), mapping(news[said]).get("payload"), said):
            breaks = Effect.LESS if said in TAKEN else Effect.MORE
            found.append(Difference(event, change.where, change.text, breaks in change.effect))
    for said in news:
        if said not in olds:  # who was asked for nothing so far will not answer
            found.append(Difference(event, said, "added", said == "reply-from-client" and "from-server" in olds))
    return found


def _around(old: Any, new: Any, event: str, before: Any, after: Any, *, taken: bool) -> Iterator[Difference]:
    """What is not in the schemas."""
    strict = before.get("x-sente-strict") is True, after.get("x-sente-strict") is True
    if strict[0] != strict[1]:
        yield Difference(event, "", "strict now" if strict[1] else "strict no more", taken and strict[1])
    delivery = before.get("x-sente-delivery"), after.get("x-sente-delivery")
    if delivery[0] != delivery[1]:
        yield Difference(event, "", f"delivery {delivery[0]} → {delivery[1]}", True)
    for action in ("receive", "send"):
        first, then = (mapping(mapping(document.get("operations")).get(f"{action}:{event}")) for document in (old, new))
        deadlines = first.get("x-sente-deadline"), then.get("x-sente-deadline")
        if first and then and deadlines[0] != deadlines[1]:
            yield Difference(event, "", f"{action}: deadline {deadlines[0]} → {deadlines[1]}", False)
