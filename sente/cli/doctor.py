"""``sente doctor URL``: asks a running server what its clients would ask, and says what stands in their way.

Each check is a finding: what was seen and, if it is wrong, the line to add and where.
"""

import asyncio
import json
import secrets
import time
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from sente.errors import ProtocolError
from sente.interfaces import LinkClosed
from sente.protocol.framing import read_row, write_row
from sente.transports.client_answers import refused
from sente.transports.client_websocket import Opener

PATIENCE = 10.0
"""Seconds for an answer; a held poll gets so many more than the server says it holds."""

FOREIGN = "https://a-foreign-page.example"

NGINX_HOST = "nginx: proxy_set_header Host $http_host;"
APACHE_HOST = "Apache: ProxyPreserveHost On"
NGINX_UPGRADE = (
    "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
)
APACHE_UPGRADE = "Apache: ProxyPass /chsk http://127.0.0.1:8000/chsk upgrade=websocket"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw. ``ok`` is ``None`` where it could not be made, or was not asked for.

    >>> Finding("packers", True, "json").fix
    ()
    """

    check: str
    ok: bool | None
    said: str
    fix: tuple[str, ...] = ()
    """Lines to add, each with the name of what it is for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, of any status."""

    status: int
    headers: Message
    body: bytes
    seconds: float

    @property
    def why(self) -> str:
        """The sentence of a refusal."""
        return refused(self.status, {}, self.body).message


class _AsItIs(urllib.request.HTTPErrorProcessor):
    """Raises for no status, and follows no redirect: no WebSocket does."""

    def http_response(self, request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:
        return response

    https_response = http_response


@dataclass(slots=True)
class Doctor:
    """Examines the channel socket at ``url``; ``headers`` go along, say the cookie of a login."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    csrf: str | None = None
    quick: bool = False
    """Do not hold a poll."""
    _n: int = 0
    _query: str = field(default_factory=lambda: f"v=1&client-id=doctor-{secrets.token_hex(4)}&packers=")

    def examine(self) -> Iterator[Finding]:
        """Check after check; no more once something is wrong that the others would stumble over."""
        welcome = yield from self._reach()
        if welcome is None:
            return
        yield self._caching(welcome)
        yield self._script()
        yield self._upgrade()
        if (info := (yield from self._admission())) is not None:
            yield self._poll(info)
            self._exchange(info, [["chsk/bye", None], None, 0])

    # -- the checks

    def _reach(self) -> Generator[Finding, None, Answer | None]:
        try:
            answer = self._ask("json", more="&handshake?=1")
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            yield Finding(
                "reachable", False, f"nobody answers: {reason}", ("is the server running, and the URL right?",)
            )
            return None
        if 300 <= answer.status < 400:
            yield self._redirected(answer)
        elif answer.status == 406:
            yield Finding("reachable", True, answer.why)
            yield Finding("packers", None, "this command speaks JSON only, so it ends here")
        elif not _is_welcome(answer):
            kind = answer.headers.get_content_type()
            said = (
                f"this is no channel socket: HTTP {answer.status}, {kind}. {answer.why if answer.status >= 400 else ''}"
            )
            yield Finding("reachable", False, said.strip(), _strange(answer.status))
        else:
            yield Finding("reachable", True, f"a channel socket answers, in {answer.seconds * 1000:.0f} ms")
            yield Finding("packers", True, self._ask("none", more="&handshake?=1").why.rpartition("=")[2])
            return answer
        return None

    def _redirected(self, answer: Answer) -> Finding:
        target = urljoin(self.url, answer.headers.get("location", ""))
        there = urlunsplit((*urlsplit(target)[:3], "", ""))
        said = f"HTTP {answer.status} leads to {there}, and no WebSocket follows a redirect"
        return Finding("redirects", False, said, (f"clients: use the address {there}",))

    def _caching(self, answer: Answer) -> Finding:
        control = ", ".join(answer.headers.get_all("cache-control", []))
        if "no-store" in control:
            return Finding("caching", True, "answers may not be cached on the way")
        said = f"the answer's Cache-Control has become {control or 'nothing'}: polls may be cached"
        fix = ("nginx: remove `expires` and `proxy_hide_header Cache-Control` for this location",)
        return Finding("caching", False, said, fix)

    def _script(self) -> Finding:
        answer = self._ask("", path="/client.js")
        if answer.status == 200 and answer.headers.get_content_type() == "text/javascript":
            return Finding("client.js", True, "is served")
        said = f"{self._address('/client.js')} answers HTTP {answer.status}, {answer.headers.get_content_type()}"
        fix = ("nginx: location /chsk { ... } with all that is below it, not location = /chsk",)
        return Finding("client.js", False, said, fix)

    def _upgrade(self) -> Finding:
        fix = (NGINX_UPGRADE, APACHE_UPGRADE)
        url = "ws" + self._address(query=f"?{self._query}json").removeprefix("http")
        try:
            text = asyncio.run(_first_frame(url, self.headers))
        except LinkClosed as closed:
            said = f"the upgrade does not get through: {closed.message or closed}. `auto` clients poll, `ws` ones fail"
            return Finding("websocket", False, said, fix)
        except TimeoutError:
            return Finding("websocket", False, f"opens, but brings nothing within {PATIENCE:g} s", fix)
        if _is_object(text, "sente"):
            return Finding("websocket", True, "opens, and the welcome arrives")
        return Finding("websocket", False, "opens, but what answers is no channel socket", fix)

    def _admission(self) -> Generator[Finding, None, Mapping[str, Any] | None]:
        parts = urlsplit(self.url)
        own = f"{parts.scheme}://{parts.netloc}"
        answer = self._hello(own)
        if answer.status == 403 and "CSRF" in answer.why:
            yield Finding("csrf", None, "a token is required: give one with --csrf, and its session with --header")
            return None
        if answer.status == 401:
            yield Finding("login", None, f"{answer.why} (--header 'Cookie: ...' shows one)")
            return None
        yield Finding("csrf", True, "the token is right" if self.csrf else "no token is required")
        if answer.status != 200:
            fix = (NGINX_HOST, APACHE_HOST, f"server: ChannelSocket(allowed_origins=[{own!r}])")
            yield Finding("origin", False, f"pages of {own} are refused: {answer.why}", fix)
            return None
        yield Finding("origin", True, f"pages of {own} may connect")
        foreign = self._hello(FOREIGN, csrf=self.csrf)
        if foreign.status == 403:
            yield Finding("foreign origin", True, "pages of other hosts may not")
        else:
            said = f"a page of any host may connect in your user's name (HTTP {foreign.status})"
            line = "server: name the origins, ChannelSocket(allowed_origins=['https://app.example.com']), not '*'"
            yield Finding("foreign origin", False, said, (line,))
        yield _cors(answer, foreign, own)
        return _info(answer)

    def _poll(self, info: Mapping[str, Any]) -> Finding:
        if self.quick:
            return Finding("poll", None, "not held, as --quick was given")
        hold = info["poll"] / 1000
        fix = ("nginx: proxy_read_timeout 60s; proxy_buffering off;", "Apache: ProxyTimeout 60", _shorter(hold))
        began = time.monotonic()
        try:
            answer = self._exchange(info, wait=info["poll"], timeout=hold + PATIENCE)
        except (OSError, HTTPException) as error:
            after = time.monotonic() - began
            kind = "is held back by something in between" if after > hold else "is cut"
            return Finding("poll", False, f"a poll of {hold:g} s {kind} after {after:.1f} s: {error}", fix)
        if answer.status != 200:
            said = f"a poll of {hold:g} s is cut after {answer.seconds:.1f} s: HTTP {answer.status}"
            return Finding("poll", False, said, fix)
        if answer.seconds > hold + PATIENCE / 2:
            return Finding("poll", False, f"the answer to a poll came {answer.seconds - hold:.1f} s late", fix)
        return Finding("poll", True, f"an idle one is held for {answer.seconds:.1f} s and answered")

    # -- asking

    def _next(self) -> int:
        self._n += 1
        return self._n

    def _hello(self, origin: str, csrf: str | None = None) -> Answer:
        hello = {"hello": 1, "session": None, "n": self._next(), "ack": 0, "csrf": csrf or self.csrf}
        return self._ask("json", body=write_row([json.dumps(hello)]), origin=origin)

    def _exchange(self, info: Mapping[str, Any], *packets: Any, wait: int = 0, timeout: float = PATIENCE) -> Answer:
        head = {"session": info["session"], "n": self._next(), "ack": 0, "seq": 1, "wait": wait}
        return self._ask("json", body=write_row([json.dumps(part) for part in (head, *packets)]), timeout=timeout)

    def _address(self, path: str = "", query: str = "") -> str:
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, parts.path + path, "", "")) + query

    def _ask(
        self,
        packers: str,
        *,
        more: str = "",
        path: str = "",
        body: bytes | None = None,
        origin: str = "",
        timeout: float = PATIENCE,
    ) -> Answer:
        url = self._address(path, "" if path else f"?{self._query}{packers}{more}")
        headers = {**self.headers, "content-type": "text/plain", **({"origin": origin} if origin else {})}
        request = urllib.request.Request(url, data=body, headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _AsItIs)
        began = time.monotonic()
        with opener.open(request, timeout=timeout) as response:
            content = response.read()
            return Answer(response.status, response.headers, content, time.monotonic() - began)


