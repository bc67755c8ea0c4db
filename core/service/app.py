"""The HTTP application: the routes behind their guard."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import FastAPI
from starlette.types import ASGIApp

from cellspan.core.service.description import describe
from cellspan.core.service.guard import LOOPBACK, Guard
from cellspan.core.service.pages import Pages
from cellspan.core.service.problems import add_handlers
from cellspan.core.service.routes import Context, metrics_router, open_router, router


def make_app(context: Context, hosts: Sequence[str] | None = LOOPBACK) -> ASGIApp:
    """The application; `hosts` are the names that it may be called by, None = any.

    Pages for people are there only if it may be called by names of this computer alone.
    """
    app = FastAPI(
        title="cellspan engine",
        version=version("cellspan"),
        description="Send images, get label images and outlines.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    app.state.pages = pages = None if hosts is None else Pages(lambda: app.state.context.engine.touch())
    for part in (open_router, router, metrics_router):
        app.include_router(part)
    add_handlers(app)
    describe(app)
    return Guard(app, context.token, hosts, pages)
