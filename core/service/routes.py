"""The addresses of the engine: jobs in, labels out."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response, Security
from fastapi.security import HTTPBearer
from starlette.requests import ClientDisconnect

from cellspan.core.errors import CellspanError
from cellspan.core.machine.kept_code import preparing
from cellspan.core.parameters import DYNAMICS, Parameters, parse_parameters
from cellspan.core.service.answers import ENCODERS, encode
from cellspan.core.service.client import CHALLENGE_PREFIX, MASK_BYTES
from cellspan.core.service.description import DEVICE, described
from cellspan.core.service.engine import Client, Engine
from cellspan.core.service.errors import Refusal
from cellspan.core.service.guard import HEAD
from cellspan.core.service.jobs import LEASE_SECONDS, LONGEST_KEY, LONGEST_LEASE, Job
from cellspan.core.service.metrics import MEDIA_TYPE
from cellspan.core.service.models import listed
from cellspan.core.service.pages import NO_FOLDER, Pages
from cellspan.core.service.shapes import Health, Hello, JobState, ModelList, Problem, Review, ReviewAsked, Stopping
from cellspan.core.service.uploads import KINDS, Upload

LONGEST_WAIT = 30.0  # seconds of one long poll
BODY_SECONDS = 60.0  # without another byte of an upload
# Separate threads for work that may wait for a disk, so that it delays nothing else, and for work that takes memory.
WAITING_FOR_DISKS = CapacityLimiter(200)
ENCODING = CapacityLimiter(8)
# For every route; FastAPI's 422 for invalid queries is a 400 here, as for invalid parameters.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        400: "A value is not valid",
        401: "A valid token is needed",
        403: "The Host header does not name this engine, or other computers use it too",
        404: "There is no such job, folder or address",
        405: "This address does not support the method",
        503: "The engine is stopping, or its queue is full",
        500: "An internal error",
    }.items()
}
MORE_PROBLEMS = {
    406: "The result is not available in these media types",
    408: "The image did not arrive in time",
    409: "The job is not finished",
    410: "The outputs were deleted to free space",
    413: "The image is too large",
    415: "Images in this type or encoding are not supported",
    422: "The Idempotency-Key was used with another image",
    507: "Results that were not fetched take up all the space, or the disk is full",
}


def also(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Further responses of a route."""
    return {status: {"model": Problem, "description": MORE_PROBLEMS[status]} for status in statuses}


@dataclass(frozen=True)
class Context:
    """What the routes need in addition to the request."""

    engine: Engine
    token: str
    stop: Callable[[], None]  # called when a client asks the engine to stop
    replaced: Callable[[], bool]  # whether the program on disk was replaced
    metrics: bool = False


def context_of(request: Request) -> Context:
    """The context stored in the application."""
    context: Context = request.app.state.context
    return context


def engine_of(request: Request) -> Engine:
    """The engine of the application."""
    return context_of(request).engine


def client_of(
    client: Annotated[
        str,
        Header(alias="Cellspan-Client", max_length=LONGEST_KEY, description="Name of the client; clients take turns."),
    ] = "",
    interactive: Annotated[
        bool, Header(alias="Cellspan-Interactive", description="A person is waiting: this job comes first.")
    ] = False,
    lease: Annotated[
        float,
        Header(
            alias="Cellspan-Lease",
            ge=1,
            le=LONGEST_LEASE,
            description="Seconds without a request after which the job may be deleted.",
        ),
    ] = LEASE_SECONDS,
) -> Client:
    """The client of a request."""
    return Client(client, interactive, lease)


TheEngine = Annotated[Engine, Depends(engine_of)]
TheClient = Annotated[Client, Depends(client_of)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=LONGEST_KEY, description="The same key gives the same job."
    ),
]
JobId = Annotated[str, Path(max_length=64, description="The id that was returned for the image.")]

# Describes the token, which the guard checks.
bearer = HTTPBearer(auto_error=False)
router = APIRouter(prefix="/v1", responses=PROBLEMS, dependencies=[Security(bearer)])
open_router = APIRouter(prefix="/v1", responses={status: PROBLEMS[status] for status in (400, 403, 405, 500)})
metrics_router = APIRouter(responses=PROBLEMS, dependencies=[Security(bearer)])


