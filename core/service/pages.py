"""Pages for people: each lies below an address of its own and stands above core, which finds it by its entry point.

A page checks by itself who may read it, because a browser cannot send the engine's token.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from cellspan.core.service.errors import Refusal
from cellspan.core.service.problems import problem

GROUP = "cellspan.pages"
NO_FOLDER = "no_folder"  # code of the error of a page whose folder is not there
INSTALL = "run: pip install --force-reinstall cellspan"
NO_SESSION = "This page is not open any more; open it again with: cellspan review FOLDER"


class Page(Protocol):
    """A page; its entry point is a function that makes it from `alive`, a sign of life for the engine."""

    app: ASGIApp  # gets every request below /<name of the entry point>/

    def invite(self, asked: Mapping[str, Any]) -> str:
        """The path of a link that opens the page once; raises CellspanError for what is asked."""
        ...


class Pages:
    """The pages of this installation, each imported when it is asked for; thread-safe."""

    def __init__(self, alive: Callable[[], None], found: Mapping[str, EntryPoint] | None = None) -> None:
        """`alive` keeps the engine from stopping because it is idle; `found` are those of the installation."""
        self._alive = alive
        self._found = _installed() if found is None else dict(found)
        self._made: dict[str, Page] = {}
        self._lock = threading.Lock()

    def invite(self, name: str, asked: Mapping[str, Any]) -> str:
        """The path of a link that opens a page once; raises Refusal if it is not installed, and CellspanError."""
        return self._page(name).invite(asked)

    def app_at(self, path: str) -> ASGIApp | None:
        """What answers below the address of a page; None for every other address."""
        name = path.split("/", 2)[1] if path.count("/") > 1 else ""
        if name not in self._found:
            return None
        with self._lock:
            made = self._made.get(name)
        return _nobody_was_invited if made is None else made.app

    def _page(self, name: str) -> Page:
        with self._lock:
            if name not in self._found:
                raise Refusal(404, "no_page", f"The {name} page is missing; {INSTALL}", page=name)
            if name not in self._made:
                make: Callable[[Callable[[], None]], Page] = self._found[name].load()
                self._made[name] = make(self._alive)
            return self._made[name]


async def _nobody_was_invited(scope: Scope, receive: Receive, send: Send) -> None:
    await problem(Refusal(403, "no_session", NO_SESSION))(scope, receive, send)


def _installed() -> dict[str, EntryPoint]:
    """Those of cellspan alone: to look through all packages takes long."""
    try:
        return {entry.name: entry for entry in distribution("cellspan").entry_points.select(group=GROUP)}
    except PackageNotFoundError:
        return {}
