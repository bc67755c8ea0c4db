"""What a job does: in its order, with its image freed at the end, whatever the end is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.service.client import NPY, as_npy
from cellspan.core.service.uploads import Upload, Uploads
from cellspan.core.service.work import JudgeAgain, SegmentImage

from .fakes import FakeModels, FakeSegmenter, result_of, spots

pytestmark = pytest.mark.quick


@pytest.fixture
def uploads() -> Uploads:
    return Uploads()


def upload(uploads: Uploads, pixels: Any) -> Upload:
    sent = uploads.begin(NPY, None)
    sent.write(as_npy(np.asarray(pixels)))
    return sent


def test_an_image_is_segmented_and_freed_before_the_network_runs(uploads: Uploads) -> None:
    heard: list[tuple[str, int]] = []
    work = SegmentImage(
        FakeModels(FakeSegmenter()), upload(uploads, spots((3, 3), (20, 20))), Parameters(min_size=0), "cpu"
    )
    assert uploads.used("memory") > 0
    found = work.run(lambda part, words: heard.append((words, uploads.used("memory"))))
    assert found.count == 2
    assert [words for words, _ in heard][:3] == ["loading the model", "reading the image", "running the network"]
    assert heard[1][1] > 0 == heard[2][1]


def test_an_image_that_nobody_wants_any_more_is_freed(uploads: Uploads) -> None:
    work = SegmentImage(FakeModels(FakeSegmenter()), upload(uploads, spots((3, 3))), Parameters(), "cpu")
    work.close()
    work.close()
    assert uploads.used("memory") == 0


def test_a_model_that_is_gone_meanwhile_is_named(uploads: Uploads) -> None:
    work = SegmentImage(FakeModels(FakeSegmenter()), upload(uploads, spots()), Parameters(model="gone"), "cpu")
    with pytest.raises(CellspanError, match="gone"):
        work.run(lambda part, words: None)
    work.close()
    assert uploads.used("memory") == 0


def test_volumes_are_long(uploads: Uploads) -> None:
    models = FakeModels(FakeSegmenter())
    for parameters, is_long in ((Parameters(), False), (Parameters(do_3d=True), True)):
        work = SegmentImage(models, upload(uploads, spots()), parameters, "cpu")
        assert work.is_long == is_long
        work.close()


def test_judging_again_needs_no_network() -> None:
    earlier = result_of(spots((3, 3), (20, 20)))
    earlier.labels[:5] = 0
    work = JudgeAgain(earlier, Parameters(min_size=30))
    heard: list[str] = []
    assert work.run(lambda part, words: heard.append(words)).count == 0
    assert heard == ["following the flows"]
    work.close()
    with pytest.raises(AssertionError):
        work.run(lambda part, words: None)
