"""What the client tells of a job that waits for others."""

from __future__ import annotations

from typing import Any

import pytest

from cellspan.core.service.client import _told

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"state": "queued", "before": 2, "running": 1}, "waiting for the engine: 3 jobs before yours"),
        ({"state": "queued", "before": 0, "running": 1}, "waiting for the engine: 1 job before yours"),
        ({"state": "queued"}, "as the engine says"),  # an engine of an earlier version
        ({"state": "running", "running": 0}, "as the engine says"),
        ({"state": "running", "running": 1}, "as the engine says (the engine also works on 1 other job)"),
        ({"state": "running", "running": 2}, "as the engine says (the engine also works on 2 other jobs)"),
        ({"state": "done"}, "as the engine says"),
    ],
)
def test_who_waits_hears_how_many_jobs_come_first(job: dict[str, Any], words: str) -> None:
    assert _told({"message": "as the engine says", **job}) == words
