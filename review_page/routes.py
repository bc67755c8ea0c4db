"""The addresses of the page: its files, and what it asks and sends.

Everything works in threads of its own: the engine answers this page's own questions, and others' images, meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI, Query, Request, Response
from starlette.responses import FileResponse

from cellspan.core.errors import CellspanError
from cellspan.core.service.client import EngineError
from cellspan.core.service.errors import Refusal
from cellspan.core.service.problems import add_handlers, problem
from cellspan.review_page import asked
from cellspan.review_page.session import Session
from cellspan.review_page.thumbnails import MEDIA_TYPE

STATIC = Path(__file__).parent / "static"
NOT_BUILT = (
    "The review page is not built in this installation (review_page/static is empty); build it with "
    "'npm ci && npm run build' in review_page/page, or install a released version."
)
FOREVER = "private, max-age=31536000, immutable"  # what has its version in its address
# What a person waits for comes through while thumbnails are made and images are segmented.
QUICK, SLOW = CapacityLimiter(16), CapacityLimiter(4)
STATUS = {"no_image": 404, "no_tile": 404, "conflict": 409}

At = Annotated[int, Query(ge=0, le=10_000_000)]
Sessions = Callable[[str], Session]


def make_routes(session: Sessions) -> FastAPI:
    """The application; `session` finds a review by its name in the address and raises Refusal."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.session = session
    for router in (_looking, _changing, _many, _files):
        app.include_router(router, prefix="/review/{name}")
    add_handlers(app)

    @app.exception_handler(CellspanError)
    async def refuse_value(request: Request, error: CellspanError) -> Response:
        code = error.code or "refused"
        return problem(Refusal(STATUS.get(code, 400), code, str(error), **error.fields))

    @app.exception_handler(EngineError)
    async def engine_fails(request: Request, error: EngineError) -> Response:
        return problem(Refusal(503 if error.code == "stopping" else 400, error.code or "engine", str(error)))

    return app


_looking, _changing, _many, _files = APIRouter(), APIRouter(), APIRouter(), APIRouter()


async def _aside(work: Callable[..., Any], *values: Any, limiter: CapacityLimiter = QUICK) -> Any:
    """What the work gives, done in a thread."""
    return await to_thread.run_sync(partial(work, *values), limiter=limiter)


