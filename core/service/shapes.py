"""The engine's responses as models, for /openapi.json."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """The body of every status from 400 on."""

    code: str
    sentence: str
    fields: dict[str, Any] = {}


class Hello(BaseModel):
    """The proof that the engine knows the token."""

    proof: str


class Health(BaseModel):
    """The state of the engine."""

    status: Literal["ok", "stopping", "outdated"]
    version: str
    busy: bool
    pid: int
    queued: int
    running: int
    models: list[str]


class ModelList(BaseModel):
    """The models that can be used, as their model.json describes them.

    Each also has `bytes`, the size of its weights, and `graphics_card_advised`.
    """

    models: list[dict[str, Any]]


class Found(BaseModel):
    """The result of a job."""

    count: int
    diameter: float
    model: str
    model_sha256: str
    device: str
    seconds: float
    notes: list[str]


class JobState(BaseModel):
    """The state of a job."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float
    message: str
    before: int | None = Field(None, description="Jobs that wait before this one; only while it waits.")
    running: int | None = Field(
        None, description="Other jobs that the engine works on; only while this one waits or runs."
    )
    error: Problem | None = None
    result: Found | None = None


class ReviewAsked(BaseModel):
    """Which images are to be reviewed in the browser."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(description="Absolute path of a folder of images, or of the results of a run.")
    results: str | None = Field(None, description="Absolute path of the results, else cellspan_results in the folder.")
    parameters: dict[str, Any] = Field({}, description="Options of the segmentation that differ from those of the run.")
    here: str | None = Field(None, description="Folder of the caller, to which paths in the record may be relative.")


class Review(BaseModel):
    """A link for one person."""

    path: str = Field(description="The link without http://host:port; it works once, within five minutes.")


class Stopping(BaseModel):
    """The engine is stopping."""

    status: Literal["stopping"]
