"""Gives every response from status 400 on the same form, whether from the engine, the router or the framework."""

from __future__ import annotations

import http
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from cellspan.core.errors import CellspanError
from cellspan.core.service.errors import Refusal

LONGEST_SHOWN = 200  # characters of a value in a sentence


def problem(refusal: Refusal) -> JSONResponse:
    """The response for a refusal."""
    return JSONResponse(refusal.as_json(), refusal.status, refusal.headers)


def add_handlers(app: FastAPI) -> None:
    """Make the application use this form."""

    @app.exception_handler(Refusal)
    async def refuse(request: Request, refusal: Refusal) -> Response:
        return problem(refusal)

    @app.exception_handler(CellspanError)
    async def refuse_value(request: Request, error: CellspanError) -> Response:
        return problem(Refusal(400, "refused", str(error)))

    @app.exception_handler(RequestValidationError)
    async def refuse_request(request: Request, error: RequestValidationError) -> Response:
        first: Any = error.errors()[0]
        name, given = str(first["loc"][-1]), first.get("input")
        shown = repr(given)
        shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}..."
        return problem(Refusal(400, "refused", f"{name} = {shown} is not possible: {first['msg']}.", name=name))

    @app.exception_handler(HTTPException)
    async def refuse_address(request: Request, error: HTTPException) -> Response:
        words = http.HTTPStatus(error.status_code).phrase
        sentence = f"{request.method} {request.url.path}: {words}; /openapi.json lists the addresses."
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _allowed(request, headers.get("Allow", "GET"))
        return problem(Refusal(error.status_code, words.lower().replace(" ", "_"), sentence, headers))

    @app.exception_handler(MemoryError)
    async def memory_full(request: Request, error: MemoryError) -> Response:
        return problem(Refusal(503, "memory", "The engine's memory is full; try again.", {"Retry-After": "10"}))

    @app.exception_handler(Exception)
    async def internal(request: Request, error: Exception) -> Response:
        return problem(Refusal(500, "internal", f"Internal error ({type(error).__name__}); see the log for details."))


def _allowed(request: Request, first: str) -> str:
    """The methods of an address, which may have several routes; the framework knows those of the `first` one."""
    described = request.app.openapi()["paths"]
    methods = {
        method.upper()
        for template, operations in described.items()
        if compile_path(template)[0].match(request.url.path)
        for method in operations
    }
    return ", ".join(sorted(methods)) or first
