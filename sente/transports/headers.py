"""The headers of a request, as an application sees them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class Headers(Mapping[str, str]):
    """What a request's headers say, by lower-case name: read when asked, as a line that stays open for hours would
    otherwise keep them twice, and few are ever looked at.

    >>> headers = Headers([(b"Host", b"a.example"), (b"accept", b"a/b"), (b"accept", b"c/d")])
    >>> headers["host"], headers["accept"], len(headers)
    ('a.example', 'a/b, c/d', 2)
    """

    __slots__ = ("_auth", "_pairs")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]], auth: str | None = None) -> None:
        self._pairs = tuple(pairs)
        self._auth = auth  # stands for the header of that name

    def __getitem__(self, name: str) -> str:
        found: str | None = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """What the header says, or ``default``: of most that are asked for there is none, so it comes first."""
        if name == "authorization" and self._auth is not None:
            return self._auth
        key, found = name.encode("latin-1", "replace"), None
        for raw, value in self._pairs:
            if raw.lower() == key:
                found = value if found is None else (b"; " if name == "cookie" else b", ").join([found, value])
        return default if found is None else found.decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        names = [raw.decode("latin-1").lower() for raw, _ in self._pairs]
        return iter(dict.fromkeys(names if self._auth is None else [*names, "authorization"]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return repr(dict(self))
