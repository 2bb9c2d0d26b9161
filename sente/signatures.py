"""What ``on`` returns for a typed event, so that editors know what its handler takes and returns."""

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from sente.dispatch import Message
from sente.interfaces import Request

D_co = TypeVar("D_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


class Replies(Protocol[D_co]):
    """Takes the handler of a ``Request[R]`` on the server; it returns an ``R``. ``P`` is what it takes beside the
    message, for a binder to fill in."""

    @overload
    def __call__(
        self: "Replies[Request[R]]", handler: Callable[Concatenate[Message[D_co], P], Awaitable[R]], /
    ) -> Callable[Concatenate[Message[Any], P], Awaitable[R]]: ...
    @overload
    def __call__(
        self: "Replies[Request[R]]", handler: Callable[Concatenate[Message[D_co], P], R], /
    ) -> Callable[Concatenate[Message[Any], P], R]: ...


class Handles(Protocol[D_co]):
    """Takes the handler of an event on the server that is not replied to."""

    @overload
    def __call__(
        self, handler: Callable[Concatenate[Message[D_co], P], Awaitable[None]], /
    ) -> Callable[Concatenate[Message[Any], P], Awaitable[None]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[Message[D_co], P], None], /
    ) -> Callable[Concatenate[Message[Any], P], None]: ...


class ClientReplies(Protocol[D_co]):
    """Takes the handler of a ``Request[R]`` of the server; clients' handlers get the data alone."""

    @overload
    def __call__(
        self: "ClientReplies[Request[R]]", handler: Callable[[D_co], Awaitable[R]], /
    ) -> Callable[[Any], Awaitable[R]]: ...
    @overload
    def __call__(self: "ClientReplies[Request[R]]", handler: Callable[[D_co], R], /) -> Callable[[Any], R]: ...


class ClientHandles(Protocol[D_co]):
    """Takes a client's handler of an event; nobody looks at what it returns."""

    def __call__(self, handler: Callable[[D_co], R], /) -> Callable[[Any], R]:
        """Register it."""
        ...
