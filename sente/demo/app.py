"""A lobby in which everyone talks to everyone, and sees who is there and over what.

``lobby`` has the events. Here is the HTTP around it: the page, login and logout. Everything is kept in memory, and
anybody may log in under any name: the same name twice is one user with two devices.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles

from sente import csrf_token, valid_csrf_token
from sente.demo.lines import LineCutter
from sente.demo.lobby import Lobby
from sente.integrations.fastapi import asyncapi_router, channel_router, inspector_router

HERE = Path(__file__).parent
NAME_LIMIT = 32
OFFLINE = 3.0  # seconds that a line stays cut

PAGE_HEADERS = {
    "cache-control": "no-store",  # it comes with the session's cookie
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "x-content-type-options": "nosniff",
}


class Login(BaseModel):
    """The body of ``POST /login``."""

    name: str


class Cut(BaseModel):
    """The body of ``POST /cut``."""

    client_id: str


def check_csrf(request: Request, x_csrf_token: Annotated[str | None, Header()] = None) -> None:
    """Other sites can make a browser post here with its cookies, but they cannot read the token."""
    if not valid_csrf_token(csrf_token(request.session), x_csrf_token):
        raise HTTPException(403, "the CSRF token is missing or wrong: reload the page")


def pages(lobby: Lobby, lines: LineCutter) -> APIRouter:
    """The HTTP around the lobby, and the task that lives as long as it."""

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        announcing = asyncio.create_task(lobby.announce())
        yield
        announcing.cancel()

    router = APIRouter(lifespan=lifespan)
    protected = [Depends(check_csrf)]

    @router.get("/")
    async def page(request: Request) -> FileResponse:
        csrf_token(request.session)  # so that the page's first connection has a session already
        return FileResponse(HERE / "index.html", headers=PAGE_HEADERS)

    @router.get("/csrf")
    async def csrf(request: Request) -> str:
        return csrf_token(request.session)

    @router.post("/login", status_code=204, dependencies=protected)
    async def login(request: Request, login: Login) -> None:
        name = " ".join(login.name.split())
        if not (1 <= len(name) <= NAME_LIMIT and name.isprintable()):
            raise HTTPException(422, f"a name has 1 to {NAME_LIMIT} letters")
        request.session["uid"] = name  # a real application asks for a password before it believes this

    @router.post("/logout", status_code=204, dependencies=protected)
    async def logout(request: Request) -> None:
        request.session.pop("uid", None)

    @router.post("/cut", dependencies=protected)
    async def cut(request: Request, cut: Cut) -> dict[str, float]:
        """Cut the line of one of this browser's own pages."""
        lines.cut(request.session, cut.client_id, OFFLINE)
        return {"seconds": OFFLINE}

    return router


def create_app(secret_key: str | None = None) -> FastAPI:
    """The demo as an ASGI application. Without a ``secret_key`` all are logged out when it ends."""
    lobby, lines = Lobby(), LineCutter()
    app = FastAPI(title="sente demo", openapi_url=None)
    app.include_router(channel_router(lobby.chsk, "/chsk"))
    app.include_router(inspector_router(lobby.chsk, "/inspector", dependencies=[]))  # a demo has nothing to hide
    app.include_router(asyncapi_router(lobby.chsk, "/asyncapi", title="sente demo", version=version("sente-channels")))
    app.include_router(pages(lobby, lines))  # after the channel socket, which its task needs
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.add_middleware(lines.around)
    app.add_middleware(SessionMiddleware, secret_key=secret_key or secrets.token_hex(32), session_cookie="sente-demo")
    return app
