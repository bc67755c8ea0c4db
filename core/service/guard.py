"""Checks requests before the application: who may connect, and HTTP rules for every address."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cellspan.core.service.errors import Refusal
from cellspan.core.service.pages import Pages
from cellspan.core.service.problems import problem

OPEN = "/v1/hello"  # only shows that the engine knows the token
HEAD = "cellspan.head"  # in the scope of a request whose response has no body
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Guard:
    """Checks the token and the Host header; answers HEAD like GET without a body.

    A web page can make its own host name point to this computer (DNS rebinding); such requests are refused.
    """

    def __init__(
        self, app: ASGIApp, token: str, hosts: Sequence[str] | None = LOOPBACK, pages: Pages | None = None
    ) -> None:
        """`hosts`: allowed Host headers; None = any, for an engine that other computers use. `pages` have no token."""
        self._app, self._token, self._hosts, self._pages = app, token.encode(), hosts, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]
        page = None if self._pages is None else self._pages.app_at(path)
        refusal = self._wrong_host(headers) or (None if page else self._no_token(headers, path))
        app: ASGIApp = (page or self._app) if refusal is None else problem(refusal)
        if scope["method"] == "HEAD":
            await app({**scope, "method": "GET", HEAD: True}, receive, _without_body(send))
        else:
            await app(scope, receive, send)

    def _wrong_host(self, headers: Headers) -> Refusal | None:
        host = _host_name(headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            named = headers.get("host", "")[:255]
            return Refusal(403, "wrong_host", f"This engine is not '{named}'.", host=named)
        return None

    def _no_token(self, headers: Headers, path: str) -> Refusal | None:
        if path == OPEN:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        known = scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), self._token)
        if known:
            return None
        return Refusal(401, "no_token", "A valid token is needed.", {"WWW-Authenticate": 'Bearer realm="cellspan"'})


def _host_name(host: str) -> str:
    """The host without the port; empty if invalid."""
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+))(?::\d*)?", host.lower())
    return (found[1] or found[2]) if found else ""


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
