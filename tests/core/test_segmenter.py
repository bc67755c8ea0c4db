"""One image from pixels to labels: whatever the tiles, and with the diameter that the objects have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellspan.core.images import read_image
from cellspan.core.metrics import best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Segmenter, _Pixels
from cellspan.core.training.simulate import simulate_nuclei


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter("nuclei", "cpu")


@pytest.mark.data
def test_labels_do_not_depend_on_the_tiles(segmenter: Segmenter, nuclei_images: list[Path]) -> None:
    simulated = simulate_nuclei((600, 600), 20, coverage=0.35, seed=5).image
    overlaps, counts = [], []
    for image in (simulated, *(read_image(path) for path in nuclei_images[6:])):
        whole = segmenter.segment(image, Parameters(diameter=20, tile=1024)).labels
        for tile in (192, None):
            labels = segmenter.segment(image, Parameters(diameter=20, tile=tile)).labels
            overlaps.append(best_overlaps(whole, labels))
            counts.append((whole.max(), labels.max()))
    found = np.concatenate(overlaps)
    assert len(found) > 300
    assert np.mean(found >= 0.98) >= 0.99
    expected, ours = np.sum(counts, axis=0)
    assert abs(ours - expected) <= 0.01 * expected


def test_the_diameter_of_a_large_image_is_measured_in_parts_of_it(segmenter: Segmenter) -> None:
    part = simulate_nuclei((500, 500), 30, coverage=0.3, seed=1).image
    image = np.tile(part, (5, 5))
    seen: list[str] = []
    result = segmenter.segment(image, on_progress=lambda fraction, words: seen.append(words))
    assert "measuring the diameter" in seen
    assert seen.count("following the flows") == 1
    assert result.diameter == pytest.approx(30, rel=0.15)


@pytest.mark.quick
@pytest.mark.parametrize(("shape", "count"), [((280, 280), 0), ((801, 1000), 4), ((100, 9000), 0)])
def test_windows_lie_in_the_image(shape: tuple[int, int], count: int) -> None:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    windows = _Pixels(np.stack([y, x]), Parameters()).windows(99.6)
    assert [window.shape for window in windows] == [(100, 100)] * count
    corners = {(float(window.planes[0].min()), float(window.planes[1].min())) for window in windows}
    assert len(corners) == count