async def _told(work: Callable[..., Any], *values: Any, limiter: CapacityLimiter = QUICK) -> Response:
    """The same as JSON, which is written in the thread as well, because outlines are long."""

    def done() -> bytes:
        return json.dumps(work(*values), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")

    return Response(await to_thread.run_sync(done, limiter=limiter), media_type="application/json")


def _session(request: Request) -> Session:
    find: Sessions = request.app.state.session
    return find(request.path_params["name"])


# ---- looking


@_looking.get("/api/session")
async def about(request: Request) -> Response:
    """What the page's head shows, the models and the options."""
    return await _told(_session(request).about)


@_looking.get("/api/images")
async def images(request: Request, since: int = 0) -> Response:
    """The entries that changed after a counter."""
    return await _told(_session(request).review.listed, since)


@_looking.get("/api/images/{image}")
async def image(request: Request, image: str) -> Response:
    """All that is known of an image."""
    return await _told(_session(request).details, image, limiter=SLOW)


@_looking.get("/api/images/{image}/thumbnail")
async def thumbnail(request: Request, image: str) -> Response:
    """A small picture with outlines."""
    review = _session(request).review
    content = await _aside(lambda: review.thumbnail(review.image(image)), limiter=SLOW)
    return Response(content, media_type=MEDIA_TYPE, headers={"Cache-Control": FOREVER})


@_looking.get("/api/images/{image}/tile")
async def tile(
    request: Request,
    image: str,
    channel: At = 0,
    z: At = 0,
    t: At = 0,
    level: At = 0,
    x: At = 0,
    y: At = 0,
    size: At = 512,
) -> Response:
    """A part of a channel: 16-bit numbers, little-endian, row by row."""
    values = await _aside(_session(request).tile, image, channel, (z, t), level, (x, y, size))
    shape = f"{values.shape[0]},{values.shape[1]}"
    return Response(values.tobytes(), media_type="application/octet-stream", headers={"X-Shape": shape})


@_looking.get("/api/images/{image}/outlines")
async def outlines(request: Request, image: str, z: At = 0, t: At = 0) -> Response:
    """The objects of a slice."""
    return await _told(_session(request).outlines, image, z)


# ---- changing


@_changing.post("/api/images/{image}/again")
async def again(request: Request, image: str, given: asked.Again) -> Response:
    """Other thresholds."""
    return await _told(_session(request).again, image, given.revision, given.parameters, given.replace)


@_changing.post("/api/images/{image}/edit")
async def edit(request: Request, image: str, given: asked.Edit) -> Response:
    """A correction by hand."""
    return await _told(_session(request).edit, image, given.revision, given.z, given.edit.model_dump())


@_changing.post("/api/images/{image}/undo")
async def undo(request: Request, image: str, given: asked.Move) -> Response:
    """Take the last step back."""
    return await _told(_session(request).move, image, given.revision, given.z, -1)


@_changing.post("/api/images/{image}/redo")
async def redo(request: Request, image: str, given: asked.Move) -> Response:
    """Do the step again that was taken back."""
    return await _told(_session(request).move, image, given.revision, given.z, 1)


@_changing.post("/api/images/{image}/new_results")
async def decide(request: Request, image: str, given: asked.Decide) -> Response:
    """Take the new results of a run, or keep the corrections."""
    return await _told(_session(request).decide, image, given.revision, given.z, given.take)


@_changing.post("/api/images/{image}/verdict")
async def verdict(request: Request, image: str, given: asked.Judge) -> Response:
    """Accept or reject."""
    return await _told(_session(request).judge, image, given.revision, given.verdict)


# ---- many


@_many.post("/api/segment", status_code=202)
async def segment(request: Request, given: asked.Segment) -> Response:
    """Segment images in the background."""
    return await _told(_session(request).segment, given.ids, given.parameters)


@_many.delete("/api/segment")
async def stop(request: Request, given: asked.Segment | None = None) -> Response:
    """Take images back."""
    return await _told(_session(request).stop, "all" if given is None else given.ids)


@_many.post("/api/save")
async def save(request: Request, given: asked.Save) -> Response:
    """Write what was reviewed."""
    return await _told(_session(request).save, given.ids, given.kinds, limiter=SLOW)


@_many.post("/api/teach", status_code=202)
async def teach(request: Request, given: asked.Teach) -> Response:
    """Fine-tune a model with the accepted images."""
    return await _told(_session(request).teach, given.name, given.start, given.minutes, limiter=SLOW)


@_many.get("/api/teach")
async def teaching(request: Request) -> Response:
    """How the training goes."""
    return await _told(_session(request).teaching.as_json)


@_many.delete("/api/teach")
async def stop_teaching(request: Request) -> Response:
    """End the training."""
    return await _told(_session(request).teaching.stop)


# ---- files


@_files.get("/")
async def index(request: Request) -> Response:
    """The page itself."""
    return await to_thread.run_sync(_file, "index.html", limiter=QUICK)


@_files.get("/{path:path}")
async def file(request: Request, path: str) -> Response:
    """What the page loads: its scripts, styles and pictures."""
    return await to_thread.run_sync(_file, path, limiter=QUICK)


def _file(path: str) -> Response:
    target = (STATIC / path).resolve()
    if not (STATIC / "index.html").is_file():
        raise Refusal(503, "not_built", NOT_BUILT)
    if STATIC.resolve() not in target.parents or not target.is_file():
        raise Refusal(404, "not_found", f"There is nothing at {path[:200]}.")
    return FileResponse(target, headers={"Cache-Control": FOREVER if path.startswith("assets/") else "no-cache"})
