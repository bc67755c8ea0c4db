"""The mask of each image: one file, or a folder with the same names."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.inputs import Input
from cellspan.core.pictures.mask_files import MaskFiles

pytestmark = pytest.mark.quick


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_one_file_for_one_image(tmp_path: Path) -> None:
    masks = MaskFiles(touched(tmp_path / "mask.png"))
    one, other = Input(tmp_path / "a.tif", Path()), Input(tmp_path / "b.tif", Path())
    masks.require_one([one])
    assert masks.of(one) == masks.path
    with pytest.raises(CellspanError, match="this is one mask, but there are 2 images"):
        masks.require_one([one, other])
    with pytest.raises(CellspanError, match="there is no such mask"):
        MaskFiles(tmp_path / "none.png").require_one([one])


def test_a_folder_has_one_of_each_images_name(tmp_path: Path) -> None:
    top, below = touched(tmp_path / "masks" / "a.png"), touched(tmp_path / "masks" / "day2" / "a.tif")
    masks = MaskFiles(tmp_path / "masks")
    assert masks.of(Input(tmp_path / "a.tif", Path())) == top
    assert masks.of(Input(tmp_path / "day2" / "a.tif", Path("day2"))) == below
    assert masks.of(Input(tmp_path / "day3" / "a.tif", Path("day3"))) == top
    with pytest.raises(CellspanError, match=r"b\.tif: .*holds no mask for it"):
        masks.of(Input(tmp_path / "b.tif", Path()))
    touched(tmp_path / "masks" / "a.tif")
    with pytest.raises(CellspanError, match=r"several masks of its name \(a\.png, a\.tif\)"):
        masks.of(Input(tmp_path / "a.tif", Path()))


def test_images_of_one_file_have_their_own_mask_or_that_of_the_file(tmp_path: Path) -> None:
    whole, second = touched(tmp_path / "masks" / "wells.tif"), touched(tmp_path / "masks" / "wells_s1.tif")
    masks = MaskFiles(tmp_path / "masks")
    assert masks.of(Input(tmp_path / "wells.lif", Path(), 0)) == whole
    assert masks.of(Input(tmp_path / "wells.lif", Path(), 1)) == second


def test_masks_are_not_segmented(tmp_path: Path) -> None:
    image = Input(touched(tmp_path / "a.tif"), Path())
    mask = Input(touched(tmp_path / "masks" / "a.tif"), Path("masks"))
    assert MaskFiles(tmp_path / "masks").without_masks([image, mask]) == [image]
    assert MaskFiles(mask.path).without_masks([image, mask]) == [image]
    with pytest.raises(CellspanError, match="the masks themselves"):
        MaskFiles(tmp_path / "masks").without_masks([mask])
