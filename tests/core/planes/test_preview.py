"""Small pictures of what was segmented, with outlines in the right places."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import PIL.Image
import pytest

from cellspan.core.planes.preview import html_of, overlay_of, preview_of, sampled, shrunk

pytestmark = pytest.mark.quick


def test_a_small_image_stays(disks: np.ndarray) -> None:
    plane = np.linspace(-0.5, 1.5, disks.size, dtype=np.float32).reshape(disks.shape)
    grey = preview_of(plane)
    assert (grey.shape, grey.min(), grey.max()) == (disks.shape, 0, 255)


def test_a_large_image_is_shown_smaller() -> None:
    assert shrunk((2000, 1000)) == (512, 256)
    plane = np.zeros((2000, 1000), np.float32)
    plane[:1000] = 1
    assert preview_of(plane).mean() == pytest.approx(127, abs=2)
    assert shrunk((1, 5000)) == (1, 512)


def test_few_pixels_of_a_large_plane_are_kept() -> None:
    plane = np.arange(4001 * 900, dtype=np.float32).reshape(4001, 900)
    kept = sampled(plane)
    assert kept.shape == (1001, 225)
    assert kept.base is None, "the plane itself is not kept"
    np.testing.assert_array_equal(kept, plane[::4, ::4])
    np.testing.assert_array_equal(sampled(plane[:512, :512]), plane[:512, :512])


def test_outlines_are_where_the_objects_are() -> None:
    labels = np.zeros((1024, 1024), np.int32)
    labels[200:400, 600:800] = 1
    picture = overlay_of(np.zeros((512, 512), np.uint8), labels)
    y, x = np.nonzero(picture.any(axis=2))
    assert (y.min(), y.max(), x.min(), x.max()) == (100, 199, 300, 399)


def test_html() -> None:
    picture = np.full((4, 6, 3), 7, np.uint8)
    html = html_of(picture, ["2 < 3"])
    found = re.search('base64,([^"]+)"', html)
    assert found
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(found[1])))), picture)
    assert "2 &lt; 3" in html
    assert "img" not in html_of(None, ["a"])
