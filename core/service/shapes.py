"""The answers of the engine as models, from which /openapi.json describes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class Problem(BaseModel):
    """What every status from 400 on has as its body."""

    code: str
    sentence: str
    fields: dict[str, Any] = {}


class Hello(BaseModel):
    """The proof that the engine knows the token."""

    proof: str


class Health(BaseModel):
    """What the engine is doing."""

    status: Literal["ok", "stopping", "outdated"]
    version: str
    busy: bool
    pid: int
    queued: int
    running: int
    models: list[str]


class ModelList(BaseModel):
    """The models that can be used, as their model.json describes them."""

    models: list[dict[str, Any]]


class Found(BaseModel):
    """What a job has found."""

    count: int
    diameter: float
    model: str
    model_sha256: str
    device: str
    seconds: float
    notes: list[str]


class JobState(BaseModel):
    """Where a job stands."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float
    message: str
    error: Problem | None = None
    result: Found | None = None


class Stopping(BaseModel):
    """The engine ends."""

    status: Literal["stopping"]
