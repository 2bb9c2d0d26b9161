"""What a client makes of an HTTP answer that is not the one it hoped for."""

import json
from collections.abc import Mapping

from sente.interfaces import LinkClosed

ERROR_BODY = 64 * 1024
"""Bytes read of the body of an error: enough for a sentence, little of a login page."""


def refused(status: int, headers: Mapping[str, str], body: bytes) -> LinkClosed:
    """Why a link is not to be had: the status, and the sentence under ``error`` if the answer is one of sente's.

    429 and 503 with ``Retry-After`` (seconds) say ``retry_after=<ms>``, as a close reason does (protocol reference,
    "Errors"). Names of ``headers`` are lower-case, or looked up without regard to case.

    >>> refused(403, {}, b'{"error": "members only"}')
    LinkClosed('403: members only')
    >>> refused(503, {"retry-after": "2"}, b"").message
    'retry_after=2000'
    """
    seconds = headers.get("retry-after", "")
    if status in (429, 503) and seconds.isdecimal():
        return LinkClosed(status, f"retry_after={int(seconds) * 1000}")
    return LinkClosed(status, _sentence(body) or f"the server answered with HTTP {status}")


def _sentence(body: bytes) -> str:
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    sentence = plain.get("error") if isinstance(plain, dict) else None
    return sentence if isinstance(sentence, str) else ""
