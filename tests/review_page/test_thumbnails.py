"""Thumbnails: small, in colours, with outlines."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from cellspan.review_page.pixels import Channel
from cellspan.review_page.thumbnails import composed, placeholder, thumbnail

pytestmark = pytest.mark.quick
GREEN = Channel(0, 100, 0, 255, "#00ff00")


def opened(content: bytes) -> np.ndarray:
    picture = PIL.Image.open(io.BytesIO(content))
    assert picture.format == "WEBP"
    return np.asarray(picture.convert("RGB")).astype(int)


def test_a_large_image_is_small(disks: np.ndarray) -> None:
    plane = np.full((1, 80 * 12, 100 * 12), 100, np.uint16)
    found = opened(thumbnail(plane, [GREEN], None))
    assert found.shape == (205, 256, 3)
    assert found[:, :, 1].min() > 240
    assert found[:, :, 0].max() < 20


def test_outlines_are_drawn(disks: np.ndarray) -> None:
    plane = np.zeros((1, *disks.shape), np.uint8)
    found = opened(thumbnail(plane, [GREEN], disks))
    assert found.shape == (*disks.shape, 3)
    assert found[30, 15:17].max() > 80  # the border of the first disk
    assert found[30, 26:34].max() < 60  # inside
    assert opened(thumbnail(plane, [GREEN], np.zeros_like(disks))).max() < 20


def test_channels_add_up() -> None:
    planes = np.full((2, 4, 4), 50, np.float32)
    picture = composed(planes, [GREEN, Channel(0, 50, 0, 255, "#ff00ff")])
    assert picture[0, 0].tolist() == [255, 127, 255]


def test_the_placeholder_is_a_picture() -> None:
    assert opened(placeholder()).shape == (256, 256, 3)
