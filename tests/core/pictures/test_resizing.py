"""Resized planes: values that are known, and the bits that OpenCV gave when labels were first compared."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from cellspan.core.pictures.resizing import resize_plane

pytestmark = pytest.mark.quick


def resized(plane: np.ndarray, shape: tuple[int, int], averaging: bool) -> np.ndarray:
    result = np.full(shape, np.nan, np.float32)
    resize_plane(plane, result, averaging)
    return result


def noise(height: int, width: int) -> np.ndarray:
    """The same on every machine: integers, and so far from even steps that every bit of the result counts."""
    k = np.arange(height * width, dtype=np.uint32)
    k = (k * np.uint32(2654435761)) ^ (k >> np.uint32(3))
    return ((k >> np.uint32(8)).astype(np.float32) / np.float32(2**20) - 8).reshape(height, width)


# cv2.resize of OpenCV 5.0.0 on an x86 processor with AVX2.
BY_OPENCV = [
    ((37, 41), (20, 30), True, "2b6267ab7efeb6dd"),
    ((300, 200), (171, 130), True, "d2be01b6977fba1d"),
    ((64, 66), (32, 33), True, "199dbd2802226450"),
    ((60, 66), (20, 22), True, "d39cdb7d3a72f595"),
    ((60, 61), (12, 60), True, "9125506a05bb5abd"),
    ((60, 60), (30, 15), True, "eb555afaa9e2c76c"),
    ((50, 50), (25, 70), True, "fdb003fe907a7be2"),
    ((54, 51), (58, 47), True, "aca5b7b99da18f80"),
    ((40, 62), (74, 49), True, "438ea381deaa080c"),
    ((37, 41), (50, 90), False, "e1a954a502074778"),
    ((200, 300), (411, 333), False, "3d094d5df9e1e826"),
    ((64, 64), (128, 128), False, "b674c0c7a491a9a2"),
    ((33, 20), (33, 41), False, "34d6d73aa5e6ff55"),
]


@pytest.mark.parametrize(("old", "new", "averaging", "digest"), BY_OPENCV)
def test_bits_are_those_of_opencv(old: tuple[int, int], new: tuple[int, int], averaging: bool, digest: str) -> None:
    assert hashlib.sha256(resized(noise(*old), new, averaging).tobytes()).hexdigest()[:16] == digest


def test_blocks_are_averaged() -> None:
    plane = noise(12, 30)
    wanted = plane.reshape(4, 3, 10, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resized(plane, (4, 10), True), wanted, rtol=1e-5, atol=1e-5)


def test_averages_weigh_parts_of_pixels() -> None:
    plane = np.array([[0, 3, 6]], np.float32)
    np.testing.assert_allclose(resized(plane, (1, 2), True), [[1, 5]], rtol=1e-6)


def test_enlarging_keeps_a_slope_and_goes_on_flat_beyond_the_borders() -> None:
    plane = np.tile(np.arange(10, dtype=np.float32), (4, 1))
    row = resized(plane, (8, 20), False)[3]
    np.testing.assert_allclose(row[1:-1], (np.arange(20)[1:-1] + 0.5) / 2 - 0.5, rtol=1e-6)
    assert (row[0], row[-1]) == (0, 9)


@pytest.mark.parametrize("averaging", [True, False])
@pytest.mark.parametrize("new", [(1, 1), (3, 7), (11, 2), (40, 50)])
def test_a_flat_plane_stays_flat(new: tuple[int, int], averaging: bool) -> None:
    np.testing.assert_allclose(resized(np.full((9, 8), 2.5, np.float32), new, averaging), 2.5, rtol=1e-6)
