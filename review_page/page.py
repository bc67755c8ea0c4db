"""What the engine finds: the page with its reviews, its links, and who may read what below /review/.

A link opens a review once and leaves a cookie that is valid for that review alone, so that two folders in two tabs do
not mix. Nothing is readable without it, no other web page may send anything, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cellspan.core.service.client import Engine
from cellspan.core.service.errors import Refusal
from cellspan.core.service.problems import problem
from cellspan.review_page.engine import OwnEngine
from cellspan.review_page.keys import Keys
from cellspan.review_page.review import Review
from cellspan.review_page.routes import make_routes
from cellspan.review_page.session import Session

TOP = "/review/"
OPEN = TOP + "open"
COOKIE = "cellspan-review-"  # with the name of the session
HEADER, SENT_BY_PAGE = "X-Cellspan", "review"
CLOSED = "This page is not open any more, or not in this browser; open it again with: cellspan review FOLDER"
USED = "This link was used already or is older than five minutes; get a new one with: cellspan review FOLDER"
FOREIGN = "Only the review page itself may change something here."
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def review_page(alive: Callable[[], None]) -> ReviewPage:
    """The page of this engine; `alive` is a sign of life."""
    return ReviewPage(alive, OwnEngine)


class ReviewPage:
    """All reviews of an engine; thread-safe."""

    def __init__(self, alive: Callable[[], None], make_engine: Callable[[bool], Engine]) -> None:
        """`make_engine` gives a client of the engine, for work that a person waits for or not."""
        self._alive, self._make_engine = alive, make_engine
        self._lock = threading.Lock()
        self._keys = Keys()
        self._sessions: dict[str, Session] = {}
        self._names: dict[tuple[Path, Path], str] = {}  # folder and results -> name of the session
        self._routes = make_routes(self.session)
        self.app: ASGIApp = self._answer

    def invite(self, asked: Mapping[str, Any]) -> str:
        """The path of a link to a review, which is the one that is there if it is of the same folders.

        Raises CellspanError.
        """
        results = asked.get("results")
        here = asked.get("here") or asked["folder"]
        review = Review(
            Path(asked["folder"]), Path(results) if results else None, Path(here), asked.get("parameters") or {}
        )
        key = review.folder.resolve(), review.results.resolve()
        with self._lock:
            name = self._names.get(key)
            if name is None:
                name = self._names[key] = secrets.token_hex(8)
                self._sessions[name] = Session(review, self._make_engine, self._alive)
            else:
                self._sessions[name].review.renew(review)
        return f"{OPEN}?key={self._keys.link(name)}"

    def session(self, name: str) -> Session:
        """A review by its name in the address; raises Refusal."""
        with self._lock:
            found = self._sessions.get(name)
        if found is None:
            raise Refusal(403, "no_session", CLOSED)
        return found

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: the link, or everything else for whoever has the cookie."""
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        if path == OPEN:
            await self._opened(scope)(scope, receive, _with_headers(send))
            return
        name = path.removeprefix(TOP).partition("/")[0]
        refusal = self._refusal(name, headers, method)
        if refusal is None:
            self._alive()
        app: ASGIApp = self._routes if refusal is None else problem(refusal)
        await app(scope, receive, _with_headers(send))

    def _opened(self, scope: Scope) -> ASGIApp:
        key = parse_qs(scope["query_string"].decode("ascii", "replace")).get("key", [""])[0]
        opened = self._keys.use(key) if scope["method"] == "GET" else None
        if opened is None:
            return problem(Refusal(403, "link_used", USED))
        name, secret = opened
        answer = RedirectResponse(f"{TOP}{name}/", 303)
        secure = scope.get("scheme") == "https"
        answer.set_cookie(COOKIE + name, secret, path=f"{TOP}{name}/", secure=secure, httponly=True, samesite="strict")
        return answer

    def _refusal(self, name: str, headers: Headers, method: str) -> Refusal | None:
        if not self._keys.opens(_cookie(headers, COOKIE + name), name):
            return Refusal(403, "no_session", CLOSED)
        origin = headers.get("origin")
        is_foreign = origin is not None and origin.partition("://")[2] != headers.get("host", "")
        if is_foreign or (method not in ("GET", "HEAD") and headers.get(HEADER) != SENT_BY_PAGE):
            return Refusal(403, "foreign", FOREIGN)
        return None


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _with_headers(send: Send) -> Send:
    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_more
