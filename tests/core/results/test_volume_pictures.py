"""Pictures of volumes show every object's outline where it is, at one scale along all axes."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from cellspan.core.results.volume_pictures import SEPARATOR, maximum_projection, orthogonal_views
from cellspan.core.training.simulate.volumes import simulated_volume

pytestmark = pytest.mark.quick


def boxes() -> tuple[np.ndarray, np.ndarray]:
    """Two bright boxes that overlap as seen from above, and a third one apart."""
    labels = np.zeros((6, 40, 50), np.int32)
    labels[0:2, 5:20, 5:20] = 1
    labels[3:5, 12:30, 12:30] = 2
    labels[2:4, 5:15, 35:45] = 3
    return (100 + 50 * (labels > 0)).astype(np.uint16), labels


def is_coloured(picture: np.ndarray) -> np.ndarray:
    return np.ptp(picture, axis=2) > 0


def ring(y0: int, x0: int, y1: int, x1: int, shape: tuple[int, int]) -> np.ndarray:
    found = np.zeros(shape, bool)
    found[y0:y1, x0:x1] = True
    found[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = False
    return found


def test_the_projection_has_the_whole_outline_of_every_object() -> None:
    image, labels = boxes()
    picture = maximum_projection(image, labels)
    assert (picture.shape, picture.dtype) == ((40, 50, 3), np.uint8)
    shape = (40, 50)
    rings = ring(5, 5, 20, 20, shape) | ring(12, 12, 30, 30, shape) | ring(5, 35, 15, 45, shape)
    np.testing.assert_array_equal(is_coloured(picture), rings)
    assert (picture[0, 0] == 0).all()
    assert (picture[10, 10] == 255).all()
    colours = {tuple(picture[5, 5]), tuple(picture[29, 29]), tuple(picture[5, 44])}
    assert len(colours) == 3


def test_the_border_of_the_image_is_no_outline() -> None:
    labels = np.ones((3, 10, 12), np.int32)
    assert not is_coloured(maximum_projection(labels, labels)).any()


def test_views_are_cuts_through_most_objects_at_one_scale() -> None:
    image, labels = boxes()
    picture = orthogonal_views(image, labels, 3.0)
    assert picture.shape == (40 + SEPARATOR + 18, 50 + SEPARATOR + 18, 3)
    xy, xz, yz = picture[:40, :50], picture[-18:, :50], picture[:40, -18:]
    # Slice 3 holds objects 2 and 3; rows 12 to 14 hold all three; columns 12 to 19 hold objects 1 and 2.
    np.testing.assert_array_equal(is_coloured(xy), ring(12, 12, 30, 30, (40, 50)) | ring(5, 35, 15, 45, (40, 50)))
    inside = [is_coloured(xz)[z].any() for z in range(18)]
    assert inside == [z < 15 for z in range(18)]
    assert is_coloured(xz)[:, 35:45].any()
    assert not is_coloured(xz)[:6, 35:45].any()
    assert is_coloured(yz)[5:20, 5].all()  # the lower face of object 1, two slices of three pixels
    assert is_coloured(yz)[12:30, 9].all()  # the upper face of object 2
    assert (picture[40:42, :50] == picture[40, 0]).all()


def test_without_objects_the_middle_is_shown() -> None:
    image = np.zeros((5, 9, 11), np.uint8)
    image[2] = np.arange(11) * 20
    picture = orthogonal_views(image, np.zeros((5, 9, 11), np.int32), 1.0)
    assert (np.diff(picture[4, :11, 0].astype(int)) > 0).sum() > 7
    assert not is_coloured(picture).any()
    assert orthogonal_views(image, np.zeros((5, 9, 11), np.int32), 0.1).shape == (9 + 3, 11 + 3, 3)


def test_volumes_on_disk_give_the_same_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, labels = simulated_volume(1, (12, 80, 90), 3.0, 20)
    wanted = maximum_projection(image, labels), orthogonal_views(image, labels, 3.0)
    monkeypatch.setattr("cellspan.core.objects.slabs.VOXELS", 3 * 80 * 90)
    np.save(tmp_path / "i.npy", image)
    np.save(tmp_path / "l.npy", labels.astype(np.uint16))
    lazy = [np.load(tmp_path / name, mmap_mode="r") for name in ("i.npy", "l.npy")]
    np.testing.assert_array_equal(maximum_projection(*lazy), wanted[0])
    np.testing.assert_array_equal(orthogonal_views(*lazy, 3.0), wanted[1])
    imageio.imwrite(tmp_path / "p.png", wanted[1])
    np.testing.assert_array_equal(imageio.imread(tmp_path / "p.png"), wanted[1])
