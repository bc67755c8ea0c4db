"""The endings of results."""

from __future__ import annotations

import pytest

from cellspan.core.files.result_names import ENDINGS, OWN_ENDINGS
from cellspan.core.pictures.left_out import OWN_MARKS

pytestmark = pytest.mark.quick


def test_no_ending_is_the_end_of_another_one() -> None:
    assert len(set(OWN_ENDINGS)) == len(ENDINGS) + 1
    assert not any(a != b and a.endswith(b) for a in OWN_ENDINGS for b in OWN_ENDINGS)


def test_results_that_are_pictures_are_told_from_images() -> None:
    pictures = {"_labels", "_overlay", "_flows", "_probability", "_orthogonal", "_restored"}
    assert set(OWN_MARKS) == pictures
