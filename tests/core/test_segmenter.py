"""One image from pixels to labels: whatever the tiles, and with the diameter that the objects have."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError, DeviceMemoryError
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.objects.labels import Labels, median_diameter
from cellspan.core.objects.metrics import best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import image_from_array
from cellspan.core.pictures.reading import read_image
from cellspan.core.planes.pixels import Pixels
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate import simulate_nuclei


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter("nuclei", "cpu")


@pytest.mark.data
def test_labels_do_not_depend_on_the_tiles(
    segmenter: Segmenter, nuclei_images: list[Path], nuclei_labels: list[Labels]
) -> None:
    made = simulate_nuclei((600, 600), 20, coverage=0.35, seed=5)
    annotated = zip(map(read_image, nuclei_images[6:]), nuclei_labels[6:], strict=True)
    overlaps, counts = [], []
    for image, true in ((image_from_array(made.image), made.labels), *annotated):
        # At another diameter there would be specks of noise, whose outlines depend on everything.
        diameter = median_diameter(true)
        whole = segmenter.segment(image, Parameters(diameter=diameter, tile=1024)).labels
        for tile in (192, None):
            labels = segmenter.segment(image, Parameters(diameter=diameter, tile=tile)).labels
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
    windows = Pixels(np.stack([y, x]), Parameters()).windows(99.6)
    assert [window.shape for window in windows] == [(100, 100)] * count
    corners = {(float(window.planes[0].min()), float(window.planes[1].min())) for window in windows}
    assert len(corners) == count


def test_a_full_device_gets_fewer_tiles_and_then_the_cpu_goes_on(segmenter: Segmenter) -> None:
    """No graphics card is here to be filled, so its predictor is one that has room for no tile at all."""

    class FullCard:
        device, batch, tensors, rules = "cuda:0", 4, False, TileRules()
        tried: ClassVar[list[int]] = []

        def encode(self, tiles: Any, beside: int = 0) -> Any:
            self.tried.append(len(tiles))
            raise DeviceMemoryError("full")

        def decode(self, features: Any, style: Any, beside: int = 0) -> Any:
            raise AssertionError("nothing was encoded")

    image = simulate_nuclei((900, 900), 20).image
    parameters = Parameters(diameter=20)
    crowded = Segmenter("nuclei", "cpu")
    crowded.predictor = FullCard()
    result = crowded.segment(image, parameters)
    assert FullCard.tried == [4, 2, 1]
    assert result.device == "cpu"
    assert result.notes[-1] == "The memory of cuda:0 did not suffice; the CPU was used."
    assert np.array_equal(result.labels, segmenter.segment(image, parameters).labels)
    crowded.segment(image, parameters)
    assert FullCard.tried == 2 * [4, 2, 1], "one full moment does not mean the CPU for ever"


def test_one_of_several_images_in_a_file_is_chosen(segmenter: Segmenter, tmp_path: Path) -> None:
    planes = np.random.default_rng(0).integers(0, 60_000, (2, 40, 50), dtype=np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        for plane in planes:
            file.write(plane, metadata={"axes": "YX"})
    parameters = Parameters(diameter=20)
    with pytest.raises(CellspanError, match=r"a\.ome\.tif: the file holds 2 images.*series= in Python"):
        segmenter.segment(tmp_path / "a.ome.tif", parameters)
    found = segmenter.segment(tmp_path / "a.ome.tif", parameters, series=1)
    np.testing.assert_array_equal(found.probability, segmenter.segment(planes[1], parameters).probability)
    with pytest.raises(CellspanError, match="what was given is no file"):
        segmenter.segment(planes[0], parameters, series=0)


def test_the_diameter_is_that_of_the_objects_inside_the_mask(segmenter: Segmenter) -> None:
    small, large = (simulate_nuclei((300, 300), size, coverage=0.3, seed=1).image for size in (18, 50))
    image = np.concatenate([small, large], axis=1)
    for side, diameter in ((slice(0, 300), 18), (slice(300, 600), 50)):
        mask = np.zeros(image.shape, bool)
        mask[:, side] = True
        result = segmenter.segment(image, mask=mask)
        assert result.diameter == pytest.approx(diameter, rel=0.25)
        assert not result.labels[~mask].any()


@pytest.mark.parametrize("resample", [True, False])
def test_other_thresholds_stay_inside_the_mask(segmenter: Segmenter, resample: bool) -> None:
    image = simulate_nuclei((200, 240), 24, seed=2).image
    mask = np.zeros(image.shape, bool)
    mask[30:150, 40:200] = True
    first = segmenter.segment(image, Parameters(diameter=24), mask=mask)
    changed = Parameters(diameter=24, min_size=60, exclude_on_edges=True, cellprob_threshold=-1, resample=resample)
    again = first.again(changed)
    np.testing.assert_array_equal(again.labels, segmenter.segment(image, changed, mask=mask).labels)
    assert 0 < again.count < first.count
    assert not again.labels[~mask].any()
