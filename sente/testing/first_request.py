"""The first HTTP request of a connection, for who makes it a second time."""

LONGEST = 1024 * 1024
"""Bytes of a request that are kept; a longer one is let be."""

END = b"\r\n\r\n"


class FirstRequest:
    """Collects what a client says until its first request is whole.

    >>> first = FirstRequest()
    >>> first.feed(b"POST /chsk HTTP/1.1\\r\\nContent-Length: 2\\r\\n\\r\\n[")
    >>> first.feed(b"]GET /")[-6:]
    b'\\r\\n\\r\\n[]'
    >>> first.feed(b"GET /")
    """

    def __init__(self) -> None:
        self._said: bytes | None = b""  # None: nothing more is looked for

    def feed(self, data: bytes) -> bytes | None:
        """The request, when the last byte of it has come; never that of a WebSocket."""
        if self._said is None:
            return None
        self._said += data
        head, end, body = self._said.partition(END)
        fields = _fields(head) if end else {}
        length = int(fields.get(b"content-length", b"0"))
        if b"upgrade" in fields or len(self._said) > LONGEST:
            self._said = None
        elif end and len(body) >= length:
            request, self._said = head + end + body[:length], None
            return request
        return None


def _fields(head: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
