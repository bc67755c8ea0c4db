"""Masks: what they may be, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.masks import decode_mask, read_mask, with_mask
from cellspan.core.pictures.volume import Volume
from cellspan.core.service.client import as_npy

pytestmark = pytest.mark.quick
PLANE = Image(np.zeros((1, 6, 8), np.uint8))
STACK = Volume(np.zeros((1, 4, 6, 8), np.uint8))


def half() -> np.ndarray:
    mask = np.zeros((6, 8), np.uint8)
    mask[:3] = 255
    return mask


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32, np.float32])
def test_anything_but_0_is_inside(kind: type) -> None:
    np.testing.assert_array_equal(with_mask(PLANE, half().astype(kind)).mask, half() > 0)
    np.testing.assert_array_equal(with_mask(PLANE, half()[None]).mask, half() > 0)


def test_a_plane_serves_for_every_slice() -> None:
    mask = with_mask(STACK, half()).mask
    assert mask.shape == STACK.shape
    assert (mask == (half() > 0)).all()


def test_a_mask_that_is_everywhere_is_none() -> None:
    assert with_mask(PLANE, np.ones((6, 8))).mask is None
    assert with_mask(PLANE, None) is PLANE


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((8, 6)), "the mask has 6 x 8 pixels, but the image 8 x 6"),
        (np.ones((4, 6, 8)), "8 x 6 x 4 pixels, but the image 8 x 6"),
        (np.zeros((6, 8)), "0 everywhere"),
        (np.full((6, 8), np.nan), "NaN"),
        (np.ones(8), "one number for each pixel"),
        (np.ones((6, 8), complex), "one number for each pixel"),
    ],
)
def test_what_is_no_mask_is_refused_in_one_sentence(mask: np.ndarray, words: str) -> None:
    with pytest.raises(CellspanError, match=words):
        with_mask(PLANE, mask)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, half())
    np.testing.assert_array_equal(read_mask(path), half() > 0)
    PIL.Image.fromarray(half()).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), half() > 0)
    tifffile.imwrite(path, half().astype(complex))
    with pytest.raises(CellspanError, match=r"a\.tif: a mask has one number for each pixel"):
        read_mask(path)


@pytest.mark.parametrize("suffix", ["npy", "tif", "png"])
def test_bytes(suffix: str) -> None:
    buffer = io.BytesIO()
    if suffix == "npy":
        buffer.write(as_npy(half() > 0))
    elif suffix == "tif":
        tifffile.imwrite(buffer, half())
    else:
        PIL.Image.fromarray(half()).save(buffer, "png")
    np.testing.assert_array_equal(decode_mask(buffer.getvalue()), half() > 0)
    with pytest.raises(CellspanError):
        decode_mask(buffer.getvalue()[:20])
