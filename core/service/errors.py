"""What the engine answers when it cannot do what was asked: a code for programs, a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """An answer other than the one that was asked for."""

    def __init__(
        self, status: int, code: str, sentence: str, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> None:
        """`code` is one word for programs; `fields` are what the sentence speaks of, by name."""
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence
        self.headers, self.fields = dict(headers or {}), fields

    def as_json(self) -> dict[str, Any]:
        """The body of every answer with a status from 400 on."""
        return {"code": self.code, "sentence": self.sentence, "fields": self.fields}


def stopping() -> Refusal:
    """The engine takes no new jobs, and hands back those that it has not begun."""
    return Refusal(503, "stopping", "The engine is stopping; send the image to the next one.", {"Retry-After": "1"})


def unknown_job(job_id: str) -> Refusal:
    """It was deleted, its time was over, or it was another engine's."""
    return Refusal(404, "unknown_job", f"There is no job {job_id}; results are kept for only a few minutes.", id=job_id)
