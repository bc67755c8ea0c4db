"""The engine answers as its description at /openapi.json says, whatever it is asked."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection

from cellspan.core.service.app import make_app
from cellspan.core.service.client import MASK_BYTES, as_npy
from cellspan.core.service.description import INDICES, PERCENTILES
from cellspan.core.service.engine import Engine
from cellspan.core.service.routes import Context
from cellspan.core.service.uploads import KINDS

from .fakes import LONG, TOKEN, FakeModels, FakeSegmenter, spots, until
from .test_jobs import submitted

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1"}


ENGINE = Engine(FakeModels(FakeSegmenter()), max_upload=1 << 20)  # has no threads before its first image
schema = schemathesis.openapi.from_asgi(
    "/openapi.json", make_app(Context(ENGINE, TOKEN, lambda: None, lambda: False, metrics=True)), headers=HEADERS
)


@pytest.fixture(scope="module", autouse=True)
def the_engine() -> Iterator[None]:
    yield
    ENGINE.stop()
    ENGINE.hand_back()
    assert ENGINE.join(LONG)


for media in KINDS:
    schemathesis.openapi.media_type(media, st.one_of(st.binary(max_size=100), st.just(as_npy(spots((3, 3))))))


def a_job() -> str:
    """The id of a job that is done."""
    job = submitted(ENGINE)
    until(lambda: job.over)
    return job.id


def _without_contradictions(query: dict[str, Any]) -> None:
    """What no description can tell: how options depend on one another, and that numbers ascend."""
    for name in ("limits", "tile_norm"):
        if name in query and (name == "limits" or str(query[name]) != "0"):
            query.pop(name)
    if str(query.get(MASK_BYTES)).isdecimal():
        query[MASK_BYTES] = 0  # nor how many bytes there are
    if re.fullmatch(INDICES["pattern"], channels := str(query.get("channel"))):
        query["channel"] = channels.split(",")[0]


@schema.parametrize()
@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_answers_as_described(case: Any) -> None:
    if case.path == "/v1/reviews" and isinstance(case.body, dict) and isinstance(case.body.get("folder"), str):
        case.body = {"folder": "/no such folder"}  # which folders there are, no description can tell
    if "job_id" in case.path_parameters and len(case.path_parameters["job_id"]) in range(1, 64, 2):
        case.path_parameters["job_id"] = a_job()
    if "model" in case.query:
        case.query["model"] = "fake"  # which names there are, no description can tell
    if str(case.query.get("device")).startswith(("gpu", "mps", "cuda")):
        case.query["device"] = "cpu"  # which of them the computer has, neither
    if re.fullmatch(PERCENTILES["pattern"], percentiles := str(case.query.get("normalize"))):
        low, high = map(float, percentiles.split(","))
        case.query["normalize"] = percentiles if low < high else "1,99"  # no pattern can compare numbers
    _without_contradictions(case.query)
    if len(case.headers.get("Idempotency-Key", "")) in range(1, 256):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex  # else one key comes with several images
    # Left out: that everything else is refused. HTTP lets unknown headers be, and values are texts that are read
    # kindly ("yes" is true, "7.0" is 7). What must be refused is in test_problems and test_routes.
    case.call_and_validate(headers=HEADERS, excluded_checks=[negative_data_rejection])
