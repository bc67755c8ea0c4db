"""The HTTP application: jobs in, labels out, behind a bearer token."""

from __future__ import annotations

import asyncio
import io
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tifffile
from fastapi import FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from cellspan.core.errors import CellspanError
from cellspan.core.images import Image, decode_image, image_from_array
from cellspan.core.models.registry import list_models
from cellspan.core.outlines import write_roi_zip
from cellspan.core.outputs import outlines_of, write_labels
from cellspan.core.parameters import Parameters, parse_parameters
from cellspan.core.segmenter import Result, object_quality
from cellspan.core.service.client import NPY, as_npy
from cellspan.core.service.jobs import Job, Jobs
from cellspan.core.volumes.volume import Volume, decode_volume, volume_from_array

TIFF, PNG, ZIP = "image/tiff", "image/png", "application/zip"
LONGEST_WAIT = 30.0  # seconds of one long poll
POLL_SECONDS = 0.004  # how late an answer may be
Encoder = Callable[[Result], bytes]


def make_app(jobs: Jobs, token: str, stop: Callable[[], None]) -> FastAPI:
    """The application; `stop` is called when a client asks the service to end."""
    app = FastAPI(title="cellspan engine", version=version("cellspan"), docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def check_token(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return _error(401, "A valid token is needed.")
        return await proceed(request)

    @app.exception_handler(CellspanError)
    async def refuse(request: Request, error: CellspanError) -> Response:
        return _error(400, str(error))

    @app.exception_handler(RequestValidationError)
    async def refuse_request(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _error(400, f"{first['loc'][-1]} = {first.get('input')!r} is not possible: {first['msg']}.")

    @app.get("/v1/health")
    def health() -> dict[str, Any]:
        return {"status": "ok", "version": version("cellspan"), "busy": jobs.busy}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"models": [model.description.model_dump(mode="json") for model in list_models()]}

    @app.post("/v1/jobs", status_code=202, openapi_extra=_job_parameters())
    async def submit(request: Request, idempotency_key: Annotated[str | None, Header()] = None) -> dict[str, Any]:
        values = dict(request.query_params)
        device = values.pop("device", "auto")
        parameters = parse_parameters(values)
        decode = _decoder(request.headers.get("content-type", ""), await request.body(), parameters.is_volume)
        job = await asyncio.to_thread(jobs.submit, decode, parameters, device, idempotency_key)
        return job.as_json()

    @app.get("/v1/jobs/{job_id}")
    async def state(job_id: str, wait: Annotated[float, Query(ge=0)] = 0) -> Response:
        job = jobs.get(job_id)
        if job is None:
            return _unknown(job_id)
        await _until_over(job, min(wait, LONGEST_WAIT))
        return JSONResponse(job.as_json())

    @app.delete("/v1/jobs/{job_id}")
    def delete(job_id: str) -> Response:
        return Response(status_code=204) if jobs.delete(job_id) else _unknown(job_id)

    @app.get("/v1/jobs/{job_id}/{kind}")
    def result(job_id: str, kind: str, accept: Annotated[str, Header()] = "*/*") -> Response:
        job = jobs.get(job_id)
        if job is None:
            return _unknown(job_id)
        if kind not in ENCODERS:
            return _error(404, f"There is no result '{kind}'; choose among {', '.join(ENCODERS)}.")
        if job.result is None:
            return _error(409, f"The job is {job.state}; its results are not there.")
        wanted = accept.partition(";")[0].partition(",")[0].strip()
        media = next(iter(ENCODERS[kind])) if wanted == "*/*" else wanted
        if media not in ENCODERS[kind]:
            return _error(406, f"{kind} are given as {' or '.join(ENCODERS[kind])}.")
        return Response(ENCODERS[kind][media](job.result), media_type=media)

    @app.post("/v1/stop", status_code=202)
    def end() -> dict[str, str]:
        jobs.cancel_all()
        stop()
        return {"status": "stopping"}

    return app


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)


def _unknown(job_id: str) -> JSONResponse:
    return _error(404, f"There is no job {job_id}; results are kept for a few minutes only.")


async def _until_over(job: Job, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not job.over and time.monotonic() < end:
        await asyncio.sleep(POLL_SECONDS)


def _decoder(content_type: str, body: bytes, is_volume: bool) -> Callable[[], Image | Volume]:
    """How the worker gets the image or volume; decoding happens there, not in the event loop."""
    kind = content_type.partition(";")[0].strip()
    if kind == NPY:
        return lambda: (volume_from_array if is_volume else image_from_array)(_load_npy(body))
    if kind == TIFF and is_volume:
        return lambda: decode_volume(body)
    if kind in (TIFF, PNG):
        return lambda: decode_image(body, ".tif" if kind == TIFF else ".png")
    raise CellspanError(f"Images are sent as {NPY}, {TIFF} or {PNG}, not '{kind}'.")


def _load_npy(body: bytes) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(np.load(io.BytesIO(body), allow_pickle=False))
    except (ValueError, EOFError, OSError) as error:
        raise CellspanError(f"The array cannot be read ({error}).") from None


def _tiff(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, compression="zlib")
    return buffer.getvalue()


def _through_file(write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result"
        write(path)
        return path.read_bytes()


ENCODERS: dict[str, dict[str, Encoder]] = {
    "labels": {
        NPY: lambda result: as_npy(result.labels),
        TIFF: lambda result: _through_file(lambda path: write_labels(path, result.labels)),
    },
    "rois": {ZIP: lambda result: _through_file(lambda path: write_roi_zip(path, outlines_of(result.labels)))},
    "probability": {NPY: lambda result: as_npy(result.probability), TIFF: lambda result: _tiff(result.probability)},
    "objects": {NPY: lambda result: as_npy(object_quality(result))},
    "flows": {NPY: lambda result: as_npy(result.flows), TIFF: lambda result: _tiff(result.flows)},
}


def _job_parameters() -> dict[str, Any]:
    """The query parameters of POST /v1/jobs for /openapi.json, from Parameters."""
    schema = Parameters.model_json_schema()["properties"]
    rows = [
        {"name": name, "in": "query", "required": False, "description": field.pop("description", ""), "schema": field}
        for name, field in schema.items()
    ]
    rows.append({"name": "device", "in": "query", "required": False, "schema": {"type": "string", "default": "auto"}})
    body = {media: {"schema": {"type": "string", "format": "binary"}} for media in (NPY, TIFF, PNG)}
    return {"parameters": rows, "requestBody": {"required": True, "content": body}}
