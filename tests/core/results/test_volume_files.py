"""The results of a volume on disk: all of them or none."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.reading import read_labels
from cellspan.core.pictures.volume import Spacing, Volume
from cellspan.core.results import volume_files
from cellspan.core.results.outputs import output_paths
from cellspan.core.results.overlays import write_picture
from cellspan.core.results.volume_files import save_volume_outputs
from cellspan.core.volumes.pipeline import Found

pytestmark = pytest.mark.quick
SOURCE = Path("a.tif")
VOLUME = Volume(np.arange(4 * 20 * 30, dtype=np.uint16).reshape(1, 4, 20, 30))


def found() -> Found:
    labels = np.zeros(VOLUME.shape, np.int32)
    labels[1:3, 5:15, 5:15] = 1
    return Found(labels, None, np.zeros(VOLUME.shape, np.float32), count=1)


def test_the_views_belong_to_the_overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = output_paths(tmp_path, Path("stack"), ["labels", "rois", "overlay", "table"])
    parameters = Parameters(do_3d=True)
    pictures: list[Path] = []

    def full(path: Path, *rest: Any) -> None:
        if len(pictures) == 1:
            path.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")
        pictures.append(path)
        write_picture(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(volume_files, "write_picture", full)
        with pytest.raises(CellspanError, match=r"stack_orthogonal\.png: the file cannot be written"):
            save_volume_outputs(paths, found(), VOLUME, parameters, SOURCE)
    assert list(tmp_path.iterdir()) == []
    save_volume_outputs(paths, found(), VOLUME, parameters, SOURCE)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {path.name for path in paths.values()} | {"stack_orthogonal.png"}


@pytest.mark.parametrize(("spacing", "unit", "shown"), [((2.0, 0.5, 0.5), "µm", "um"), (None, "", "pixel")])
def test_the_size_of_a_voxel_is_kept_in_every_kind(
    tmp_path: Path, spacing: Spacing | None, unit: str, shown: str
) -> None:
    kinds = ["labels", "overlay", "table", "flows", "probability", "seg"]
    paths = output_paths(tmp_path, Path("stack"), kinds)
    result = found()
    result.anisotropy, result.flows = 4.0, np.ones((3, *VOLUME.shape), np.float32)
    save_volume_outputs(paths, result, Volume(VOLUME.channels, spacing, unit), Parameters(do_3d=True), SOURCE)
    assert np.array_equal(read_labels(paths["seg"]), result.labels)
    for kind in ("labels", "probability"):
        with tifffile.TiffFile(paths[kind]) as tiff:
            about = tiff.imagej_metadata or {}
            assert about["unit"] == shown
            assert about["spacing"] == (2.0 if spacing else 4.0)
            assert tiff.asarray().shape == VOLUME.shape
    with tifffile.TiffFile(paths["flows"]) as tiff:
        assert tiff.series[0].axes == "CZYX"
        assert f'PhysicalSizeZ="{2.0 if spacing else 4.0}"' in str(tiff.ome_metadata)
    columns = paths["table"].read_text().splitlines()[0]
    assert ("volume_um3" in columns) is bool(spacing)
    for path in (paths["overlay"], tmp_path / "stack_orthogonal.png"):
        with PIL.Image.open(path) as picture:
            assert picture.info.get("Pixel size") == ("x: 0.5 µm, y: 0.5 µm" if spacing else None)
