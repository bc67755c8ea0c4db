"""Before and after: which images are scored, and that the score is that of the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellspan.core.models.registry import find_model
from cellspan.core.objects.outlines import labels_to_rois, write_roi_zip
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.comparison import MOST_IMAGES, Comparison, compared, mean_average_precision
from cellspan.core.training.pairs import find_pairs

from .test_data import write_outlined, write_pair

pytestmark = pytest.mark.quick


def test_a_model_agrees_with_its_own_outlines_and_less_with_wrong_ones(tmp_path: Path) -> None:
    nuclei = find_model("nuclei")
    write_outlined(tmp_path, "a.png", "a_rois.zip")
    pairs = find_pairs(tmp_path)
    labels = Segmenter(nuclei).segment(pairs[0].image).labels
    write_roi_zip(tmp_path / "a_rois.zip", labels_to_rois(labels))
    assert mean_average_precision(nuclei, pairs) == 1
    write_roi_zip(tmp_path / "a_rois.zip", labels_to_rois(np.roll(labels, 40, axis=1)))
    assert mean_average_precision(nuclei, pairs) < 0.5


def test_validation_images_are_scored_where_there_are_some(tmp_path: Path) -> None:
    nuclei = find_model("nuclei")
    for folder in ("train", "test"):
        write_pair(tmp_path / folder, "a")
    assert compared(nuclei, lambda: nuclei, find_pairs(tmp_path))[1].images == 1  # not that of the test folder
    write_pair(tmp_path / "val", "b", seed=3)
    write_pair(tmp_path / "val", "c", seed=4)
    model, comparison = compared(nuclei, lambda: nuclei, find_pairs(tmp_path))
    assert model is nuclei
    assert (comparison.images, comparison.held_out) == (2, True)
    assert comparison.before == comparison.after > 0.5


def test_the_line_says_what_was_scored() -> None:
    assert str(Comparison(0.5, 0.75, 1, False)) == (
        "AP@0.5 on 1 annotated image: 0.50 before, 0.75 after (on the training images)"
    )
    assert str(Comparison(0.5, 0.75, MOST_IMAGES, True)) == ("AP@0.5 on 24 validation images: 0.50 before, 0.75 after")