async def _first_frame(url: str, headers: Mapping[str, str]) -> str | bytes:
    opener = Opener()
    async with asyncio.timeout(PATIENCE):
        link = await opener.open(url, headers, 65536)
        text = await link.receive()
    await link.close(1000, "")
    await opener.aclose()
    return text


def _is_object(text: str | bytes, key: str) -> bool:
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(plain, dict) and key in plain


def _is_welcome(answer: Answer) -> bool:
    return answer.status == 200 and _is_object(answer.body, "sente")


def _info(answer: Answer) -> Mapping[str, Any] | None:
    try:
        [[_, [_, _, _, info]], *_] = json.loads(read_row(answer.body)[1])
    except (ProtocolError, ValueError, IndexError, TypeError):
        return None
    return info if isinstance(info, dict) else None


def _cors(own: Answer, foreign: Answer, origin: str) -> Finding:
    fix = ("proxy: remove what adds Access-Control-Allow-Origin (nginx: add_header); the server sets it",)
    allowed = own.headers.get_all("access-control-allow-origin", [])
    leaked = foreign.headers.get_all("access-control-allow-origin", [])
    if allowed != [origin]:
        return Finding("cors", False, f"Access-Control-Allow-Origin is {allowed}, not once {origin}", fix)
    if leaked and foreign.status == 403:
        return Finding("cors", False, f"a refused page is given Access-Control-Allow-Origin: {leaked[0]}", fix)
    return Finding("cors", True, "headers for allowed origins only")


def _strange(status: int) -> tuple[str, ...]:
    """What to look at when something else answers."""
    match status:
        case 502 | 503 | 504:
            return ("proxy: it does not reach the server; compare proxy_pass with where the server listens",)
        case 500:
            return ("server: its log says more; a ChannelSocket needs its lifespan, which channel_router brings",)
        case _:
            return ('server: app.include_router(channel_router(chsk, "/chsk"))', "proxy: pass this path to the server")


def _shorter(hold: float) -> str:
    return f"server: ChannelSocket(settings=ServerSettings(poll={hold / 4:g})), below the limit of what is in between"
