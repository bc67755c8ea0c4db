"""Restored images on disk: of planes and of stacks, with all channels or some, and their size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.inputs import find_inputs
from cellspan.core.planes.restoring import Restorer
from cellspan.core.results.restored_files import restore_file

pytestmark = pytest.mark.usefixtures("restoring_models")
PIXELS = np.random.default_rng(0).integers(0, 4000, (2, 40, 48)).astype(np.uint16)


def silent(part: float, words: str) -> None:
    """Progress that is not shown."""


@pytest.fixture
def plane(tmp_path: Path) -> Path:
    size = {"imagej": True, "resolution": (2.0, 2.0), "metadata": {"axes": "CYX", "unit": "um"}}
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, **size)
    return tmp_path / "a.tif"


@pytest.mark.quick
def test_every_channel_of_a_plane_by_itself(tmp_path: Path, plane: Path) -> None:
    restorer, target = Restorer("denoise_cyto3", "cpu"), tmp_path / "out.tif"
    record = restore_file(restorer, plane, target, Parameters(diameter=20), silent)
    expected = restorer.restored(Image(PIXELS), Parameters(), 20.0, silent, apart=2)
    np.testing.assert_array_equal(tifffile.imread(target), expected.pixels)
    assert record["notes"] == []
    with tifffile.TiffFile(target) as tiff:
        assert tiff.pages[0].get_resolution() == (2, 2)  # type: ignore[union-attr]
    restore_file(restorer, plane, target, Parameters(channel=1), silent)
    assert tifffile.imread(target).shape == (40, 48)


@pytest.mark.quick
def test_an_enlarged_image_has_smaller_pixels(tmp_path: Path, plane: Path) -> None:
    restore_file(Restorer("upsample_cyto3", "cpu"), plane, tmp_path / "out.tif", Parameters(diameter=20), silent)
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        assert tiff.asarray().shape == (2, 60, 72)
        assert tiff.pages[0].get_resolution() == (3, 3)  # type: ignore[union-attr]


@pytest.mark.quick
def test_a_stack_slice_by_slice(tmp_path: Path) -> None:
    stack = np.stack([PIXELS, PIXELS[:, ::-1]])  # ZCYX
    tifffile.imwrite(tmp_path / "stack.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    record = restore_file(
        Restorer("denoise_cyto3", "cpu"), tmp_path / "stack.tif", tmp_path / "o.tif", Parameters(), silent
    )
    assert tifffile.imread(tmp_path / "o.tif").shape == (2, 2, 40, 48)
    assert record["notes"] == []
    with pytest.raises(CellspanError, match=r"stack\.tif: channel = 7, but the image has 2"):
        restore_file(
            Restorer("denoise_cyto3", "cpu"), tmp_path / "stack.tif", tmp_path / "p.tif", Parameters(channel=7), silent
        )
    assert not (tmp_path / "p.tif").exists()


@pytest.mark.end_to_end
def test_in_the_shell(tmp_path: Path, plane: Path, cellspan: Callable) -> None:
    out = tmp_path / "out"
    (tmp_path / "bad.tif").write_text("no image")
    done = cellspan("restore", tmp_path, "-o", out, "--channel", 0, check=False)
    assert done.returncode == 1
    assert "bad.tif" in done.stderr
    assert "1 of 2 images restored" in done.stdout
    assert "Note: The image was restored as if its objects were about 30 pixels wide (set diameter)." in done.stderr
    run = json.loads((out / "run.json").read_text())
    assert run["model"]["name"] == run["parameters"]["model"] == "denoise_cyto3"
    assert [record.get("outputs") for record in run["inputs"]] == [{"restored": "a_restored.tif"}, None]
    assert [item.path.name for item in find_inputs([str(out)])] == ["a_restored.tif"], "it can be segmented"
    again = cellspan("restore", plane, "-o", out, "--skip-existing")
    assert "1 of 1 images restored" in again.stdout
    assert cellspan("restore", plane, "-o", out, "--model", "nuclei", check=False).returncode == 2

    both = ("--model", "nuclei", "--diameter", "20", "--channel", "0")
    found = cellspan(
        "segment", plane, "-o", tmp_path / "seg", *both, "--restore", "denoise_cyto3", "--save", "labels,restored"
    )
    assert found.returncode == 0
    assert tifffile.imread(tmp_path / "seg" / "a_restored.tif").shape == (40, 48)
    run = json.loads((tmp_path / "seg" / "run.json").read_text())
    assert run["restoring_model"]["name"] == run["parameters"]["restore"] == "denoise_cyto3"
    volume = np.stack([PIXELS[0], PIXELS[1], PIXELS[0]])
    tifffile.imwrite(tmp_path / "z.tif", volume, imagej=True, metadata={"axes": "ZYX"})
    in_3d = ("--do-3d", "--restore", "denoise_cyto3", "--save", "labels,restored")
    cellspan("segment", tmp_path / "z.tif", "-o", tmp_path / "seg", *both[:4], *in_3d)
    assert tifffile.imread(tmp_path / "seg" / "z_restored.tif").shape == (3, 40, 48)
    refused = cellspan("segment", plane, "-o", tmp_path / "seg", *both, "--save", "restored", check=False)
    assert (refused.returncode, "add --restore" in refused.stderr) == (2, True)