@open_router.get("/hello", response_model=Hello)
def hello(
    request: Request, challenge: Annotated[str, Query(pattern="^[0-9a-f]{32,128}$", description="Hexadecimal digits.")]
) -> Hello:
    """Prove, to a client that has not sent its token yet, that this is its engine: HMAC-SHA256 of the challenge."""
    key = context_of(request).token.encode()
    return Hello(proof=hmac.new(key, (CHALLENGE_PREFIX + challenge).encode(), "sha256").hexdigest())


@router.get("/health", response_model=Health)
def health(request: Request, engine: TheEngine) -> Health:
    """The state of the engine."""
    counts = engine.jobs.count()
    outdated = context_of(request).replaced()
    return Health(
        status="stopping" if engine.stopping else "outdated" if outdated else "ok",
        version=version("cellspan"),
        busy=engine.busy,
        pid=os.getpid(),
        queued=counts["queued"],
        running=counts["running"],
        models=engine.models.names(),
    )


@router.get("/models", response_model=ModelList)
async def models(engine: TheEngine) -> ModelList:
    """The models that can be used."""
    found = await to_thread.run_sync(engine.models.available, limiter=WAITING_FOR_DISKS)
    return ModelList(models=[listed(model) for model in found])


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobState,
    response_model_exclude_none=True,
    responses=also(408, 413, 415, 422, 507),
    openapi_extra={
        "parameters": [
            *described(Parameters.model_fields),
            {
                "name": "device",
                "in": "query",
                "schema": {"type": "string", "pattern": DEVICE, "default": "auto"},
                "description": "auto, cpu, gpu, cuda, cuda:N or mps.",
            },
            {
                "name": MASK_BYTES,
                "in": "query",
                "schema": {"type": "integer", "minimum": 0, "default": 0},
                "description": "How many bytes at the end of the body are a mask (npy, TIFF or PNG; 0 outside).",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in KINDS},
        },
    },
)
async def submit(request: Request, engine: TheEngine, client: TheClient, key: Key = None) -> dict[str, Any]:
    """Send an image, and a mask after it if there is one, with the parameters of the segmentation in the query."""
    engine.check_open(client)  # before the image is received
    values = dict(request.query_params)
    device = values.pop("device", "auto")
    mask = _count(values.pop(MASK_BYTES, "0"))
    parameters = parse_parameters(values)
    upload = await _received(request, engine, mask)
    try:
        job = await to_thread.run_sync(
            engine.submit, upload, parameters, device, client, key, limiter=WAITING_FOR_DISKS
        )
    except BaseException:
        upload.close()
        raise
    return job.as_json()


@router.get("/jobs/{job_id}", response_model=JobState, response_model_exclude_none=True)
async def state(
    request: Request,
    engine: TheEngine,
    job_id: JobId,
    wait: Annotated[
        float, Query(ge=0, allow_inf_nan=False, description="Wait up to this many seconds for the job to finish.")
    ] = 0,
    within: Annotated[
        float | None,
        Query(
            ge=1,
            le=LONGEST_LEASE,
            description="The client asks again within this many seconds if the job is not finished; "
            "otherwise it counts as gone and the job is cancelled.",
        ),
    ] = None,
) -> dict[str, Any]:
    """The state of a job; with `wait`, returned when it finishes or after this many seconds (at most 30)."""
    job = engine.get(job_id)
    if wait and not job.over:
        if not await _until_over(job, request, min(wait, LONGEST_WAIT)):
            return job.as_json()  # the client is gone
        job = engine.get(job_id)
    job.promise = within
    if job.over:
        return job.as_json()
    running = engine.beside(job)
    if job.state == "running":
        return job.as_json(preparing(), running=running)
    before = engine.before(job)
    message = f"waiting for the engine: {before} job{'' if before == 1 else 's'} before this one"
    return job.as_json(message, before=before, running=running)


@router.delete("/jobs/{job_id}", status_code=204)
async def delete(engine: TheEngine, job_id: JobId) -> Response:
    """Cancel a job and delete its result."""
    engine.delete(engine.get(job_id))
    return Response(status_code=204)


async def result(
    request: Request,
    engine: TheEngine,
    job_id: JobId,
    accept: Annotated[str, Header(description="The media types that the client accepts.")] = "*/*",
) -> Response:
    """The labels of a job, in a media type that the client accepts; other results have their own addresses."""
    kind = request.url.path.rpartition("/")[2]
    job = engine.get(job_id)
    if job.state != "done":
        raise Refusal(409, "not_done", f"The job is {job.state}; it has no results.", state=job.state)
    found = job.result
    if found is None:
        raise Refusal(410, "gone", "The results of this job were deleted to free space; send the image again.")
    content, media = await to_thread.run_sync(encode, kind, found, accept, limiter=ENCODING)
    if kind in ("labels", "rois") and HEAD not in request.scope:
        job.fetched = True
    return Response(content, media_type=media)


