"""The engine's error responses: a code for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """An error response."""

    def __init__(
        self, status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> None:
        """`code`: one word for programs; `fields`: the values in the sentence, by name."""
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence
        self.headers, self.fields = dict(headers or {}), fields

    def as_json(self) -> dict[str, Any]:
        """The body of every response with a status from 400 on."""
        return {"code": self.code, "sentence": self.sentence, "fields": self.fields}


def stopping() -> Refusal:
    """The engine accepts no new jobs and returns those that it has not started."""
    return Refusal(503, "stopping", "The engine is stopping; send the image to the next one.", {"Retry-After": "1"})


def unknown_job(job_id: str) -> Refusal:
    """The job was deleted, expired, or belongs to another engine."""
    return Refusal(404, "unknown_job", f"There is no job {job_id}; results are kept for only a few minutes.", id=job_id)
