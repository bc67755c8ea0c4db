"""Restored images for ImageJ: of a plane, a stack, volumes and pairs, the same as the library makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core import Parameters, Segmenter
from cellspan.core.errors import CellspanError
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge.restored import write_restored

RESTORE = ("--restore", "denoise_cyto3", "--diameter", "26")


@pytest.fixture(scope="module")
def fields() -> np.ndarray:
    """Two different fields of nuclei."""
    return np.stack([simulate_nuclei((96, 112), diameter=26, seed=seed).image for seed in range(2)])


@pytest.mark.end_to_end
def test_every_kind_of_image(
    fields: np.ndarray, tmp_path: Path, restoring_models: Path, engine_home: Path, cellspan: Callable
) -> None:
    image, rois, restored = tmp_path / "i.tif", tmp_path / "r.zip", tmp_path / "seen.tif"

    def seen(command: str, pixels: np.ndarray, axes: str, *options: object) -> np.ndarray:
        tifffile.imwrite(image, pixels, imagej=True, metadata={"axes": axes})
        more = [*RESTORE, "--rois", rois, "--restored", restored, *options]
        assert cellspan(command, "--input", image, *more).stdout.startswith("OK ")
        with tifffile.TiffFile(restored) as file:
            assert file.is_imagej
            found: np.ndarray = file.asarray()
        restored.unlink()
        return found

    parameters = Parameters(model="nuclei", restore="denoise_cyto3", diameter=26)
    expected = [Segmenter("nuclei").segment(field, parameters).restored for field in fields]
    np.testing.assert_array_equal(seen("fiji-segment", fields[0], "YX", "--model", "nuclei"), expected[0][0])
    stack = seen("fiji-segment", fields, "TYX", "--model", "nuclei")
    np.testing.assert_array_equal(stack, np.concatenate(expected))
    volume = seen("fiji-segment", np.repeat(fields, 2, axis=0), "ZYX", "--model", "nuclei", "--stitch-threshold", 0.3)
    assert volume.shape == (4, *fields.shape[1:])

    # Of cells and nuclei, both channels as the network for cells saw them; the nuclei have a model of their own.
    both = ["--model", "cyto", "--channel", 0, "--nuclei-channel", 1]
    pair = seen("fiji-cells", fields, "CYX", *both)
    wanted = parameters.model_copy(update={"model": "cyto", "nuclei_channel": 1})
    np.testing.assert_array_equal(pair, Segmenter("cyto").segment(fields, wanted).restored)
    pairs = seen("fiji-cells", np.stack([fields, fields]), "ZCYX", *both)
    np.testing.assert_array_equal(pairs, np.stack([pair, pair]))


@pytest.mark.quick
def test_planes_of_different_sizes_are_told(tmp_path: Path) -> None:
    planes = [np.zeros((1, size, size), np.float32) for size in (8, 9)]
    with pytest.raises(CellspanError, match="enter the diameter"):
        write_restored(tmp_path / "seen.tif", [planes])
    assert not (tmp_path / "seen.tif").exists()