# One address each, because their media types differ.
for kind, encoders in ENCODERS.items():
    router.add_api_route(
        f"/jobs/{{job_id}}/{kind}",
        result,
        methods=["GET"],
        name=kind,
        response_class=Response,
        responses={
            **also(406, 409, 410, 507),
            200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in encoders}},
        },
    )


@router.post(
    "/jobs/{job_id}/again",
    status_code=202,
    response_model=JobState,
    response_model_exclude_none=True,
    responses=also(409, 410, 422, 507),
    openapi_extra={"parameters": described(DYNAMICS)},
)
async def again(
    request: Request, engine: TheEngine, client: TheClient, job_id: JobId, key: Key = None
) -> dict[str, Any]:
    """Segment the same image with other thresholds, without the network; a new, short job."""
    job = engine.get(job_id)
    values = dict(request.query_params)
    return (await to_thread.run_sync(engine.again, job, values, client, key, limiter=WAITING_FOR_DISKS)).as_json()


@router.post("/reviews", status_code=201, response_model=Review)
async def review(request: Request, engine: TheEngine, client: TheClient, asked: ReviewAsked) -> Review:
    """Open the review page for a folder of images; only on an engine that serves this computer alone."""
    engine.check_open(client)
    pages: Pages | None = request.app.state.pages
    if pages is None:
        raise Refusal(
            403,
            "not_local",
            "The review page is for this computer only, but this engine also serves others (--allow-remote); stop it "
            "with 'cellspan service stop' and try again.",
        )
    try:
        path = await to_thread.run_sync(pages.invite, "review", asked.model_dump(), limiter=WAITING_FOR_DISKS)
    except CellspanError as error:
        if error.code != NO_FOLDER:
            raise
        raise Refusal(404, NO_FOLDER, str(error)) from None
    return Review(path=path)


@router.post("/stop", status_code=202, response_model=Stopping)
def end(request: Request) -> Stopping:
    """Stop the engine; running jobs are finished or returned."""
    context_of(request).stop()
    return Stopping(status="stopping")


@metrics_router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request, engine: TheEngine) -> Response:
    """Counters for Prometheus; only if the engine was started with --metrics."""
    if not context_of(request).metrics:
        raise Refusal(404, "no_metrics", "Metrics are available only if the engine was started with --metrics.")
    return Response(engine.metrics.text(engine.jobs, engine.results, engine.models), media_type=MEDIA_TYPE)


def _count(text: str) -> int:
    """How many bytes the mask has; raises Refusal."""
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Refusal(400, "bad_mask", f"{MASK_BYTES} = '{text}' is not possible: give a number of bytes.")
    return int(text)


async def _received(request: Request, engine: Engine, mask: int) -> Upload:
    """The body of a request; large ones are written to disk while they are received. Raises Refusal."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise Refusal(415, "unknown_encoding", f"Send images without Content-Encoding '{encoding}'.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    length = request.headers.get("content-length", "")
    upload = engine.uploads.begin(kind, int(length) if length.isascii() and length.isdecimal() else None, mask)
    parts = request.stream().__aiter__()
    try:
        while True:
            part = await asyncio.wait_for(anext(parts, None), BODY_SECONDS)
            if part is None:
                await to_thread.run_sync(upload.finish, limiter=WAITING_FOR_DISKS)
                return upload
            if upload.on_disk:
                await to_thread.run_sync(upload.write, part, limiter=WAITING_FOR_DISKS)
            else:
                upload.write(part)
    except asyncio.TimeoutError:  # differs from TimeoutError up to Python 3.10
        upload.close()
        raise Refusal(408, "too_slow", f"No part of the image arrived for {BODY_SECONDS:.0f} s.") from None
    except ClientDisconnect:
        upload.close()
        raise Refusal(400, "disconnected", "The client disconnected before the whole image arrived.") from None
    except BaseException:
        upload.close()
        raise


async def _until_over(job: Job, request: Request, seconds: float) -> bool:
    """Wait for a change or a timeout; False if the client is gone, whose lease is then short."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def tell() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(over.set)

    job.watch(tell)
    gone = asyncio.ensure_future(_disconnected(request))
    told = asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait({gone, told}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            job.lose_client()
        return not gone.done()
    finally:
        gone.cancel()
        told.cancel()
        job.unwatch(tell)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
