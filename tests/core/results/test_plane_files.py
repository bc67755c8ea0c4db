"""The results of one image on disk: every kind, all or none, with the size of its pixels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import roifile
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.objects.outlines import rois_to_labels
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.reading import read_labels
from cellspan.core.pictures.seg_npy import read_seg
from cellspan.core.planes.result import Result
from cellspan.core.results.outputs import output_paths
from cellspan.core.results.plane_files import save_plane_outputs

pytestmark = pytest.mark.quick
SOURCE = Path("a.tif")
KINDS = ("labels", "rois", "overlay", "table", "flows", "probability", "seg", "outlines")
PIXELS = np.random.default_rng(0).integers(0, 4000, (1, 40, 50), np.uint16)


def result() -> Result:
    labels = np.zeros((40, 50), np.int32)
    labels[5:15, 5:15], labels[20:30, 30:45] = 1, 2
    flows, probability = np.ones((2, 40, 50), np.float32), np.full((40, 50), 0.5, np.float32)
    return Result(labels, flows, probability, 12.0, np.zeros(0, np.float32), "fake", "0" * 64, "cpu", 0.0)


@pytest.mark.parametrize("name", ["a", "b\udce4", "c\nd", "t "])
def test_every_kind_with_its_size(tmp_path: Path, name: str) -> None:
    paths = output_paths(tmp_path, Path(name), KINDS)
    save_plane_outputs(paths, result(), Image(PIXELS, False, (0.25, 0.25), "µm"), Parameters(), SOURCE)
    for kind in ("labels", "flows", "probability"):
        with tifffile.TiffFile(paths[kind]) as tiff:
            assert (tiff.imagej_metadata or {})["unit"] == "um"
            assert tiff.pages[0].get_resolution() == (4, 4)  # type: ignore[union-attr]
    labels = tifffile.imread(paths["labels"])
    np.testing.assert_array_equal(labels, result().labels)
    assert tifffile.imread(paths["flows"]).shape == (2, 40, 50)
    np.testing.assert_array_equal(rois_to_labels(roifile.roiread(paths["rois"]), labels.shape), labels)
    assert np.array_equal(read_labels(paths["seg"]), labels)
    assert len(paths["outlines"].read_text().splitlines()) == 2
    rows = list(csv.DictReader(paths["table"].read_text(encoding="utf-8").splitlines()))
    assert [(row["area"], row["area_um2"]) for row in rows] == [("100", "6.25"), ("150", "9.375")]
    with PIL.Image.open(paths["overlay"]) as overlay:
        assert overlay.info["Pixel size"] == "x: 0.25 µm, y: 0.25 µm"
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths.values()}


def test_none_appears_if_one_cannot_be_written(tmp_path: Path) -> None:
    paths = output_paths(tmp_path, Path("a"), KINDS)
    paths["flows"].mkdir()
    with pytest.raises(CellspanError, match=r"a_flows\.tif: the file cannot be written"):
        save_plane_outputs(paths, result(), Image(PIXELS), Parameters(), SOURCE)
    assert list(tmp_path.iterdir()) == [paths["flows"]]


@pytest.mark.parametrize(
    ("channels", "is_rgb", "chosen", "expected"),
    [
        (1, False, {}, (None, None)),
        (3, True, {}, (None, None)),
        (3, False, {}, (0, None)),
        (3, False, {"channel": 2, "nuclei_channel": 1}, (2, 1)),
        (5, False, {"channel": 4}, (None, None)),
    ],
)
def test_seg_files_say_which_channels_were_segmented(
    tmp_path: Path, channels: int, is_rgb: bool, chosen: dict[str, int], expected: tuple[int | None, int | None]
) -> None:
    image = Image(np.repeat(PIXELS, channels, axis=0), is_rgb)
    paths = output_paths(tmp_path, Path("a"), ["seg"])
    save_plane_outputs(paths, result(), image, Parameters(**chosen), SOURCE)
    found = read_seg(paths["seg"])
    assert (found.channel, found.nuclei_channel) == expected
