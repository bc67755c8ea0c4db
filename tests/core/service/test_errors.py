"""Refusals: a status, a code for programs, a sentence for people."""

from __future__ import annotations

import pytest

from cellspan.core.service.errors import Refusal, stopping, unknown_job

pytestmark = pytest.mark.quick


def test_a_refusal_has_a_code_a_sentence_and_what_it_speaks_of() -> None:
    refusal = Refusal(413, "too_large", "The image is too large.", {"X-More": "1"}, most=7)
    assert str(refusal) == "The image is too large."
    assert (refusal.status, refusal.headers) == (413, {"X-More": "1"})
    assert refusal.as_json() == {"code": "too_large", "sentence": "The image is too large.", "fields": {"most": 7}}


def test_clients_learn_when_to_come_again_and_which_job_is_unknown() -> None:
    assert (stopping().status, stopping().headers) == (503, {"Retry-After": "1"})
    refusal = unknown_job("a1b2")
    assert (refusal.status, refusal.fields) == (404, {"id": "a1b2"})
    assert "a1b2" in refusal.sentence
